"""verdicts.json and its published JSON schema."""

from collections.abc import Sequence

import pandas as pd
from pydantic import TypeAdapter

from predictions.judge import algebra
from predictions.judge.headline import headline
from predictions.judge.judge import Judgement
from predictions.judge.verdict import Document, JudgedAtom, JudgedClaim, RegistryFile, Table, Tree
from predictions.judge.words import of_claim
from predictions.registry.schema import Claim, Registry

_JSON = TypeAdapter(Document)


def document(
    registry: Registry,
    judgement: Judgement,
    searched: algebra.Searched,
    table: pd.DataFrame,
    *,
    file: RegistryFile,
    tree: Tree,
    tables: Sequence[Table],
) -> Document:
    """Verdicts under their atoms, atoms under their claims, in the registry's order."""
    claims = tuple(_claim(claim, judgement, searched) for claim in registry.claims)
    return Document(
        headline=headline(claims, judgement.systems, table),
        systems=judgement.systems,
        claims=claims,
        registry=file,
        tree=tree,
        tables=tuple(tables),
    )


def _claim(claim: Claim, judgement: Judgement, searched: algebra.Searched) -> JudgedClaim:
    atoms = tuple(JudgedAtom(registered=one, verdicts=judgement.verdicts[one.id]) for one in claim.atoms)
    verdicts = [verdict for one in atoms for verdict in one.verdicts if verdict.decides]
    words = {
        name: of_claim([one.word for one in verdicts if one.system == name])
        for name in judgement.systems
        if any(one.system == name for one in verdicts)
    }
    return JudgedClaim(
        id=claim.id,
        sentence=claim.sentence,
        place=claim.place,
        algebra=algebra.verdicts(claim, searched),
        atoms=atoms,
        words=words,
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


def _untitled(schema: object) -> object:
    if isinstance(schema, dict):
        titled = isinstance(schema.get("title"), str)
        return {key: _untitled(value) for key, value in schema.items() if not (titled and key == "title")}
    return [_untitled(item) for item in schema] if isinstance(schema, list) else schema
