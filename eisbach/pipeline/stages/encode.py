"""Stage `encode`: clips and captions -> one archive of latents and text states."""

from math import nan
from statistics import fmean

from eisbach.pipeline import command

LISTENED = 8  # clips per split through the whole decoder: Griffin-Lim takes a second each


def main() -> None:
    from eisbach.data import clips, latents, manifest
    from eisbach.inference import encode
    from eisbach.models import hub
    from eisbach.pipeline import paths, tables
    from eisbach.pipeline.params import load
    from eisbach.pipeline.progress import track
    from eisbach.pipeline.stages import loading
    from eisbach.pipeline.threads import thread_map

    params = load()
    model = loading.base(params)
    rows = manifest.read(paths.MANIFEST)
    audio = track(clips.read(paths.CLIPS), "encode", len(rows))
    archive = encode.encode(model, audio, rows)
    latents.save(paths.ARCHIVE, archive)

    heldout = {row["clip_id"] for row in rows if row["split"] == "heldout"}
    codec, pca, listened = model.pretransform, [], []
    for clip_id, sound in clips.read(paths.CLIPS):
        if clip_id in heldout and not isinstance(sound, clips.Encoded):
            pca.append(encode.reconstruction_db(codec, sound, phases=False))
            if len(listened) < LISTENED:
                listened.append(sound)
    whole = thread_map(lambda sound: encode.reconstruction_db(codec, sound, phases=True), listened)
    tables.write_metrics(
        paths.METRICS / "encode.json",
        {
            "clips": len(rows),
            "model_sha256": hub.sha256(loading.weights(params)),
            "latent_variance": archive.latents.transpose(1, 2)[archive.mask].var().item(),
            "heldout_error_db_latents": fmean(pca) if pca else nan,  # a corpus of latents has no sound to compare with
            "heldout_error_db_decoded": fmean(whole) if whole else nan,
        },
    )


if __name__ == "__main__":
    command.stage(main)
