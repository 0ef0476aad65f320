"""From trained stacks to tidy tables: one number per arm, seed and metric. Metrics are `[M]`, M = A arms x S seeds."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from eisbach.arms import Arm
from eisbach.pipeline.outcomes import COLUMNS, MODEL
from toy_models import measures
from toy_models.heldout import Heldout, Measured
from toy_models.mixture import CLASSES, Mixture
from toy_models.networks import repeat_for_arms

TABLES = {  # the columns of every table, also of one without rows
    "outcomes": list(COLUMNS),
    "curves": [*MODEL, "step", "class", "loss", "excess_risk"],
    "weights": [*MODEL, "source", "t", "class", "w", "w_low", "w_high", "loss", "excess_risk", "bayes_loss"],
    "draws": [*MODEL, "x", "y"],
}


def heldout_metrics(measured: Measured, heldout: Heldout) -> dict[str, Tensor]:
    """Losses, excess risks and weight statistics, `[M]` each."""
    loss, excess = (part.mean((1, 3)) for part in (measured.loss, measured.excess))  # [M, 2]
    metrics = {"heldout_loss": loss.mean(1), "excess_risk": excess.mean(1)}
    metrics["excess_risk_share"] = metrics["excess_risk"] / repeat_for_arms(heldout.bayes.mean((0, 2)), len(loss))
    for index, name in enumerate(CLASSES):
        metrics |= {f"heldout_loss/{name}": loss[:, index], f"excess_risk/{name}": excess[:, index]}
    metrics["relative_excess_risk/contrast"] = excess[:, 1] / excess[:, 0]
    for index, tenth in enumerate(measured.excess.unflatten(1, (10, -1)).mean((2, 3, 4)).unbind(1)):
        metrics[f"excess_risk/t{index / 10:.1f}"] = tenth
    return metrics | weight_metrics(measured.weight, measured.loss, heldout.times)


def weight_metrics(weight: Tensor, loss: Tensor, times: Tensor) -> dict[str, Tensor]:
    """How the weights of Eq. 4 relate to t, to the class and to the loss, `[M]` each.

    `weight` and `loss` `[M, N, 2, count]`; `times` `[N, S]`, one in each of N equal parts of [0, 1]; 10 divides N.
    """
    weight, loss = weight.double(), loss.double()
    fifth = weight.shape[1] // 5
    low, high = slice(fifth), slice(-fifth, None)  # t < 0.2, t > 0.8
    tenth = weight.unflatten(1, (10, -1)).mean((2, 4))  # [M, 10, 2]
    flat = weight.flatten(1)
    t = repeat_for_arms(times.mT, len(weight))[..., None, None].expand_as(weight).flatten(1)
    by_class = weight.mean((1, 3))
    # The entropy of Eq. 3 is a decreasing function of w, so its rank correlation with the loss is minus that of w.
    rho = -measures.rank_correlation(weight, loss)  # [M, N, 2], within a time and a class
    return {
        "w/t<0.2": weight[:, low].mean((1, 2, 3)),
        "w/t>0.8": weight[:, high].mean((1, 2, 3)),
        "w_spearman_t_pooled": measures.rank_correlation(flat, t),
        "w_ratio/contrast_flat": by_class[:, 1] / by_class[:, 0],
        **{
            f"w_ratio/contrast_flat/t{index / 10:.1f}": one[:, 1] / one[:, 0]
            for index, one in enumerate(tenth.unbind(1))
        },
        "weight_cv": flat.std(1) / flat.mean(1),
        "w_rise_share_t": measures.rise_share(tenth.mean(2)),
        "effective_sample_share": flat.sum(1).square() / (flat.shape[1] * flat.square().sum(1)),
        "entropy_loss_rho/t<0.2": rho[:, low].mean((1, 2)),
        "entropy_loss_rho/t>0.8": rho[:, high].mean((1, 2)),
    }


def sample_metrics(
    distribution: Mixture, samples: Tensor, conditional: list[Tensor], exact: Tensor
) -> dict[str, Tensor]:
    """Metrics of unconditional samples `[M, n, C, T]` and of `conditional` samples, one tensor per class; `[M]` each.

    `exact` `[S, n, C, T]` are exact draws. In the plane `conditional` is empty and the metrics of curves are left out.
    """
    contrast, modes = measures.contrast_mass_and_modes(distribution, samples)
    some = min(128, samples.shape[1])  # the cost of eigenvalues is cubic in the number of samples
    metrics = {
        "class_mass/contrast": contrast,
        "modes": modes,
        "location_entropy": measures.location_entropy(samples),
        "vendi_gaussian": measures.vendi_gaussian(samples[:, :some], measures.bandwidth(distribution)),
        "sliced_wasserstein": measures.sliced_wasserstein(samples, exact),
    }
    if distribution.shape == (1, 2):
        return metrics
    by_class = [part[:, : 2 * some] for part in conditional]
    return metrics | {
        "energy_range_db": measures.energy_range_db(samples),
        "hull_area": measures.hull_area(samples),
        "participation_ratio": measures.participation_ratio(samples),
        "envelope_correlation": torch.stack([measures.envelope_correlation(part) for part in by_class]).mean(0),
        "waveform_diversity": torch.stack([measures.waveform_diversity(part) for part in by_class]).mean(0),
    }


GAP_METRICS = ("class_mass/contrast", "modes", "location_entropy", "vendi_gaussian", "waveform_diversity")


def gaps(metrics: dict[str, Tensor], exact: dict[str, Tensor]) -> dict[str, Tensor]:
    """Absolute difference of metrics of samples `[A * S]` to those of exact draws `[S]`, under `gap/<name>`."""
    names = [name for name in GAP_METRICS if name in metrics]
    return {f"gap/{name}": (metrics[name].view(-1, len(exact[name])) - exact[name]).abs().flatten() for name in names}


def rows(metrics: dict[str, Tensor], key: dict, arms: Sequence[Arm], seeds: Sequence[int]) -> pd.DataFrame:
    """Metrics `[A * S]` as rows of the table of outcomes; `key` holds the columns that all rows share."""
    tables = [
        model_table(arms, seeds).assign(**key, metric=metric, value=value.double().numpy())
        for metric, value in metrics.items()
    ]
    return pd.concat(tables, ignore_index=True)[TABLES["outcomes"]]


def model_table(arms: Sequence[Arm], seeds: Sequence[int]) -> pd.DataFrame:
    """One row per model, in the order of the stack: arm, lam, seed."""
    return pd.DataFrame(
        {
            "arm": np.repeat([arm.name for arm in arms], len(seeds)),
            "lam": np.repeat(np.array([arm.lam for arm in arms], dtype=np.float64), len(seeds)),
            "seed": np.tile(np.array(seeds, dtype=np.int64), len(arms)),
        }
    )


def weights_by_t(measured: Measured, heldout: Heldout, models: pd.DataFrame) -> pd.DataFrame:
    """Mean w with its 95 % interval over samples, loss, excess risk and Bayes loss: a row per model, t and class.

    `models` has a row for each of the M models. `t` is the middle of the part of [0, 1] in which the seed's own time
    lies, so that seeds can be averaged.
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
        "bayes_loss": repeat_for_arms(heldout.bayes.double().transpose(0, 1), len(weight)),
    }
    index = pd.MultiIndex.from_product([models.index, times, CLASSES], names=["model", "t", "class"])
    table = pd.DataFrame({name: column.flatten() for name, column in columns.items()}, index=index)
    return table.reset_index(["t", "class"]).join(models).reset_index(drop=True)


def drop_diverged_seeds(tables: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """The tables without the seeds of which an arm diverged, in that optimizer and run.

    All arms of the seed are dropped, so that arms are compared over the same seeds. Only the rows of the metric
    `diverged` (0 or 1) stay.
    """
    outcomes = tables["outcomes"]
    flag = outcomes["metric"] == "diverged"
    key = ["regime", "optimizer", "run", "seed"]
    lost = pd.MultiIndex.from_frame(outcomes.loc[flag & (outcomes["value"] > 0), key])
    kept = {name: table for name, table in tables.items() if len(table)}
    kept = {name: table[~pd.MultiIndex.from_frame(table[key]).isin(lost)] for name, table in kept.items()}
    kept["outcomes"] = outcomes[flag | ~pd.MultiIndex.from_frame(outcomes[key]).isin(lost)]
    return {name: kept.get(name, table).reset_index(drop=True) for name, table in tables.items()}


def divergence_messages(outcomes: pd.DataFrame) -> list[str]:
    """A sentence for every model that diverged."""
    lost = outcomes[(outcomes["metric"] == "diverged") & (outcomes["value"] > 0)]
    return [
        f"{row.regime}, {row.optimizer}, {row.adapter}, {row.run}: arm '{row.arm}'"
        f"{'' if math.isnan(row.lam) else f' at lambda {row.lam:g}'}, seed {row.seed}, diverged; "
        "this seed is dropped for every arm there. Lower the learning rate or the clip in toy_models/regimes.py"
        for row in lost.itertuples()
    ]
