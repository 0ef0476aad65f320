"""Tables of captions: metadata.csv or metadata.jsonl in any folder of music, or the table that the settings name."""

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from eisbach.data.recorded import text
from eisbach.data.recorded.captions import CAPTION
from eisbach.errors import UserError

FILE = "file_name"
DEFAULT_NAMES = ("metadata.csv", "metadata.jsonl")  # the names that the hub's audio folders use
DELIMITERS = ",;\t"  # the latter two: as spreadsheets write CSV in many countries, and "Unicode text"
NEWLINE = re.compile("\r\n|\n|\r")  # not str.splitlines, which also splits at U+2028, U+0085, VT, FF ...


@dataclass(frozen=True)
class Row:
    """One row: the file as the table names it, the caption as it is given, and all other cells as text."""

    file: str  # relative to the folder of music
    caption: object  # text, or what JSON has instead
    cells: dict[str, str]


@dataclass(frozen=True)
class Table:
    """The rows of all tables; every row has all `columns`, empty where its table has none."""

    columns: tuple[str, ...]
    rows: list[Row]


def read_tables(root: Path, name: str, folders: list[Path]) -> Table | None:
    """The table `name` in `root`, or the tables of DEFAULT_NAMES in any of `folders`; None if there are none.

    Raises UserError for a table that cannot be read as a whole: missing, another encoding, not CSV or JSON lines, a
    column missing.
    """
    if name:
        found = [root / name]
    else:
        found = [folder / default for folder in folders for default in DEFAULT_NAMES if (folder / default).exists()]
    rows = [row for path in found for row in _read(path, "" if name else _prefix(path.parent, root))]
    columns = tuple(dict.fromkeys(column for row in rows for column in row.cells))
    filled = [Row(row.file, row.caption, {column: row.cells.get(column, "") for column in columns}) for row in rows]
    return Table(columns, filled) if found else None


def _prefix(folder: Path, root: Path) -> str:
    return "" if folder == root else f"{folder.relative_to(root).as_posix()}/"


def _read(path: Path, prefix: str) -> Iterator[Row]:
    shown = text.printable(str(path))
    try:
        content = text.decode(path.read_bytes())
    except OSError as error:
        raise UserError(
            f"the table {shown} cannot be read ({error.strerror}); correct prepare.corpus.captions in params.yaml"
        ) from error
    except ValueError as error:
        raise UserError(f"the table {shown} cannot be read: {error}") from error
    for line, cells in (_jsonl if path.suffix.lower() in (".jsonl", ".ndjson") else _csv)(content, shown):
        file, caption = cells.pop(FILE), cells.pop(CAPTION)
        if not isinstance(file, str) or not file.strip():
            raise UserError(f"line {line} of the table {shown} names no file in {FILE}; name one, or delete the line")
        yield Row(prefix + file.strip(), caption, {text.printable(key): _cell(cell) for key, cell in cells.items()})


def _csv(content: str, shown: str) -> Iterator[tuple[int, dict[str, object]]]:
    """Yield the number of a row's last line, and its cells by column."""
    delimiter = next((one for one in DELIMITERS if {FILE, CAPTION} <= set(_header(content, one))), ",")
    columns = _header(content, delimiter)
    if missing := {FILE, CAPTION} - set(columns):
        raise UserError(
            f"the table {shown} lacks the column {', '.join(sorted(missing))}; name the columns in its first line"
        )
    if twice := sorted({column for column in columns if column and columns.count(column) > 1}):
        raise UserError(f"the table {shown} has the column '{twice[0]}' twice; rename or delete one")
    reader = _reader(content, delimiter)
    try:
        next(reader)
        for fields in reader:
            if not any(field.strip() for field in fields):
                continue
            if any(field.strip() for field in fields[len(columns) :]):
                raise UserError(
                    f"the table {shown} has too many fields for {fields[columns.index(FILE)]!r} (line "
                    f"{reader.line_num}); put text with commas in quotes"
                )
            cells = dict(zip(columns, fields + [""] * (len(columns) - len(fields)), strict=False))
            cells.pop("", None)  # a column without a name: row numbers, as pandas writes them
            yield reader.line_num, cells
    except csv.Error as error:
        raise UserError(f"the table {shown} is not CSV ({error} in line {reader.line_num}); correct it") from error


def _reader(content: str, delimiter: str, strict: bool = True):
    # newline="": lines end at \n, \r or \r\n only, and those within quotes stay as they are. strict: a quote that is
    # never closed would swallow the rows that follow.
    return csv.reader(io.StringIO(content, newline=""), delimiter=delimiter, strict=strict)


def _header(content: str, delimiter: str) -> list[str]:
    """The names of the columns, if `delimiter` is the table's."""
    try:
        return [column.strip() for column in next(_reader(content, delimiter, strict=False), [])]
    except csv.Error:
        return []


def _jsonl(content: str, shown: str) -> Iterator[tuple[int, dict[str, object]]]:
    """Yield the number of a row's line, and its cells by column."""
    for number, line in enumerate(NEWLINE.split(content), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            if not isinstance(row, dict):
                raise ValueError(f"it is {type(row).__name__}")
            yield number, {**row, FILE: row[FILE], CAPTION: row.get(CAPTION)}
        except (ValueError, KeyError, RecursionError) as error:
            raise UserError(
                f"line {number} of {shown} is not a JSON object with {FILE} and {CAPTION} ({error}); correct it"
            ) from error


def _cell(value: object) -> str:
    """A cell as text; JSON's null and NaN are empty."""
    if value is None or value != value:
        return ""
    return text.printable(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
