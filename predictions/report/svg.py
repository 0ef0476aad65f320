"""Turns Matplotlib figures into SVG that works inline under the report's Content Security Policy, in light and dark.

The policy blocks `style` attributes and elements, so they become presentation attributes. Whatever is drawn in
`theme.INK` takes the colour of the surrounding text. Ids get the picture's name as a prefix; unused ids are dropped.
"""

import io
import xml.etree.ElementTree as ET

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import seaborn as sns
from matplotlib import ticker

from predictions.report.theme import INK

SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
DROPPED = (f"{{{SVG}}}metadata", f"{{{SVG}}}style")
STYLE = {
    "axes.edgecolor": INK,
    "axes.facecolor": "none",
    "axes.formatter.useoffset": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "figure.facecolor": "none",
    "font.size": 10,
    "grid.alpha": 0.15,
    "grid.color": INK,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "lines.linewidth": 1.6,
    "svg.fonttype": "none",
    "svg.hashsalt": "eisbach",
    "text.color": INK,
    "text.parse_math": False,  # arms' names may contain dollar signs
    "xtick.color": INK,
    "ytick.color": INK,
}


def figure(rows: int = 1, columns: int = 1, height: float = 3.4, width: float = 5.4, **keywords):
    """A new figure and its axes. Sizes are in inches, so that text is legible at a width of 360 to 560 pixels."""
    return plt.subplots(rows, columns, figsize=(width, height), layout="constrained", **keywords)


def logarithmic(axes, which: str) -> None:
    """Give the axis `which` ("x" or "y") a log scale with plain numbers at 1, 2 and 5 of each decade."""
    axes.set(**{f"{which}scale": "log"})
    axis = getattr(axes, f"{which}axis")
    axis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(ticker.StrMethodFormatter("{x:g}"))
    axis.set_minor_formatter(ticker.NullFormatter())


def style():
    """The Matplotlib context in which every picture must be drawn and written."""
    return matplotlib.rc_context(STYLE)


def inline(drawn, name: str, alt: str, *, left_spine: bool = True) -> str:
    """Close the figure `drawn` and return it as the markup of one `<svg role="img">`.

    `name` must be unique on the page; `alt` is the text alternative.
    """
    sns.despine(drawn, left=not left_spine)
    buffer = io.StringIO()
    drawn.savefig(buffer, format="svg", metadata={"Date": None})
    plt.close(drawn)
    root = ET.fromstring(buffer.getvalue())
    return _text(_cleaned(root, name), alt)


def standalone(markup: str, *, background: str = "#ffffff", ink: str = "#1d1f22") -> str:
    """Inline markup as the text of an SVG file, with the background and text colour that a page would supply."""
    root = ET.fromstring(markup)
    root.set("color", ink)
    root.set("font-family", "system-ui, sans-serif")
    root.insert(0, ET.Element(f"{{{SVG}}}rect", {"width": "100%", "height": "100%", "fill": background}))
    return '<?xml version="1.0" encoding="utf-8"?>\n' + _serialised(root) + "\n"


def _cleaned(root: ET.Element, name: str) -> ET.Element:
    for parent in list(root.iter()):
        for child in [child for child in parent if child.tag in DROPPED]:
            parent.remove(child)
    text = ET.tostring(root, encoding="unicode")
    for element in root.iter():
        for key, value in _declarations(element.attrib.pop("style", "")):
            element.set(key, value)
        identity = element.attrib.pop("id", None)
        if identity and f"#{identity}" in text:
            element.set("id", f"{name}-{identity}")
        for key, value in element.attrib.items():
            value = value.replace("url(#", f"url(#{name}-")
            element.set(key, f"#{name}-{value[1:]}" if key == f"{{{XLINK}}}href" else value)
    root.attrib.pop("width"), root.attrib.pop("height")
    root.set("stroke-linejoin", "round")
    return root


def _declarations(style: str):
    for declaration in filter(None, map(str.strip, style.split(";"))):
        key, value = (part.strip() for part in declaration.split(":", 1))
        if key != "font-family":
            yield key, "currentColor" if value == INK else value


def _text(root: ET.Element, alt: str) -> str:
    root.set("role", "img")
    root.set("aria-label", alt)
    return _serialised(root)


def _serialised(root: ET.Element) -> str:
    ET.register_namespace("", SVG)
    ET.register_namespace("xlink", XLINK)
    return ET.tostring(root, encoding="unicode")
