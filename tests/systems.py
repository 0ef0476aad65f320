"""The systems on which tests/predictions/test_systems.py runs one battery of properties.

A `System` is a velocity model with clean samples. `analytic` is the closed-form mixture, `toys` a toy trained for the
test, `small` the shipped Stable Audio 3, and `medium` the released Stable Audio 3 Medium.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from eisbach import flow
from eisbach.seeds import torch_generator


@dataclass(frozen=True)
class System:
    """A velocity model with N clean samples `[N, C, T]` and their classes ("flat" or "contrast").

    `velocity(noisy [B, C, T], t [B], rows [B])` is the model's E[noise - clean | noisy] `[B, C, T]`, under the
    conditions of the samples `rows`. At t = 0 the input is the clean sample and tells nothing about the noise, so the
    exact output is minus the clean sample. There, `output_error` bounds the distance of the output from it, as a share
    of the sample's root mean square, and `weight_error` the relative difference between the output's weight and the
    clean sample's.
    """

    name: str
    clean: Tensor
    classes: list[str]
    velocity: Callable[[Tensor, Tensor, Tensor], Tensor]
    output_error: float
    weight_error: float

    def at(self, t: float, rows: Tensor, seed: int) -> tuple[Tensor, Tensor]:
        """Output and target `[B, C, T]` of the samples `rows` at time `t`, with noise derived from `seed`."""
        clean = self.clean[rows]
        noise = torch.randn(clean.shape, generator=torch_generator(seed, "system noise"), dtype=clean.dtype)
        times = torch.full((len(rows),), t, dtype=clean.dtype)
        with torch.no_grad():
            output = self.velocity(flow.interpolate(clean, noise, times), times, rows)
        return output, flow.velocity(clean, noise)


def analytic(samples: int = 16, channels: int = 16, length: int = 16) -> System:
    """The exact posterior-mean velocity of the envelopes of `toy_models.trajectories`, without training."""
    from toy_models import trajectories
    from toy_models.mixture import CLASSES

    distribution = trajectories.closed_form(channels, length)
    clean, component = distribution.sample(samples, torch_generator(0, "analytic system"))
    labels = distribution.classes[component]
    return System(
        "analytic",
        clean,
        [CLASSES[label] for label in labels.tolist()],
        lambda noisy, t, rows: distribution.velocity(noisy, t, labels[rows]),
        output_error=1e-4,
        weight_error=1e-3,
    )


def toys(samples: int = 16, seed: int = 1000, steps: int = 150) -> System:
    """A baseline trained for `steps` steps on 32-channel curves, with a seed that no verdict uses."""
    from eisbach.arms import Arm
    from toy_models.arms import Stack
    from toy_models.ensemble import init, train
    from toy_models.mixture import CLASSES
    from toy_models.regimes import REGIMES

    regime = REGIMES["trajectories/c32"]
    distribution, stack = regime.distribution(), Stack([Arm("baseline")], [seed])
    weights = init(regime.network, [seed], arms=1)
    for step in train(regime.network, distribution, stack, weights, regime.recipes["adamw"], steps):
        last = step
    trained = {name: weight.detach() for name, weight in last.weights.items()}
    clean, component = distribution.sample(samples, torch_generator(seed, "toy system"))
    labels = distribution.classes[component]

    def velocity(noisy: Tensor, t: Tensor, rows: Tensor) -> Tensor:
        return regime.network(trained, noisy[None], t[None], labels[rows][None])[0]

    classes = [CLASSES[label] for label in labels.tolist()]
    return System("toys", clean.float(), classes, velocity, output_error=0.5, weight_error=0.5)


def small() -> System:
    """The shipped base model."""
    from eisbach.models import small as shipped

    return of_model("small", shipped.load())


MEDIUM = "EISBACH_MEDIUM"  # environment variable with the folder of the released checkpoint


def medium() -> System:
    """Stable Audio 3 Medium from the folder that EISBACH_MEDIUM names; `missing` says whether it is set."""
    from eisbach.models import released

    return of_model("medium", released.load(os.environ[MEDIUM]))


def of_model(name: str, model: nn.Module, samples: int = 6, seconds: float = 5.0) -> System:
    """A Stable Audio 3 without a prompt, on chords that its codec encodes: flat in even rows, swelling in odd rows."""
    import pandas as pd

    from eisbach.data.latents import Latents
    from eisbach.models.velocity import unconditional

    rate, hop = model.pretransform.sample_rate, model.pretransform.downsampling_ratio
    length = int(seconds * rate) // hop
    time = torch.arange(length * hop) / rate
    classes = ["flat", "contrast"] * (samples // 2)
    audio = []
    for index, kind in enumerate(classes):
        chord = sum(torch.sin(2 * torch.pi * 110 * 2 ** (step / 12) * time) for step in (index, index + 4, index + 7))
        level = torch.ones_like(time) if kind == "flat" else 10 ** (-1.5 * (1 - time / time[-1]))
        audio.append((0.1 * level * chord).expand(2, -1))
    with torch.no_grad():
        clean = model.pretransform.encode(torch.stack(audio))
    tokens = torch.zeros(samples, 2, model.conditioner.conditioners["prompt"].dim)
    clips = Latents(
        pd.DataFrame({"seconds": [seconds] * samples}),
        clean,
        torch.ones(samples, clean.shape[-1], dtype=torch.bool),
        tokens.half(),
        torch.ones(samples, 2, dtype=torch.bool),
        tokens[:, 0],
    )
    return System(
        name,
        clean,
        classes,
        lambda noisy, t, rows: unconditional(model, noisy, t, clips.rows(rows)),
        output_error=0.7,
        weight_error=0.5,
    )


SYSTEMS: dict[str, Callable[[], System]] = {"analytic": analytic, "toys": toys, "small": small, "medium": medium}


def missing(name: str) -> str:
    """The reason why a system cannot be built here; empty when it can."""
    if name == "medium" and not os.environ.get(MEDIUM):
        return f"the weights of Stable Audio 3 Medium are not in the package; set {MEDIUM} to their folder"
    return ""
