"""The classes of latents, from a CSV with a header: the first column names a latent, the column `label` its class.

Without a column `label` the second one is read. A latent is named by its key (`eisbach.weigh.latents.Piece`), by its
file's name without folder or suffix, or, where all latents are in one array, by its row's number alone.
"""

import csv
from pathlib import Path, PurePosixPath

from eisbach.errors import UserError

LABEL = "label"


def read(path: Path) -> dict[str, str]:
    """Name -> class. Raises UserError for a missing file, a single column, or one name with two classes."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = [row for row in csv.reader(file) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} cannot be read as CSV; give one with the columns file,label") from error
    if len(rows) < 2 or len(rows[0]) < 2:
        raise UserError(f"{path} needs a header and rows of two columns, file,label")
    column = rows[0].index(LABEL) if LABEL in rows[0] else 1
    found: dict[str, str] = {}
    for number, row in enumerate(rows[1:], start=2):
        if len(row) <= column:
            raise UserError(f"{path}, line {number}: no label; write file,label")
        name, label = row[0].strip(), row[column].strip()
        if found.setdefault(name, label) != label:
            raise UserError(f"{path}, line {number}: '{name}' has the labels '{found[name]}' and '{label}'; keep one")
    return found


def of_keys(keys: list[str], labels: dict[str, str], path: Path) -> list[str]:
    """The class of each key, empty where the table has none. Raises UserError when it names none of the latents."""
    found = [next((labels[name] for name in _names(key) if labels.get(name)), "") for key in keys]
    if not any(found):
        raise UserError(f"{path} labels none of the latents; its first column should hold names such as '{keys[0]}'")
    return found


def _names(key: str) -> list[str]:
    """What a table may call the latent with this key, the most exact first."""
    file, _, row = key.partition(":")
    if row.isdigit():
        return [key, row]
    return [key, PurePosixPath(file).name, PurePosixPath(file).stem, *([row] if row else [])]
