"""Write measured tables into docs/metrics.md, between their markers."""

from pathlib import Path

from eisbach.pipeline.files import replacing

DOCUMENT = Path(__file__).parents[2] / "docs" / "metrics.md"


def into_document(name: str, table: str) -> None:
    """Replace the text between `<!-- NAME table -->` and `<!-- end of NAME table -->` by `table`."""
    begin, end = f"<!-- {name} table -->\n", f"<!-- end of {name} table -->"
    before, rest = DOCUMENT.read_text().split(begin)
    with replacing(DOCUMENT) as temporary:
        temporary.write_text(before + begin + table + end + rest.split(end)[1])
