"""Stage `evaluate@seed`: every arm of one seed on the seed's held-out grid, and all measures of the samples it made."""

from eisbach.pipeline import command


def main(seed: int) -> None:
    import pandas as pd
    from safetensors.torch import load_file

    from eisbach.data import latents
    from eisbach.errors import UserError
    from eisbach.inference import evaluate
    from eisbach.inference.generate import prompts
    from eisbach.metrics import between_seeds, clip_features, gradients
    from eisbach.metrics.embedders import clap
    from eisbach.pipeline import outcomes, paths, tables
    from eisbach.pipeline.params import load
    from eisbach.pipeline.progress import track
    from eisbach.pipeline.stages import loading
    from eisbach.training.arms import arms as trained_arms

    params = load()
    settings = params.evaluate
    archive = evaluate.compared(latents.load(paths.ARCHIVE))
    heldout = archive.split("heldout")
    grid, asked = evaluate.heldout_grid(heldout, settings, seed), prompts(heldout, params.generate.prompts)
    with_clap = clap.Clap(settings.clap) if settings.clap else None
    listeners, texts = clip_features.embedders(settings.embedders, with_clap), evaluate.texts(with_clap, asked)
    real = evaluate.real(archive, *clip_features.load(paths.REFERENCE, ["codec", *listeners]), settings.embedders)
    model, adapters = loading.arms(params, seed)

    made = load_file(paths.SAMPLES / str(seed) / "samples.safetensors")
    losses, measured, results, heard = [], [], [], {}
    arms = loading.trained(params)
    for arm in track(arms, f"evaluate seed {seed}", len(arms)):
        turned = {}
        if arm in params.finetune.arms and params.finetune.arms[arm].weighting == "barrier":
            adapters.load(arm, paths.ADAPTERS / str(seed) / arm)
            lam = trained_arms(params.finetune)[arm].lam
            turned = gradients.cosines(model, adapters, arm, archive.split("finetune"), params.finetune, lam, seed)
        try:
            with loading.use_adapter(adapters, arm, params, seed):
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

    folder, label = paths.EVALUATION / str(seed), {"seed": seed, "regime": model.regime}
    tables.write(folder / "losses.parquet", pd.concat(losses).assign(**label))
    tables.write(folder / "samples.parquet", pd.concat(measured).assign(**label))
    tables.write(folder / "outcomes.parquet", outcomes.joined(results))
    between_seeds.save(folder / between_seeds.FILE, heard)


if __name__ == "__main__":
    command.stage(main)
