"""Stage `generate@seed`: samples of every arm of one seed from the same prompts and noise; one per prompt as FLAC."""

from eisbach.pipeline import command


def main(seed: int) -> None:
    import sys
    from functools import partial

    import pandas as pd
    import soundfile
    import torch
    from safetensors.torch import save_file

    from eisbach.data import latents
    from eisbach.errors import UserError
    from eisbach.inference.generate import chosen, generate
    from eisbach.pipeline import paths, tables
    from eisbach.pipeline.files import replacing
    from eisbach.pipeline.params import load
    from eisbach.pipeline.progress import track
    from eisbach.pipeline.stages import adapters as stage_adapters
    from eisbach.pipeline.threads import thread_map
    from eisbach.seeds import derive

    params = load()
    settings = params.generate
    model, adapters = stage_adapters.untrained(params, seed)
    arms = stage_adapters.check(adapters, params, seed)
    asked = chosen(model, latents.load(paths.ARCHIVE).split("heldout"), settings.prompts)
    noise_seed = derive(settings.noise_seed, "generate", seed)  # per seed, so that intervals over seeds include it
    samples, rows, diverged = {}, [], []
    with replacing(paths.SAMPLES / str(seed)) as folder:
        folder.mkdir()
        for arm in track(arms, f"generate seed {seed}", len(arms)):
            use_arm = partial(stage_adapters.use_adapter, adapters, arm, params, seed)
            made = generate(model, asked, settings, noise_seed, use_arm)
            samples[arm] = made
            decoded = thread_map(torch.no_grad()(model.pretransform.decode), made[:, :1])
            if not all(part.isfinite().all() for part in (made, *decoded)):  # latents of 1e4 overflow when decoded
                diverged.append(arm)  # the latents are kept, and the other arms go on
                continue
            for prompt, (clip, audio) in enumerate(zip(asked.clips.itertuples(), decoded, strict=True)):
                name = f"{arm}-{prompt:02d}.flac"
                channels = audio[0, :1] if torch.equal(audio[0, 0], audio[0, 1]) else audio[0]
                soundfile.write(folder / name, channels.T.clamp(-1, 1).numpy(), model.sample_rate)
                rows.append(
                    {
                        "arm": arm,
                        "prompt": prompt,
                        "clip_id": clip.clip_id,
                        "caption": clip.caption,
                        "contrast": clip.contrast,
                        "file": name,
                    }
                )
        if not rows:
            raise UserError(f"seed {seed}: the samples of every arm are not finite; check model and generate.cfg_scale")
        save_file(samples, folder / "samples.safetensors")
        tables.write(folder / "samples.parquet", pd.DataFrame(rows).assign(seed=seed, regime=model.regime))
    for arm in diverged:
        cure = (
            "lower finetune.lr in params.yaml" if arm in params.finetune.arms else f"remove it from {params.imported}"
        )
        print(f"arm '{arm}', seed {seed}: its samples are not finite, so it has no audio; {cure}", file=sys.stderr)


if __name__ == "__main__":
    command.stage(main)
