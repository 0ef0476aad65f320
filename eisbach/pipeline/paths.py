"""Where the pipeline's artefacts lie, relative to the project's root: the same names as in dvc.yaml."""

from pathlib import Path

ARTIFACTS = Path("artifacts")
REGISTRATION = ARTIFACTS / "registration.json"
MANIFEST = ARTIFACTS / "corpus" / "manifest.parquet"
CLIPS = ARTIFACTS / "corpus" / "clips.tar"
ARCHIVE = ARTIFACTS / "encode" / "archive.safetensors"
BASE_LOSSES = ARTIFACTS / "base" / "loss_by_t.parquet"
CENSUS = ARTIFACTS / "census" / "census.parquet"
SENSITIVITY = ARTIFACTS / "census" / "sensitivity.parquet"
ADAPTERS = ARTIFACTS / "finetune"  # /<seed>/<arm>/, /<seed>/telemetry.parquet
SAMPLES = ARTIFACTS / "generate"  # /<seed>/samples.parquet, /<seed>/samples.safetensors, /<seed>/*.flac
REFERENCE = ARTIFACTS / "reference" / "embeddings.safetensors"  # of real clips, and the scale fitted on them
EVALUATION = ARTIFACTS / "evaluate"  # /<seed>/*.parquet, /<seed>/heard.safetensors
BETWEEN_SEEDS = ARTIFACTS / "between_seeds" / "outcomes.parquet"
TOYS = ARTIFACTS / "toys"  # outcomes, curves, weights, draws: parquet
METRICS = Path("results")
REPORT = Path("report")
CHECKPOINTS = Path(".cache")  # unfinished runs; outside DVC, which clears a stage's outputs before it runs
