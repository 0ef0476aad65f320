"""What a run left behind, as far as it went: every input is optional, and what is missing is said in a sentence."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import yaml

from eisbach.pipeline import paths
from predictions.report.text import visible

VERDICTS = paths.METRICS / "verdicts.json"
CORPUS = paths.MANIFEST.parent / "summary.json"
FAULTS = (OSError, ValueError, KeyError)  # of a file that is cut off, is no parquet or JSON, or lacks its columns

TABLES = {  # name: (path, what it is called in a sentence)
    "census": (paths.CENSUS, "the census of weights"),
    "sensitivity": (paths.SENSITIVITY, "the census of what moves the weight"),
    "base": (paths.BASE_LOSSES, "the base model's held-out losses"),
    "toy_outcomes": (paths.TOYS / "outcomes.parquet", "the toys' outcomes"),
    "toy_curves": (paths.TOYS / "curves.parquet", "the toys' learning curves"),
    "toy_weights": (paths.TOYS / "weights.parquet", "the toys' weights"),
    "toy_draws": (paths.TOYS / "draws.parquet", "the toys' samples"),
    "manifest": (paths.MANIFEST, "the corpus' manifest"),
}
PER_SEED = {
    "telemetry": (paths.ADAPTERS, "telemetry.parquet", "training records"),
    "losses": (paths.EVALUATION, "losses.parquet", "held-out losses"),
    "samples": (paths.EVALUATION, "samples.parquet", "measures of samples"),
    "outcomes": (paths.EVALUATION, "outcomes.parquet", "outcomes"),
    "made": (paths.SAMPLES, "samples.parquet", "samples"),
}
NUMBERS = {
    "encode": (paths.METRICS / "encode.json", "the codec's errors"),
    "base": (paths.METRICS / "base.json", "the base model's losses by t"),
    "census": (paths.METRICS / "census.json", "the census in numbers"),
    "corpus": (CORPUS, "the corpus in numbers"),
    "verdicts": (VERDICTS, "the verdicts"),
}


@dataclass
class Inputs:
    """`tables` by the names above, those that could be read; `numbers` likewise; `missing`: one sentence each."""

    seeds: list[int]
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    numbers: dict[str, dict] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)

    def outcomes(self) -> pd.DataFrame:
        """All outcomes, of toys and of the small model, in one tidy table; empty when there are none."""
        parts = [self.tables[name] for name in ("toy_outcomes", "outcomes") if name in self.tables]
        columns = ["regime", "arm", "lam", "adapter", "optimizer", "run", "seed", "metric", "value"]
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def read(root: Path, seeds: list[int]) -> Inputs:
    """Everything that lies under the project's root `root`, for these seeds."""
    inputs = Inputs(list(seeds))
    if not (root / paths.TOYS).is_dir():
        inputs.missing.append(f"No toys: {paths.TOYS} does not exist.")
    for name, (path, words) in TABLES.items():
        if path.parent == paths.TOYS and not (root / paths.TOYS).is_dir():
            continue
        table = _table(root / path, path, words, inputs.missing)
        if table is not None:
            inputs.tables[name] = _named(table)
    for name, (folder, file, words) in PER_SEED.items():
        tables = {}
        for seed in seeds:
            try:
                tables[seed] = pd.read_parquet(root / folder / str(seed) / file)
            except FAULTS:
                continue
        lacking = [seed for seed in seeds if seed not in tables]
        if lacking:
            which = "every seed" if not tables else f"seed {', '.join(map(str, lacking))}"
            inputs.missing.append(f"The {words} of {which} ({folder}/<seed>/{file}) cannot be read.")
        if tables:
            inputs.tables[name] = _named(pd.concat(tables.values(), ignore_index=True))
    for name, (path, words) in NUMBERS.items():
        try:
            inputs.numbers[name] = json.loads((root / path).read_text())
        except FAULTS:
            inputs.missing.append(f"No {words.removeprefix('the ')}: {path} cannot be read.")
    return inputs


def _named(table: pd.DataFrame) -> pd.DataFrame:
    """Names become visible text here, once: they stand in pictures, too, where a null byte would be no XML."""
    columns = [column for column in ("arm", "regime", "contrast_class") if column in table]
    return table.assign(**{column: table[column].map(visible) for column in columns})


def _table(full: Path, path: Path, words: str, missing: list[str]) -> pd.DataFrame | None:
    try:
        return pd.read_parquet(full)
    except FAULTS:
        missing.append(f"No {words.removeprefix('the ')}: {path} cannot be read.")
        return None


def lock_stages(root: Path) -> dict:
    """The stages of dvc.lock; empty when it is missing or no YAML."""
    try:
        return (yaml.safe_load((root / "dvc.lock").read_text()) or {}).get("stages", {})
    except (OSError, yaml.YAMLError):
        return {}
