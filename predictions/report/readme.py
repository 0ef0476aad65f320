"""`python -m predictions.report.readme`: write the README's table of claims and its picture from the last results.

The labels that the table shows are kept in docs/verdicts.json, so that a test can tell whether the README still agrees.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from eisbach.pipeline import command

if TYPE_CHECKING:
    from predictions.judge.verdict import Document

README, KEPT, PICTURE = Path("README.md"), Path("docs") / "verdicts.json", Path("docs") / "weight_by_t.svg"
BEGIN, END = "<!-- claims: written by `python -m predictions.report.readme` -->\n", "<!-- end of claims -->"


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


def reduced(document: "Document") -> dict:
    """The content of the table: for each claim, the counted labels of each system. Plain JSON."""
    from predictions.report.claims import claims

    found = claims(document.claims)
    judged = [verdict for claim in found for verdict in claim.verdicts if verdict.label != "not tested"]
    return {
        "registry": document.registry.sha256,
        "status": sorted({verdict.status.label for verdict in judged if verdict.status}),
        "claims": [
            {
                "id": claim.id,
                "sentence": claim.sentence,
                "systems": {
                    line.system: {"labels": dict(line.labels), "mechanisms": dict(line.mechanisms)}
                    for line in claim.lines
                },
                "untested": list(claim.untested),
                "stronger": dict(claim.stronger),
            }
            for claim in found
        ],
    }


def rewritten(readme: str, kept: dict) -> str:
    """The README with the table in its marked block."""
    before, rest = readme.split(BEGIN)
    return before + BEGIN + table(kept) + END + rest.split(END)[1]


def table(kept: dict) -> str:
    """One row per claim: its sentence, the labels of each system, the command that tests it again."""
    from predictions.report.claims import words
    from predictions.report.text import markdown
    from predictions.report.theme import regime_name

    lines = ["| claim | verdict, by regime | command |", "| --- | --- | --- |"]
    for claim in kept["claims"]:
        found = []
        for system, counted in claim["systems"].items():
            mechanism = f"; mechanism {words(counted['mechanisms'].items())}" if counted["mechanisms"] else ""
            found.append(f"{regime_name(system)}: {words(counted['labels'].items())}{mechanism}")
        if claim["untested"]:
            found.append(f"not tested: {', '.join(map(regime_name, claim['untested']))}")
        if claim["stronger"]:
            found.append(f"stronger versions, tested by counterexample: {words(claim['stronger'].items())}")
        cell = "<br>".join(markdown(one) for one in found) or "not tested"
        lines.append(f"| **{markdown(claim['id'])}**: {markdown(claim['sentence'])} | {cell} | `dvc repro verify` |")
    status = ", ".join(kept["status"]) or "nothing was judged"
    meaning = "(n): the number of deciding hypotheses, members of the regime and runs with that label."
    lines += ["", f"Status: {status}. {meaning} Registry `{kept['registry'][:12]}`."]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    command.run(main)
