"""What a folder says about its files: one table, or a text file beside each."""

import ast
import csv
import json
from pathlib import Path

from eisbach.data.recorded.material import Unusable
from eisbach.errors import UserError

FILE, CAPTION = "file_name", "caption"
USUAL = ("metadata.csv", "metadata.jsonl")  # as the hub's audio folders have them


def table(root: Path, name: str) -> dict[str, dict[str, str]] | None:
    """The rows of the folder's table by file name, or None where the folder has no table.

    Raises UserError for a table that is missing, unreadable, or lacks a column, and for a file that stands twice.
    """
    name = name or next((usual for usual in USUAL if (root / usual).exists()), "")
    if not name:
        return None
    path = root / name
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"the table {path} cannot be read ({error}); set prepare.corpus.captions") from error
    rows = _jsonl(text, path) if path.suffix == ".jsonl" else _csv(text, path)
    found: dict[str, dict[str, str]] = {}
    for row in rows:
        if found.setdefault(Path(row[FILE]).as_posix(), row) is not row:
            raise UserError(f"the table {path} has {row[FILE]!r} twice; a file has one caption")
    return found


def beside(path: Path) -> dict[str, str]:
    """The caption in the .txt file beside an audio file. Raises Unusable when there is none."""
    text = path.with_suffix(".txt")
    try:
        return {CAPTION: text.read_text(encoding="utf-8-sig")}
    except FileNotFoundError:
        raise Unusable("no caption", f"there is no {text.name} beside it") from None
    except (OSError, UnicodeDecodeError) as error:
        raise Unusable("no caption", f"{text.name} is not readable as UTF-8 text") from error


def aspects(text: str) -> list[str]:
    """`['a', 'b']`, as MusicCaps writes a list, or `a, b`. Raises ValueError for a list that does not end."""
    if not text.lstrip().startswith("["):
        return [part.strip() for part in text.split(",") if part.strip()]
    try:
        return [str(part).strip() for part in ast.literal_eval(text.strip())]
    except (SyntaxError, MemoryError, RecursionError) as error:
        raise ValueError(f"{text[:60]!r} is no list") from error


def _csv(text: str, path: Path) -> list[dict[str, str]]:
    reader = csv.DictReader(text.splitlines(keepends=True), restkey="\0", restval="")
    try:
        rows = list(reader)
    except csv.Error as error:
        raise UserError(f"the table {path} is no CSV ({error} in line {reader.line_num}); correct it") from error
    if missing := {FILE, CAPTION} - set(reader.fieldnames or ()):
        raise UserError(f"the table {path} lacks the column {', '.join(sorted(missing))}; its first line names columns")
    if long := next((row for row in rows if "\0" in row), None):
        raise UserError(f"the table {path} has too many fields for {long[FILE]!r}; put text with commas in quotes")
    return rows


def _jsonl(text: str, path: Path) -> list[dict[str, str]]:
    rows = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            row[FILE], row[CAPTION]
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"line {number} of {path} is no JSON object with {FILE} and {CAPTION} ({error}); correct it"
            ) from error
        rows.append({key: value if isinstance(value, str) else json.dumps(value) for key, value in row.items()})
    columns = dict.fromkeys(key for row in rows for key in row)
    return [{key: row.get(key, "") for key in columns} for row in rows]
