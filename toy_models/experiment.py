"""One regime and one block of seeds: train every arm, measure it, and write the results as tidy tables."""

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
from toy_models.ensemble import Recipe, Step, init, train
from toy_models.heldout import class_unconditional, class_unconditional_share, draw_heldout, excess_by_class, measure
from toy_models.mixture import CLASSES, NULL
from toy_models.networks import Network, Weights
from toy_models.regimes import REGIMES
from toy_models.sample import sample

Tables = dict[str, pd.DataFrame]  # outcomes, curves, weights, draws
CURVE_STEPS = (10, 25, 50, 100, 200, 400, 800)  # steps of the learning curves; the ends of the two runs are added
DRAWS_KEPT = 400  # samples per arm in the table `draws`
PER_CLASS = 48  # conditional samples per class and model
RANK = 4  # of the adapters
STRIDE = 4  # learning curves and class-unconditional errors use every fourth part of [0, 1]


def arms(settings: Toys) -> list[Arm]:
    """Every arm of the settings: swept arms once for each of `lams`, other arms with a lambda at `lam`."""
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
    """Train and measure all arms of `seeds` in the regime `name` under each of its optimizers.

    Adapters are trained too where the regime has a base. Returns the tables named in `outcomes.TABLES`.
    """
    setting = Setting(name, list(seeds), settings)
    given = arms(settings)
    single = [arm for arm in given if arm.lam in (None, settings.lam)]
    chosen = {"adamw": given, "sgd": [arm for arm in single if arm.name in settings.sgd_arms]}
    if setting.regime.arms is not None:
        chosen["adamw"] = [arm for arm in single if arm.name in setting.regime.arms]
    parts = [part for optimizer in setting.regime.recipes for part in setting.full(optimizer, chosen[optimizer])]
    if setting.regime.base is not None:
        parts += setting.adapted()
    tables = {table: pd.concat([part[table] for part in parts], ignore_index=True) for table in parts[0]}
    return outcomes.drop_diverged_seeds(tables)


class Setting:
    """A regime with the draws on which the models of a block of seeds are measured."""

    def __init__(self, name: str, seeds: list[int], settings: Toys):
        self.name, self.seeds, self.settings = name, seeds, settings
        self.regime = REGIMES[name]
        self.distribution = self.regime.distribution()
        self.heldout = draw_heldout(self.distribution, settings.heldout, seeds)
        self.unconditional = class_unconditional(self.distribution, self.heldout, STRIDE)
        generators = [torch_generator(seed, "toy exact samples") for seed in seeds]
        self.exact = torch.stack([self.distribution.sample(settings.samples, one)[0] for one in generators])
        self.lengths = {
            run: max(2, round(steps * settings.length))
            for run, steps in (("short", self.regime.short), ("converged", self.regime.converged))
        }
        self.exact_metrics = self._exact_metrics()

    def _exact_metrics(self) -> dict[str, Tensor]:
        """The metrics of samples, `[S]` each, on exact draws: as many as a model's samples, separate for each seed."""

        def draw(label: int, count: int) -> Tensor:
            generators = (torch_generator(seed, "toy truth", label) for seed in self.seeds)
            labels = torch.full((count,), label)
            return torch.stack([self.distribution.sample(count, one, labels)[0] for one in generators])

        by_class = [draw(label, PER_CLASS) for label in self._conditional_labels()]
        unconditional = draw(NULL, self.settings.samples)
        return outcomes.sample_metrics(self.distribution, unconditional, by_class, self.exact)

    def _conditional_labels(self) -> Sequence[int]:
        """The classes that are sampled conditionally: both for curves, none in the plane."""
        return range(len(CLASSES)) if self.distribution.shape != (1, 2) else ()

    def full(self, optimizer: str, arms: Sequence[Arm]) -> Iterator[Tables]:
        """Train all weights: first the free arms, then the arms that follow a barrier arm among them.

        Followers are trained once per run, calibrated on that run's steps only: calibrated on the converged run they
        would know, at the end of the short one, what their barrier arm does later.
        """
        recipe, network = self.regime.recipes[optimizer], self.regime.network
        free = [arm for arm in arms if not arm.follows]
        followers = [arm for arm in arms if arm.follows]
        leaders = {lam: free.index(Arm("barrier", lam)) for lam in {arm.lam for arm in followers}}
        factors: dict[float, list[Tensor]] = {lam: [] for lam in leaders}
        times: list[Tensor] = []

        def record(step: Step) -> None:
            times.append(step.t)
            for lam, index in leaders.items():
                factors[lam].append(step.factor[index])

        if free:
            weights = init(network, self.seeds, len(free))
            yield self._train_and_measure(network, weights, Stack(free, self.seeds), recipe, "full", record)
        for run, length in self.lengths.items() if followers else ():
            stack = Stack(followers, self.seeds)
            of_run = {lam: torch.stack(parts[:length]) for lam, parts in factors.items()}
            stack.follow(of_run, torch.stack(times[:length]))
            weights = init(network, self.seeds, len(followers))
            yield self._train_and_measure(network, weights, stack, recipe, "full", runs=[run])

    def adapted(self) -> Iterator[Tables]:
        """Train adapters of baseline and barrier on a base trained on another distribution, one base per seed."""
        recipe, network = self.regime.recipes["adamw"], self.regime.network
        plain = Stack([Arm("baseline")], self.seeds)
        base = weights = init(network, self.seeds, 1)
        steps = self.lengths["converged"]
        for step in train(network, self.regime.base(), plain, weights, recipe, steps, purpose="toy base draws"):
            base, lost = step.weights, step.lost
        stack = Stack([Arm("baseline"), Arm("barrier", self.settings.lam)], self.seeds)
        for kind in KINDS:
            adapted = Adapted(network, base, kind)
            adapters = adapted.init(self.seeds, len(stack.arms), RANK)
            yield self._train_and_measure(adapted, adapters, stack, recipe, kind, lost=lost)

    def _train_and_measure(
        self,
        network: Network,
        weights: Weights,
        stack: Stack,
        recipe: Recipe,
        adapter: str,
        on_step: Callable[[Step], None] = lambda step: None,
        *,
        lost: Tensor | None = None,
        runs: Sequence[str] = ("short", "converged"),
    ) -> Tables:
        """Train a stack, call `on_step` after each step, and measure the models at the end of each of `runs`.

        `lost` `[1, S]` marks seeds whose base is lost: their adapters count as diverged.
        """
        key = {"regime": self.name, "adapter": adapter, "optimizer": recipe.optimizer}
        parts: dict[str, list[pd.DataFrame]] = {"outcomes": [], "curves": [], "weights": [], "draws": []}
        lengths = {run: self.lengths[run] for run in runs}
        curve_steps = {step for step in {*CURVE_STEPS, *self.lengths.values()} if self._run_of(step) in runs}
        for step in train(network, self.distribution, stack, weights, recipe, max(lengths.values())):
            on_step(step)
            done = step.step + 1
            if done in curve_steps:
                parts["curves"].append(self._curve(network, step.weights, stack, {**key, "step": done}))
            for run, length in lengths.items():
                if done == length:
                    diverged = step.lost if lost is None else step.lost | lost
                    tables = self._measure(network, step.weights, stack, recipe, {**key, "run": run}, diverged)
                    for table, rows in tables.items():
                        parts[table].append(rows)
        return {table: pd.concat(rows, ignore_index=True) for table, rows in parts.items()}

    def _curve(self, network: Network, weights: Weights, stack: Stack, key: dict) -> pd.DataFrame:
        """One point of the learning curves: a row per model and class."""
        loss, excess = excess_by_class(network, weights, self.heldout, STRIDE)
        models = outcomes.model_table(stack.arms, self.seeds).assign(**key, run=self._run_of(key["step"]))
        return pd.concat(
            [
                models.assign(**{"class": name, "loss": of_class[0].numpy(), "excess_risk": of_class[1].numpy()})
                for name, *of_class in zip(CLASSES, loss.unbind(1), excess.unbind(1), strict=True)
            ]
        )

    def _run_of(self, step: int) -> str:
        """The run to which a step of a learning curve belongs."""
        return "short" if step <= self.lengths["short"] else "converged"

    def _measure(
        self, network: Network, weights: Weights, stack: Stack, recipe: Recipe, key: dict, diverged: Tensor
    ) -> Tables:
        """The tables of the models at the end of a run; `diverged` is `[A, S]`."""
        merged = (network, weights)
        if isinstance(network, Adapted):  # merge once here, not at every step of sampling
            merged = (network.inner, network.merged(weights))
        measured = measure(*merged, self.heldout)
        metrics = outcomes.heldout_metrics(measured, self.heldout) | {"diverged": diverged.flatten().double()}
        share = class_unconditional_share(*merged, self.heldout, self.unconditional)
        metrics["excess_risk_share/unconditional"] = share
        samples = sample(*merged, self.seeds, self.settings.samples, NULL)
        by_class = [sample(*merged, self.seeds, PER_CLASS, label) for label in self._conditional_labels()]
        metrics |= outcomes.sample_metrics(self.distribution, samples, by_class, self.exact)
        metrics |= outcomes.gaps(metrics, self.exact_metrics)
        probes = Stack(gradients.probes(stack.arms, self.settings.lam), self.seeds)
        for metric, batch, batches, reduce in (("sample", 1, 16, torch.amin), ("batch", recipe.batch, 4, torch.mean)):
            cosines = gradients.cosines(network, self.distribution, weights, probes, batch, batches)
            metrics[f"gradient_cosine/{metric}"] = reduce(cosines, 0).flatten()
        models = outcomes.model_table(stack.arms, self.seeds).assign(**key, source="trained")
        return {
            "outcomes": outcomes.rows(metrics, key, stack.arms, self.seeds),
            "weights": outcomes.weights_by_t(measured, self.heldout, models),
            "draws": self._draws(samples, stack, key),
        }

    def _draws(self, samples: Tensor, stack: Stack, key: dict) -> pd.DataFrame:
        """Samples in the plane of each arm, of the block's first seed: one row per sample. No rows for curves."""
        if self.distribution.shape != (1, 2):
            return pd.DataFrame()
        points = samples.unflatten(0, (len(stack.arms), len(self.seeds)))[:, 0, :DRAWS_KEPT, 0]
        models = outcomes.model_table(stack.arms, self.seeds[:1]).assign(**key)
        rows = models.loc[models.index.repeat(points.shape[1])].reset_index(drop=True)
        return rows.assign(x=points[..., 0].flatten().double().numpy(), y=points[..., 1].flatten().double().numpy())
