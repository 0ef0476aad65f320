"""verdicts.json and the terminal's one line a claim."""

import math
from collections import Counter
from dataclasses import asdict

from rich.table import Table

from predictions.judge.evidence import ASSAY_FAILED, INCONCLUSIVE, NOT_TESTED, REFUTED, SUPPORTED
from predictions.judge.judge import Tree, Verdict
from predictions.registry.load import digest
from predictions.registry.schema import Registry

LABELS = (SUPPORTED, REFUTED, INCONCLUSIVE, ASSAY_FAILED, NOT_TESTED)
SCHEMA = 1


def document(
    registry: Registry, verdicts: list[Verdict], gates: dict, tree: Tree, revision: str | None, sources: list[dict]
) -> dict:
    """Everything as plain JSON; what is infinite or undefined becomes null.

    - `schema`: 1
    - `registry`: `sha256` of its content, `committed` (the file is the committed one)
    - `tree`: `revision` (git commit, null without git), `clean`
    - `tables`: what was judged, each `path`, `sha256`, `rows`
    - `regimes`: pattern -> `title`, `adapter`, `runs`, `gate` (metric), `seeds` (how many exploratory ones)
    - `gates`: regime -> run -> the fields of `predictions.judge.controls.Gate`
    - `claims`: in the registry's order, each `id`, `sentence`, `place`, `counts` (label -> number of planned verdicts),
      and `verdicts`: the fields of `predictions.judge.judge.Verdict`, whose `controls` are `Control`s
    """
    return _plain(
        {
            "schema": SCHEMA,
            "registry": {"sha256": digest(registry), "committed": tree.registry_committed},
            "tree": {"revision": revision, "clean": tree.clean},
            "tables": sources,
            "regimes": {pattern: asdict(plan) for pattern, plan in registry.regimes.items()},
            "gates": gates,
            "claims": [
                {
                    "id": claim.id,
                    "sentence": claim.sentence,
                    "place": claim.place,
                    "counts": counts([verdict for verdict in verdicts if verdict.claim == claim.id]),
                    "verdicts": [asdict(verdict) for verdict in verdicts if verdict.claim == claim.id],
                }
                for claim in registry.claims
            ],
        }
    )


def counts(verdicts: list[Verdict]) -> dict[str, int]:
    """How many planned verdicts carry each label."""
    found = Counter(verdict.effect_label for verdict in verdicts if verdict.planned)
    return {label: found[label] for label in LABELS}


def terminal(registry: Registry, verdicts: list[Verdict]) -> Table:
    """One line a claim: how many of its hypotheses, regimes and runs carry each label."""
    table = Table("claim", *LABELS, title="verdicts: hypotheses x regimes x runs", title_justify="left")
    for claim in registry.claims:
        found = counts([verdict for verdict in verdicts if verdict.claim == claim.id])
        table.add_row(claim.id, *(str(found[label] or "") for label in LABELS))
    return table


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
