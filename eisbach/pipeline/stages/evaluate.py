"""Stage `evaluate@seed`: held-out losses and weights of every arm of a seed, and all metrics of its samples."""

from collections.abc import Container
from pathlib import Path

from eisbach.errors import UserError
from eisbach.pipeline import command


def main(seed: int) -> None:
    import sys

    import pandas as pd

    from eisbach.data import latents
    from eisbach.inference import evaluate
    from eisbach.inference.generate import chosen
    from eisbach.metrics import between_seeds, clip_features, gradients, loss_slope, sample_distance, weights
    from eisbach.metrics.embedders import clap
    from eisbach.pipeline import outcomes, paths, tables
    from eisbach.pipeline.params import load
    from eisbach.pipeline.progress import track
    from eisbach.pipeline.stages import adapters as stage_adapters
    from eisbach.training.arms import arms as trained_arms

    params = load()
    settings = params.evaluate
    archive = evaluate.reference_clips(latents.load(paths.ARCHIVE))
    heldout = archive.split("heldout")
    model, adapters = stage_adapters.untrained(params, seed)
    grid = evaluate.heldout_grid(heldout, settings, seed)
    prompt_clips = chosen(model, heldout, params.generate.prompts)
    file = paths.SAMPLES / str(seed) / "samples.safetensors"
    generated = tables.read_tensors(file)
    clap_model = clap.Clap(settings.clap) if settings.clap else None
    embedders = clip_features.load_embedders(settings.embedders, clap_model)
    texts = evaluate.texts(clap_model, prompt_clips)
    stored = clip_features.load(paths.REFERENCE, ["codec", *embedders])
    real = evaluate.reference(archive, *stored, settings.embedders)
    arms = stage_adapters.check(adapters, params, seed)
    _check_samples(generated, file, arms, params.finetune.arms, len(prompt_clips), seed)
    losses, measured, results, left_out, features = {}, [], {}, [], {}
    for arm in track(arms, f"evaluate seed {seed}", len(arms)):
        cosines = {}
        if arm in params.finetune.arms and params.finetune.arms[arm].weighting == "barrier":
            adapters.load(arm, paths.ADAPTERS / str(seed) / arm)
            lam = trained_arms(params.finetune)[arm].lam
            cosines = gradients.cosines(model, adapters, arm, archive.split("finetune"), params.finetune, lam, seed)
        try:
            with stage_adapters.use_adapter(adapters, arm, params, seed):
                table, values = evaluate.heldout_metrics(model, grid, params.census.lam)
            samples = evaluate.sample_features(model.pretransform, generated[arm], prompt_clips, embedders, real.scale)
        except UserError as error:
            if arm in params.finetune.arms:
                raise UserError(f"arm '{arm}', seed {seed}: {error}; lower finetune.lr and run again") from error
            left_out.append(f"arm '{arm}', seed {seed}: {error}; it is left out: remove it from {params.imported}")
            continue
        losses[arm] = table.assign(arm=arm)
        measured.append(samples.table.assign(arm=arm))
        features[arm] = between_seeds.SampleFeatures(evaluate.standardised(samples, real), samples.slow)
        values |= cosines | evaluate.sample_metrics(samples, prompt_clips, real, texts)
        results[arm] = values

    slow = {arm: found.slow for arm, found in features.items()}
    for arm, values in results.items():
        values |= sample_distance.metrics(slow, arm)
        if "baseline" in losses:
            slopes = loss_slope.slopes(losses[arm], losses["baseline"])
            values |= weights.of_known_classes(slopes, losses[arm])
    rows = [
        outcomes.rows(
            values,
            regime=model.regime,
            arm=arm,
            **stage_adapters.label(params, arm),
            optimizer="adamw",
            run="short",
            seed=seed,
        )
        for arm, values in results.items()
    ]
    folder, label = paths.EVALUATION / str(seed), {"seed": seed, "regime": model.regime}
    tables.write(folder / "losses.parquet", pd.concat(losses.values()).assign(**label))
    tables.write(folder / "samples.parquet", pd.concat(measured).assign(**label))
    tables.write(folder / "outcomes.parquet", outcomes.joined(rows))
    between_seeds.save(folder / between_seeds.FILE, features)
    for message in left_out:
        print(message, file=sys.stderr)


def _check_samples(
    generated: dict, file: Path, arms: list[str], trained: Container[str], prompts: int, seed: int
) -> None:
    """Raises UserError where an arm has no samples [P, N, C, T] of P = `prompts` prompts, or a trained arm has one that
    is not finite: without it, the seed's comparisons are not paired. Imported arms may have such samples.
    """
    from eisbach.inference.evaluate import first_not_finite

    for arm in arms:
        if arm not in generated or len(generated[arm]) != prompts:
            raise UserError(f"{file} has no samples of arm '{arm}' for these prompts; run `dvc repro generate@{seed}`")
        if arm in trained and (index := first_not_finite(generated[arm])):
            where = f"arm '{arm}', seed {seed}: prompt {index[0]}, noise {index[1]}"
            raise UserError(f"{where}: not finite, the model has diverged; lower finetune.lr and run again")


if __name__ == "__main__":
    command.stage(main)
