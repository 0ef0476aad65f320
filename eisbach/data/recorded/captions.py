"""Captions and aspects: what counts as one, and the .txt file of a file of music."""

import ast
import json
from collections.abc import Iterable
from pathlib import Path

from eisbach.data.recorded import text
from eisbach.data.recorded.types import Unusable

CAPTION = "caption"
NO_VALUE = {"none", "null", "nan", "n/a", "na", "#n/a", "<na>", "nil", "undefined"}  # as programs write "no value"


def clean(caption: object) -> str:
    """A caption on one line. Raises Unusable when there is none: no text, a number, or the text of "no value"."""
    if not isinstance(caption, str):
        raise Unusable("no caption", f"its caption is {_shown(json.dumps(caption, default=str))}, not text")
    words = " ".join(text.printable(caption).split())
    if not words:
        raise Unusable("no caption", "its caption is empty")
    if words.casefold() in NO_VALUE or _is_number(words):
        raise Unusable("no caption", f"its caption is {_shown(words)}, which describes no music")
    return words


def read_text_file(path: Path) -> str:
    """The text in the .txt file of an audio file. Raises Unusable when there is none."""
    upper = path.with_suffix(".TXT")
    file = upper if upper.exists() else path.with_suffix(".txt")
    try:
        return text.decode(file.read_bytes())
    except FileNotFoundError:
        raise Unusable("no caption", f"{text.printable(file.name)} is missing") from None
    except OSError as error:
        raise Unusable("no caption", f"{text.printable(file.name)} cannot be opened: {error.strerror}") from error
    except ValueError as error:
        raise Unusable("no caption", f"{text.printable(file.name)} cannot be read: {error}") from error


def parse_aspects(given: str) -> list[str]:
    """Split `['a', 'b']`, the format of MusicCaps, `["a", "b"]`, `[a, b]` or `a, b`.

    Raises ValueError for a list without an end.
    """
    given = given.strip()
    if not given.startswith("["):
        return _stripped(given.split(","))
    for parse in (json.loads, ast.literal_eval):
        try:
            parsed = parse(given)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
        if isinstance(parsed, list):
            return _stripped(str(part) for part in parsed if part is not None)
    if not given.endswith("]"):
        raise ValueError(f"{_shown(given)} is not a list: it has no ] at its end")
    return _stripped(part.strip("'\" ") for part in given[1:-1].split(","))


def _stripped(parts: Iterable[str]) -> list[str]:
    return [part.strip() for part in parts if part.strip()]


def _is_number(words: str) -> bool:
    try:
        float(words)
    except ValueError:
        return False
    return True


def _shown(words: str) -> str:
    return repr(words if len(words) <= 60 else f"{words[:57]}...")
