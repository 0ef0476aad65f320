"""An effect and its interval as a small SVG that fits into a cell of a table."""

import math
from html import escape

WIDTH, HEIGHT, EDGE = 132, 22, 8  # units of the viewBox


def interval(
    effect: float, low: float, high: float, *, center: float = 0.0, margin: float = 0.0, css: str, alt: str
) -> str:
    """Markup of one `<svg>`: a dot at `effect`, a bar from `low` to `high`, a line at `center`, a band of +-`margin`.

    An infinite end of the interval is drawn as an arrow; a NaN `low` draws no bar. `css` is the class that colours dot
    and bar, `alt` the text alternative. The result is empty when `effect` is not finite.
    """
    known = [value for value in (effect, low, high, center - margin, center + margin) if math.isfinite(value)]
    if not math.isfinite(effect):
        return ""
    reach = max((abs(value - center) for value in known), default=0) or 1.0

    def x(value: float) -> float:
        inside = min(max(value, center - reach), center + reach)
        return round(WIDTH / 2 + (inside - center) / reach * (WIDTH / 2 - EDGE), 2)

    middle = HEIGHT / 2
    left, right = x(low if math.isfinite(low) else center - reach), x(high if math.isfinite(high) else center + reach)
    parts = [f'<line class="zero" x1="{x(center)}" y1="2" x2="{x(center)}" y2="{HEIGHT - 2}"/>']
    if math.isfinite(margin) and margin > 0:
        band = x(center + margin) - x(center - margin)
        parts.insert(
            0, f'<rect class="margin" x="{x(center - margin)}" y="3" width="{band:.2f}" height="{HEIGHT - 6}"/>'
        )
    if not math.isnan(low):
        parts.append(f'<line class="bar" x1="{left}" y1="{middle}" x2="{right}" y2="{middle}"/>')
    for value, end, step in ((low, left, 1), (high, right, -1)):
        if math.isinf(value):
            parts.append(f'<path class="dot" d="M {end + 5 * step} {middle - 4} l {-5 * step} 4 l {5 * step} 4 z"/>')
    parts.append(f'<circle class="dot" cx="{x(effect)}" cy="{middle}" r="3.6"/>')
    return (
        f'<svg class="interval {escape(css)}" role="img" aria-label="{escape(alt)}" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}">{"".join(parts)}</svg>'
    )
