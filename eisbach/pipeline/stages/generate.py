"""Stage `generate@seed`: samples of every arm of one seed from the same prompts and noise; one per prompt as FLAC."""

from eisbach.pipeline import command


def main(seed: int) -> None:
    import pandas as pd
    import soundfile
    import torch
    from safetensors.torch import save_file

    from eisbach.data import latents
    from eisbach.inference.generate import generate, prompts
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
    asked = prompts(latents.load(paths.ARCHIVE).split("heldout"), settings.prompts)
    noise_seed = derive(settings.noise_seed, "generate", seed)  # per seed, so that intervals over seeds include it
    samples, rows = {}, []
    with replacing(paths.SAMPLES / str(seed)) as folder:
        folder.mkdir()
        arms = stage_adapters.arm_names(params)
        for arm in track(arms, f"generate seed {seed}", len(arms)):
            with stage_adapters.use_adapter(adapters, arm, params, seed):
                made = generate(model, asked, settings.noises, settings.steps, settings.cfg_scale, noise_seed)
            samples[arm] = made
            decoded = thread_map(torch.no_grad()(model.pretransform.decode), made[:, :1])
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
        save_file(samples, folder / "samples.safetensors")
        tables.write(folder / "samples.parquet", pd.DataFrame(rows).assign(seed=seed, regime=model.regime))


if __name__ == "__main__":
    command.stage(main)
