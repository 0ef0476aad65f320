"""registry.yaml -> `Registry`: read, checked against the schema, and checked for what no single hypothesis shows."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from eisbach.errors import UserError
from eisbach.pipeline import yaml_file
from predictions.registry.schema import (
    KINDS,
    Conjunction,
    Difference,
    Hypothesis,
    Measured,
    Registry,
    Trend,
    subtracted,
)

REGISTRY = Path(__file__).parent / "registry.yaml"


def load(path: str | Path = REGISTRY) -> Registry:
    """Read and check a registry.

    Raises UserError naming the file, the hypothesis and the key when the file is missing or is not YAML, a key is
    unknown, missing or ill-typed, an id is used twice, an arm cannot be parsed, a part does not exist, or a regime is
    neither judged nor skipped.
    """
    path = Path(path)
    given = yaml_file.read(path, f"the registry {path}", "restore it with git") or {}
    try:
        registry = TypeAdapter(Registry).validate_json(json.dumps(given), strict=True)
    except TypeError as error:  # a YAML type that JSON does not have, such as a date
        raise UserError(f"the registry {path}: {error}; correct it") from error
    except ValidationError as error:
        faults = dict.fromkeys(_sentence(given, fault) for fault in error.errors())
        raise UserError(f"the registry {path}: {'; '.join(faults)}; correct it") from error
    if faults := list(_faults(registry)):
        raise UserError(f"the registry {path}: {'; '.join(faults)}; correct it")
    return registry


def _sentence(given: dict, fault: dict) -> str:
    """One of pydantic's faults, with the id of the hypothesis and the key that it is about."""
    loc, where, owner = fault["loc"], "", ""
    if len(loc) >= 4 and (loc[0], loc[2]) == ("claims", "hypotheses"):
        hypothesis = given["claims"][loc[1]]["hypotheses"][loc[3]]
        kind = hypothesis.get("kind")
        where, owner, loc = f"{hypothesis.get('id', f'hypothesis {loc[3]}')}: ", f" for kind {kind}", loc[5:6]
        if fault["type"].startswith("union_tag"):
            return f"{where}'kind' is {kind!r}; choose one of {', '.join(KINDS)}"
    key = ".".join(map(str, loc))
    if fault["type"] == "unexpected_keyword_argument":
        return f"{where}unknown key '{key}'{owner}"
    if fault["type"] == "missing":
        return f"{where}'{key}' is missing"
    if fault["type"] == "value_error":
        return f"{where}'{key}': {fault['ctx']['error']}"
    return f"{where}'{key}' is {fault['input']!r}: {fault['msg'][0].lower()}{fault['msg'][1:]}"


def _faults(registry: Registry) -> Iterator[str]:
    ids = Counter([claim.id for claim in registry.claims] + [hypothesis.id for hypothesis in registry.hypotheses])
    yield from (f"duplicate id '{name}'" for name, count in ids.items() if count > 1)
    for hypothesis in registry.hypotheses:
        found = [*_regime_faults(registry, hypothesis)]
        if isinstance(hypothesis, Measured):
            found += _arm_faults(hypothesis)
            found += _metric_faults(registry, hypothesis)
        if isinstance(hypothesis, Conjunction):
            found += _part_faults(registry, hypothesis)
        yield from (f"{hypothesis.id}: {fault}" for fault in found)


def _regime_faults(registry: Registry, hypothesis: Hypothesis) -> Iterator[str]:
    for regime in registry.regimes:
        if (regime in hypothesis.regimes) == (regime in hypothesis.skip):
            yield f"name '{regime}' exactly once, under regimes or, with the reason, under skip"
    for regime in {*hypothesis.regimes, *hypothesis.skip} - set(registry.regimes):
        if regime in hypothesis.regimes or registry.pattern(regime) not in hypothesis.regimes:
            yield f"'{regime}' is not a regime"


def _arm_faults(hypothesis: Measured) -> Iterator[str]:
    if not (isinstance(hypothesis, Difference) and hypothesis.against_metric):
        controls = hypothesis.controls if isinstance(hypothesis, Difference) else []
        both = {*map(str, [*hypothesis.arms, *controls])} & {*map(str, subtracted(hypothesis))}
        yield from (f"'{arm}' is on both sides of the comparison" for arm in sorted(both))
    if isinstance(hypothesis, Trend):
        yield from (f"'{arm}' has no lambda, which a trend needs" for arm in hypothesis.arms if arm.lam is None)


def _metric_faults(registry: Registry, hypothesis: Measured) -> Iterator[str]:
    metrics = {"metric": hypothesis.metric}
    if isinstance(hypothesis, Difference):
        metrics["against_metric"] = hypothesis.against_metric
    for key, metric in metrics.items():
        if isinstance(metric, dict) and set(metric) != set(hypothesis.regimes):
            yield f"'{key}' must name a metric for each of {', '.join(hypothesis.regimes)} and for no other regime"
    for regime in hypothesis.regimes:
        if regime in registry.regimes and not (registry.regimes[regime].gate or hypothesis.ungated):
            yield f"the verdict depends on the gate, and '{regime}' has none; add a gate, or say why under ungated"


def _part_faults(registry: Registry, whole: Conjunction) -> Iterator[str]:
    known = {hypothesis.id: hypothesis for hypothesis in registry.hypotheses}
    for name in whole.parts:
        part = known.get(name)
        if not isinstance(part, Measured):
            yield f"the part '{name}' is not a hypothesis with a metric"
            continue
        if missing := sorted({*whole.regimes} - {*part.regimes}):
            yield f"the part '{name}' is not judged on '{missing[0]}'"
        for regime in set(whole.regimes) & set(registry.regimes):
            runs = registry.regimes[regime].runs
            if missing := sorted({*(whole.runs or runs)} - {*(part.runs or runs)}):
                yield f"the part '{name}' is not judged in {missing[0]} runs of '{regime}'"
