"""`make pretrain`: train the small base that the package ships; run again after an interruption, it resumes.

Not a stage of `dvc repro`: it takes one to two hours, and the pipeline starts, like users of the real model, from a
checkpoint.
"""

from dataclasses import replace
from pathlib import Path

from eisbach.pipeline import command

FOLDER = Path("artifacts/pretrain")


def main() -> None:
    import json

    import torch

    from eisbach.data import clips, corpus, latents, manifest
    from eisbach.inference import encode
    from eisbach.models import small
    from eisbach.pipeline import tables
    from eisbach.pipeline.params import load
    from eisbach.pipeline.progress import track
    from eisbach.seeds import derive
    from eisbach.training import pretrain

    params = load()
    settings = params.pretrain
    larger = replace(params.prepare, clips={**params.prepare.clips, "base": settings.clips})
    corpus.prepare(larger, FOLDER / "corpus")
    rows = manifest.read(FOLDER / "corpus" / "manifest.parquet")

    torch.manual_seed(derive(settings.seed, "initial weights"))
    model = small.build(json.loads((small.BASE / "model_config.json").read_text()))
    small.init_output_to_minus_input(model)
    base = {row["clip_id"] for row in rows if row["split"] == "base"}
    spectra = (
        model.pretransform.log_mel(torch.from_numpy(audio)[None])
        for clip_id, audio in track(clips.read(FOLDER / "corpus" / "clips.tar"), "fit the codec", len(rows))
        if clip_id in base
    )
    model.pretransform.fit(spectra)
    archive = FOLDER / "archive.safetensors"
    if not archive.exists():
        audio = track(clips.read(FOLDER / "corpus" / "clips.tar"), "encode", len(rows))
        latents.save(archive, encode.encode(model, audio, rows))
    data = latents.load(archive).split("base")
    records = pretrain.pretrain(model.train(), data, settings, FOLDER / "state.safetensors")
    history = list(track(records, "pretrain", settings.steps))
    small.save(model, small.BASE / "model.safetensors")
    if history:
        tables.write_metrics(FOLDER / "last_step.json", history[-1])
    print(f"wrote {small.BASE / 'model.safetensors'}; `make card` measures it on held-out clips")


if __name__ == "__main__":
    command.parser(__doc__).parse_args()
    command.run(main)
