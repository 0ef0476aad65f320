"""Systems under test: whatever has a velocity and clean samples, so that one battery of properties runs on all.

The closed-form mixture, a toy trained here, the small Stable Audio 3 and the released Medium are made by `analytic`,
`toys`, `small` and `medium`.
"""

import importlib.util
import os
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from eisbach import flow
from eisbach.seeds import torch_generator


@dataclass(frozen=True)
class System:
    """N clean samples `[N, C, T]` with their classes ("flat", "contrast") and a model of their velocity.

    `velocity(noisy [B, C, T], t [B], rows [B])` is E[noise - clean | noisy] as the model has it, under the condition of
    those rows. `ground` is how far its output at t = 0 may be from minus the clean sample, as a share of the sample's
    root mean square: there the input is the answer, and a model that missed it would not have learned the task.
    """

    name: str
    clean: Tensor
    classes: list[str]
    velocity: Callable[[Tensor, Tensor, Tensor], Tensor]
    ground: float

    def at(self, t: float, rows: Tensor, seed: int) -> tuple[Tensor, Tensor]:
        """Output and target `[B, C, T]` at time `t` for those rows, with noise derived from `seed`."""
        clean = self.clean[rows]
        noise = torch.randn(clean.shape, generator=torch_generator(seed, "system noise"), dtype=clean.dtype)
        times = torch.full((len(rows),), t, dtype=clean.dtype)
        with torch.no_grad():
            output = self.velocity(flow.interpolate(clean, noise, times), times, rows)
        return output, flow.velocity(clean, noise)


def analytic(samples: int = 16, channels: int = 16, length: int = 16) -> System:
    """The exact posterior-mean velocity of envelopes over time; no training."""
    from toy_models import trajectories
    from toy_models.mixture import CLASSES

    law = trajectories.closed_form(channels, length)
    clean, component = law.sample(samples, torch_generator(0, "analytic system"))
    labels = law.classes[component]
    return System(
        "analytic",
        clean,
        [CLASSES[label] for label in labels.tolist()],
        lambda noisy, t, rows: law.velocity(noisy, t, labels[rows]),
        ground=1e-4,
    )


def toys(samples: int = 16, seed: int = 1000, steps: int = 150) -> System:
    """A baseline trained for `steps` steps on 32-channel curves; a development seed, so that no verdict's is spent."""
    from toy_models.arms import Arm, Stack
    from toy_models.ensemble import init, train
    from toy_models.mixture import CLASSES
    from toy_models.regimes import REGIMES

    regime = REGIMES["trajectories/c32"]
    law, stack = regime.distribution(), Stack([Arm("baseline")], [seed])
    weights = init(regime.network, [seed], arms=1)
    for step in train(regime.network, law, stack, weights, regime.recipes["adamw"], steps):
        last = step
    trained = {name: weight.detach() for name, weight in last.weights.items()}
    clean, component = law.sample(samples, torch_generator(seed, "toy system"))
    labels = law.classes[component]

    def velocity(noisy: Tensor, t: Tensor, rows: Tensor) -> Tensor:
        return regime.network(trained, noisy[None], t[None], labels[rows][None])[0]

    return System("toys", clean.float(), [CLASSES[label] for label in labels.tolist()], velocity, ground=0.5)


def small() -> System:
    """The shipped base."""
    from eisbach.models import small as shipped

    return of_model("small", shipped.load())


MEDIUM = "EISBACH_MEDIUM"  # the environment variable that names the released checkpoint's folder


def medium() -> System:
    """Stable Audio 3 Medium from the folder that the environment names; see `missing`."""
    from eisbach.models import released

    return of_model("medium", released.load(os.environ[MEDIUM]))


def of_model(name: str, model: nn.Module, samples: int = 6, seconds: float = 5.0) -> System:
    """A Stable Audio 3 without a prompt, on chords that its codec encodes: even ones are flat, odd ones swell."""
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
        name, clean, classes, lambda noisy, t, rows: unconditional(model, noisy, t, clips.rows(rows)), ground=0.7
    )


SYSTEMS: dict[str, Callable[[], System]] = {"analytic": analytic, "toys": toys, "small": small, "medium": medium}


def missing(name: str) -> str:
    """Why a system cannot be made here, empty where it can."""
    if name != "medium":
        return ""
    if importlib.util.find_spec("eisbach.models.released") is None:
        return "there is no loader of released checkpoints, eisbach.models.released"
    if not os.environ.get(MEDIUM):
        return f"the weights of Stable Audio 3 Medium are not in the package; name their folder: {MEDIUM}=FOLDER"
    return ""
