"""`python -m predictions.report`: the stage `report`."""

from pathlib import Path

from eisbach.command import run


def main() -> None:
    from eisbach import places, tables
    from eisbach.files import replacing
    from eisbach.params import load
    from predictions.report import inputs, plots, site

    params = load()
    found = inputs.read(Path(), params.seeds)
    with replacing(places.REPORT) as folder:
        written = site.write(folder, Path(), params, found)
    plots.write(places.METRICS / "plots", found, written)
    tables.write_metrics(places.METRICS / "arms.json", plots.metrics(written))
    for claim in written.found:
        print(plots.line(claim))
    for sentence in found.missing:
        print(f"missing: {sentence}")
    print(f"report: {(places.REPORT / 'index.html').resolve()}")


if __name__ == "__main__":
    run(main)
