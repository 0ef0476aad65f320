"""The map of what the weight can do: the tables of the stage `weight_map`."""

import pandas as pd

from predictions.report import svg
from predictions.report.pictures import Picture
from predictions.report.theme import INK

COLOURS = ("#2E86C1", "#D55E00", "#009E73", "#7B61D9")
MARKS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", ">")
MEDIUM = (0.0, 0.6)  # deviations of log energy between which Medium is assumed: docs/forecast.md
LEGEND = {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0), "ncols": 2, "fontsize": 8}


def pictures(tables: dict[str, pd.DataFrame]) -> list[Picture]:
    """The pictures that the tables "map_cells", "map_limits", "map_marks", "map_by_t" and "map_medium" allow."""
    drawn = []
    if {"map_cells", "map_limits", "map_marks"} <= tables.keys():
        drawn.append(clean_weight(tables["map_cells"], tables["map_limits"], tables["map_marks"]))
        drawn.append(spread(tables["map_cells"], tables["map_marks"]))
    if "map_cells" in tables:
        drawn.append(by_scale(tables["map_cells"]))
    if "map_by_t" in tables:
        drawn.append(against_census(tables["map_by_t"]))
    if "map_medium" in tables:
        drawn.append(medium(tables["map_medium"]))
    return drawn


def clean_weight(cells: pd.DataFrame, limits: pd.DataFrame, marks: pd.DataFrame) -> Picture:
    """w(0) against the deviation of log energy, simulated and to second order up to its limit, with the data sets."""
    with svg.style():
        figure, axes = svg.figure(height=4.2)
        for (shape, of_shape), colour in zip(_by_shape(cells), COLOURS, strict=False):
            axes.errorbar(of_shape["deviation"], of_shape["w"], 2 * of_shape["w_se"], color=colour, label=_named(shape))
            limit = limits[
                (limits["channels"] == shape[0]) & (limits["length"] == shape[1]) & (limits["scale"] == 1.0)
            ]["mean_w"].max()
            beyond = of_shape["deviation"] > limit
            axes.plot(of_shape["deviation"][~beyond], of_shape["w_second_order"][~beyond], "--", color=colour)
            axes.plot(of_shape["deviation"][beyond], of_shape["w_second_order"][beyond], ":", color=colour, linewidth=1)
        _mark(axes, marks, "measured_w")
        axes.set(xlabel="standard deviation of log energy", ylabel="w at t = 0", ylim=(0, None))
        axes.legend(**LEGEND)
        alt = "; ".join(f"{row.name_}: {row.measured_w:.3f}" for row in _renamed(marks)) + "."
        caption = (
            "Weight of clean latents of unit rms. Line: simulated, with two standard errors. Dashed: second order, up "
            "to its limit (error of .02); dotted: beyond it. Marks: measured data sets, whose rms and shape are "
            "their own."
        )
        return Picture(svg.inline(figure, "map-clean-weight", alt), alt, caption)


def spread(cells: pd.DataFrame, marks: pd.DataFrame) -> Picture:
    """The factor's coefficient of variation at t = 0 against the deviation of log energy, with the data sets."""
    with svg.style():
        figure, axes = svg.figure(height=4.2)
        for (shape, of_shape), colour in zip(_by_shape(cells), COLOURS, strict=False):
            axes.errorbar(
                of_shape["deviation"],
                of_shape["factor_cv"],
                2 * of_shape["factor_cv_se"],
                color=colour,
                label=_named(shape),
            )
        _mark(axes, marks, "measured_factor_cv")
        svg.logarithmic(axes, "y")
        axes.set(xlabel="standard deviation of log energy", ylabel="standard deviation / mean of the factor")
        axes.legend(**LEGEND)
        alt = "; ".join(f"{row.name_}: {row.measured_factor_cv:.1%}" for row in _renamed(marks)) + "."
        caption = (
            f"Spread of the factor between samples at t = 0 and lambda {cells['lam'].mode()[0]:g}. Under AdamW only "
            "this spread can act. Line: simulated, with two standard errors. Marks: measured."
        )
        return Picture(svg.inline(figure, "map-spread", alt), alt, caption)


def by_scale(cells: pd.DataFrame) -> Picture:
    """w(0) against the rms of the data for several deviations of log energy."""
    rows = cells[cells["sweep"] == "scale"]
    with svg.style():
        figure, axes = svg.figure(height=3.2)
        for (deviation, one), colour in zip(rows.groupby("deviation"), COLOURS, strict=False):
            axes.errorbar(
                one["scale"], one["w"], 2 * one["w_se"], color=colour, label=f"sd of log energy {deviation:g}"
            )
        axes.axhline(0.9, color=INK, linewidth=0.8, linestyle=":")
        axes.set(xlabel="rms of the data", ylabel="w at t = 0", ylim=(0, 1))
        axes.legend(**LEGEND | {"ncols": 3})
        shape = (rows["channels"].iloc[0], rows["length"].iloc[0])
        alt = "; ".join(
            f"rms {scale:g}: {one.min():.2f} to {one.max():.2f}" for scale, one in rows.groupby("scale")["w"]
        )
        caption = f"Weight of clean latents of {_named(shape)}. The noise has rms 1. Dotted: w = .9."
        return Picture(svg.inline(figure, "map-scale", alt), alt, caption)


def against_census(table: pd.DataFrame) -> Picture:
    """w and the spread of the factor by t: measured in the census, and the map's prediction, by radial power."""
    with svg.style():
        figure, panels = svg.figure(rows=2, height=5.4, sharex=True)
        for axes, name in zip(panels, ("w", "factor_cv"), strict=True):
            for (power, one), colour in zip(table.groupby("power"), COLOURS, strict=False):
                label = f"g = {power:g}"
                axes.errorbar(
                    one["t"], one[f"measured_{name}"], 2 * one[f"measured_{name}_se"],
                    color=colour, marker="o", markersize=3, label=f"{label}, measured",
                )  # fmt: skip
                axes.errorbar(
                    one["t"],
                    one[name],
                    2 * one[f"{name}_se"],
                    color=colour,
                    linestyle="--",
                    label=f"{label}, predicted",
                )
            axes.set_ylim(0, None)
        panels[0].set_ylabel("mean w")
        panels[1].set(ylabel="factor, sd / mean", xlabel="t (1 = pure noise)", xlim=(0, 1))
        panels[0].legend(**LEGEND)
        whole = table[table["power"] == 1]
        error = (whole["w"] / whole["measured_w"] - 1).abs().max()
        alt = f"At g = 1 the predicted w differs from the measured one by at most {error:.0%}."
        caption = (
            "The small model's census against the prediction from the clean latents' energies, the mean loss by t and "
            "the slope of loss on energy. g < 1: energies flattened; the model was not trained on these latents. Bars: "
            "two standard errors."
        )
        return Picture(svg.inline(figure, "map-census", alt), alt, caption)


def medium(table: pd.DataFrame) -> Picture:
    """Bands of w and of the factor's spread by t for Medium, at the lowest lambda of the table."""
    rows = table[table["lam"] == table["lam"].min()]
    with svg.style():
        figure, panels = svg.figure(columns=2, height=3.0, width=6.4, sharex=True)
        for axes, name in zip(panels, ("w", "factor_cv"), strict=True):
            for (clip, one), colour in zip(rows.groupby("clip"), COLOURS, strict=False):
                ends = one.groupby("t")[name].agg(["min", "max"])
                axes.fill_between(ends.index, ends["min"], ends["max"], color=colour, alpha=0.35, label=clip)
            axes.set(xlabel="t (1 = pure noise)", xlim=(0, 1), ylim=(0, None))
        panels[0].set_ylabel("mean w")
        panels[1].set_ylabel("factor, sd / mean")
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
        alt = "; ".join(f"{clip}: w {one['w'].min():.2f} to {one['w'].max():.2f}" for clip, one in rows.groupby("clip"))
        caption = (
            f"Stable Audio 3 Medium, predicted without its weights, at lambda {rows['lam'].iloc[0]:g}. The band covers "
            "what is unknown: how much its autoencoder's regulariser flattens the energy, and how structured the "
            "data are."
        )
        return Picture(svg.inline(figure, "map-medium", alt), alt, caption)


def _by_shape(cells: pd.DataFrame):
    return cells[cells["sweep"] == "deviation"].groupby(["channels", "length"])


def _named(shape: tuple[float, float]) -> str:
    return f"C = {shape[0]:g}, T = {shape[1]:g}"


def _mark(axes, marks: pd.DataFrame, column: str) -> None:
    axes.axvspan(*MEDIUM, color=INK, alpha=0.07, linewidth=0, label="Medium, assumed range")
    for row, marker in zip(_renamed(marks), MARKS, strict=False):
        value = getattr(row, column)
        axes.plot([row.deviation], [value], marker, color=INK, markersize=5, linestyle="none", label=row.name_)


def _renamed(marks: pd.DataFrame):
    return list(marks.rename(columns={"name": "name_"}).itertuples(index=False))
