"""From trained stacks to tidy rows: one number per arm, seed and metric."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from eisbach.arms import Arm
from toy_models import measures
from toy_models.heldout import Heldout, Measured
from toy_models.mixture import CLASSES, Mixture
from toy_models.networks import every

WHO = ["regime", "arm", "lam", "adapter", "optimizer", "run", "seed"]
COLUMNS = [*WHO, "metric", "value"]
TABLES = {  # the columns, also of one without rows
    "outcomes": COLUMNS,
    "curves": [*WHO, "step", "class", "loss", "excess_risk"],
    "weights": [*WHO, "source", "t", "class", "w", "w_low", "w_high", "loss", "excess_risk", "bayes_loss"],
    "draws": [*WHO, "x", "y"],
}


def of_heldout(measured: Measured, held: Heldout) -> dict[str, Tensor]:
    """Losses, excess risks and weight statistics, `[M]` each."""
    loss, excess = (part.mean((1, 3)) for part in (measured.loss, measured.excess))  # [M, 2]
    found = {"heldout_loss": loss.mean(1), "excess_risk": excess.mean(1)}
    found["excess_risk_share"] = found["excess_risk"] / every(held.bayes.mean((0, 2)), len(loss))  # of the Bayes loss
    for index, name in enumerate(CLASSES):
        found |= {f"heldout_loss/{name}": loss[:, index], f"excess_risk/{name}": excess[:, index]}
    found["relative_excess_risk/contrast"] = excess[:, 1] / excess[:, 0]
    for index, tenth in enumerate(measured.excess.unflatten(1, (10, -1)).mean((2, 3, 4)).unbind(1)):
        found[f"excess_risk/t{index / 10:.1f}"] = tenth
    return found | of_weights(measured.weight, measured.loss, held.times)


def of_weights(weight: Tensor, loss: Tensor, times: Tensor) -> dict[str, Tensor]:
    """What the weights `[M, N, 2, count]` of Eq. 4 say of t, of the classes and of the losses beside them.

    `times` `[N, S]`, one in each of N equal parts of [0, 1], N a multiple of 10.
    """
    weight, loss = weight.double(), loss.double()
    fifth = weight.shape[1] // 5
    low, high = slice(fifth), slice(-fifth, None)  # t < 0.2, t > 0.8
    tenth = weight.unflatten(1, (10, -1)).mean((2, 4))  # [M, 10, 2]
    flat = weight.flatten(1)
    t = every(times.mT, len(weight))[..., None, None].expand_as(weight).flatten(1)
    by_class = weight.mean((1, 3))
    # B falls as w rises, one to one: the rank correlation of B and loss is minus that of w and loss.
    rho = -measures.rank_correlation(weight, loss)  # [M, N, 2]: within a time and a class
    return {
        "w/t<0.2": weight[:, low].mean((1, 2, 3)),
        "w/t>0.8": weight[:, high].mean((1, 2, 3)),
        "w_spearman_t": measures.rank_correlation(flat, t),
        "w_ratio/contrast_flat": by_class[:, 1] / by_class[:, 0],
        "w_ratio_min_bin/contrast_flat": least_ratio(weight.unflatten(1, (10, -1))),
        "w_ratio_max_bin/contrast_flat": (tenth[:, :, 1] / tenth[:, :, 0]).amax(1),
        "weight_cv": flat.std(1) / flat.mean(1),
        "w_rise_share_t": measures.rise_share(tenth.mean(2)),
        "effective_sample_share": flat.sum(1).square() / (flat.shape[1] * flat.square().sum(1)),
        "entropy_loss_rho/t<0.2": rho[:, low].mean((1, 2)),
        "entropy_loss_rho/t>0.8": rho[:, high].mean((1, 2)),
    }


def least_ratio(weight: Tensor) -> Tensor:
    """The ratio of the classes' mean weights in the tenth of t where it is least: `[M, 10, n, 2, count]` -> `[M]`.

    The tenth is chosen on every other draw and the ratio is that of the others, both ways: the least of ten noisy
    ratios lies below all of them even where they are equal.
    """
    halves = [weight[..., first::2].mean((2, 4)) for first in (0, 1)]  # [M, 10, 2] each
    ratios = [half[:, :, 1] / half[:, :, 0] for half in halves]
    measured = [mine.gather(1, other.argmin(1, keepdim=True)) for mine, other in (ratios, ratios[::-1])]
    return torch.cat(measured, dim=1).mean(1)


def of_samples(law: Mixture, samples: Tensor, conditional: list[Tensor], exact: Tensor) -> dict[str, Tensor]:
    """Measures of unconditional samples `[M, n, C, T]`, of samples of each class, beside exact draws `[S, n, C, T]`."""
    contrast, modes = measures.masses(law, samples)
    some = min(128, samples.shape[1])  # eigenvalues cost the cube
    found = {
        "class_mass/contrast": contrast,
        "modes": modes,
        "location_entropy": measures.location_entropy(samples),
        "vendi": measures.vendi(samples[:, :some], measures.bandwidth(law)),
        "sliced_wasserstein": measures.sliced_wasserstein(samples, exact),
    }
    if law.shape == (1, 2):
        return found
    parts = [measures.consistency_and_detail(each[:, : 2 * some]) for each in conditional]
    structure, detail = (torch.stack(part).mean(0) for part in zip(*parts, strict=True))
    return found | {
        "dynamic_range_db": measures.dynamic_range_db(samples),
        "pca_area": measures.hull_area(samples),
        "participation_ratio": measures.participation_ratio(samples),
        "structure_consistency": structure,
        "detail_diversity": detail,
    }


DIVERSITY = ("class_mass/contrast", "modes", "location_entropy", "vendi", "detail_diversity")


def gaps(found: dict[str, Tensor], truth: dict[str, Tensor]) -> dict[str, Tensor]:
    """Distance of measures of samples `[A * S]` to those of the law's own draws `[S]`: which diversity is right."""
    names = [name for name in DIVERSITY if name in found]
    return {f"gap/{name}": (found[name].view(-1, len(truth[name])) - truth[name]).abs().flatten() for name in names}


def rows(found: dict[str, Tensor], facts: dict, arms: Sequence[Arm], seeds: Sequence[int]) -> pd.DataFrame:
    """Metrics `[A * S]` each as long rows; `facts` are the columns that all rows share."""
    tables = [
        models(arms, seeds).assign(**facts, metric=metric, value=value.double().numpy())
        for metric, value in found.items()
    ]
    return pd.concat(tables, ignore_index=True)[COLUMNS]


def models(arms: Sequence[Arm], seeds: Sequence[int]) -> pd.DataFrame:
    """One row a model, in the order of the stack: arm, lam, seed."""
    return pd.DataFrame(
        {
            "arm": np.repeat([arm.name for arm in arms], len(seeds)),
            "lam": np.repeat(np.array([arm.lam for arm in arms], dtype=np.float64), len(seeds)),
            "seed": np.tile(np.array(seeds, dtype=np.int64), len(arms)),
        }
    )


def by_t(measured: Measured, held: Heldout, who: pd.DataFrame) -> pd.DataFrame:
    """Mean w with its 95 % interval over samples, loss, excess risk and Bayes loss: a row per row of `who`, t, class.

    `t` is the middle of the part of [0, 1] in which the seed's own time lies, so that seeds can be averaged.
    """
    weight = measured.weight.double()  # [M, N, 2, count]
    times = [(part + 0.5) / weight.shape[1] for part in range(weight.shape[1])]
    mean, half = weight.mean(3), 1.96 * weight.std(3) / weight.shape[3] ** 0.5
    columns = {
        "w": mean,
        "w_low": mean - half,
        "w_high": mean + half,
        "loss": measured.loss.double().mean(3),
        "excess_risk": measured.excess.double().mean(3),
        "bayes_loss": every(held.bayes.double().transpose(0, 1), len(weight)),
    }
    index = pd.MultiIndex.from_product([who.index, times, CLASSES], names=["model", "t", "class"])
    table = pd.DataFrame({name: column.flatten() for name, column in columns.items()}, index=index)
    return table.reset_index(["t", "class"]).join(who).reset_index(drop=True)


def without_diverged(tables: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Without any row of a seed in the optimizer and run where one of its arms diverged, but that it did.

    All arms of the seed go, or arms would be compared over different seeds; the metric `diverged` (0 or 1) stays.
    """
    outcomes = tables["outcomes"]
    told = outcomes["metric"] == "diverged"
    key = ["regime", "optimizer", "run", "seed"]
    lost = pd.MultiIndex.from_frame(outcomes.loc[told & (outcomes["value"] > 0), key])
    kept = {name: table for name, table in tables.items() if len(table)}
    kept = {name: table[~pd.MultiIndex.from_frame(table[key]).isin(lost)] for name, table in kept.items()}
    kept["outcomes"] = outcomes[told | ~pd.MultiIndex.from_frame(outcomes[key]).isin(lost)]
    return {name: kept.get(name, table).reset_index(drop=True) for name, table in tables.items()}


def divergences(outcomes: pd.DataFrame) -> list[str]:
    """A sentence for every model that diverged."""
    lost = outcomes[(outcomes["metric"] == "diverged") & (outcomes["value"] > 0)]
    return [
        f"{row.regime}, {row.optimizer}, {row.adapter}, {row.run}: arm '{row.arm}'"
        f"{'' if math.isnan(row.lam) else f' at lambda {row.lam:g}'}, seed {row.seed}, diverged; "
        "that seed is left out of every arm there. Lower its rate or its clip in toy_models/regimes.py"
        for row in lost.itertuples()
    ]
