"""CPU seconds per clip of every step of evaluation, over 100 clips.

Needs `dvc repro encode`; real clips stand for samples. Writes benchmarks/evaluation/speed.json.
"""

from eisbach.pipeline import command

if __name__ == "__main__":  # before the imports that take seconds
    command.parser(__doc__).parse_args()

import json
import time
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from eisbach.data import clips, latents
from eisbach.metrics import clip_features, sets
from eisbach.pipeline import paths
from eisbach.pipeline.files import replacing
from eisbach.pipeline.params import load
from eisbach.pipeline.stages import loading

CLIPS = 100
OUTPUT = Path(__file__).with_name("speed.json")


def main() -> None:
    params = load()
    codec = loading.base(params).pretransform
    training = latents.load(paths.ARCHIVE).split("finetune")
    scale = clip_features.fit(
        [clip_features.extract(codec, clip, {}) for clip in training.latents], params.evaluate.similarity
    )
    embedders = clip_features.load_embedders(["musicnn"])
    spent = dict.fromkeys(("encode", "extract", "structure", "sets"), 0.0)
    features = []

    def timed(step: str, work):
        begin = time.process_time()
        result = work()
        spent[step] += time.process_time() - begin
        return result

    for _, audio in islice(clips.read(paths.CLIPS), CLIPS):
        with torch.no_grad():
            latent = timed("encode", lambda audio=audio: codec.encode(torch.from_numpy(audio)[None])[0])
        clip = timed("extract", lambda latent=latent: clip_features.extract(codec, latent, embedders))
        timed("structure", lambda clip=clip: clip_features.measure(clip, scale))
        features.append(clip)
    stacked = {name: np.stack([clip.vectors[name] for clip in features]) for name in embedders}
    stacked["codec"] = np.stack([clip_features.codec_vector(clip.sound, scale) for clip in features])
    grouped = {name: rows.reshape(CLIPS // 4, 4, -1) for name, rows in stacked.items()}
    slow = [[clip.sound.slow for clip in features[k : k + 4]] for k in range(0, CLIPS, 4)]
    timed("sets", lambda: sets.set_metrics(grouped, stacked, stacked))
    timed("sets", lambda: sets.consistency_metrics(slow))
    report = {step: round(seconds / CLIPS, 3) for step, seconds in spent.items()}
    report |= {"total": round(sum(spent.values()) / CLIPS, 3), "clips": CLIPS, "threads": torch.get_num_threads()}
    with replacing(OUTPUT) as temporary:
        temporary.write_text(json.dumps(report, indent=1) + "\n")
    print(report)


if __name__ == "__main__":
    command.run(main)
