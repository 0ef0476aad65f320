"""registry.yaml and margins.yaml -> `Registry`: read, checked against the schema, and for what no single atom shows."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from eisbach.errors import UserError
from eisbach.pipeline import yaml_file
from predictions.registry.schema import (
    KINDS,
    Algebra,
    Atom,
    Bound,
    Claim,
    Compared,
    Difference,
    Intersection,
    Registry,
)

REGISTRY = Path(__file__).parent / "registry.yaml"
MARGINS = "margins.yaml"  # beside the registry


def load(path: str | Path = REGISTRY) -> Registry:
    """Read and check a registry and, if it is there, the `margins.yaml` beside it.

    Raises UserError naming the file, the atom and the key when the file is missing or is not YAML, a key is unknown,
    missing or ill-typed, an id is used twice, an arm cannot be parsed, a part is not in its sentence, a system is
    neither named under `on` nor under `not_on`, a control does not exist, or a system has too many deciding atoms.
    """
    path = Path(path)
    given = yaml_file.read(path, f"the registry {path}", "restore it with git") or {}
    margins = path.with_name(MARGINS)
    if margins.is_file():
        given["margins"] = yaml_file.read(margins, f"the margins {margins}", "restore them with git")
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
    """One of pydantic's faults, with the id of the atom and the key that it is about."""
    loc, where, owner = fault["loc"], "", ""
    if len(loc) >= 4 and (loc[0], loc[2]) == ("claims", "atoms"):
        atom = given["claims"][loc[1]]["atoms"][loc[3]]
        kind = atom.get("kind")
        where, owner, loc = f"{atom.get('id', f'atom {loc[3]}')}: ", f" for kind {kind}", loc[5:]
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
    ids = Counter([claim.id for claim in registry.claims] + [atom.id for atom in registry.atoms])
    yield from (f"duplicate id '{name}'" for name, count in ids.items() if count > 1)
    for claim in registry.claims:
        yield from (f"{claim.id}: {fault}" for one in claim.algebra for fault in _algebra_faults(one))
        for atom in claim.atoms:
            found = [*_place_faults(claim, atom), *_system_faults(registry, atom), *_arm_faults(atom)]
            yield from (f"{atom.id}: {fault}" for fault in found)
    for name in registry.systems:
        family, most = registry.deciding(name), registry.rules.most_atoms
        if len(family) > most:
            yield f"{len(family)} atoms decide on '{name}', at most {most} may; set decides: false on the others"
    for atom in sorted(set(registry.margins) - {atom.id for atom in registry.atoms}):
        yield f"{MARGINS} has a margin of '{atom}', which is not an atom"


def _algebra_faults(one: Algebra) -> Iterator[str]:
    if (one.proof is None) == (one.search is None):
        yield f"'{one.statement}' needs a proof or a search, and not both"


def _place_faults(claim: Claim, atom: Atom) -> Iterator[str]:
    if atom.part not in claim.sentence:
        yield f"the sentence of '{claim.id}' does not say '{atom.part}'; quote its words under part"
    if not atom.decides and not atom.why_not:
        yield "it does not decide; say why under why_not"


def _system_faults(registry: Registry, atom: Atom) -> Iterator[str]:
    for name in registry.systems:
        if (name in atom.on) == (name in atom.not_on):
            yield f"name '{name}' exactly once, under on or, with the reason, under not_on"
    for name in sorted({*atom.on, *atom.not_on} - set(registry.systems)):
        yield f"'{name}' is not a system"
    for name, on in atom.on.items():
        if on.control is not None and on.control not in registry.controls:
            yield f"'{on.control}' is not a control; choose one of {', '.join(registry.controls)}"
        if on.minus_metric and not isinstance(atom, Compared):
            yield f"kind {atom.kind} subtracts nothing, so minus_metric has no use"
        if on.margin is not None and not atom.needs_margin:
            yield f"the margin of kind {atom.kind} is 0"
        if not on.decides and not on.why_not:
            yield f"it does not decide on '{name}'; say why under why_not"
        if on.scale == "log" and isinstance(atom, Bound | Intersection) and atom.bound <= 0:
            yield f"the bound {atom.bound:g} has no logarithm"
        if name in registry.systems and not set(on.members) <= set(registry.systems[name].members):
            outside = [one for one in on.members if registry.system(one) != name]
            yield from (f"'{one}' is not a member of '{name}'" for one in outside)


def _arm_faults(atom: Atom) -> Iterator[str]:
    if not isinstance(atom, Compared):
        return
    same = all(on.minus_metric is None for on in atom.on.values())
    for arm in sorted({*map(str, atom.plus)} & {*map(str, atom.minus)}) if same else ():
        yield f"'{arm}' is on both sides of the comparison"
    if isinstance(atom, Difference) and atom.pair and len(atom.pair) != 2:
        yield "pair names two arms, the one added and the one subtracted"
    if isinstance(atom, Difference) and atom.pair and not len(atom.plus) == len(atom.minus) == 1:
        yield "pair needs one arm under plus and one under minus"
    for name, on in atom.on.items() if {*atom.plus} != {*atom.minus} else ():
        if atom.decides_on(name) and on.control is None:
            yield f"it decides on '{name}' without a positive control, so its silence would mean nothing; name one"
