"""Stage `reference`: real clips as embedders and structure metrics hear them, once for all arms and seeds."""

from eisbach.command import run


def main() -> None:
    import numpy as np

    from eisbach import evaluate, places, tables
    from eisbach.data import latents
    from eisbach.metrics import alignment, hearing
    from eisbach.metrics.embedders import clap
    from eisbach.params import load
    from eisbach.progress import track
    from eisbach.stages import loading

    params = load()
    settings = params.evaluate
    codec = loading.base(params).pretransform
    archive = evaluate.compared(latents.load(places.ARCHIVE))
    listeners = hearing.embedders(settings.embedders, clap.Clap(settings.clap) if settings.clap else None)
    clips = track(hearing.cut(archive.latents, archive.mask), "reference", len(archive))
    heard = [hearing.hear(codec, clip, listeners) for clip in clips]

    split = archive.clips["split"].to_numpy()
    training, heldout = np.flatnonzero(split == "finetune"), np.flatnonzero(split == "heldout")
    scale = hearing.fit([heard[row] for row in training], settings.similarity)
    vectors = {name: np.stack([clip.vectors[name] for clip in heard]) for name in listeners}
    vectors["codec"] = np.stack([hearing.codec_vector(clip.sound, scale) for clip in heard])
    hearing.save(places.REFERENCE, vectors, scale)

    measured = [hearing.measure(heard[row], scale) for row in heldout]
    captions, ceilings = archive.pooled.double().numpy(), {}
    for name, probe in evaluate.real(archive, vectors, scale, settings.embedders).probes.items():
        matched, mismatched = alignment.scores(probe, vectors[name][heldout], captions[heldout])
        ceilings[name] = {"matched": matched, "mismatched": mismatched}
    tables.write_metrics(
        places.METRICS / "reference.json",
        {
            "heldout_means": {name: float(np.mean([row[name] for row in measured])) for name in measured[0]},
            "alignment_ceiling": ceilings,
        },
    )


if __name__ == "__main__":
    run(main)
