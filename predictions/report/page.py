"""From tables to the text of the page."""

import math
from importlib.resources import files

import pandas as pd
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from predictions.report import pictures
from predictions.report.summary import LABELS


def number(value: float, *, sign: bool = False) -> str:
    """Four significant digits; NaN is said in words."""
    if math.isnan(value):
        return "unknown"
    return f"{value:{'+' if sign else ''}.4g}"


def render(tables: dict[str, pd.DataFrame], facts: dict, differences: pd.DataFrame, listen: dict) -> str:
    """The HTML page. `tables`: census, base, losses, telemetry. `facts`: arms, reference, seeds, steps, metrics.

    Captions and names are escaped; only the pictures, which are made here, enter as markup.
    """
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    template = environment.from_string(files("predictions.report").joinpath("page.html.j2").read_text())
    drawn = {
        "weight_by_t": pictures.weight_by_t(tables["census"]),
        "training_loss": pictures.training_loss(tables["telemetry"]),
        "heldout_difference": pictures.heldout_difference(tables["losses"], facts["reference"]),
        "base_loss": pictures.base_loss(tables["base"], facts["base"]["loss_by_tenth_of_t"]),
    }
    return template.render(
        **facts,
        differences=differences.to_dict("records"),
        labels=LABELS,
        listen=listen,
        number=number,
        pictures={name: Markup(svg) for name, svg in drawn.items()},
    )
