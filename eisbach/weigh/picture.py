"""A histogram of the weights, by class where there are labels, with the closed-form references."""

import math
from pathlib import Path

from eisbach.errors import UserError
from eisbach.pipeline.files import replacing

SUFFIXES = (".svg", ".png")
BINS = 40


def check(path: Path) -> None:
    """Raise UserError unless a picture can be drawn to `path`: before the measurement, not after it."""
    if path.suffix not in SUFFIXES:
        raise UserError(f"{path}: a picture is .svg or .png; choose one of the two")
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise UserError(f"{path}: a picture needs matplotlib; run `pip install matplotlib` or leave it out") from None


def draw(path: Path, weights: list[float], labels: list[str] | None, facts: dict) -> None:
    """Write the picture; the same weights give the same bytes."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    groups = {"": weights}
    if labels is not None:
        names = sorted({label for label in labels if label})
        groups = {name: [w for w, own in zip(weights, labels, strict=True) if own == name] for name in names}
    low, high = min(weights), max(weights)
    pad = (high - low) / 20 or 0.01
    edges = [low - pad + (high - low + 2 * pad) * step / BINS for step in range(BINS + 1)]
    for name, values in groups.items():
        axes.hist(values, edges, alpha=0.6, label=f"{name} ({len(values)})" if name else f"{len(values)} samples")
    references = (("white_noise_weight", "white noise", ":"), ("weight_at_t_1", "t = 1", "--"))
    for name, text, style in references:
        if not math.isnan(facts[name]):
            axes.axvline(facts[name], color="0.3", linestyle=style, label=text)
    axes.set(xlabel="weight w" + (" at t = 0" if facts["t"] == 0 else ", mean over t"), ylabel="samples")
    axes.legend(frameon=False)
    with (
        replacing(path) as temporary,
        matplotlib.rc_context({"svg.hashsalt": "eisbach"}),
    ):
        metadata = {"Date": None} if path.suffix == ".svg" else {}
        figure.savefig(temporary, format=path.suffix[1:], dpi=150, metadata=metadata)
