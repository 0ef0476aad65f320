"""Tables of docs/metrics.md, written between their markers by the commands that measure them."""

from pathlib import Path

from eisbach.files import replacing

DOCUMENT = Path(__file__).parents[2] / "docs" / "metrics.md"


def into_document(name: str, table: str) -> None:
    begin, end = f"<!-- {name} table -->\n", f"<!-- end of {name} table -->"
    before, rest = DOCUMENT.read_text().split(begin)
    with replacing(DOCUMENT) as temporary:
        temporary.write_text(before + begin + table + end + rest.split(end)[1])
