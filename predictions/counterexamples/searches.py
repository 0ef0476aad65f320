"""Searches for the smallest input that breaks a universally worded statement, by hypothesis: drawn, tried, shrunk.

A search is a function without arguments, registered with `@search(name, regime)`, that returns a `Counterexample`.
The draws are seeded, so a search finds the same every time. A search that finds nothing has proved nothing.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from hypothesis import HealthCheck, find, settings, target
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample
from torch import Tensor

from eisbach.barrier import barrier_factor, barrier_weight


@dataclass(frozen=True)
class Counterexample:
    """What a search came to. `arrays`: model outputs `[C, T]` by name; `numbers`: what was compared, e.g. weights."""

    found: bool
    tried: int  # inputs
    description: str = ""
    arrays: dict[str, Tensor] = field(default_factory=dict)
    numbers: dict[str, float] = field(default_factory=dict)
    clips: dict[str, str] = field(default_factory=dict)  # name -> clip_id, where the inputs are music


SEARCHES: dict[tuple[str, str], Callable[[], Counterexample]] = {}


def search(name: str, regime: str) -> Callable:
    """Decorator: what the registry calls `search: name`, on one regime."""

    def register(function: Callable[[], Counterexample]) -> Callable[[], Counterexample]:
        if (name, regime) in SEARCHES:
            raise ValueError(f"a search '{name}' on '{regime}' exists already; choose another name")
        SEARCHES[name, regime] = function
        return function

    return register


def smallest(strategy: st.SearchStrategy, breaks: Callable, examples: int = 3000) -> tuple[object | None, int]:
    """The smallest drawn value for which `breaks` is true, None if there is none; and how many values were tried."""
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


# Strategies: energies are small whole numbers, so that what is found can be checked by hand.

energies = st.lists(st.integers(0, 9), min_size=2, max_size=4)


def output(values: list[int]) -> Tensor:
    """A one-channel output `[1, T]` with these energies."""
    return torch.tensor(values, dtype=torch.float64).sqrt().unsqueeze(0)


def weight(values: Tensor) -> float:
    """Eq. 4 of one output `[C, T]`."""
    return float(barrier_weight(values.unsqueeze(0)))


@st.composite
def levelled(draw) -> tuple[list[int], list[int]]:
    """(flatter, steeper): energies of equal sum, where one transfer from a larger to a smaller made the first."""
    steeper = draw(energies)
    rich, poor = draw(st.integers(0, len(steeper) - 1)), draw(st.integers(0, len(steeper) - 1))
    gap = steeper[rich] - steeper[poor]
    moved = draw(st.integers(1, gap - 1)) if gap > 1 else 0
    flatter = list(steeper)
    flatter[rich] -= moved
    flatter[poor] += moved
    return flatter, steeper


@search("flat_is_damped", "analytic")
def flat_is_damped() -> Counterexample:
    """Energies made flatter by a transfer from a louder to a quieter position, whose weight rises all the same."""

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
    """The same music at another scale of the latents, played twice, or beside a silent channel: other weights."""
    alike = {
        "twice as loud": lambda y: 2 * y,
        "played twice": lambda y: torch.cat([y, y], dim=1),
        "beside a silent channel": lambda y: torch.cat([y, torch.zeros_like(y)]),
    }
    found, count, arrays, weights = [], 0, {}, {}
    for name, change in alike.items():

        def breaks(values: list[int], change: Callable[[Tensor], Tensor] = change) -> bool:
            before, after = weight(output(values)), weight(change(output(values)))
            return abs(after / before - 1) > 0.05 if before > 0 else False

        values, tried = smallest(energies, breaks)
        count += tried
        if values is not None:
            arrays[f"energies {values}"] = output(values)
            arrays[name] = change(output(values))
            before, after = weight(output(values)), weight(arrays[name])
            weights |= {f"energies {values}": before, name: after}
            found.append(f"{tuple(values)} {name}: {after:.3f} instead of {before:.3f}")
    return Counterexample(bool(found), count, f"the same music, another weight: {'; '.join(found)}", arrays, weights)


signed = st.integers(-3, 3)
batches = st.tuples(*[st.tuples(signed, signed)] * 4)  # outputs and targets of two samples at two positions


def gradients(batch: tuple, factor: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    """Plain and weighted gradient of a batch in the two parameters of y_s = theta_s x_s at theta = 1, `[2]` each."""
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
    """Two samples whose gradients are not parallel: unequal factors turn the gradient of their batch."""

    def cosine(batch: tuple) -> float:
        plain, weighted = gradients(batch, lambda outputs: barrier_factor(outputs, 0.5))
        return float(torch.cosine_similarity(plain, weighted, dim=0)) if plain.norm() * weighted.norm() > 0 else 1.0

    def breaks(batch: tuple) -> bool:
        turned = cosine(batch)
        target(-turned)
        return turned < 0.99

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
    """A factor of at most a half on the loss, and AdamW's steps are what they were."""

    def steps(gradient: list[int], factor: float) -> Tensor:
        """Where AdamW with PyTorch's defaults, on one parameter, ends after these gradients."""
        parameter = torch.zeros(1, dtype=torch.float64, requires_grad=True)
        optimizer = torch.optim.AdamW([parameter], lr=1e-3)
        for value in gradient:
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
        f"gradients {gradient}, divided by {divisor}: AdamW goes {ratio:.8f} times as far",
        {},
        {"ratio of steps": ratio},
    )


def flat_is_damped_on_clips(census) -> Counterexample:
    """From the census of held-out clips: a flat arrangement with a larger weight than a contrast one, at one t.

    `census` has `t`, `clip_id`, `contrast_class` and `w`, one row per (t, clip). All pairs are compared; the one whose
    weights differ by the largest ratio is returned.
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
        f"at t = {t:g} the flat clip {flat['clip_id']} has weight {flat['w']:.3f}, {ratio:.2f} times that of the "
        f"contrast clip {contrast['clip_id']}, {contrast['w']:.3f}",
        {},
        {"flat": float(flat["w"]), "contrast": float(contrast["w"]), "t": float(t)},
        {"flat": flat["clip_id"], "contrast": contrast["clip_id"]},
    )
