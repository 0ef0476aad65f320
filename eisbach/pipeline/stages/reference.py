"""Stage `reference`: embeddings and structure metrics of real clips, and the scale and probes fitted on them."""

from eisbach.pipeline import command


def main() -> None:
    import numpy as np

    from eisbach.data import latents
    from eisbach.inference import evaluate
    from eisbach.metrics import alignment, clip_features
    from eisbach.metrics.embedders import clap
    from eisbach.pipeline import paths, tables
    from eisbach.pipeline.params import load
    from eisbach.pipeline.progress import track
    from eisbach.pipeline.stages import loading

    params = load()
    settings = params.evaluate
    codec = loading.base(params).pretransform
    archive = evaluate.reference_clips(latents.load(paths.ARCHIVE))
    embedders = clip_features.load_embedders(settings.embedders, clap.Clap(settings.clap) if settings.clap else None)
    cut = track(clip_features.without_padding(archive.latents, archive.mask), "reference", len(archive))
    clips = [clip_features.extract(codec, clip, embedders) for clip in cut]

    split = archive.clips["split"].to_numpy()
    training, heldout = np.flatnonzero(split == "finetune"), np.flatnonzero(split == "heldout")
    scale = clip_features.fit([clips[row] for row in training], settings.similarity)
    vectors = {name: np.stack([clip.vectors[name] for clip in clips]) for name in embedders}
    vectors["codec"] = np.stack([clip_features.codec_vector(clip.sound, scale) for clip in clips])
    clip_features.save(paths.REFERENCE, vectors, scale)

    measured = [clip_features.measure(clips[row], scale) for row in heldout]
    captions, ceilings = archive.pooled.double().numpy(), {}
    for name, probe in evaluate.reference(archive, vectors, scale, settings.embedders).probes.items():
        matched, mismatched = alignment.scores(probe, vectors[name][heldout], captions[heldout])
        ceilings[name] = {"matched": matched, "mismatched": mismatched}
    tables.write_metrics(
        paths.METRICS / "reference.json",
        {
            "heldout_means": {name: float(np.mean([row[name] for row in measured])) for name in measured[0]},
            "alignment_ceiling": ceilings,
        },
    )


if __name__ == "__main__":
    command.stage(main)
