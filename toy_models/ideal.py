"""What the barrier would do to an ideal model: the exact velocity's weights, by exact sampling. No training.

One seed is one independent draw of the whole grid, so that the spread over seeds is the Monte-Carlo error.
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
from toy_models.heldout import Heldout, Measured, heldout
from toy_models.mixture import Mixture
from toy_models.regimes import ANALYTIC, REGIMES

CHANNELS, POSITIONS = 64, 32  # of the closed-form regime
EXACT = Arm("baseline")  # its velocity is what the plain loss leads to


def law_of(name: str) -> Mixture:
    """The law of a regime, the closed-form one included."""
    return trajectories.closed_form(CHANNELS, POSITIONS) if name == ANALYTIC else REGIMES[name].law()


def measured(held: Heldout) -> Measured:
    """The exact velocity in the place of a model, one a seed: `[S, N, 2, count]` each, its excess risk 0."""
    loss = (held.exact - held.target).square().mean((3, 4))
    weight = barrier_weight(held.exact.flatten(0, 2)).view(loss.shape)
    parts = (part.transpose(0, 1).unflatten(2, (2, -1)) for part in (loss, torch.zeros_like(loss), weight))
    return Measured(*parts)


def weight_curve(name: str, count: int, seed: int = 0) -> pd.DataFrame:
    """The ideal w by class and t with 95 % intervals, rows of the table of weights."""
    held = heldout(law_of(name), count, [seed], middle=True)
    who = pd.DataFrame([{"arm": "exact", "lam": float("nan"), "seed": seed, **_facts(name), "source": "closed form"}])
    return outcomes.by_t(measured(held), held, who)


def analytic(seeds: Sequence[int], settings: Toys) -> dict[str, pd.DataFrame]:
    """Outcomes of the closed-form regime, and the ideal weight curve of every regime of `settings`."""
    law = law_of(ANALYTIC)
    tables = []
    for seed in seeds:
        held = heldout(law, settings.heldout, [seed])
        found = outcomes.of_heldout(measured(held), held)
        found = {name: value for name, value in found.items() if "excess_risk" not in name}  # 0 by construction
        found |= _by_kind(law, held)
        tables.append(outcomes.rows(found, _facts(ANALYTIC), [EXACT], [seed]))
    curves = [weight_curve(name, 4 * settings.heldout) for name in settings.regimes]
    return {
        "outcomes": pd.concat(tables, ignore_index=True),
        "weights": pd.concat(curves, ignore_index=True),
        "draws": pd.concat([pd.DataFrame(), *(exact_draws(name) for name in settings.regimes)], ignore_index=True),
    }


def exact_draws(name: str, count: int = 400) -> pd.DataFrame:
    """Draws of a law in the plane, rows of the table of draws; none of curves."""
    law = law_of(name)
    if law.shape != (1, 2):
        return pd.DataFrame()
    points, _ = law.sample(count, torch_generator(0, "toy exact draws"))
    facts = {"arm": "exact", "lam": float("nan"), "seed": 0, **_facts(name)}
    return pd.DataFrame({"x": points[:, 0, 0], "y": points[:, 0, 1]}).assign(**facts)


def _facts(name: str) -> dict[str, str]:
    return {"regime": name, "adapter": "full", "optimizer": "adamw", "run": "converged"}


def _by_kind(law: Mixture, held: Heldout) -> dict[str, Tensor]:
    """Mean weights at low and high t of each kind of envelope, the class known: contrast is made of three kinds."""
    found = {}
    weight, t = measured(held).weight[0].flatten(1).double(), held.times[:, 0]
    for index, kind in enumerate(trajectories.KINDS):
        mine = (law.modes[held.component[:, 0]] == index).double()  # [N, 2 * count]
        for name, rows in (("t<0.2", t < 0.2), ("t>0.8", t > 0.8)):
            found[f"w/{name}/{kind}"] = ((weight * mine)[rows].sum() / mine[rows].sum()).unsqueeze(0)
    return found
