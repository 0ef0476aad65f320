"""One visual language: every arm, class, regime and verdict has one name, colour and mark wherever it appears.

Colours are from Okabe and Ito, Tol and IBM, safe for colour-blind readers, and each keeps a contrast of 3 against white
paper and against the dark page. Colour never stands alone: arms have marks, verdicts have signs and words.
"""

from dataclasses import dataclass

INK = "#010203"  # stands for the page's own text colour; `svg.inline` turns it into currentColor

ARMS = {  # colour, matplotlib marker
    "baseline": ("#808080", "o"),
    "barrier": ("#D55E00", "D"),
    "constant": ("#3A9BDC", "s"),
    "trace": ("#4477AA", "v"),
    "shuffled": ("#009E73", "^"),
    "timestep": ("#C4689A", "P"),
    "inverse": ("#BF8A00", "X"),
    "oracle": ("#7B61D9", "*"),
    "attached": ("#A0623A", "<"),
}
PEERS = (("#6E8B3D", ">"), ("#3D8B8B", "p"), ("#B05252", "h"), ("#8A7BA8", "d"))  # arms that have no place above
CLASSES = {"flat": "#2E86C1", "middle": "#8C8C8C", "contrast": "#DB3A7B"}
REGIMES = {
    "analytic": "closed form",
    "densities": "2-D densities",
    "trajectories": "trajectories",
    "small": "small Stable Audio 3",
    "medium": "Stable Audio 3 Medium",
}
ADJUSTED = {"c2": "2 channels", "c32": "32 channels", "dit": "tiny transformer"}


@dataclass(frozen=True)
class Sign:
    """How a verdict's label is shown: a sign for those who scan, a CSS class, and a rank for sorting."""

    sign: str
    css: str
    rank: int


LABELS = {
    "refuted": Sign("✕", "refuted", 0),
    "mixed": Sign("±", "mixed", 1),
    "supported": Sign("✓", "supported", 2),
    "inconclusive": Sign("≈", "inconclusive", 3),
    "assay failed": Sign("!", "failed", 4),
    "not tested": Sign("–", "untested", 5),
}
UNKNOWN = Sign("?", "untested", 6)

METRICS = {
    "heldout_loss": "held-out loss",
    "heldout_loss_ratio/contrast_flat": "held-out loss, contrast over flat",
    "relative_excess_risk/contrast": "excess risk, contrast over flat",
    "excess_risk": "excess risk",
    "vendi": "Vendi score",
    "modes": "modes found",
    "class_mass/contrast": "share of contrast samples",
    "w_spearman_t": "rank correlation of w and t",
    "w_rise_share_t": "largest rise of w over tenths of t, as a share of its range",
    "excess_risk/contrast": "excess risk of contrast samples",
    "excess_risk/flat": "excess risk of flat samples",
    "heldout_loss/contrast": "held-out loss of contrast samples",
    "gap/vendi": "distance of the Vendi score to the truth's",
    "gap/modes": "distance of the modes found to the truth's",
    "gap/location_entropy": "distance of the location entropy to the truth's",
    "gap/detail_diversity": "distance of the detail diversity to the truth's",
    "gap/class_mass/contrast": "distance of the share of contrast samples to the truth's",
    "structure_consistency/between_seeds": "structure consistency between training seeds",
    "detail_diversity/between_seeds": "detail diversity between training seeds",
    "w_ratio/contrast_flat": "w, contrast over flat",
    "w_ratio_min_bin/contrast_flat": "least w ratio, contrast over flat, over tenths of t",
    "w/t<0.2": "mean w at t < 0.2",
    "w/t>0.8": "mean w at t > 0.8",
    "entropy_loss_rho/t<0.2": "rank correlation of B and loss at t < 0.2",
    "entropy_loss_rho/t>0.8": "rank correlation of B and loss at t > 0.8",
    "gradient_cosine/sample": "least cosine of sample gradients",
    "gradient_cosine/batch": "cosine of batch gradients",
    "dynamic_range_db": "dynamic range (dB)",
    "spectral_contrast_db": "spectral contrast (dB)",
    "pca_area": "PCA trajectory area",
    "participation_ratio": "participation ratio of the trajectory",
}


def arm_colours(arms) -> dict[str, str]:
    return {arm: look[0] for arm, look in _arm_looks(arms).items()}


def arm_marks(arms) -> dict[str, str]:
    return {arm: look[1] for arm, look in _arm_looks(arms).items()}


def _arm_looks(arms) -> dict[str, tuple[str, str]]:
    """Known arms keep their look; others take the peers' in order of name, so that every picture agrees."""
    others = sorted(set(arms) - set(ARMS))
    return {arm: ARMS[arm] if arm in ARMS else PEERS[others.index(arm) % len(PEERS)] for arm in arms}


def sign(label: str) -> Sign:
    return LABELS.get(label, UNKNOWN)


def regime_name(regime: str) -> str:
    """`trajectories/c32` -> `trajectories, 32 channels`; a pattern is its family; the unknown keeps its own name."""
    family, _, member = regime.partition("/")
    name = REGIMES.get(family, family)
    if member in ("", "*"):
        return name
    return f"{name}, {ADJUSTED.get(member, member.replace('_', ' '))}"


def metric_name(metric: str) -> str:
    return METRICS.get(metric, metric.replace("_", " "))
