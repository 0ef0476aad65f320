"""`python -m benchmarks.evaluation.variance`: how many prompts and noises a seed's number needs.

Reads the samples of `dvc repro generate`. For every structure metric, the paired difference of an arm and the first one
is decomposed into seed, prompt, seed x prompt and noise; the sampling part of a seed's number is compared with what
seeds differ by anyway. Writes benchmarks/evaluation/variance.json.
"""

import json
from pathlib import Path

import numpy as np
from safetensors.torch import load_file

from benchmarks.evaluation.document import into_document
from eisbach import places
from eisbach.command import run
from eisbach.data import latents
from eisbach.files import replacing
from eisbach.metrics import hearing
from eisbach.params import load
from eisbach.stages import loading

DRAWS = ("6x1", "6x2", "6x3", "6x4", "12x4")  # prompts x noises
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
    training = latents.load(places.ARCHIVE).split("finetune")
    clips = [hearing.hear(codec, clip, {}) for clip in hearing.cut(training.latents, training.mask)]
    scale = hearing.fit(clips, params.evaluate.similarity)

    def measured(sample) -> list[float]:
        return list(hearing.measure(hearing.hear(codec, sample, {}), scale).values())

    tables = {arm: [] for arm in arms}
    for seed in params.seeds:
        made = load_file(places.SAMPLES / str(seed) / "samples.safetensors")
        for arm in arms:
            tables[arm].append([[measured(one) for one in group] for group in made[arm]])
    names = list(hearing.measure(clips[0], scale))
    values = {arm: np.array(table) for arm, table in tables.items()}  # [S, P, N, metrics]
    reference, other = arms[0], arms[-1]
    report, lines = {}, [f"| metric | {' | '.join(DRAWS)} | sd over seeds of the difference |", "| --- " * 7 + "|"]
    for place, name in enumerate(names):
        level = components(values[reference][..., place])
        pairs = values[other][..., place] - values[reference][..., place]
        gap = components(pairs)
        prompts, noises = pairs.shape[1:]
        shares = {draw: round(_sampling_share(gap, *map(int, draw.split("x"))), 2) for draw in DRAWS}
        report[name] = {
            "level": {key: float(f"{value:.3g}") for key, value in level.items()},
            "difference": {key: float(f"{value:.3g}") for key, value in gap.items()},
            "seed_sd_of_difference": float(f"{pairs.mean((1, 2)).std(ddof=1):.3g}"),
            "sampling_share_by_prompts_x_noises": shares,
        }
        lines.append(
            f"| `{name}` | {' | '.join(map(str, shares.values()))} | {report[name]['seed_sd_of_difference']} |"
        )
    drawn = {"seeds": len(params.seeds), "prompts": prompts, "noises": noises, "arms": [reference, other]}
    with replacing(OUTPUT) as temporary:
        temporary.write_text(json.dumps({"drawn": drawn, "metrics": report}, indent=1) + "\n")
    into_document("variance", "\n".join(lines) + "\n")
    print("\n".join(lines))


def _sampling_share(found: dict[str, float], prompts: int, noises: int) -> float:
    """Share of a seed's variance that comes from noise; 1 where seeds as such do not differ at all.

    The prompts are fixed, so their main effect is not part of it, but how a seed takes a prompt is.
    """
    sampling = found["noise"] / (prompts * noises)
    total = sampling + found["seed"] + found["seed_prompt"] / prompts
    return sampling / total if total > 0 else 0.0


if __name__ == "__main__":
    run(main)
