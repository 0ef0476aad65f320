"""Stage `census`: w, B, K, energy and loss of held-out clips by t under the base model, and what moves w besides."""

from eisbach.command import run


def main() -> None:
    import pandas as pd

    from eisbach import census, places, tables
    from eisbach.data import latents
    from eisbach.metrics import loss_by_t
    from eisbach.params import load
    from eisbach.progress import track
    from eisbach.stages import loading

    settings = load()
    model = loading.base(settings)
    heldout = latents.load(places.ARCHIVE).split("heldout")
    times = loss_by_t.times(settings.census.times_per_tenth)
    measured, varied = [], []
    for t in track(times, "census", len(times)):
        for at, clips, output, target in census.outputs(model, heldout, [t], settings.census.seed):
            measured.append(census.measure(at, clips, output, target, settings.census.lam))
            varied.append(census.vary(at, clips, output))
    table = pd.concat(measured, ignore_index=True)
    tables.write(places.CENSUS, table)
    tables.write(places.SENSITIVITY, pd.concat(varied, ignore_index=True))
    tables.write_metrics(places.METRICS / "census.json", census.summary(table))


if __name__ == "__main__":
    run(main)
