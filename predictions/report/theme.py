"""The name, colour and mark of every arm, class, regime, metric and word, the same on every page and picture.

Colours are from Okabe and Ito, Tol and IBM: safe for colour-blind readers, with a contrast of about 3 against the light
and the dark page. No meaning depends on colour alone: arms also have marks, and words have signs.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from eisbach.arms import parse

INK = "#010203"  # placeholder for the page's text colour; `svg.inline` turns it into currentColor

ARMS = {  # name: colour, Matplotlib marker (all filled: line drawings cannot be mixed with them)
    "baseline": ("#808080", "o"),
    "barrier": ("#D55E00", "D"),
    "constant": ("#3A9BDC", "s"),
    "trace": ("#4477AA", "v"),
    "shuffled": ("#009E73", "^"),
    "timestep": ("#C4689A", "P"),
    "inverse": ("#BF8A00", "X"),
    "oracle": ("#7B61D9", "*"),
    "attached": ("#A0623A", "<"),
    "base": ("#6B7885", (5, 0, 180)),
    "barrier_1": ("#B8560F", (4, 1, 0)),
    "oracle_1": ("#6A5ACD", (6, 1, 0)),
    "class": ("#D81B60", "8"),
    "class_reversed": ("#2A8C96", "H"),
}
PEERS = (("#6E8B3D", ">"), ("#3D8B8B", "p"), ("#B05252", "h"), ("#8A7BA8", "d"))  # for arms that are not in ARMS
CLASSES = {"flat": "#2E86C1", "middle": "#8C8C8C", "contrast": "#DB3A7B"}
REGIMES = {
    "analytic": "closed form",
    "densities": "2-D densities",
    "trajectories": "trajectories",
    "small": "small Stable Audio 3",
    "medium": "Stable Audio 3 Medium",
}
MEMBERS = {"c2": "2 channels", "c32": "32 channels", "dit": "tiny transformer"}  # of a family of regimes


@dataclass(frozen=True)
class Sign:
    """How a word is shown: a sign before it, a CSS class, and a rank for sorting."""

    sign: str
    css: str
    rank: int


WORDS = {  # the words of atoms and of claims, from the most to the least telling
    "holds": Sign("✓", "good", 0),
    "kept": Sign("✓", "good", 1),
    "equal": Sign("✓", "good", 2),
    "proved": Sign("✓", "good", 3),
    "present": Sign("+", "partly", 4),
    "partly": Sign("±", "partly", 5),
    "opposite": Sign("−", "bad", 6),
    "absent": Sign("0", "bad", 7),
    "fails": Sign("✕", "bad", 8),
    "lost": Sign("✕", "bad", 9),
    "unequal": Sign("✕", "bad", 10),
    "disproved": Sign("✕", "bad", 11),
    "undecided": Sign("≈", "undecided", 12),
    "insensitive": Sign("!", "insensitive", 13),
    "not tested": Sign("·", "untested", 14),
}
UNKNOWN = Sign("?", "untested", 15)

METRICS = {  # metrics of the toys and of music that differ have different names: docs/toys.md, docs/metrics.md
    "heldout_loss": "held-out loss",
    "heldout_loss_ratio/contrast_flat": "held-out loss, contrast over flat",
    "relative_excess_risk/contrast": "excess risk, contrast over flat",
    "excess_risk": "excess risk",
    "loss_slope/log_w0": "slope of the log loss ratio on log w0",
    "loss_slope/label": "slope of the log loss ratio on the contrast label",
    "sample_distance_db/baseline": "distance of samples to the baseline (dB)",
    "sample_distance_db/base": "distance of samples to the untrained model (dB)",
    "sample_distance_db/noise": "distance of samples of different noise (dB)",
    "vendi": "Vendi score",
    "vendi_gaussian": "Vendi score (Gaussian kernel)",
    "modes": "modes found",
    "class_mass/contrast": "share of contrast samples",
    "w_spearman_t": "rank correlation of w and t",
    "w_spearman_t_pooled": "rank correlation of w and t, all samples pooled",
    "w_rise_share_t": "largest rise of w over tenths of t, as a share of its range",
    "excess_risk/contrast": "excess risk of contrast samples",
    "excess_risk/flat": "excess risk of flat samples",
    "heldout_loss/contrast": "held-out loss of contrast samples",
    "structure_consistency/between_seeds": "structure consistency between training seeds",
    "detail_diversity/between_seeds": "detail diversity between training seeds",
    "w_ratio/contrast_flat": "w, contrast over flat",
    "w/t<0.2": "mean w at t < 0.2",
    "w/t>0.8": "mean w at t > 0.8",
    "entropy_loss_rho/t<0.2": "rank correlation of B and loss at t < 0.2",
    "entropy_loss_rho/t>0.8": "rank correlation of B and loss at t > 0.8",
    "gradient_cosine/sample": "smallest cosine of sample gradients",
    "gradient_cosine/batch": "cosine of batch gradients",
    "dynamic_range_db": "dynamic range (dB)",
    "energy_range_db": "range of the energy over time (dB)",
    "spectral_contrast_db": "spectral contrast (dB)",
    "pca_area": "PCA trajectory area",
    "hull_area": "area of the trajectory's convex hull",
    "envelope_correlation": "correlation of envelopes within a class",
    "waveform_diversity": "waveform diversity within a class",
    "participation_ratio": "participation ratio of the trajectory",
}


def arm_colours(arms: Iterable[str]) -> dict[str, str]:
    """The colour of every arm, given as text such as "barrier" or "barrier@0.5"."""
    return {arm: colour for arm, (colour, _) in _arm_styles(arms).items()}


def arm_marks(arms: Iterable[str]) -> dict[str, str]:
    """The Matplotlib marker of every arm, given as text such as "barrier" or "barrier@0.5"."""
    return {arm: mark for arm, (_, mark) in _arm_styles(arms).items()}


def _arm_styles(arms: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Arms of ARMS have their own style; all others take one of PEERS, in the order of their names."""
    names = {arm: _arm_name(arm) for arm in arms}
    others = sorted(set(names.values()) - set(ARMS))
    return {arm: ARMS.get(name) or PEERS[others.index(name) % len(PEERS)] for arm, name in names.items()}


def _arm_name(arm: str) -> str:
    """The name in an arm's text form; the whole text where it has none, as of an arm that a user named freely."""
    try:
        return parse(arm).name
    except ValueError:
        return arm


def sign(word: str) -> Sign:
    """The sign of a word; UNKNOWN for any other text."""
    return WORDS.get(word, UNKNOWN)


def regime_name(regime: str) -> str:
    """The name of a regime, of a family or of a pattern: `trajectories/c32` -> `trajectories, 32 channels`.

    A pattern such as `densities/*` has the name of its family; an unknown regime keeps its own.
    """
    family, _, member = regime.partition("/")
    name = REGIMES.get(family, family)
    if member in ("", "*"):
        return name
    return f"{name}, {MEMBERS.get(member, member.replace('_', ' '))}"


def metric_name(metric: str) -> str:
    """The name of a metric in words; for one without an entry in METRICS, its own with spaces.

    `gap/vendi` is the distance of the metric `vendi` to its value on the true distribution.
    """
    if metric.startswith("gap/"):
        return f"distance of the {metric_name(metric.removeprefix('gap/'))} to the truth's"
    return METRICS.get(metric, metric.replace("_", " "))
