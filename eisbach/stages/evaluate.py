"""Stage `evaluate@seed`: every arm of one seed on the held-out grid, and all measures of the samples it made."""

import sys

from eisbach.command import run


def main() -> None:
    import numpy as np
    import pandas as pd
    from safetensors.torch import load_file

    from eisbach import census, evaluate, places, tables
    from eisbach.adapters.merged import merged
    from eisbach.data import latents
    from eisbach.errors import UserError
    from eisbach.generate import prompts
    from eisbach.metrics import alignment, loss_by_t, outcomes, structure, weights
    from eisbach.metrics.embedders import clap
    from eisbach.params import load
    from eisbach.progress import track
    from eisbach.stages import loading

    seed = int(sys.argv[1])
    params = load()
    settings = params.evaluate
    archive = latents.load(places.ARCHIVE)
    heldout = archive.split("heldout")
    grid, asked = prompts(heldout, settings.clips), prompts(heldout, params.generate.prompts)
    times = loss_by_t.times(settings.times_per_tenth)
    model, adapters = loading.arms(params, seed)
    codec = model.pretransform

    training = archive.split("finetune")
    scale = structure.fit(
        [(evaluate.heard(codec, clip), clip.numpy()) for clip in training.latents], settings.similarity
    )
    names = ["codec", *settings.embedders, *(["clap"] if settings.clap else [])]
    known = evaluate.load_vectors(places.REFERENCE, names)
    split = archive.clips["split"].to_numpy()
    real, seen = ({name: known[name][split == part] for name in names} for part in ("heldout", "finetune"))
    probes = {name: alignment.fit(seen[name], training.pooled.double().numpy()) for name in settings.embedders}
    listeners = evaluate.embedders(settings.embedders, settings.clap)
    captions = asked.pooled.double().numpy()
    texts = clap.Clap(settings.clap).text(asked.clips["caption"].tolist()) if settings.clap else None

    made = load_file(places.SAMPLES / str(seed) / "samples.safetensors")
    losses, measured, results = [], [], []
    for arm in track(params.finetune.arms, f"evaluate seed {seed}", len(params.finetune.arms)):
        adapters.load(arm, places.ADAPTERS / str(seed) / arm)
        with merged(adapters, arm):
            table = census.census(model, grid, times, params.census.lam, settings.seed)
        losses.append(table.assign(arm=arm))
        values = weights.of_known_classes(weights.loss_metrics(table) | weights.weight_metrics(table), table)

        try:
            sounds = [[evaluate.heard(codec, one) for one in group] for group in made[arm]]
        except UserError as error:
            raise UserError(
                f"the samples of arm '{arm}', seed {seed}: {error}; lower finetune.lr and run again"
            ) from error
        vectors = {name: [] for name in names}
        for place, clip in enumerate(asked.clips.itertuples()):
            for noise, (sample, audible) in enumerate(zip(made[arm][place], sounds[place], strict=True)):
                found = evaluate.embeddings(codec, sample, listeners)
                for name in names:
                    vectors[name].append(evaluate.codec_vector(audible, scale) if name == "codec" else found[name])
                label = {"arm": arm, "prompt": place, "noise": noise, "contrast": clip.contrast}
                measured.append({**label, **structure.measure(audible, sample.numpy(), scale)})
        shape = made[arm].shape[:2]
        grouped = {name: np.stack(rows).reshape(*shape, -1) for name, rows in vectors.items()}
        own = pd.DataFrame([row for row in measured if row["arm"] == arm])
        values |= own.drop(columns=["arm", "prompt", "noise", "contrast"]).mean(skipna=False).to_dict()
        values |= evaluate.set_metrics(grouped, real, seen)
        values |= evaluate.consistency_metrics(sounds)
        values |= evaluate.alignment_metrics(grouped, captions, probes)
        if texts is not None:
            values["alignment/clap"] = evaluate.clap_alignment(grouped["clap"], texts)
        results.append(
            outcomes.rows(
                values,
                regime="small",
                arm=arm,
                lam=params.finetune.lam(arm),
                adapter=params.finetune.adapter,
                optimizer="adamw",
                run="short",
                seed=seed,
            )
        )

    from eisbach.metrics import gradients

    for arm in (name for name, plan in params.finetune.arms.items() if plan.weighting == "barrier"):
        adapters.load(arm, places.ADAPTERS / str(seed) / arm)
        lam = params.finetune.lam(arm)
        turned = gradients.cosines(model, adapters, arm, archive.split("finetune"), params.finetune, lam, seed)
        which = {"regime": "small", "arm": arm, "lam": lam, "adapter": params.finetune.adapter}
        results.append(outcomes.rows(turned, **which, optimizer="adamw", run="short", seed=seed))

    folder, label = places.EVALUATION / str(seed), {"seed": seed, "regime": "small"}
    tables.write(folder / "losses.parquet", pd.concat(losses).assign(**label))
    tables.write(folder / "samples.parquet", pd.DataFrame(measured).assign(**label))
    tables.write(folder / "outcomes.parquet", outcomes.joined(results))


if __name__ == "__main__":
    run(main)
