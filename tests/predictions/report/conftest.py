"""A small finished run as files in the pipeline's layout, with hostile text, and the report written from it."""

import itertools
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import soundfile
import yaml
from safetensors.numpy import save_file

from benchmarks.calibration import plant
from eisbach.pipeline.outcomes import COLUMNS
from eisbach.pipeline.params import load
from predictions.judge.document import document as judged_document
from predictions.judge.document import plain
from predictions.judge.judge import judge
from predictions.judge.verdict import RegistryFile, Table, Tree
from predictions.registry import load as registry
from predictions.report import inputs, site

HOSTILE = "<script>alert('x')</script> \"quoted\" & 'single' \u202eright to left\u0000null"
SEEDS, ARMS, TENTHS = (0, 1), ("baseline", "barrier", "<b>$arm_{</b>\x00"), (0.25, 0.75)
CLASSES = ("flat", "middle", "contrast")


COUNTEREXAMPLE = {
    "found": True,
    "tried": 7,
    "description": f"(4, 1, 1) {HOSTILE}",
    "files": {
        "arrays": "counterexamples/it.safetensors", "picture": "counterexamples/it.svg",
        "audio flat": "counterexamples/it-flat.flac", "audio lost": "counterexamples/lost.flac",
        "audio stolen": "../artifacts/generate/0/0-0-'quote\".flac",
    },
}  # fmt: skip
NO_TIME = "no time axis"


def page() -> dict:
    """A registry of three claims, with hostile text wherever a registry has text."""
    measured = {"metric": "coverage", "control": "curriculum", "margin": 0.25, "margin_because": HOSTILE}
    systems = {
        name: {"title": title, "column": column, "members": members, "adapter": adapter, "run": "short", "seeds": 6}
        for name, title, column, members, adapter in (
            ("curves", "toy curves", "curves", ["trajectories/*"], "full"),
            ("small", f"the small one {HOSTILE}", "small", ["small"], "dora"),
            ("medium", "Medium", "Medium", ["medium"], "dora"),
        )
    }

    def atom(name: str, part: str, label: str, **keys) -> dict:
        return {
            "id": name,
            "part": part,
            "label": label,
            "statement": f"it rises {HOSTILE}",
            "direction": "higher",
        } | keys

    order = atom(
        "curriculum/order", "it rises", f"rises {HOSTILE}", kind="difference", mechanism=["shuffled@0.5"],
        on={"curves": measured, "small": measured, "medium": measured},
    )  # fmt: skip
    detail = atom(
        "curriculum/detail", "it rises", "by a detail", kind="difference", decides=False, why_not="a detail",
        on={"small": measured}, not_on={"curves": NO_TIME, "medium": NO_TIME},
    )  # fmt: skip
    low = atom(
        "noise-level/low", "it is high", "w is high", kind="bound", bound=0.9, on={"small": {"metric": "w"}},
        not_on={"curves": NO_TIME, "medium": NO_TIME},
    )  # fmt: skip
    untested = atom(
        "adapter/x", "it covers", "covers", kind="difference", on={"medium": measured},
        not_on={"curves": NO_TIME, "small": NO_TIME},
    )  # fmt: skip
    algebra = [
        {"statement": f"always {HOSTILE}", "says": "the sentence", "word": "disproved", "search": "flat_is_damped"},
        {"statement": "at the fixed point", "says": "a tautology", "word": "proved", "proof": "fixed_point"},
    ]
    claims = {
        "curriculum": (f"Always it rises. {HOSTILE}", [order, detail], algebra),
        "noise-level": ("Then it is high.", [low], []),
        "adapter": ("And it covers.", [untested], []),
    }
    return {
        "rules": {"level": 0.05, "control_level": 0.05, "most_atoms": 12, "fewest_seeds": 6, "resamples": 1000},
        "confirmatory": {"first": 100, "last": 123},
        "systems": systems,
        "controls": {"curriculum": {"title": HOSTILE, "plus": ["class"], "minus": ["class_reversed"], "half": True}},
        "claims": [
            {"id": name, "sentence": sentence, "place": "abstract", "atoms": atoms, "algebra": by_algebra}
            for name, (sentence, atoms, by_algebra) in claims.items()
        ],
    }


def planted() -> pd.DataFrame:
    """Outcomes of six seeds: an effect on the curves, none on the small model, whose control is not detected."""
    rng = np.random.default_rng(0)
    parts = []
    for regime, effect, control in (("trajectories/c2", 1.0, 2.0), ("trajectories/c32", 2.0, 2.0), ("small", 0.0, 0.0)):
        effects = {
            "barrier@0.5": effect,
            "baseline": 0,
            "shuffled@0.5": 0,
            "class": control,
            "class_reversed": -control,
        }
        rows = {(arm, "coverage"): 5 + shift + 0.1 * rng.standard_normal(6) for arm, shift in effects.items()}
        rows["baseline", "w"] = 0.2 + 0.01 * rng.standard_normal(6)
        adapter = "dora" if regime == "small" else "full"
        parts.append(plant.table(rows, regime, adapter=adapter))
    return pd.concat(parts, ignore_index=True).assign(table="a.parquet")


def document(folder: Path) -> dict:
    """verdicts.json of the page on the planted outcomes; the registry is written into `folder`."""
    path = folder / "registry.yaml"
    path.write_text(yaml.safe_dump(page()))
    plan, table = registry.load(path), planted()
    return plain(
        judged_document(
            plan,
            judge(plan, table),
            {("flat_is_damped", "analytic"): COUNTEREXAMPLE},
            table,
            file=RegistryFile(sha256="0" * 64, committed=True),
            tree=Tree(revision="1" * 40, clean=False),
            tables=[Table(path="artifacts/toys/outcomes.parquet", sha256="2" * 64, rows=9, seal="")],
        )
    )


def write_run(root: Path) -> None:
    """The files of a complete run of two seeds and three arms."""
    rng = np.random.default_rng(0)

    def table(path: str, frame: pd.DataFrame) -> None:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        frame.to_parquet(root / path, index=False)

    def frame(columns: tuple[str, ...], *levels, **values) -> pd.DataFrame:
        made = pd.DataFrame(itertools.product(*levels), columns=list(columns))
        return made.assign(**{name: rng.uniform(*span, len(made)) for name, span in values.items()})

    shutil.copyfile("params.yaml", root / "params.yaml")
    params = yaml.safe_load((root / "params.yaml").read_text()) | {"seeds": list(SEEDS)}
    params["finetune"]["arms"] = {arm: {"weighting": "baseline", "settings": {}} for arm in ARMS if arm.isalnum()}
    (root / "params.yaml").write_text(yaml.safe_dump(params))
    clips = [(f"clip-{number}", name) for number in range(6) for name in CLASSES]
    census = frame(("clip", "t"), clips, TENTHS, w=(0.1, 0.3), factor=(0.5, 0.6), energy=(1, 2))
    census[["clip_id", "contrast_class"]] = census.pop("clip").tolist()
    table("artifacts/census/census.parquet", census)
    write_map(table, frame)
    table("artifacts/base/loss_by_t.parquet", frame(("clip_id", "t"), ("a", "b"), TENTHS, loss=(0.6, 1)))
    licences = pd.DataFrame({"licence": [HOSTILE, "CC BY 4.0", "CC BY 4.0"]})
    table("artifacts/corpus/manifest.parquet", licences)
    keys = ("arm", "seed")
    for seed in SEEDS:
        table(
            f"artifacts/finetune/{seed}/telemetry.parquet", frame((*keys, "step"), ARMS, [seed], range(4), loss=(1, 2))
        )
        losses = frame((*keys, "clip_id", "t"), ARMS, [seed], ("a", "b"), TENTHS, loss=(1, 2))
        table(f"artifacts/evaluate/{seed}/losses.parquet", losses)
        samples = frame((*keys, "prompt"), ARMS, [seed], (0, 1), dynamic_range_db=(20, 40), contrast=(0, 1))
        table(f"artifacts/evaluate/{seed}/samples.parquet", samples)
        outcomes = frame((*keys, "metric"), ["baseline"], [seed], ("w/t<0.2", "vendi"), value=(0.1, 0.3))
        facts = {"regime": "small", "lam": np.nan, "adapter": "dora", "optimizer": "adamw", "run": "short"}
        table(f"artifacts/evaluate/{seed}/outcomes.parquet", outcomes.assign(**facts)[list(COLUMNS)])
        made = frame((*keys, "prompt"), ARMS, [seed], (0, 1))
        made["caption"] = [HOSTILE if prompt else "word " * 2048 for prompt in made["prompt"]]
        made["file"] = [
            f"{ARMS.index(arm)}-{prompt}-'quote\".flac" for arm, prompt in zip(made["arm"], made["prompt"], strict=True)
        ]
        table(f"artifacts/generate/{seed}/samples.parquet", made)
        for number, file in enumerate(made["file"]):
            ramp = np.sin(np.arange(33075) * (0.02 + 0.01 * number)) * np.linspace(0, 0.5, 33075)
            soundfile.write(root / f"artifacts/generate/{seed}" / file, ramp, 44100)
    (root / "results" / "counterexamples").mkdir(parents=True)
    arrays = {"flatter": np.sqrt([[4.0, 1, 1]]), "steeper": np.sqrt([[4.0, 2, 0]])}
    save_file(arrays, root / "results/counterexamples/it.safetensors")
    soundfile.write(root / "results/counterexamples/it-flat.flac", np.sin(np.arange(33075) * 0.05) / 2, 44100)
    write_toys(table, frame)
    tenths = {str(tenth / 10): {"model": 0.8, "linear": 1.1, "scalar": 1.2, "zero": 2.0} for tenth in range(10)}
    summary = {
        "mean_w": 0.2,
        "factor_coefficient_of_variation": 0.03,
        "coefficient_of_variation_w": 0.2,
        "w_contrast_over_flat": 1.1,
    }
    numbers = {
        "results/base.json": {"loss_by_tenth_of_t": tenths},
        "results/census.json": summary,
        "results/encode.json": {"heldout_error_db_decoded": 1.3},
        "results/verdicts.json": document(root),
        "artifacts/corpus/summary.json": {"clips": 3},
    }
    for path, content in numbers.items():
        (root / path).write_text(json.dumps(content))


def write_map(table, frame) -> None:
    """The tables of the stage `weight_map`."""
    found = {"w": (0.1, 0.3), "w_se": (0, 0.01), "factor_cv": (0.01, 0.1), "factor_cv_se": (0, 0.01)}
    measured = {f"measured_{name}": span for name, span in found.items()}
    place = {"channels": 64.0, "length": 108, "lam": 0.5}
    cells = frame(("sweep", "deviation", "scale"), ("deviation", "scale"), (0.0, 0.4), (0.5, 1.0), **found)
    cells = cells.assign(**place, w_second_order=0.2)
    table("artifacts/weight_map/cells.parquet", cells)
    limits = frame(("scale",), (0.5, 1.0), mean_w=(0.1, 0.5), spread=(0.1, 0.5)).assign(**place)
    table("artifacts/weight_map/limits.parquet", limits)
    marks = frame(("name",), ("small corpus", "white noise"), deviation=(0, 0.5), **measured)
    table("artifacts/weight_map/marks.parquet", marks)
    table("artifacts/weight_map/by_t.parquet", frame(("power", "t"), (0.5, 1.0), (0.1, 0.5), **found, **measured))
    medium = frame(("clip", "t", "lam"), ("10 s", "120 s"), (0.0, 0.5, 1.0), (0.5, 1.0), **found)
    table("artifacts/weight_map/medium.parquet", medium)


def write_toys(table, frame) -> None:
    """Two regimes of toys in the layout of `toy_models`."""
    facts = {"adapter": "full", "optimizer": "adamw", "run": "converged"}
    regimes, arms = (
        ["densities/two_moons", "trajectories/c32"],
        [("baseline", np.nan), ("barrier", 0.5), ("barrier", 1.0)],
    )

    def rows(columns: tuple[str, ...], *levels, **values) -> pd.DataFrame:
        made = frame(("regime", "who", *columns), regimes, arms, *levels, **values)
        made[["arm", "lam"]] = made.pop("who").tolist()
        adapted = made.assign(**{column: made[column] + 1000 for column in values})  # an adapter's, in no picture
        return pd.concat([made.assign(**facts), adapted.assign(**facts | {"adapter": "lora"})], ignore_index=True)

    classes = ("flat", "contrast")
    outcomes = rows(("seed", "metric"), SEEDS, ("excess_risk", "vendi_gaussian", "w/t<0.2"), value=(0.1, 0.5))
    table("artifacts/toys/outcomes.parquet", outcomes[list(COLUMNS)])
    table(
        "artifacts/toys/curves.parquet",
        rows(("seed", "step", "class"), SEEDS, (10, 100), classes, excess_risk=(0.1, 1)),
    )
    weights = rows(("seed", "t", "class"), (0,), TENTHS, classes, w=(0.2, 0.5))
    weights["source"] = np.where(weights["arm"] == "barrier", "closed form", "trained")
    table("artifacts/toys/weights.parquet", weights.assign(w_low=weights["w"] - 0.01, w_high=weights["w"] + 0.01))
    draws = rows(("sample",), range(9), x=(-1, 1), y=(-1, 1))
    table("artifacts/toys/draws.parquet", draws[draws["regime"].str.startswith("densities")])


def report(root: Path, folder: Path) -> SimpleNamespace:
    """Write the report of the run under `root`; its `folder`, what was read and what was written."""
    params = load(root / "params.yaml")
    found = inputs.read(root, params.seeds)
    written = site.write(folder, root, params, found)
    return SimpleNamespace(folder=folder, root=root, inputs=found, site=written, params=params)


@pytest.fixture(scope="session")
def make_report():
    return report


@pytest.fixture(scope="session")
def hostile():
    return HOSTILE


@pytest.fixture(scope="session")
def whole(tmp_path_factory):
    """The report of a complete run."""
    root = tmp_path_factory.mktemp("run")
    write_run(root)
    return report(root, root / "report")


@pytest.fixture(scope="session")
def incomplete(tmp_path_factory):
    """The report of a run that lost a seed, its verdicts and one table, half of which was written."""
    root = tmp_path_factory.mktemp("incomplete")
    write_run(root)
    for path in ("artifacts/evaluate/1", "artifacts/generate/1"):
        shutil.rmtree(root / path)
    (root / "results/verdicts.json").unlink()
    (root / "results/base.json").write_text("{")
    census = root / "artifacts/census/census.parquet"
    census.write_bytes(census.read_bytes()[:200])
    return report(root, root / "report")
