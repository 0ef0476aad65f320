"""The best number of samples per seed.

Reads the samples of `dvc repro generate`. For every metric of a clip, the variance of the paired difference of barrier
and baseline is decomposed into seed, prompt, seed x prompt and noise. A seed costs the time of its training, a sample
that of its generation and evaluation. For a given total time, the variance of the mean over seeds is smallest with
sqrt(cost of a seed / cost of a sample x noise / seed) samples per seed (Cochran, 1977, section 10.6). Writes
benchmarks/evaluation/variance.json and the table in docs/metrics.md.
"""

from eisbach.pipeline import command

if __name__ == "__main__":  # before the imports that take seconds
    command.parser(__doc__).parse_args()

import json
import math
from pathlib import Path

import numpy as np
from safetensors.torch import load_file

from benchmarks.evaluation.document import into_document
from eisbach.data import latents
from eisbach.metrics import clip_features, validity
from eisbach.pipeline import paths
from eisbach.pipeline.files import replacing
from eisbach.pipeline.params import load
from eisbach.pipeline.stages import loading

DRAWS = ("4x2", "8x2", "16x2", "12x4")  # prompts x noises
SEED_CPU_S, SAMPLE_CPU_S = 40.0, 1.5  # per arm: from results/durations of a default run of 80 steps, 24 November 2026
REFERENCE, OTHER = "baseline", "barrier"
HEADER = (
    f"| metric | best number | {' | '.join(f'{draw}: share' for draw in DRAWS)} | "
    f"{' | '.join(f'{draw}: cost' for draw in DRAWS)} | sd over seeds of the difference |\n{'| --- ' * 11}|"
)
OUTPUT = Path(__file__).with_name("variance.json")


def components(values: np.ndarray) -> dict[str, float]:
    """Variance components of values [S, P, N]: "seed", "prompt", "seed_prompt" and "noise".

    Seeds and prompts are random and crossed, noises nested in both. The estimates equate mean squares with their
    expectations; negative ones become 0.
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
    codec = loading.base(params).pretransform
    training = latents.load(paths.ARCHIVE).split("finetune")
    cut = clip_features.without_padding(training.latents, training.mask)
    clips = [clip_features.extract(codec, clip, {}) for clip in cut]
    scale = clip_features.fit(clips, params.evaluate.similarity)

    def measured(sample) -> list[float]:
        return list(clip_features.measure(clip_features.extract(codec, sample, {}), scale).values())

    tables = {arm: [] for arm in (REFERENCE, OTHER)}
    for seed in params.seeds:
        samples = load_file(paths.SAMPLES / str(seed) / "samples.safetensors")
        for arm in tables:
            tables[arm].append([[measured(one) for one in group] for group in samples[arm]])
    names = list(clip_features.measure(clips[0], scale))
    values = {arm: np.array(table) for arm, table in tables.items()}  # [S, P, N, metrics]
    known, optima, report, lines = validity.load(), [], {}, [HEADER]
    for index, name in enumerate(names):
        pairs = values[OTHER][..., index] - values[REFERENCE][..., index]
        gap, (prompts, noises) = components(pairs), pairs.shape[1:]
        if known[name]["valid"]:
            optima.append(best_number(gap))
        report[name] = {
            "valid": known[name]["valid"],
            "level": _rounded(components(values[REFERENCE][..., index])),
            "difference": _rounded(gap),
            "seed_sd_of_difference": float(f"{pairs.mean((1, 2)).std(ddof=1):.3g}"),
            "best_number": _number(best_number(gap)),
            "sampling_share": {draw: round(_sampling_share(gap, *_drawn(draw)), 2) for draw in DRAWS},
            "cost_over_least": {draw: round(_cost(gap, *_drawn(draw)) / _least_cost(gap), 2) for draw in DRAWS},
        }
        row = [report[name]["best_number"], *report[name]["sampling_share"].values()]
        row += [*report[name]["cost_over_least"].values(), report[name]["seed_sd_of_difference"]]
        lines.append(f"| `{name}`{'' if known[name]['valid'] else ' (invalid)'} | {' | '.join(map(str, row))} |")
    summary = {
        "drawn": {"seeds": len(params.seeds), "prompts": prompts, "noises": noises, "arms": [REFERENCE, OTHER]},
        "cpu_s": {"seed": SEED_CPU_S, "sample": SAMPLE_CPU_S},
        "median_best_number_of_valid": _number(float(np.median(optima))),
        "metrics": report,
    }
    with replacing(OUTPUT) as temporary:
        temporary.write_text(json.dumps(summary, indent=1) + "\n")
    into_document("variance", "\n".join(lines) + "\n")
    print("\n".join(lines), summary["median_best_number_of_valid"])


def best_number(gap: dict[str, float]) -> float:
    """Samples per seed with the smallest variance for a given total time; infinite if seeds do not differ."""
    return math.sqrt(SEED_CPU_S / SAMPLE_CPU_S * gap["noise"] / gap["seed"]) if gap["seed"] > 0 else math.inf


def _cost(gap: dict[str, float], prompts: int, noises: int) -> float:
    """Variance of one seed's mean times the cost of the seed: proportional to the time that a given precision takes."""
    variance = gap["seed"] + gap["seed_prompt"] / prompts + gap["noise"] / (prompts * noises)
    return variance * (SEED_CPU_S + SAMPLE_CPU_S * prompts * noises)


def _least_cost(gap: dict[str, float]) -> float:
    """The smallest cost over 1 to 512 prompts with two noises, the fewest that show the spread within a prompt."""
    return min(_cost(gap, prompts, 2) for prompts in range(1, 513)) or math.inf


def _drawn(draw: str) -> tuple[int, int]:
    prompts, noises = map(int, draw.split("x"))
    return prompts, noises


def _number(value: float) -> int | str:
    return round(value) if math.isfinite(value) else "all"


def _rounded(found: dict[str, float]) -> dict[str, float]:
    return {name: float(f"{value:.3g}") for name, value in found.items()}


def _sampling_share(found: dict[str, float], prompts: int, noises: int) -> float:
    """Share of the variance of a seed's mean that comes from noise, 0..1; 0 when there is no variance.

    All seeds have the same prompts, so the main effect of prompts is no part of the variance; seed x prompt is.
    """
    sampling = found["noise"] / (prompts * noises)
    total = sampling + found["seed"] + found["seed_prompt"] / prompts
    return sampling / total if total > 0 else 0.0


if __name__ == "__main__":
    command.run(main)
