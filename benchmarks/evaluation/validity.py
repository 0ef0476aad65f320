"""Which metrics separate known groups of real clips.

Needs `dvc repro encode` with `prepare.clips` of {base: 64, finetune: 192, heldout: 96}. The groups are clips of the
splits base and heldout. The basis is fitted on the split finetune, whose clips are also the real clips of coverage, FAD
and KAD. Writes eisbach/metrics/validity.json and the table in docs/metrics.md.
"""

from eisbach.pipeline import command

if __name__ == "__main__":  # before the imports that take seconds
    command.parser(__doc__).parse_args()

import json
from itertools import combinations

import numpy as np
import pandas as pd
import torch

from benchmarks.evaluation import groups
from benchmarks.evaluation.document import into_document
from eisbach.data import clips, latents
from eisbach.metrics import clip_features, sets, validity
from eisbach.pipeline import paths
from eisbach.pipeline.files import replacing
from eisbach.pipeline.params import load
from eisbach.pipeline.progress import track
from eisbach.pipeline.stages import loading
from eisbach.seeds import numpy_generator


def main() -> None:
    params = load()
    codec = loading.base(params).pretransform
    archive = latents.load(paths.ARCHIVE)
    embedders = clip_features.load_embedders(params.evaluate.embedders)
    training = [clip_features.extract(codec, clip, embedders) for clip in archive.split("finetune").latents]
    scale = clip_features.fit(training, params.evaluate.similarity)
    facts = archive.clips[archive.clips["split"].isin(["base", "heldout"])]
    versions = _versions(codec, archive, facts, embedders)
    facts = facts.reset_index(drop=True)

    def of_clip(index: groups.ClipIndex) -> dict[str, float]:
        return clip_features.measure(versions[index[0]][index[1]], scale)

    def vectors(features: list[clip_features.ClipFeatures]) -> dict[str, np.ndarray]:
        found = {name: np.stack([clip.vectors[name] for clip in features]) for name in embedders}
        return found | {"codec": np.stack([clip_features.codec_vector(clip.sound, scale) for clip in features])}

    known = vectors(training)

    def of_set(indices: groups.Set) -> dict[str, float]:
        chosen = [[versions[name][row] for name, row in group] for group in indices]
        flat = vectors([clip for group in chosen for clip in group])
        grouped = {name: rows.reshape(len(chosen), -1, rows.shape[-1]) for name, rows in flat.items()}
        slow = [[clip.sound.slow for clip in group] for group in chosen]
        return sets.set_metrics(grouped, known, known) | sets.consistency_metrics(slow)

    verdicts = {}
    for claims, pairs, measure in (
        (validity.CLIPS, groups.of_clips(facts), of_clip),
        (validity.SETS, groups.of_sets(facts), of_set),
    ):
        tables = {name: (pair, *groups.values(pair, measure)) for name, pair in pairs.items()}
        alike = _alike(tables)
        for metric, claim in claims.items():
            verdicts[metric] = _verdict(metric, claim, tables, alike)
    with replacing(validity.PATH) as temporary:
        temporary.write_text(json.dumps(verdicts, indent=2) + "\n")
    into_document("validity", markdown(verdicts))
    print(markdown(verdicts))


def _versions(codec, archive: latents.Latents, facts: pd.DataFrame, embedders) -> groups.Versions:
    """Features of the clips of `facts`: as they are, as near-copies, with frames shuffled, and with random phases."""
    rows = dict(zip(facts["clip_id"], facts.index, strict=True))
    found = {name: [None] * len(rows) for name in ("real", "near_copy", "shuffled", "phase_randomised")}
    order = {clip_id: index for index, clip_id in enumerate(rows)}
    for clip_id, audio in track(clips.read(paths.CLIPS), "known groups", len(archive)):
        if clip_id not in rows:
            continue
        draw = numpy_generator(0, "surrogates", clip_id)
        real = archive.latents[rows[clip_id]]
        shuffled = torch.from_numpy(validity.shuffled(real.numpy(), draw))
        noise = torch.from_numpy(validity.phase_randomised(audio, draw).astype(np.float32))
        with torch.no_grad():
            steady = codec.encode(noise[None])[0]
        made = {
            "real": clip_features.extract(codec, real, embedders),
            "near_copy": clip_features.extract(
                codec, torch.from_numpy(validity.near_copy(real.numpy(), draw)), embedders
            ),
            "shuffled": clip_features.extract(codec, shuffled, {}),
            "phase_randomised": clip_features.extract(codec, steady, embedders),
        }
        for name, clip in made.items():
            found[name][order[clip_id]] = clip
    return found


def _alike(tables: dict) -> list[pd.DataFrame]:
    """Groups whose members differ by noise only: clips of one class, or sets of different clips."""
    if "distinct_duplicated" in tables:
        return [tables["distinct_duplicated"][1]]
    return list(tables["contrast_flat"][1:])


def _verdict(metric: str, claim: validity.Claim, tables: dict, alike: list[pd.DataFrame]) -> dict:
    effects, counts = {}, {}
    for name in claim.pairs:
        pair, high, low = tables[name]
        effects[name] = validity.effect(high[metric].to_numpy(), low[metric].to_numpy(), paired=pair.paired)
        counts[name] = [len(high), len(low)]
    valid, reason = validity.judge(claim, effects)
    gaps = [abs(a - b) for table in alike for a, b in combinations(table[metric], 2)]
    return {
        "valid": valid,
        "reason": reason,
        "direction": claim.direction,
        "effects": effects,
        "noise_floor": float(f"{np.median(gaps):.4g}"),
        "counts": counts,
    }


def markdown(verdicts: dict) -> str:
    lines = ["| metric | Cliff's delta by pair, 95 % | noise floor | valid |", "| --- | --- | --- | --- |"]
    for metric, verdict in verdicts.items():
        deltas = "; ".join(
            f"{pair} {one['delta']:+.2f} ({one['low']:+.2f}, {one['high']:+.2f})"
            for pair, one in verdict["effects"].items()
        )
        lines.append(
            f"| `{metric}` | {deltas} | {verdict['noise_floor']} | {'yes' if verdict['valid'] else '**no**'} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    command.run(main)
