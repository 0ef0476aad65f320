"""`python -m predictions.report`: the stage `report`, which writes the folder report/ and what DVC plots."""

from pathlib import Path

from eisbach.pipeline import command


def main() -> None:
    description = "Write report/ from the tables of this project's last run, complete or not (docs/report.md)."
    command.parser(description).parse_args()

    from eisbach.pipeline import paths, tables
    from eisbach.pipeline.files import replacing
    from eisbach.pipeline.params import load
    from predictions.report import inputs, plots, site

    params = load()
    found = inputs.read(Path(), params.seeds)
    with replacing(paths.REPORT) as folder:
        written = site.write(folder, Path(), params, found)
    plots.write(paths.METRICS / "plots", found, written)
    tables.write_metrics(paths.METRICS / "arms.json", plots.metrics(written))
    for sentence in found.missing:
        print(f"missing: {sentence}")
    print(f"report: {(paths.REPORT / 'index.html').resolve()}")


if __name__ == "__main__":
    command.run(main)
