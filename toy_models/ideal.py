"""The barrier's weights on the exact velocity, from exact draws. Nothing is trained.

A seed is one independent draw of the whole grid of times and classes: the spread over seeds is the Monte Carlo error.
"""

from collections.abc import Sequence

import pandas as pd
import torch
from torch import Tensor

from eisbach.arms import Arm
from eisbach.barrier import barrier_weight
from eisbach.pipeline.params import Toys
from eisbach.seeds import torch_generator
from toy_models import outcomes, trajectories
from toy_models.heldout import Heldout, Measured, draw_heldout
from toy_models.mixture import Mixture
from toy_models.regimes import ANALYTIC, REGIMES

CHANNELS, POSITIONS = 64, 32  # of the closed-form regime
EXACT = Arm("baseline")  # the exact velocity minimises the unweighted loss


def distribution_of(name: str) -> Mixture:
    """The distribution of a regime, the closed-form one included."""
    return trajectories.closed_form(CHANNELS, POSITIONS) if name == ANALYTIC else REGIMES[name].distribution()


def measure_exact(heldout: Heldout) -> Measured:
    """The exact velocity measured like a model, one per seed: `[S, N, 2, count]` each; its excess risk is 0."""
    loss = (heldout.exact - heldout.target).square().mean((3, 4))
    weight = barrier_weight(heldout.exact.flatten(0, 2)).view(loss.shape)
    parts = (part.transpose(0, 1).unflatten(2, (2, -1)) for part in (loss, torch.zeros_like(loss), weight))
    return Measured(*parts)


def weight_curve(name: str, count: int, seed: int = 0) -> pd.DataFrame:
    """The exact velocity's w by class and t with 95 % intervals, as rows of the table of weights."""
    heldout = draw_heldout(distribution_of(name), count, [seed], middle=True)
    models = pd.DataFrame([{"arm": "exact", "lam": float("nan"), "seed": seed, **_key(name), "source": "closed form"}])
    return outcomes.weights_by_t(measure_exact(heldout), heldout, models)


def analytic(seeds: Sequence[int], settings: Toys) -> dict[str, pd.DataFrame]:
    """Outcomes of the closed-form regime; weight curves and exact draws of every regime of `settings`."""
    distribution = distribution_of(ANALYTIC)
    tables = []
    for seed in seeds:
        heldout = draw_heldout(distribution, settings.heldout, [seed])
        metrics = outcomes.heldout_metrics(measure_exact(heldout), heldout)
        metrics = {name: value for name, value in metrics.items() if "excess_risk" not in name}  # 0 by construction
        metrics |= _weights_by_kind(distribution, heldout)
        tables.append(outcomes.rows(metrics, _key(ANALYTIC), [EXACT], [seed]))
    curves = [weight_curve(name, 4 * settings.heldout) for name in settings.regimes]
    return {
        "outcomes": pd.concat(tables, ignore_index=True),
        "weights": pd.concat(curves, ignore_index=True),
        "draws": pd.concat([pd.DataFrame(), *(exact_draws(name) for name in settings.regimes)], ignore_index=True),
    }


def exact_draws(name: str, count: int = 400) -> pd.DataFrame:
    """Exact draws in the plane as rows of the table of draws; no rows for curves."""
    distribution = distribution_of(name)
    if distribution.shape != (1, 2):
        return pd.DataFrame()
    points, _ = distribution.sample(count, torch_generator(0, "toy exact draws"))
    columns = {"arm": "exact", "lam": float("nan"), "seed": 0, **_key(name)}
    return pd.DataFrame({"x": points[:, 0, 0], "y": points[:, 0, 1]}).assign(**columns)


def _key(name: str) -> dict[str, str]:
    return {"regime": name, "adapter": "full", "optimizer": "adamw", "run": "converged"}


def _weights_by_kind(distribution: Mixture, heldout: Heldout) -> dict[str, Tensor]:
    """Mean w at low and at high t for each kind of envelope, given the class; the contrast class has three kinds."""
    metrics = {}
    weight, t = measure_exact(heldout).weight[0].flatten(1).double(), heldout.times[:, 0]
    for index, kind in enumerate(trajectories.KINDS):
        of_kind = (distribution.modes[heldout.component[:, 0]] == index).double()  # [N, 2 * count]
        for name, rows in (("t<0.2", t < 0.2), ("t>0.8", t > 0.8)):
            metrics[f"w/{name}/{kind}"] = ((weight * of_kind)[rows].sum() / of_kind[rows].sum()).unsqueeze(0)
    return metrics
