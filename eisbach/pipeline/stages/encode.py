"""Stage `encode`: encode clips and captions into one archive of latents and text states."""

import sys
from math import nan
from statistics import fmean

from eisbach.pipeline import command

DECODED_CLIPS = 8  # held-out clips whose audio is reconstructed: Griffin-Lim takes a second for each


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
    cut = encode.longer_captions(model.conditioner.conditioners["prompt"], [row["caption"] for row in rows])
    if cut["captions_cut"]:
        print(
            f"warning: the text encoder reads {cut['caption_tokens_limit']} tokens, and the captions of "
            f"{cut['captions_cut']} of {len(rows)} clips are longer, up to {cut['longest_caption_tokens']}: shorten "
            "them, or their ends are ignored",
            file=sys.stderr,
        )
    audio = track(clips.read(paths.CLIPS), "encode", len(rows))
    archive = encode.encode(model, audio, rows)
    latents.save(paths.ARCHIVE, archive)

    heldout = {row["clip_id"] for row in rows if row["split"] == "heldout"}
    codec, latent_errors, decoded = model.pretransform, [], []
    for clip_id, clip in clips.read(paths.CLIPS):
        if clip_id in heldout and not isinstance(clip, clips.LatentClip):
            latent_errors.append(encode.reconstruction_db(codec, clip, phases=False))
            if len(decoded) < DECODED_CLIPS:
                decoded.append(clip)
    decoded_errors = thread_map(lambda audio: encode.reconstruction_db(codec, audio, phases=True), decoded)
    tables.write_metrics(
        paths.METRICS / "encode.json",
        {
            "clips": len(rows),
            **cut,
            "model_sha256": hub.sha256(loading.weights(params)),
            "latent_variance": archive.latents.transpose(1, 2)[archive.mask].var().item(),
            "heldout_error_db_latents": fmean(latent_errors) if latent_errors else nan,  # NaN for a corpus of latents
            "heldout_error_db_decoded": fmean(decoded_errors) if decoded_errors else nan,
        },
    )


if __name__ == "__main__":
    command.stage(main)
