"""`python -m benchmarks.evaluation.variance`: how many prompts and noises a seed's number needs.

Reads the samples of `dvc repro generate`. For every structure metric, the paired difference of an arm and the first one
is decomposed into seed, prompt, seed x prompt and noise; the sampling part of a seed's number is compared with what
seeds differ by anyway. Writes benchmarks/evaluation/variance.json.
"""

import json
from pathlib import Path

import numpy as np
from safetensors.torch import load_file

from eisbach import evaluate, places
from eisbach.command import run
from eisbach.data import latents
from eisbach.files import replacing
from eisbach.metrics import structure
from eisbach.params import load
from eisbach.stages import loading

OUTPUT = Path(__file__).with_name("variance.json")


def components(values: np.ndarray) -> dict[str, float]:
    """Variance components of [S, P, N]: random seeds and prompts crossed, noises within both; expected mean squares.

    Negative estimates are 0.
    """
    seeds, prompts, noises = values.shape
    cells = values.mean(2)
    by_seed, by_prompt, grand = cells.mean(1), cells.mean(0), cells.mean()
    noise = values.var(2, ddof=1).mean()
    residual = cells - by_seed[:, None] - by_prompt[None] + grand
    crossed = noises * np.square(residual).sum() / ((seeds - 1) * (prompts - 1))
    seed = noises * prompts * by_seed.var(ddof=1)
    prompt = noises * seeds * by_prompt.var(ddof=1)
    found = {
        "seed": (seed - crossed) / (noises * prompts),
        "prompt": (prompt - crossed) / (noises * seeds),
        "seed_prompt": (crossed - noise) / noises,
        "noise": noise,
    }
    return {name: max(0.0, float(value)) for name, value in found.items()}


def main() -> None:
    params = load()
    arms = list(params.finetune.arms)
    codec = loading.base(params).pretransform
    training = latents.load(places.ARCHIVE).split("finetune").latents
    scale = structure.fit([(evaluate.heard(codec, clip), clip.numpy()) for clip in training])

    def measured(sample) -> list[float]:
        return list(structure.measure(evaluate.heard(codec, sample), sample.numpy(), scale).values())

    tables = {arm: [] for arm in arms}
    for seed in params.seeds:
        made = load_file(places.SAMPLES / str(seed) / "samples.safetensors")
        for arm in arms:
            tables[arm].append([[measured(one) for one in group] for group in made[arm]])
    names = list(structure.measure(evaluate.heard(codec, training[0]), training[0].numpy(), scale))
    values = {arm: np.array(table) for arm, table in tables.items()}  # [S, P, N, metrics]
    reference, other = arms[0], arms[-1]
    report = {}
    for place, name in enumerate(names):
        level = components(values[reference][..., place])
        pairs = values[other][..., place] - values[reference][..., place]
        gap = components(pairs)
        prompts, noises = pairs.shape[1:]
        shares = {
            f"{p}x{n}": round(_sampling_share(gap, p, n), 2) for p, n in ((6, 1), (6, 2), (6, 3), (6, 4), (12, 4))
        }
        report[name] = {
            "level": {key: float(f"{value:.3g}") for key, value in level.items()},
            "difference": {key: float(f"{value:.3g}") for key, value in gap.items()},
            "seed_sd_of_difference": float(f"{pairs.mean((1, 2)).std(ddof=1):.3g}"),
            "sampling_share_by_prompts_x_noises": shares,
        }
        print(f"{name:24s} {shares}")
    drawn = {"seeds": len(params.seeds), "prompts": prompts, "noises": noises, "arms": [reference, other]}
    with replacing(OUTPUT) as temporary:
        temporary.write_text(json.dumps({"drawn": drawn, "metrics": report}, indent=1) + "\n")


def _sampling_share(found: dict[str, float], prompts: int, noises: int) -> float:
    """Share of a seed's variance that comes from noise; 1 where seeds as such do not differ at all.

    The prompts are fixed, so their main effect is not part of it, but how a seed takes a prompt is.
    """
    sampling = found["noise"] / (prompts * noises)
    total = sampling + found["seed"] + found["seed_prompt"] / prompts
    return sampling / total if total > 0 else 0.0


if __name__ == "__main__":
    run(main)
