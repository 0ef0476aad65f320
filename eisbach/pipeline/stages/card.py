"""`make card`: write the held-out loss of the shipped base by t, from results/base.json, into its model card."""

from eisbach.pipeline import command

BEGIN, END = "<!-- loss table: written by `make card` -->\n", "<!-- end of loss table -->"


def main() -> None:
    import json

    from eisbach.models import small
    from eisbach.pipeline import paths
    from eisbach.pipeline.files import replacing

    measured = paths.METRICS / "base.json"
    if not measured.is_file():
        raise paths.missing(measured)
    table = json.loads(measured.read_text())["loss_by_tenth_of_t"]
    card = small.BASE / "README.md"
    text = card.read_text()
    before, rest = text.split(BEGIN)
    with replacing(card) as temporary:
        temporary.write_text(before + BEGIN + markdown(table) + END + rest.split(END)[1])


def markdown(table: dict[str, dict[str, float]]) -> str:
    """The model card's table: one row for each tenth of t, keyed by its lower end, with the loss of each predictor."""
    lines = [
        "| t | model | best per-channel linear | best scalar | zero | model / linear |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for start, row in table.items():
        low = float(start)
        values = " | ".join(f"{row[name]:.4f}" for name in ("model", "linear", "scalar", "zero"))
        lines.append(f"| {low:.1f} to {low + 0.1:.1f} | {values} | {row['model'] / row['linear']:.3f} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    command.parser(__doc__).parse_args()
    command.run(main)
