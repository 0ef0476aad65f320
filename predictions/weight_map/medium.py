"""Stable Audio 3 Medium without its weights: bands of w and of the factor's spread, and what they mean for outcomes."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial

import numpy as np
import pandas as pd

from eisbach.seeds import numpy_generator
from predictions.weight_map import closed_forms, posterior, sampling
from predictions.weight_map.place import Place

SHAPES = {"10 s": (256, 108), "120 s": (256, 1292)}  # channels and positions of Medium's latents
LAMS = (0.5, 1.0)
TIMES = (0.0, 0.1, 0.5, 0.9, 1.0)
CORPUS_SPECTRUM = 2.3  # about that of the small corpus (table by_t)
FULL_SPREAD = np.sqrt(2 / 3)  # of a full curriculum: factors 2, 1 and 0 for thirds of the samples


def band(clip: str, by_t: pd.DataFrame, seed: int, count: int) -> pd.DataFrame:
    """Cells of Medium at a length ("10 s", "120 s"), by t and lambda, over what is unknown without its weights.

    Latents of unit rms, as the bottleneck normalises them. The deviation of log energy is 0, which its regulariser asks
    for, to .6, that of the small corpus, whose codec has no such regulariser. Samples are alike, or as different as
    those of the small corpus. The column `model` says which losses the model leaves: "white" and "spectrum" are those
    of the ideal model of white data and of data with the small corpus' spectrum, "learnt" those of the small model
    (`by_t`).
    """
    channels, length = SHAPES[clip]
    places = [Place(channels, length)] + [
        Place(channels, length, 1.0, deviation, correlation, heterogeneity)
        for deviation in (0.3, 0.6)
        for correlation in (0.9, 0.97)
        for heterogeneity in (0.0, 0.5)
    ]
    rows = []
    for place in places:
        for t in TIMES:
            models: dict[str, tuple[Place, Callable | None]] = {
                "white": (place, None),
                "spectrum": (replace(place, spectrum=CORPUS_SPECTRUM), None),
                "learnt": (place, learnt_loss(by_t, t)),
            }
            for name, (at, loss) in models.items():
                drawn = sampling.draw(at, t, count, numpy_generator(seed, "Medium", *asdict(at).values(), t), loss)
                for lam in LAMS:
                    row = {"clip": clip, "model": name, "t": t, "lam": lam}
                    rows.append(row | asdict(at) | sampling.statistics(drawn, lam))
    return pd.DataFrame(rows)


def learnt_loss(by_t: pd.DataFrame, t: float) -> Callable[[np.ndarray], np.ndarray]:
    """The small model's losses as a function of expected energies, from its mean loss and elasticity by t.

    Between the values of t of `by_t` both are linear; at t = 0 the loss is 1 everywhere, at t = 1 it is the energy.
    """
    rows = by_t[by_t["power"] == 1].sort_values("t")
    times = [0.0, *rows["t"], 1.0]
    loss = np.interp(t, times, [1.0, *rows["measured_loss"], 1.0])
    return partial(posterior.local_loss, loss=loss, elasticity=np.interp(t, times, [0.0, *rows["elasticity"], 1.0]))


@dataclass(frozen=True)
class Response:
    """An outcome's measured response to the strength of a weighting (`predictions.doses.line`), with its interval."""

    outcome: str
    slope: float  # effect per unit of the factor's coefficient of variation
    low: float
    high: float


def forecast(medium: pd.DataFrame, responses: list[Response]) -> pd.DataFrame:
    """One row per clip length, lambda and response: bands of the spread, its share of a full curriculum, the effect.

    `medium` is the concatenation of `band`; a spread is the mean over t. `share` and `effect` are those of a factor
    that correlates perfectly with the curriculum: a real one's lie between 0 and these. Linear response; the outcome
    must respond on Medium as it did where it was measured, which no measurement here shows. Raises ValueError without
    rows.
    """
    if medium.empty or not responses:
        raise ValueError("the forecast needs Medium's bands and at least one measured response")
    places = [name for name in asdict(Place(1, 2)) if name != "length"]
    spreads = medium.groupby(["clip", "lam", "model", *places])["factor_cv"].mean()
    rows = []
    for (clip, lam), one in spreads.groupby(["clip", "lam"]):
        low, high = one.min(), one.max()
        share = [closed_forms.curriculum_share(end, 1.0, FULL_SPREAD) for end in (low, high)]
        row = {"clip": clip, "lam": lam, "spread_low": low, "spread_high": high}
        row |= {"share_low": share[0], "share_high": share[1]}
        for response in responses:
            ends = [slope * spread for slope in (response.low, response.high) for spread in (low, high)]
            effect = {"effect": response.slope * high, "effect_low": min(ends), "effect_high": max(ends)}
            rows.append(row | {"outcome": response.outcome} | effect)
    return pd.DataFrame(rows)
