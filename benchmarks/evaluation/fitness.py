"""`python -m benchmarks.evaluation.fitness`: which structure metrics tell known groups of real clips apart.

Needs `dvc repro encode` of the default profile. Clips of the splits base and heldout are judged, in a basis fitted on
finetune. Writes eisbach/metrics/fitness.json.
"""

import json
from itertools import combinations

import numpy as np
import pandas as pd
import torch

from benchmarks.evaluation.document import into_document
from eisbach import places
from eisbach.command import run
from eisbach.data import clips, latents
from eisbach.files import replacing
from eisbach.metrics import fitness, hearing
from eisbach.params import load
from eisbach.progress import track
from eisbach.seeds import numpy_generator
from eisbach.stages import loading


def main() -> None:
    codec = loading.base(load()).pretransform
    archive = latents.load(places.ARCHIVE)
    scale = hearing.fit([hearing.hear(codec, clip, {}) for clip in archive.split("finetune").latents], "mel")
    rows = {clip_id: row for row, clip_id in enumerate(archive.clips["clip_id"])}
    judged = archive.clips.index[archive.clips["split"].isin(["base", "heldout"])]

    def measured(latent: torch.Tensor) -> dict[str, float]:
        return hearing.measure(hearing.hear(codec, latent, {}), scale)

    records = []
    for clip_id, audio in track(clips.read(places.CLIPS), "known groups", len(rows)):
        if rows[clip_id] not in judged:
            continue
        draw = numpy_generator(0, "surrogates", clip_id)
        real = archive.latents[rows[clip_id]]
        noise = torch.from_numpy(fitness.phase_randomised(audio, draw).astype(np.float32))
        with torch.no_grad():
            versions = {
                "real": real,
                "shuffled": torch.from_numpy(fitness.shuffled(real.numpy(), draw)),
                "phase_randomised": codec.encode(noise[None])[0],
            }
        known = archive.clips.loc[rows[clip_id], "contrast_class"]
        records += [{"group": name, "class": known, **measured(latent)} for name, latent in versions.items()]
    table = pd.DataFrame(records)

    verdicts = {}
    for metric, claim in fitness.CLAIMS.items():
        real = table[table["group"] == "real"]
        by_class = {name: real.loc[real["class"] == name, metric].to_numpy() for name in ("flat", "contrast")}
        effects = {"contrast_flat": fitness.effect(by_class["contrast"], by_class["flat"], paired=False)}
        for name in ("shuffled", "phase_randomised"):
            other = table.loc[table["group"] == name, metric].to_numpy()
            effects[f"real_{name}"] = fitness.effect(real[metric].to_numpy(), other, paired=True)
        fit, reason = fitness.judge(claim, effects)
        gaps = [abs(a - b) for values in by_class.values() for a, b in combinations(values, 2)]
        verdicts[metric] = {
            "fit": fit,
            "reason": reason,
            "direction": claim.direction,
            "effects": effects,
            "noise_floor": float(f"{np.median(gaps):.4g}"),
            "clips": {"real": len(real), **{name: len(values) for name, values in by_class.items()}},
        }
    with replacing(fitness.PATH) as temporary:
        temporary.write_text(json.dumps(verdicts, indent=2) + "\n")
    into_document("fitness", markdown(verdicts))
    for metric, verdict in verdicts.items():
        deltas = "  ".join(f"{pair} {found['delta']:+.2f}" for pair, found in verdict["effects"].items())
        print(f"{'fit  ' if verdict['fit'] else 'UNFIT'} {metric:26s} {deltas}  floor {verdict['noise_floor']}")


def markdown(verdicts: dict) -> str:
    lines = [f"| metric | {' | '.join(fitness.PAIRS)} | noise floor | fit |", "| --- | --- | --- | --- | --- | --- |"]
    for metric, verdict in verdicts.items():
        found = (verdict["effects"][pair] for pair in fitness.PAIRS)
        deltas = " | ".join(f"{one['delta']:+.2f} ({one['low']:+.2f}, {one['high']:+.2f})" for one in found)
        lines.append(f"| `{metric}` | {deltas} | {verdict['noise_floor']} | {'yes' if verdict['fit'] else '**no**'} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    run(main)
