"""The paths of the pipeline's artefacts, relative to the project's root. dvc.yaml has the same paths."""

from pathlib import Path

from eisbach.errors import UserError

ARTIFACTS = Path("artifacts")
REGISTRATION = ARTIFACTS / "registration.json"
SOURCES = ARTIFACTS / "sources.json"  # hashes of the corpus's files
IMPORTED = ARTIFACTS / "imported.json"  # hashes of the imported adapters' files
MANIFEST = ARTIFACTS / "corpus" / "manifest.parquet"
CLIPS = ARTIFACTS / "corpus" / "clips.tar"
ARCHIVE = ARTIFACTS / "encode" / "archive.safetensors"
BASE_LOSSES = ARTIFACTS / "base" / "loss_by_t.parquet"
CENSUS = ARTIFACTS / "census" / "census.parquet"
FLATTENED = ARTIFACTS / "census" / "flattened.parquet"
WEIGHT_MAP = ARTIFACTS / "weight_map"  # cells, limits, marks, by_t, medium: parquet
ADAPTERS = ARTIFACTS / "finetune"  # /<seed>/<arm>/, /<seed>/telemetry.parquet
SAMPLES = ARTIFACTS / "generate"  # /<seed>/samples.parquet, /<seed>/samples.safetensors, /<seed>/*.flac
REFERENCE = ARTIFACTS / "reference" / "embeddings.safetensors"  # of real clips, with the scale fitted on them
EVALUATION = ARTIFACTS / "evaluate"  # /<seed>/*.parquet, /<seed>/*.safetensors
BETWEEN_SEEDS = ARTIFACTS / "between_seeds" / "outcomes.parquet"
TOYS = ARTIFACTS / "toys"  # outcomes, curves, weights, draws: parquet
METRICS = Path("results")
REPORT = Path("report")
CHECKPOINTS = Path(".cache")  # of unfinished runs; not a DVC output, because DVC deletes those before a stage runs


def missing(path: str | Path) -> UserError:
    """The error for an artefact that does not exist, with the command that makes it."""
    return UserError(f"{path} is missing; run `{' '.join(['dvc repro', *made_by(path)])}` first")


def damaged(path: str | Path, error: object) -> UserError:
    """The error for a file that cannot be read, with the command that makes it anew where a stage does."""
    cure = [f"delete it and run `dvc repro --force {stage}`" for stage in made_by(path)] or ["write it again"]
    return UserError(f"{path} is damaged ({' '.join(str(error).split())}); {cure[0]}")


def made_by(path: str | Path) -> list[str]:
    """The DVC stage that writes an artefact, such as ["generate@0"]; empty where no stage of dvc.yaml does."""
    parts = Path(path).parts
    if parts[:1] == (METRICS.name,):
        return [{"verdicts": "verify", "arms": "report"}.get(Path(path).stem, Path(path).stem)]
    if parts[:1] != (ARTIFACTS.name,) or len(parts) < 2:
        return []
    stage, *rest = parts[1:]
    if stage in (ADAPTERS.name, SAMPLES.name, EVALUATION.name):
        return [f"{stage}@{rest[0]}" if rest else stage]
    return [
        {
            REGISTRATION.name: "register",
            MANIFEST.parent.name: "prepare",
            SOURCES.name: "sources",
            IMPORTED.name: "sources",
        }.get(stage, stage)
    ]
