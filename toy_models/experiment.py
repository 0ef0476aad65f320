"""One regime, one block of seeds: every arm trained, measured and turned into tidy tables."""

from collections.abc import Callable, Iterator, Sequence

import pandas as pd
import torch
from torch import Tensor

from eisbach.arms import Arm
from eisbach.pipeline.params import Toys
from eisbach.seeds import torch_generator
from eisbach.weighting import traits
from toy_models import gradients, outcomes
from toy_models.adapters import KINDS, Adapted
from toy_models.arms import Stack, has_lam
from toy_models.ensemble import Recipe, Step, beginning, train
from toy_models.heldout import blind, blind_share, excess_by_class, heldout, measure
from toy_models.mixture import CLASSES, NULL
from toy_models.networks import Network, Weights
from toy_models.regimes import REGIMES
from toy_models.sample import sample

Tables = dict[str, pd.DataFrame]  # outcomes, curves, weights, draws
MARKS = (10, 25, 50, 100, 200, 400, 800)  # steps of the learning curves, beside the two lengths
PICTURED = 400  # samples of an arm in `draws`
RANK = 4  # of the adapters


def arms(settings: Toys) -> list[Arm]:
    """Every arm once for each of its lambdas: all of `lams` where the arm is swept, else `lam`."""
    found = []
    for name in settings.arms:
        if not has_lam(name):
            found.append(Arm(name))
        else:
            follows = "barrier" if traits(name).replays else ""
            lams = settings.lams if name in settings.swept else [settings.lam]
            found += [Arm(name, lam, follows=follows) for lam in lams]
    return found


def run(name: str, seeds: Sequence[int], settings: Toys) -> Tables:
    """All arms of `seeds` in one regime under its optimizers, and adapters where the regime has a base."""
    setting = Setting(name, list(seeds), settings)
    given = arms(settings)
    single = [arm for arm in given if arm.lam in (None, settings.lam)]
    chosen = {"adamw": given, "sgd": [arm for arm in single if arm.name in settings.sgd_arms]}
    if setting.regime.arms is not None:
        chosen["adamw"] = [arm for arm in single if arm.name in setting.regime.arms]
    parts = [part for optimizer in setting.regime.recipes for part in setting.passes(optimizer, chosen[optimizer])]
    if setting.regime.base is not None:
        parts += setting.adapted()
    tables = {table: pd.concat([part[table] for part in parts], ignore_index=True) for table in parts[0]}
    return outcomes.without_diverged(tables)


class Setting:
    """What the passes of a regime share: its law, network and held-out draws of the block's seeds."""

    def __init__(self, name: str, seeds: list[int], settings: Toys):
        self.name, self.seeds, self.settings = name, seeds, settings
        self.regime = REGIMES[name]
        self.law = self.regime.law()
        self.held = heldout(self.law, settings.heldout, seeds)
        self.blind = blind(self.law, self.held, every_nth=4)
        exact = [self.law.sample(settings.samples, torch_generator(seed, "toy exact samples"))[0] for seed in seeds]
        self.exact = torch.stack(exact)
        self.lengths = {
            run: max(2, round(steps * settings.length))
            for run, steps in (("short", self.regime.short), ("converged", self.regime.converged))
        }
        self.truth = self._of_the_law()

    def _of_the_law(self) -> dict[str, Tensor]:
        """The measures of samples, `[S]`, of as many draws of the law itself, each seed's own."""

        def drawn(label: int, count: int) -> Tensor:
            generators = (torch_generator(seed, "toy truth", label) for seed in self.seeds)
            labels = torch.full((count,), label)
            return torch.stack([self.law.sample(count, generator, labels)[0] for generator in generators])

        classes = range(len(CLASSES)) if self.law.shape != (1, 2) else ()
        by_class = [drawn(label, 48) for label in classes]
        return outcomes.of_samples(self.law, drawn(NULL, self.settings.samples), by_class, self.exact)

    def passes(self, optimizer: str, arms: Sequence[Arm]) -> Iterator[Tables]:
        """Train the free arms, then those that follow the barrier arms among them: for each length by its own steps.

        A follower of the whole run would know at the short length what its barrier does later.
        """
        recipe, network = self.regime.recipes[optimizer], self.regime.network
        free = [arm for arm in arms if not arm.follows]
        followers = [arm for arm in arms if arm.follows]
        leaders = {lam: free.index(Arm("barrier", lam)) for lam in {arm.lam for arm in followers}}
        factors: dict[float, list[Tensor]] = {lam: [] for lam in leaders}
        times: list[Tensor] = []

        def watch(step: Step) -> None:
            times.append(step.t)
            for lam, index in leaders.items():
                factors[lam].append(step.factor[index])

        if free:
            start = beginning(network, self.seeds, len(free))
            yield self._trained(network, start, Stack(free, self.seeds), recipe, "full", watch)
        for run, length in self.lengths.items() if followers else ():
            stack = Stack(followers, self.seeds)
            led = {lam: torch.stack(parts[:length]) for lam, parts in factors.items()}
            stack.follow(led, torch.stack(times[:length]))
            start = beginning(network, self.seeds, len(followers))
            yield self._trained(network, start, stack, recipe, "full", lambda step: None, runs=[run])

    def adapted(self) -> Iterator[Tables]:
        """Baseline and barrier as adapters on a base of another law, one base a seed, shared by the two arms."""
        recipe, network = self.regime.recipes["adamw"], self.regime.network
        plain = Stack([Arm("baseline")], self.seeds)
        start = beginning(network, self.seeds, 1)
        base = start
        steps = self.lengths["converged"]
        for step in train(network, self.regime.base(), plain, start, recipe, steps, purpose="toy base draws"):
            base, lost = step.weights, step.lost
        stack = Stack([Arm("baseline"), Arm("barrier", self.settings.lam)], self.seeds)
        for kind in KINDS:
            adapted = Adapted(network, base, kind)
            adapters = adapted.beginning(self.seeds, len(stack.arms), RANK)
            yield self._trained(adapted, adapters, stack, recipe, kind, lambda step: None, lost)

    def _trained(
        self,
        network: Network,
        weights: Weights,
        stack: Stack,
        recipe: Recipe,
        adapter: str,
        watch: Callable[[Step], None],
        lost: Tensor | None = None,
        runs: Sequence[str] = ("short", "converged"),
    ) -> Tables:
        """Train a stack, show each step to `watch`, measure it at the ends of `runs`; `lost` `[1, S]` have no base."""
        facts = {"regime": self.name, "adapter": adapter, "optimizer": recipe.optimizer}
        found: dict[str, list[pd.DataFrame]] = {"outcomes": [], "curves": [], "weights": [], "draws": []}
        lengths = {run: self.lengths[run] for run in runs}
        marks = {step for step in {*MARKS, *self.lengths.values()} if self._run_of(step) in runs}
        for step in train(network, self.law, stack, weights, recipe, max(lengths.values())):
            watch(step)
            done = step.step + 1
            if done in marks:
                found["curves"].append(self._curve(network, step.weights, stack, {**facts, "step": done}))
            for run, length in lengths.items():
                if done == length:
                    without = step.lost if lost is None else step.lost | lost
                    tables = self._measured(network, step.weights, stack, recipe, {**facts, "run": run}, without)
                    for table, rows in tables.items():
                        found[table].append(rows)
        return {table: pd.concat(rows, ignore_index=True) for table, rows in found.items()}

    def _curve(self, network: Network, weights: Weights, stack: Stack, facts: dict) -> pd.DataFrame:
        loss, excess = excess_by_class(network, weights, self.held, every_nth=4)
        who = outcomes.models(stack.arms, self.seeds).assign(**facts, run=self._run_of(facts["step"]))
        return pd.concat(
            [
                who.assign(**{"class": name, "loss": loss[:, index].numpy(), "excess_risk": excess[:, index].numpy()})
                for index, name in enumerate(CLASSES)
            ]
        )

    def _run_of(self, step: int) -> str:
        """The run that a step of a learning curve is a part of."""
        return "short" if step <= self.lengths["short"] else "converged"

    def _measured(
        self, network: Network, weights: Weights, stack: Stack, recipe: Recipe, facts: dict, lost: Tensor
    ) -> Tables:
        merged = (network, weights)
        if isinstance(network, Adapted):  # once, or it would be done at every step of sampling
            merged = (network.inner, network.effective(weights))
        measured = measure(*merged, self.held)
        found = outcomes.of_heldout(measured, self.held) | {"diverged": lost.flatten().double()}
        found["excess_risk_share/unconditional"] = blind_share(*merged, self.held, self.blind)
        samples = sample(*merged, self.seeds, self.settings.samples, NULL)
        labels = range(len(CLASSES)) if self.law.shape != (1, 2) else ()
        by_class = [sample(*merged, self.seeds, 48, label) for label in labels]
        found |= outcomes.of_samples(self.law, samples, by_class, self.exact)
        found |= outcomes.gaps(found, self.truth)
        probes = Stack(gradients.probes(stack.arms, self.settings.lam), self.seeds)
        for metric, batch, batches, reduce in (("sample", 1, 16, torch.amin), ("batch", recipe.batch, 4, torch.mean)):
            cosines = gradients.cosines(network, self.law, weights, probes, batch, batches)
            found[f"gradient_cosine/{metric}"] = reduce(cosines, 0).flatten()
        who = outcomes.models(stack.arms, self.seeds).assign(**facts, source="trained")
        return {
            "outcomes": outcomes.rows(found, facts, stack.arms, self.seeds),
            "weights": outcomes.by_t(measured, self.held, who),
            "draws": self._pictured(samples, stack, facts),
        }

    def _pictured(self, samples: Tensor, stack: Stack, facts: dict) -> pd.DataFrame:
        """Samples in the plane of each arm of the block's first seed, one row a sample."""
        if self.law.shape != (1, 2):
            return pd.DataFrame()
        points = samples.unflatten(0, (len(stack.arms), len(self.seeds)))[:, 0, :PICTURED, 0]
        who = outcomes.models(stack.arms, self.seeds[:1]).assign(**facts)
        rows = who.loc[who.index.repeat(points.shape[1])].reset_index(drop=True)
        return rows.assign(x=points[..., 0].flatten().double().numpy(), y=points[..., 1].flatten().double().numpy())
