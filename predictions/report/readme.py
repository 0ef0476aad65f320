"""`python -m predictions.report.readme`: the README's table of claims and its picture, from the last run's results.

What the table was made of, the planned verdicts in short, is kept in docs/verdicts.json, so that a test can tell
whether the README says the same.
"""

import json
from pathlib import Path

from eisbach.pipeline.command import run

README, KEPT, PICTURE = Path("README.md"), Path("docs") / "verdicts.json", Path("docs") / "weight_by_t.svg"
BEGIN, END = "<!-- claims: written by `python -m predictions.report.readme` -->\n", "<!-- end of claims -->"
FIELDS = (
    "hypothesis", "kind", "regime", "run", "family", "planned", "effect_label", "mechanism_label", "status", "metric",
    "n", "effect", "interval",
)  # fmt: skip


def main() -> None:
    from eisbach.errors import UserError
    from eisbach.files import replacing
    from eisbach.pipeline import paths, tables
    from predictions.report import svg
    from predictions.report.inputs import VERDICTS
    from predictions.report.pictures import weight_stats

    try:
        document = json.loads(VERDICTS.read_text())
    except FileNotFoundError:
        raise UserError(f"{VERDICTS} is missing; run `dvc repro`") from None
    kept = reduced(document)
    with replacing(KEPT) as temporary:
        temporary.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")
    with replacing(README) as temporary:
        temporary.write_text(rewritten(README.read_text(), kept))
    with replacing(PICTURE) as temporary:
        temporary.write_text(svg.standalone(weight_stats.weight_by_t(tables.read(paths.CENSUS)).svg))
    print(f"{README}, {KEPT} and {PICTURE} are written; look at them and commit them")


def reduced(document: dict) -> dict:
    """What the table needs of verdicts.json, and where it came from."""
    return {
        "registry": document["registry"],
        "tree": document["tree"],
        "claims": [
            {key: claim[key] for key in ("id", "sentence", "place")}
            | {
                "verdicts": [
                    {name: verdict[name] for name in FIELDS} for verdict in claim["verdicts"] if verdict["planned"]
                ]
            }
            for claim in document["claims"]
        ],
    }


def rewritten(readme: str, kept: dict) -> str:
    """The README with the table in its marked block."""
    before, rest = readme.split(BEGIN)
    return before + BEGIN + table(kept) + END + rest.split(END)[1]


def table(kept: dict) -> str:
    """One row a claim: its sentence, what each regime says, the command that tests it again."""
    from predictions.report.claims import claims, words
    from predictions.report.text import markdown
    from predictions.report.theme import regime_name

    lines = ["| claim | verdict, by regime | command |", "| --- | --- | --- |"]
    for claim in claims(kept):
        found = []
        for line in claim.lines:
            mechanism = f"; mechanism {words(line.mechanisms)}" if line.mechanisms else ""
            found.append(f"{regime_name(line.family)}: {words(line.labels)}{mechanism}")
        if claim.untested:
            found.append(f"not tested: {', '.join(map(regime_name, claim.untested))}")
        if claim.wordings:
            found.append(f"beside it, stronger wordings, by one input each: {words(claim.wordings)}")
        cell = "<br>".join(markdown(one) for one in found) or "not tested"
        lines.append(f"| **{markdown(claim.id)}**: {markdown(claim.sentence)} | {cell} | `dvc repro verify` |")
    judged = [one for claim in kept["claims"] for one in claim["verdicts"] if one["effect_label"] != "not tested"]
    statuses = sorted({one["status"] for one in judged})
    lines += ["", f"Status: {', '.join(statuses) or 'nothing was judged'}. (n): that many of the claim's deciding "
              f"hypotheses, members of the regime and runs. Registry `{kept['registry']['sha256'][:12]}`."]  # fmt: skip
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    run(main)
