"""One regime, one block of seeds: every arm trained, measured and turned into tidy tables."""

import math
from collections.abc import Iterable, Sequence

import pandas as pd
import torch
from torch import Tensor

from eisbach.params import Toys
from eisbach.seeds import torch_generator
from toy_models import gradients, outcomes
from toy_models.arms import FOLLOWERS, WITH_LAM, Arm, Stack
from toy_models.ensemble import Recipe, Step, beginning, train
from toy_models.heldout import Heldout, excess_by_class, heldout, measure
from toy_models.mixture import CLASSES, NULL, Mixture
from toy_models.networks import Network, Weights
from toy_models.regimes import REGIMES
from toy_models.sample import sample

Tables = dict[str, pd.DataFrame]  # outcomes, curves, weights, draws
MARKS = (10, 25, 50, 100, 200, 400, 800)  # steps of the learning curves, beside the two lengths
PICTURED = 400  # samples of an arm in `draws`


def arms(settings: Toys) -> list[Arm]:
    """Every arm once for each of its lambdas: all of `lams` where the arm is swept, else `lam`."""
    found = []
    for name in settings.arms:
        if name not in (*WITH_LAM, *FOLLOWERS):
            found.append(Arm(name))
        else:
            found += [Arm(name, lam) for lam in (settings.lams if name in settings.swept else [settings.lam])]
    return found


def run(name: str, seeds: Sequence[int], settings: Toys) -> Tables:
    """All arms of `seeds` in one regime, under both optimizers."""
    adamw = arms(settings)
    sgd = [arm for arm in adamw if arm.name in settings.sgd_arms and (math.isnan(arm.lam) or arm.lam == settings.lam)]
    setting = Setting(name, list(seeds), settings)
    parts = [part for each in (("adamw", adamw), ("sgd", sgd)) for part in setting.passes(*each)]
    return {table: pd.concat([part[table] for part in parts], ignore_index=True) for table in parts[0]}


class Setting:
    """What the passes of a regime share: its law, network and held-out draws, and the block of seeds."""

    def __init__(self, name: str, seeds: list[int], settings: Toys):
        self.name, self.seeds, self.settings = name, seeds, settings
        self.regime = REGIMES[name]
        self.law: Mixture = self.regime.law()
        self.network: Network = self.regime.network
        self.held: Heldout = heldout(self.law, settings.heldout)
        self.exact, _ = self.law.sample(settings.samples, torch_generator(0, "toy exact samples"))
        self.lengths = {
            run: max(2, round(steps * settings.length))
            for run, steps in (("short", self.regime.short), ("converged", self.regime.converged))
        }

    def passes(self, optimizer: str, arms: Sequence[Arm]) -> Iterable[Tables]:
        """Train the free arms, then those that follow the barrier arms among them."""
        recipe = self.regime.recipes[optimizer]
        free = [arm for arm in arms if arm.name not in FOLLOWERS]
        followers = [arm for arm in arms if arm.name in FOLLOWERS]
        led = {arm.lam: index for index, arm in enumerate(free) if arm.name == "barrier"}
        led = {lam: led[lam] for lam in {arm.lam for arm in followers}}
        factors: dict[float, list[Tensor]] = {lam: [] for lam in led}
        times: list[Tensor] = []

        def watch(step: Step) -> None:
            times.append(step.t)
            for lam, index in led.items():
                factors[lam].append(step.factor[index])

        if free:
            yield self._trained(recipe, Stack(free, self.seeds), watch)
        if followers:
            stack = Stack(followers, self.seeds)
            stack.follow({lam: torch.stack(parts) for lam, parts in factors.items()}, torch.stack(times))
            yield self._trained(recipe, stack, lambda step: None)

    def _trained(self, recipe: Recipe, stack: Stack, watch) -> Tables:
        weights = beginning(self.network, self.seeds, len(stack.arms))
        found: dict[str, list[pd.DataFrame]] = {"outcomes": [], "curves": [], "weights": [], "draws": []}
        marks = {step for step in MARKS if step < self.lengths["converged"]} | set(self.lengths.values())
        for step in train(self.network, self.law, stack, weights, recipe, self.lengths["converged"]):
            watch(step)
            done = step.step + 1
            if done in marks:
                found["curves"].append(self._curve(step.weights, stack, done, recipe))
            for run, length in self.lengths.items():
                if done == length:
                    for table, rows in self._measured(step.weights, stack, run, recipe).items():
                        found[table].append(rows)
        return {table: pd.concat(rows, ignore_index=True) for table, rows in found.items()}

    def _curve(self, weights: Weights, stack: Stack, step: int, recipe: Recipe) -> pd.DataFrame:
        loss, excess = excess_by_class(self.network, weights, self.held, every_nth=4)
        who = outcomes.models(stack.arms, self.seeds).assign(
            regime=self.name, adapter="full", optimizer=recipe.optimizer, step=step
        )
        return pd.concat(
            [
                who.assign(**{"class": name, "loss": loss[:, index].numpy(), "excess_risk": excess[:, index].numpy()})
                for index, name in enumerate(CLASSES)
            ]
        )

    def _measured(self, weights: Weights, stack: Stack, run: str, recipe: Recipe) -> Tables:
        facts = {"regime": self.name, "adapter": "full", "optimizer": recipe.optimizer, "run": run}
        measured = measure(self.network, weights, self.held)
        found = outcomes.of_heldout(measured, self.held)
        samples = sample(self.network, weights, self.seeds, self.settings.samples, NULL)
        by_class = (
            []
            if self.law.shape == (1, 2)
            else [sample(self.network, weights, self.seeds, 64, label) for label in range(len(CLASSES))]
        )
        found |= outcomes.of_samples(self.law, samples, by_class, self.exact)
        probes = Stack(gradients.probes(stack.arms, self.settings.lam), self.seeds)
        for metric, batch, batches, reduce in (("sample", 1, 16, torch.amin), ("batch", recipe.batch, 8, torch.mean)):
            cosines = gradients.cosines(self.network, self.law, weights, probes, batch, batches)
            found[f"gradient_cosine/{metric}"] = reduce(cosines, 0).flatten()
        who = outcomes.models(stack.arms, self.seeds).assign(**facts, source="trained")
        return {
            "outcomes": outcomes.rows(found, facts, stack.arms, self.seeds),
            "weights": outcomes.weight_rows(measured.weight, self.held.times, who),
            "draws": self._pictured(samples, stack, facts),
        }

    def _pictured(self, samples: Tensor, stack: Stack, facts: dict) -> pd.DataFrame:
        """Samples in the plane of each arm of the block's first seed, one row a sample."""
        if self.law.shape != (1, 2):
            return pd.DataFrame()
        points = samples.unflatten(0, (len(stack.arms), len(self.seeds)))[:, 0, :PICTURED, 0]
        who = outcomes.models(stack.arms, self.seeds[:1]).assign(**facts)
        rows = who.loc[who.index.repeat(points.shape[1])].reset_index(drop=True)
        return rows.assign(x=points[..., 0].flatten().numpy(), y=points[..., 1].flatten().numpy())
