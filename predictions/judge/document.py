"""verdicts.json, its published JSON schema, and the terminal's one line per claim."""

from collections import Counter
from collections.abc import Iterable, Sequence

from pydantic import TypeAdapter
from rich.table import Table as Terminal

from predictions.judge.judge import Judgement
from predictions.judge.verdict import (
    LABELS,
    Document,
    JudgedClaim,
    JudgedHypothesis,
    Label,
    RegistryFile,
    Table,
    Tree,
    Verdict,
)
from predictions.registry.schema import Claim, Registry

_JSON = TypeAdapter(Document)


def document(
    registry: Registry, judgement: Judgement, file: RegistryFile, tree: Tree, tables: Sequence[Table]
) -> Document:
    """Verdicts under their hypotheses, hypotheses under their claims, in the registry's order."""
    return Document(
        registry=file,
        tree=tree,
        tables=tuple(tables),
        regimes=registry.regimes,
        gates=judgement.gates,
        claims=tuple(
            JudgedClaim(
                id=claim.id,
                sentence=claim.sentence,
                place=claim.place,
                counts=counts(_verdicts(claim, judgement)),
                hypotheses=tuple(
                    JudgedHypothesis(registered=one, verdicts=judgement.verdicts[one.id]) for one in claim.hypotheses
                ),
            )
            for claim in registry.claims
        ),
    )


def plain(document: Document) -> dict:
    """The document as dictionaries, lists, strings and finite numbers."""
    return _JSON.dump_python(document, mode="json")


def parse(text: str | bytes) -> Document:
    """The inverse of writing `plain` as JSON. Raises ValueError for JSON of another layout."""
    return _JSON.validate_json(text)


def json_schema() -> dict:
    """The JSON schema of verdicts.json, without pydantic's titles, which repeat the names."""
    schema = _untitled(_JSON.json_schema(mode="serialization"))
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Eisbach verdicts"} | schema


def counts(verdicts: Iterable[Verdict]) -> dict[Label, int]:
    """How many verdicts carry each label."""
    found = Counter(verdict.label for verdict in verdicts)
    return {label: found[label] for label in LABELS}


def terminal(registry: Registry, judgement: Judgement) -> Terminal:
    """One line per claim: how many of its hypotheses, regimes and runs carry each label."""
    table = Terminal("claim", *LABELS, title="verdicts: hypotheses x regimes x runs", title_justify="left")
    for claim in registry.claims:
        found = counts(_verdicts(claim, judgement))
        table.add_row(claim.id, *(str(found[label] or "") for label in LABELS))
    return table


def _verdicts(claim: Claim, judgement: Judgement) -> list[Verdict]:
    return [verdict for one in claim.hypotheses for verdict in judgement.verdicts[one.id]]


def _untitled(schema: object) -> object:
    if isinstance(schema, dict):
        titled = isinstance(schema.get("title"), str)
        return {key: _untitled(value) for key, value in schema.items() if not (titled and key == "title")}
    return [_untitled(item) for item in schema] if isinstance(schema, list) else schema
