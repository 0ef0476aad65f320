"""Pydantic's errors about settings as phrases: the key, its value and what the value must be."""

from pydantic import ValidationError

NAMED = 5  # faults; of more, only the number is told
WORDS = {"a valid array": "a list", "a valid dictionary": "a mapping of keys", "an object": "a mapping of keys"}


def sentence(error: ValidationError) -> str:
    """All faults, separated by semicolons; of more than NAMED the first ones and the number of the others."""
    phrases = list(dict.fromkeys(map(_phrase, error.errors())))
    more = [f"and {len(phrases) - NAMED} more"] if len(phrases) > NAMED else []
    return "; ".join([*phrases[:NAMED], *more])


def _phrase(fault: dict) -> str:
    key, kind = _key(fault["loc"]), fault["type"]
    if kind == "unexpected_keyword_argument":
        return f"unknown key '{key}'"
    if kind in ("missing", "missing_argument"):
        return f"missing key '{key}'"
    if kind == "value_error":  # one of ours, which names what is wrong
        return f"'{key}': {fault['ctx']['error']}" if key else str(fault["ctx"]["error"])
    said = fault["msg"][0].lower() + fault["msg"][1:]
    for theirs, ours in WORDS.items():
        said = said.replace(theirs, ours)
    given = repr(fault["input"])
    return f"'{key}' is {given if len(given) <= 100 else given[:97] + '...'}: {said}"


def _key(loc: tuple) -> str:
    """`finetune.arms.barrier` for a location in pydantic's words, which name types and keys beside the path."""
    if loc[:2] in (("prepare", "corpus"), ("finetune", "schedule")):
        loc = loc[:2] + loc[3:]  # the corpus's kind
    if loc[:2] == ("finetune", "arms") and loc[3:4] == ("settings",):
        loc = loc[:5]  # then the type that was tried
    return ".".join(str(part) for part in loc if part != "[key]")
