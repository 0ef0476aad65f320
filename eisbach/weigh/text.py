"""The facts of a measurement as a dictionary for JSON, and as at most ten lines."""

import math
from dataclasses import asdict

from eisbach.weigh import measure
from eisbach.weigh.measure import Contrast, Weighed


def facts(
    source: str,
    found: Weighed,
    lam: float,
    classes: Contrast | None,
    by_t: dict[str, float] | None = None,
) -> dict:
    """Everything that the command found. `by_t` are a gauge's statistics of a model over t; None: latents, t = 0."""
    own = measure.statistics(found.weight, lam)
    spread = own["factor_coefficient_of_variation"]
    if by_t is not None:
        own |= {**by_t, "measurements": by_t["samples"]}
        spread = by_t["factor_coefficient_of_variation_at_one_t"]
    return {
        **own,
        "source": source,
        "samples": len(found.keys),
        "channels": found.channels,
        "positions": found.positions,
        "rms": found.rms,
        "dtype": found.dtype,
        "lam": lam,
        "t": "grid" if by_t is not None else 0,
        "white_noise_weight": measure.white_noise_weight(found.channels, found.positions, found.rms),
        "weight_at_t_1": measure.weight_at_one(found.channels, found.positions),
        "contrast": None if classes is None else asdict(classes),
        "spread": spread,
        "most_of_a_full_curriculum": measure.most_of_a_curriculum(spread, classes),
    }


def lines(facts: dict) -> list[str]:
    """The facts as lines of text, the conclusion last."""
    model = facts["t"] == "grid"
    of = "held-out clips" if model else "latents"
    found = [
        f"{facts['source']}: {facts['samples']} {of} of {facts['channels']} x {facts['positions']:.5g} "
        f"({facts['dtype']}), rms {facts['rms']:.3g}",
        _weight(facts, model),
        f"references: white noise of this C, T and rms {_number(facts['white_noise_weight'])}; "
        f"at t = 1 about {_number(facts['weight_at_t_1'])} (closed forms)",
        _place(facts),
        _factor(facts, model),
        f"effective sample size {100 * facts['effective_sample_share']:.4g} % of "
        f"{facts.get('measurements', facts['samples']):.0f}"
        + (f", {100 * facts['effective_sample_share_at_one_t']:.4g} % at one t" if model else ""),
    ]
    if facts["contrast"] is not None:
        one = facts["contrast"]
        found.append(
            f"{one['high']} / {one['low']} ({one['samples'][1]} / {one['samples'][0]}): w {one['weight_ratio']:.3g} : 1"
            f", factor {one['factor_ratio']:.4g} : 1, correlation of factor and class {one['correlation']:.2g}"
        )
    return [*found, *_conclusion(facts)]


def _weight(facts: dict, model: bool) -> str:
    if model:
        return (
            f"w: mean {facts['mean_w']:.3f}; {facts['mean_w_t_below_0.2']:.3f} below t = 0.2, "
            f"{facts['mean_w_t_above_0.8']:.3f} above 0.8; t explains {_percent(facts['share_of_w_variance_from_t'])} "
            "of its variance"
        )
    return (
        f"w at t = 0: mean {facts['mean_w']:.3f}, 90 % of the latents between {facts['w_5_percent']:.3f} "
        f"and {facts['w_95_percent']:.3f}"
    )


def _place(facts: dict) -> str:
    noise, mean = facts["white_noise_weight"], facts["mean_w"]
    if math.isnan(noise) or not noise:
        return "place: not defined, because white noise of this size has no closed form"
    return f"place: {mean / noise:.3g} times the weight of white noise, where 1 means no contrast over time at all"


def _factor(facts: dict, model: bool) -> str:
    text = f"factor at lambda {facts['lam']:g}: mean {facts['mean_factor']:.3f}, coefficient of variation "
    if not model:
        return f"{text}{_percent(facts['spread'])} between latents"
    return f"{text}{_percent(facts['factor_coefficient_of_variation'])}, {_percent(facts['spread'])} at one t"


def _conclusion(facts: dict) -> list[str]:
    if math.isnan(facts["spread"]):
        return ["one sample has no spread; weigh at least two to learn what the factor would do"]
    at = "at one t" if facts["t"] == "grid" else "at t = 0"
    bound = _percent(min(1.0, max(0.0, facts["most_of_a_full_curriculum"])), upwards=True)
    which = "of any two halves of the data"
    if facts["contrast"] is not None:
        which = f"of {facts['contrast']['high']} over {facts['contrast']['low']} (95 % bound)"
    return [
        f"at lambda {facts['lam']:g} the factor varies by {_percent(facts['spread'])} {at}; AdamW ignores its mean "
        f"{facts['mean_factor']:.2f}; expect less than {bound} of a full curriculum {which}"
    ]


def _percent(share: float, upwards: bool = False) -> str:
    """A share in percent with two digits; `upwards`: rounded up, so that a bound stays one."""
    if upwards and share > 0:
        digit = 10.0 ** (math.floor(math.log10(100 * share)) - 1)
        return f"{math.ceil(100 * share / digit - 1e-9) * digit:.3g} %"
    return f"{100 * share:.2g} %"


def _number(value: float) -> str:
    return "not defined" if math.isnan(value) else f"{value:.3f}"
