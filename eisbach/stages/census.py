"""Stage `census`: w, B, K, energy and loss of held-out clips by t under the base model."""

from eisbach.command import run


def main() -> None:
    from eisbach import census, places, tables
    from eisbach.data import latents
    from eisbach.metrics import loss_by_t
    from eisbach.params import load
    from eisbach.stages import loading

    params = load()
    model = loading.base(params)
    heldout = latents.load(places.ARCHIVE).split("heldout")
    times = loss_by_t.times(params.census.times_per_tenth)
    table = census.census(model, heldout, times, params.census.lam, params.census.seed)
    tables.write(places.CENSUS, table)
    tables.write_metrics(places.METRICS / "census.json", census.summary(table))


if __name__ == "__main__":
    run(main)
