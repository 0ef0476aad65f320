"""`python -m predictions.report.readme`: write the README's answer, table of claims and picture from the last results.

The headline is kept in docs/verdicts.json, so that a test can tell whether the README still agrees.
"""

import json
from pathlib import Path

from eisbach.pipeline import command

README, KEPT, PICTURE = Path("README.md"), Path("docs") / "verdicts.json", Path("docs") / "weight_by_t.svg"
WRITTEN = "written by `python -m predictions.report.readme`"
BLOCKS = {name: (f"<!-- {name}: {WRITTEN} -->\n", f"<!-- end of {name} -->") for name in ("answer", "claims")}
WIDTH = 118  # of a line of prose


def main() -> None:
    command.parser(__doc__).parse_args()

    from eisbach.errors import UserError
    from eisbach.pipeline import paths, tables
    from eisbach.pipeline.files import replacing
    from predictions.judge.document import parse
    from predictions.report import svg
    from predictions.report.inputs import VERDICTS
    from predictions.report.pictures import weight_stats

    try:
        kept = reduced(parse(VERDICTS.read_bytes()))
    except FileNotFoundError:
        raise paths.missing(VERDICTS) from None
    except ValueError as error:
        raise UserError(f"{VERDICTS} is damaged or of another version; run `dvc repro verify` ({error})") from error
    with replacing(KEPT) as temporary:
        temporary.write_text(json.dumps(kept, indent=1) + "\n")
    with replacing(README) as temporary:
        temporary.write_text(rewritten(README.read_text(), kept))
    with replacing(PICTURE) as temporary:
        temporary.write_text(svg.standalone(weight_stats.weight_by_t(tables.read(paths.CENSUS)).svg))
    print(f"{README}, {KEPT} and {PICTURE} are written; check and commit them")


def reduced(document) -> dict:
    """The headline of verdicts.json and the legend of each claim, as plain JSON."""
    from predictions.judge.document import plain
    from predictions.judge.headline import legend

    return {
        "registry": document.registry.sha256,
        "headline": plain(document)["headline"],
        "legends": {claim.id: legend(claim) for claim in document.claims},
    }


def rewritten(readme: str, kept: dict) -> str:
    """The README with the answer and the table in their marked blocks."""
    for name, text in (("answer", answer(kept)), ("claims", table(kept))):
        begin, end = BLOCKS[name]
        before, rest = readme.split(begin)
        readme = before + begin + text + end + rest.split(end)[1]
    return readme


def answer(kept: dict) -> str:
    """The paragraph that answers "should I switch it on?", and what kind of seeds it comes from."""
    from textwrap import fill

    from predictions.report.text import markdown

    headline = kept["headline"]
    paragraphs = (markdown(headline["answer"]), f"Status: {markdown(headline['status'])}.")
    return "\n\n".join(fill(one, WIDTH, break_on_hyphens=False) for one in paragraphs) + "\n"


def table(kept: dict) -> str:
    """One row per claim, with what every column says of it."""
    from predictions.report.text import markdown

    headline = kept["headline"]
    columns = headline["columns"]
    lines = [f"| claim | {' | '.join(map(markdown, columns))} |", "| --- |" + " --- |" * len(columns)]
    for claim, legend in kept["legends"].items():  # in the registry's order
        cells = headline["rows"][claim]
        name = f"**{markdown(claim)}**" + (f": {markdown(legend)}" if legend else "")
        texts = (markdown(cells[column]["text"] or cells[column]["word"]) for column in columns)
        lines.append(f"| {name} | {' | '.join(texts)} |")
    return (
        "\n".join(lines) + f"\n\nRegistry `{kept['registry'][:12]}`; the words are explained in docs/predictions.md.\n"
    )


if __name__ == "__main__":
    command.run(main)
