"""Stage `census`: weight, entropy, energy and loss of held-out clips by t, as they are and with flattened energy."""

from eisbach.pipeline import command


def main() -> None:
    import pandas as pd

    from eisbach.data import latents
    from eisbach.inference import weight_stats
    from eisbach.metrics import loss_by_t
    from eisbach.pipeline import paths, tables
    from eisbach.pipeline.params import load
    from eisbach.pipeline.progress import track
    from eisbach.pipeline.stages import loading

    settings = load()
    census = settings.census
    model = loading.base(settings)
    heldout = latents.load(paths.ARCHIVE).split("heldout")
    times = loss_by_t.times(census.times_per_tenth)
    measured = []
    for t in track(times, "census", len(times)):
        for at, clips, output, target in weight_stats.outputs(model, heldout, [t], census.seed):
            measured.append(weight_stats.measure(at, clips, output, target, census.lam))
    table = pd.concat(measured, ignore_index=True).assign(regime=model.regime)
    tables.write(paths.CENSUS, table)
    low = [t for t in times if t < 0.1]
    flattened = weight_stats.measure_flattened(model, heldout, low, census.powers, census.lam, census.seed)
    tables.write(paths.FLATTENED, flattened)
    tables.write_metrics(paths.METRICS / "census.json", weight_stats.summary(table))


if __name__ == "__main__":
    command.stage(main)
