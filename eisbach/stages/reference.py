"""Stage `reference`: real clips as embedders and structure metrics hear them, once for all arms and seeds."""

from collections import defaultdict

from eisbach.command import run


def main() -> None:
    import numpy as np

    from eisbach import evaluate, places, tables
    from eisbach.data import latents
    from eisbach.metrics import alignment, structure
    from eisbach.params import load
    from eisbach.progress import track
    from eisbach.stages import loading

    params = load()
    settings = params.evaluate
    codec = loading.base(params).pretransform
    archive = latents.load(places.ARCHIVE)
    listeners = evaluate.embedders(settings.embedders, settings.clap)
    vectors = defaultdict(list)
    for clip in track(archive.latents, "reference", len(archive)):
        for name, vector in evaluate.embeddings(codec, clip, listeners).items():
            vectors[name].append(vector)

    sounds = [evaluate.heard(codec, clip) for clip in archive.latents]
    split = archive.clips["split"].to_numpy()
    training, heldout = np.flatnonzero(split == "finetune"), np.flatnonzero(split == "heldout")
    scale = structure.fit([(sounds[row], archive.latents[row].numpy()) for row in training], settings.similarity)
    vectors["codec"] = [evaluate.codec_vector(clip, scale) for clip in sounds]
    stacked = {name: np.stack(rows) for name, rows in vectors.items()}
    evaluate.save_vectors(places.REFERENCE, stacked)

    measured = [structure.measure(sounds[row], archive.latents[row].numpy(), scale) for row in heldout]
    captions, ceilings = archive.pooled.double().numpy(), {}
    for name in settings.embedders:
        probe = alignment.fit(stacked[name][training], captions[training])
        matched, mismatched = alignment.scores(probe, stacked[name][heldout], captions[heldout])
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
