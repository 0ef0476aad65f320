"""Stage `base`: the held-out loss of the base model by t, and that of linear reference predictors."""

import json

from eisbach.pipeline import command


def main() -> None:
    from eisbach.data import latents
    from eisbach.metrics import loss_by_t
    from eisbach.models.velocity import predict
    from eisbach.pipeline import paths, tables
    from eisbach.pipeline.params import load
    from eisbach.pipeline.stages import loading

    params = load()
    model = loading.base(params)
    heldout = latents.load(paths.ARCHIVE).split("heldout")
    times = loss_by_t.times(params.base.times_per_tenth)
    losses = loss_by_t.clip_losses(
        lambda noisy, t, rows: predict(model, noisy, t, heldout.rows(rows)),
        heldout.latents,
        times,
        params.base.seed,
        mask=heldout.mask,
    )
    losses["clip_id"] = heldout.clips["clip_id"].to_numpy()[losses["row"]]
    tables.write(paths.BASE_LOSSES, losses)

    references = loss_by_t.reference_losses(heldout.latents, times, params.base.seed, heldout.mask)
    table = loss_by_t.by_tenth(losses[["t", "loss"]]).rename(columns={"loss": "model"})
    table = table.join(loss_by_t.by_tenth(references))
    middle = table[(table.index > 0.05) & (table.index < 0.85)]
    tables.write_metrics(
        paths.METRICS / "base.json",
        {
            "loss_by_tenth_of_t": json.loads(table.to_json(orient="index")),
            "largest_ratio_to_linear_between_0.1_and_0.9": (middle["model"] / middle["linear"]).max(),
        },
    )


if __name__ == "__main__":
    command.stage(main)
