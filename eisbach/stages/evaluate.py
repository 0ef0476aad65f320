"""Stage `evaluate@seed`: every arm of one seed on the seed's held-out grid, and all measures of the samples it made."""

import sys

from eisbach.command import run


def main() -> None:
    import pandas as pd
    from safetensors.torch import load_file

    from eisbach import evaluate, places, tables
    from eisbach.data import latents
    from eisbach.errors import UserError
    from eisbach.generate import prompts
    from eisbach.metrics import between_seeds, gradients, hearing, outcomes
    from eisbach.metrics.embedders import clap
    from eisbach.params import load
    from eisbach.progress import track
    from eisbach.stages import loading

    seed = int(sys.argv[1])
    params = load()
    settings = params.evaluate
    archive = evaluate.compared(latents.load(places.ARCHIVE))
    heldout = archive.split("heldout")
    grid, asked = evaluate.heldout_grid(heldout, settings, seed), prompts(heldout, params.generate.prompts)
    with_clap = clap.Clap(settings.clap) if settings.clap else None
    listeners, texts = hearing.embedders(settings.embedders, with_clap), evaluate.texts(with_clap, asked)
    real = evaluate.real(archive, *hearing.load(places.REFERENCE, ["codec", *listeners]), settings.embedders)
    model, adapters = loading.arms(params, seed)

    made = load_file(places.SAMPLES / str(seed) / "samples.safetensors")
    losses, measured, results, heard = [], [], [], {}
    arms = loading.trained(params)
    for arm in track(arms, f"evaluate seed {seed}", len(arms)):
        turned = {}
        if arm in params.finetune.arms and params.finetune.arms[arm].weighting == "barrier":
            adapters.load(arm, places.ADAPTERS / str(seed) / arm)
            lam = params.finetune.lam(arm)
            turned = gradients.cosines(model, adapters, arm, archive.split("finetune"), params.finetune, lam, seed)
        try:
            with loading.wearing(adapters, arm, params, seed):
                table, values = evaluate.heldout_metrics(model, grid, params.census.lam)
            samples = evaluate.listen(model.pretransform, made[arm], asked, listeners, real.scale)
        except UserError as error:
            raise UserError(f"arm '{arm}', seed {seed}: {error}; lower finetune.lr and run again") from error
        losses.append(table.assign(arm=arm))
        measured.append(samples.table.assign(arm=arm))
        heard[arm] = between_seeds.Heard(evaluate.standardised(samples, real), samples.slow)
        results.append(
            outcomes.rows(
                values | turned | evaluate.sample_metrics(samples, asked, real, texts),
                regime=model.regime,
                arm=arm,
                **loading.label(params, arm),
                optimizer="adamw",
                run="short",
                seed=seed,
            )
        )

    folder, label = places.EVALUATION / str(seed), {"seed": seed, "regime": model.regime}
    tables.write(folder / "losses.parquet", pd.concat(losses).assign(**label))
    tables.write(folder / "samples.parquet", pd.concat(measured).assign(**label))
    tables.write(folder / "outcomes.parquet", outcomes.joined(results))
    between_seeds.save(folder / between_seeds.FILE, heard)


if __name__ == "__main__":
    run(main)
