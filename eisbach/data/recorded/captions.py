"""Captions of a folder's files: a table in the folder, or a .txt file for each."""

import ast
import csv
import json
from pathlib import Path

from eisbach.data.recorded.types import Unusable
from eisbach.errors import UserError

FILE, CAPTION = "file_name", "caption"
DEFAULT_TABLES = ("metadata.csv", "metadata.jsonl")  # the names that the hub's audio folders use


def read_table(root: Path, name: str) -> dict[str, dict[str, str]] | None:
    """The rows of the table `name` by file name; an empty name means one of DEFAULT_TABLES, None if there is none.

    Raises UserError for a table that is missing, unreadable, lacks a column, or has a file twice.
    """
    name = name or next((default for default in DEFAULT_TABLES if (root / default).exists()), "")
    if not name:
        return None
    path = root / name
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"the table {path} cannot be read ({error}); correct prepare.corpus.captions in params.yaml"
        ) from error
    rows = _jsonl(text, path) if path.suffix == ".jsonl" else _csv(text, path)
    by_file: dict[str, dict[str, str]] = {}
    for row in rows:
        if by_file.setdefault(Path(row[FILE]).as_posix(), row) is not row:
            raise UserError(f"the table {path} has {row[FILE]!r} twice; keep one row for each file")
    return by_file


def read_text_file(path: Path) -> dict[str, str]:
    """The caption in the .txt file of an audio file. Raises Unusable when there is none."""
    text = path.with_suffix(".txt")
    try:
        return {CAPTION: text.read_text(encoding="utf-8-sig")}
    except FileNotFoundError:
        raise Unusable("no caption", f"{text.name} is missing") from None
    except (OSError, UnicodeDecodeError) as error:
        raise Unusable("no caption", f"{text.name} is not readable as UTF-8 text") from error


def parse_aspects(text: str) -> list[str]:
    """Split `['a', 'b']`, the format of MusicCaps, or `a, b`. Raises ValueError for a malformed list."""
    if not text.lstrip().startswith("["):
        return [part.strip() for part in text.split(",") if part.strip()]
    try:
        return [str(part).strip() for part in ast.literal_eval(text.strip())]
    except (SyntaxError, MemoryError, RecursionError) as error:
        raise ValueError(f"{text[:60]!r} is not a list") from error


def _csv(text: str, path: Path) -> list[dict[str, str]]:
    reader = csv.DictReader(text.splitlines(keepends=True), restkey="\0", restval="")
    try:
        rows = list(reader)
    except csv.Error as error:
        raise UserError(f"the table {path} is not CSV ({error} in line {reader.line_num}); correct it") from error
    if missing := {FILE, CAPTION} - set(reader.fieldnames or ()):
        raise UserError(
            f"the table {path} lacks the column {', '.join(sorted(missing))}; name the columns in its first line"
        )
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
                f"line {number} of {path} is not a JSON object with {FILE} and {CAPTION} ({error}); correct it"
            ) from error
        rows.append({key: value if isinstance(value, str) else json.dumps(value) for key, value in row.items()})
    columns = dict.fromkeys(key for row in rows for key in row)
    return [{key: row.get(key, "") for key in columns} for row in rows]
