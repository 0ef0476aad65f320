"""Stage `census`: weight, entropy, energy and loss of held-out clips by t under the base model, and variations of w."""

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
    model = loading.base(settings)
    heldout = latents.load(paths.ARCHIVE).split("heldout")
    times = loss_by_t.times(settings.census.times_per_tenth)
    measured, varied = [], []
    for t in track(times, "census", len(times)):
        for at, clips, output, target in weight_stats.outputs(model, heldout, [t], settings.census.seed):
            measured.append(weight_stats.measure(at, clips, output, target, settings.census.lam))
            varied.append(weight_stats.vary(at, clips, output))
    table = pd.concat(measured, ignore_index=True)
    tables.write(paths.CENSUS, table)
    tables.write(paths.SENSITIVITY, pd.concat(varied, ignore_index=True))
    tables.write_metrics(paths.METRICS / "census.json", weight_stats.summary(table))


if __name__ == "__main__":
    command.stage(main)
