"""Stage `evaluate@seed`: held-out loss by t of every arm, and measures of the samples it made."""

import sys

from eisbach.command import run


def main() -> None:
    import pandas as pd
    import soundfile
    from safetensors.torch import load_file

    from eisbach import places, tables
    from eisbach.data import latents
    from eisbach.metrics import loss_by_t, structure
    from eisbach.models.velocity import predict
    from eisbach.params import load
    from eisbach.progress import track
    from eisbach.stages import loading

    seed = int(sys.argv[1])
    params = load()
    archive = latents.load(places.ARCHIVE)
    heldout = archive.split("heldout")
    plane = structure.principal_plane(archive.split("finetune").latents.numpy())
    model, adapters = loading.arms(params, seed)
    times = loss_by_t.times(params.base.times_per_tenth)

    def velocity(noisy, t, rows):
        return predict(model, noisy, t, heldout.rows(rows))

    losses = []
    for arm in track(params.finetune.arms, f"evaluate seed {seed}", len(params.finetune.arms)):
        adapters.load(arm, places.ADAPTERS / str(seed) / arm)
        adapters.activate(arm)
        table = loss_by_t.clip_losses(velocity, heldout.latents, times, params.base.seed, mask=heldout.mask)
        facts = heldout.clips.iloc[table["row"]].reset_index(drop=True)
        losses.append(table.assign(arm=arm, clip_id=facts["clip_id"], contrast_class=facts["contrast_class"]))

    folder = places.SAMPLES / str(seed)
    samples, made = load_file(folder / "samples.safetensors"), tables.read(folder / "samples.parquet")
    measures = []
    for row in made.itertuples():
        audio, rate = soundfile.read(folder / row.file)
        latent = samples[row.arm][row.prompt].numpy()
        measures.append(
            {
                "dynamic_range_db": structure.dynamic_range_db(audio.T, rate),
                "spectral_contrast_db": structure.spectral_contrast_db(audio.T, rate),
                "pca_area": structure.trajectory_area(latent, plane),
                "participation_ratio": structure.participation_ratio(latent),
            }
        )
    measured = pd.concat([made[["arm", "prompt", "contrast"]], pd.DataFrame(measures)], axis=1)
    label = {"seed": seed, "regime": "small"}
    tables.write(
        places.EVALUATION / str(seed) / "losses.parquet", pd.concat(losses).drop(columns="row").assign(**label)
    )
    tables.write(places.EVALUATION / str(seed) / "samples.parquet", measured.assign(**label))


if __name__ == "__main__":
    run(main)
