"""The results of a run, complete or not: every input is optional, and each one that is missing gets a sentence."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import yaml

from eisbach.pipeline import outcomes, paths
from predictions.judge.document import parse
from predictions.judge.verdict import Document
from predictions.report.text import visible

VERDICTS = paths.METRICS / "verdicts.json"
CORPUS = paths.MANIFEST.parent / "summary.json"
FAULTS = (OSError, ValueError, KeyError)  # of a file that is truncated, not parquet or JSON, or lacks its columns

TABLES = {  # name: (path, its name in a sentence)
    "census": (paths.CENSUS, "the census of weights"),
    "map_cells": (paths.WEIGHT_MAP / "cells.parquet", "the cells of the weight's map"),
    "map_limits": (paths.WEIGHT_MAP / "limits.parquet", "the limits of the map's closed forms"),
    "map_marks": (paths.WEIGHT_MAP / "marks.parquet", "the data sets on the map"),
    "map_by_t": (paths.WEIGHT_MAP / "by_t.parquet", "the census against the map"),
    "map_medium": (paths.WEIGHT_MAP / "medium.parquet", "the map's band for Medium"),
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
OUTCOMES = ("toy_outcomes", "outcomes")  # tables of one schema


@dataclass
class Inputs:
    """`tables` and `numbers` by the names above, those that could be read; `missing`: a sentence for each other.

    `document` is the verdicts, whose JSON is in `numbers`.
    """

    seeds: list[int]
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    numbers: dict[str, dict] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    document: Document | None = None

    def outcomes(self) -> pd.DataFrame:
        """All outcomes, of toys and of the small model, as one table; empty when there are none."""
        parts = [self.tables[name] for name in OUTCOMES if name in self.tables]
        return pd.concat(parts, ignore_index=True) if parts else outcomes.empty()


def read(root: Path, seeds: list[int]) -> Inputs:
    """Read the files of a run under the project's root, for these seeds."""
    inputs = Inputs(list(seeds))
    if not (root / paths.TOYS).is_dir():
        inputs.missing.append(f"No toys: {paths.TOYS} does not exist.")
    for name, (path, words) in TABLES.items():
        if path.parent == paths.TOYS and not (root / paths.TOYS).is_dir():
            continue
        try:
            inputs.tables[name] = _named(_table(name, root / path))
        except FAULTS:
            inputs.missing.append(_sentence(path, words))
    for name, (folder, file, words) in PER_SEED.items():
        tables = {}
        for seed in seeds:
            try:
                tables[seed] = _table(name, root / folder / str(seed) / file)
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
            text = (root / path).read_text()
            if path == VERDICTS:
                inputs.document = parse(text)
            inputs.numbers[name] = json.loads(text)
        except FAULTS:
            inputs.missing.append(_sentence(path, words))
    return inputs


def _named(table: pd.DataFrame) -> pd.DataFrame:
    """Make names visible text, here once for all pages and pictures: a null byte, for example, is not valid XML."""
    columns = [column for column in ("arm", "regime", "contrast_class") if column in table]
    return table.assign(**{column: table[column].map(visible) for column in columns})


def _table(name: str, path: Path) -> pd.DataFrame:
    table = pd.read_parquet(path)
    return outcomes.check(table) if name in OUTCOMES else table


def _sentence(path: Path, words: str) -> str:
    return f"No {words.removeprefix('the ')}: {path} cannot be read."


def lock_stages(root: Path) -> dict:
    """The stages of dvc.lock; empty when it is missing or not YAML."""
    try:
        return (yaml.safe_load((root / "dvc.lock").read_text()) or {}).get("stages", {})
    except (OSError, yaml.YAMLError):
        return {}
