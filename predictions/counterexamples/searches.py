"""Searches for the smallest counterexample to a universal statement: hypothesis draws inputs and shrinks what it finds.

A search is a function without arguments, registered with `@search(name, regime)`, that returns a `Counterexample`.
Its draws are seeded, so it returns the same result every time. A search that finds nothing proves nothing.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pandas as pd
import torch
from hypothesis import HealthCheck, find, settings, target
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample
from torch import Tensor

from eisbach.barrier import barrier_factor, barrier_weight


@dataclass(frozen=True)
class Counterexample:
    """The result of a search.

    `found` says whether there is a counterexample, `tried` how many inputs were tested, and `description` names the
    input and the numbers that contradict the statement. `arrays` holds the model outputs `[C, T]` by name, `numbers`
    the compared quantities, such as weights. Where the inputs are clips of music, `clips` maps a name to a clip_id.
    """

    found: bool
    tried: int
    description: str = ""
    arrays: dict[str, Tensor] = field(default_factory=dict)
    numbers: dict[str, float] = field(default_factory=dict)
    clips: dict[str, str] = field(default_factory=dict)


SEARCHES: dict[tuple[str, str], Callable[[], Counterexample]] = {}


def search(name: str, regime: str) -> Callable:
    """Decorator that registers a search under the `name` that predictions/registry uses, for one regime.

    Raises ValueError when the pair of name and regime is taken.
    """

    def register(function: Callable[[], Counterexample]) -> Callable[[], Counterexample]:
        if (name, regime) in SEARCHES:
            raise ValueError(f"a search '{name}' on '{regime}' exists already; choose another name")
        SEARCHES[name, regime] = function
        return function

    return register


def smallest(strategy: st.SearchStrategy, breaks: Callable, examples: int = 3000) -> tuple[object | None, int]:
    """The smallest value found for which `breaks` is true, or None, and the number of values tried.

    At most `examples` values are drawn before the first hit; shrinking tries more.
    """
    tried = 0

    def counted(value: object) -> bool:
        nonlocal tried
        tried += 1
        return breaks(value)

    quiet = settings(max_examples=examples, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    try:
        return find(strategy, counted, settings=quiet, random=random.Random(0)), tried
    except NoSuchExample:
        return None, tried


# Energies are small integers, so that a reader can check a counterexample by hand.

energies = st.lists(st.integers(0, 9), min_size=2, max_size=4)


def output(values: list[int]) -> Tensor:
    """A one-channel output `[1, T]` whose energies are `values`."""
    return torch.tensor(values, dtype=torch.float64).sqrt().unsqueeze(0)


def weight(values: Tensor) -> float:
    """The weight of Eq. 4 for one output `[C, T]`."""
    return float(barrier_weight(values.unsqueeze(0)))


@st.composite
def levelled(draw) -> tuple[list[int], list[int]]:
    """(flatter, steeper): energies of equal sum; the first is the second after one transfer from larger to smaller."""
    steeper = draw(energies)
    giver, taker = draw(st.integers(0, len(steeper) - 1)), draw(st.integers(0, len(steeper) - 1))
    difference = steeper[giver] - steeper[taker]
    moved = draw(st.integers(1, difference - 1)) if difference > 1 else 0
    flatter = list(steeper)
    flatter[giver] -= moved
    flatter[taker] += moved
    return flatter, steeper


@search("flat_is_damped", "analytic")
def flat_is_damped() -> Counterexample:
    """Energies whose weight rises although a transfer from a louder to a quieter position made them flatter."""

    def breaks(pair: tuple[list[int], list[int]]) -> bool:
        flatter, steeper = (weight(output(values)) for values in pair)
        target(flatter - steeper)
        return flatter > steeper * 1.001

    pair, tried = smallest(levelled(), breaks)
    if pair is None:
        return Counterexample(False, tried)
    arrays = {"flatter": output(pair[0]), "steeper": output(pair[1])}
    weights = {name: weight(values) for name, values in arrays.items()}
    flatter, steeper = (", ".join(map(str, values)) for values in pair)
    return Counterexample(
        True,
        tried,
        f"energies ({flatter}) are flatter than ({steeper}) at the same mean, and their weight is larger: "
        f"{weights['flatter']:.3f} against {weights['steeper']:.3f}",
        arrays,
        weights,
    )


@search("parameter_free", "analytic")
def parameter_free() -> Counterexample:
    """The same music gets another weight when it is scaled, played twice or given an additional silent channel."""
    changes = {
        "twice as loud": lambda y: 2 * y,
        "played twice": lambda y: torch.cat([y, y], dim=1),
        "with a silent channel added": lambda y: torch.cat([y, torch.zeros_like(y)]),
    }
    found, total, arrays, weights = [], 0, {}, {}
    for name, change in changes.items():

        def breaks(values: list[int], change: Callable[[Tensor], Tensor] = change) -> bool:
            before, after = weight(output(values)), weight(change(output(values)))
            return abs(after / before - 1) > 0.05 if before > 0 else False

        values, tried = smallest(energies, breaks)
        total += tried
        if values is not None:
            arrays[f"energies {values}"] = output(values)
            arrays[name] = change(output(values))
            before, after = weight(output(values)), weight(arrays[name])
            weights |= {f"energies {values}": before, name: after}
            found.append(f"{tuple(values)} {name}: {after:.3f} instead of {before:.3f}")
    description = f"the same music gets another weight: {'; '.join(found)}"
    return Counterexample(bool(found), total, description, arrays, weights)


signed = st.integers(-3, 3)
batches = st.tuples(*[st.tuples(signed, signed)] * 4)  # two outputs, then their two targets, at two positions each


def gradients(batch: tuple, factor: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    """The unweighted and the weighted gradient `[2]` of a batch, for the model y_s = theta_s x_s at theta = (1, 1)."""
    first, second, first_target, second_target = batch
    inputs = torch.tensor([first, second], dtype=torch.float64).unsqueeze(1)
    targets = torch.tensor([first_target, second_target], dtype=torch.float64).unsqueeze(1)
    theta = torch.ones(2, dtype=torch.float64, requires_grad=True)
    outputs = theta * inputs
    loss = (outputs - targets).square().mean((1, 2))
    plain = torch.autograd.grad(loss.mean(), theta, retain_graph=True)[0]
    return plain, torch.autograd.grad((loss * factor(outputs)).mean(), theta)[0]


@search("confidence_only_scales", "analytic")
def confidence_only_scales() -> Counterexample:
    """A batch of two samples with gradients that are not parallel: unequal factors turn the batch's gradient."""

    def cosine(batch: tuple) -> float:
        plain, weighted = gradients(batch, lambda outputs: barrier_factor(outputs, 0.5))
        return float(torch.cosine_similarity(plain, weighted, dim=0)) if plain.norm() * weighted.norm() > 0 else 1.0

    def breaks(batch: tuple) -> bool:
        value = cosine(batch)
        target(-value)
        return value < 0.99

    batch, tried = smallest(batches, breaks)
    if batch is None:
        return Counterexample(False, tried)
    first, second, first_target, second_target = batch
    arrays = {"first output": torch.tensor([first]).double(), "second output": torch.tensor([second]).double()}
    return Counterexample(
        True,
        tried,
        f"a batch of outputs {first} and {second} with targets {first_target} and {second_target}: the barrier at "
        f"lambda 0.5 turns its gradient, cosine {cosine(batch):.3f}",
        arrays,
        {"cosine": cosine(batch)},
    )


@search("confidence_scales_the_step", "analytic")
def confidence_scales_the_step() -> Counterexample:
    """A factor of at most 1/2 on the loss that leaves AdamW's steps unchanged."""

    def steps(gradients: list[int], factor: float) -> Tensor:
        """The parameter `[1]` after AdamW's steps from 0 with PyTorch's defaults, on these gradients times `factor`."""
        parameter = torch.zeros(1, dtype=torch.float64, requires_grad=True)
        optimizer = torch.optim.AdamW([parameter], lr=1e-3)
        for value in gradients:
            parameter.grad = torch.tensor([factor * value], dtype=torch.float64)
            optimizer.step()
        return parameter.detach()

    def breaks(case: tuple[list[int], int]) -> bool:
        gradient, divisor = case
        whole, scaled = steps(gradient, 1.0), steps(gradient, 1 / divisor)
        return bool(whole.abs() > 0) and bool((scaled / whole - 1).abs() < 1e-6)

    sequences = st.tuples(st.lists(st.integers(-5, 5), min_size=1, max_size=4), st.integers(2, 8))
    case, tried = smallest(sequences, breaks)
    if case is None:
        return Counterexample(False, tried)
    gradient, divisor = case
    ratio = float(steps(gradient, 1 / divisor) / steps(gradient, 1.0))
    return Counterexample(
        True,
        tried,
        f"with the gradients {gradient} divided by {divisor}, AdamW moves the parameter {ratio:.8f} times as far",
        {},
        {"ratio of steps": ratio},
    )


def flat_is_damped_on_clips(census: pd.DataFrame) -> Counterexample:
    """A flat held-out clip with a larger weight than a contrast clip at the same t; the pair with the largest ratio.

    `census` has the columns `t`, `clip_id`, `contrast_class` and `w`, one row per (t, clip). `tried` counts all pairs
    of a flat and a contrast clip at the same t.
    """
    tried, best = 0, None
    for t, rows in census.groupby("t"):
        by_class = {name: rows[rows["contrast_class"] == name] for name in ("flat", "contrast")}
        tried += len(by_class["flat"]) * len(by_class["contrast"])
        if any(part.empty for part in by_class.values()):
            continue
        flat = by_class["flat"].loc[by_class["flat"]["w"].idxmax()]
        contrast = by_class["contrast"].loc[by_class["contrast"]["w"].idxmin()]
        if flat["w"] > contrast["w"] and (best is None or flat["w"] / contrast["w"] > best[0]):
            best = (flat["w"] / contrast["w"], t, flat, contrast)
    if best is None:
        return Counterexample(False, tried)
    ratio, t, flat, contrast = best
    return Counterexample(
        True,
        tried,
        f"at t = {t:g} the flat clip {flat['clip_id']} has the weight {flat['w']:.3f}, which is {ratio:.2f} times the "
        f"{contrast['w']:.3f} of the contrast clip {contrast['clip_id']}",
        {},
        {"flat": float(flat["w"]), "contrast": float(contrast["w"]), "t": float(t)},
        {"flat": flat["clip_id"], "contrast": contrast["clip_id"]},
    )
