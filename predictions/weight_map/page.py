"""`python -m predictions.weight_map.page`: write the tables of docs/weight_map.md and docs/forecast.md, and the map's
picture docs/weight_map.svg, from the last run of the stage `weight_map`.

A forecast whose hash is in the registry is sealed and stays as it is; remove the hash to make another one.
"""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from eisbach.pipeline import command

if TYPE_CHECKING:
    from eisbach.pipeline.params import Finetune
    from predictions.weight_map.medium import Response

DOCS, FORECAST = Path("docs"), "forecast.md"


def main() -> None:
    command.parser(__doc__).parse_args()

    from eisbach.pipeline import paths, tables
    from eisbach.pipeline.files import replacing
    from predictions.report import svg
    from predictions.report.pictures import weight_map
    from predictions.weight_map.medium import forecast

    cells, limits, marks, by_t, medium = (
        tables.read(paths.WEIGHT_MAP / f"{name}.parquet") for name in ("cells", "limits", "marks", "by_t", "medium")
    )
    parts = {
        "weight_map.md": {
            "marks": data_sets(marks),
            "census": census(by_t),
            "limits": limit_rows(limits),
            "deviation": by_deviation(cells),
        },
    }
    if sealed(DOCS / FORECAST):
        print(f"{DOCS / FORECAST} is sealed in the registry and stays as it is")
    else:
        parts[FORECAST] = {"bands": bands(medium)}
        if found := measured_responses():
            parts[FORECAST]["responses"] = effects(forecast(medium, found))
    for name, written in parts.items():
        text = (DOCS / name).read_text()
        for part, table in written.items():
            text = rewritten(text, part, table)
        with replacing(DOCS / name) as temporary:
            temporary.write_text(text)
    with replacing(DOCS / "weight_map.svg") as temporary:
        temporary.write_text(svg.standalone(weight_map.clean_weight(cells, limits, marks).svg))


def sealed(page: Path) -> bool:
    """Whether the registry holds the SHA-256 of `page`."""
    from predictions.registry import load as registry

    return registry.load().forecast == hashlib.sha256(page.read_bytes()).hexdigest()


def measured_responses() -> "list[Response]":
    """`responses` of the last run; none before it."""
    from eisbach.pipeline.params import load
    from predictions.report import inputs

    params = load()
    found = inputs.read(Path(), params.seeds).tables
    if not {"outcomes", "telemetry"} <= found.keys():
        return []
    return responses(found["outcomes"], found["telemetry"], params.finetune)


def responses(outcomes: pd.DataFrame, telemetry: pd.DataFrame, settings: "Finetune") -> "list[Response]":
    """How outcomes answered to the barrier at the lambdas of `settings`.

    The class arms are left out: per unit of their spread they do something else, to some outcomes the opposite.
    """
    from predictions.report import curriculum
    from predictions.weight_map.medium import Response

    arms = {name: arm for name, arm in settings.arms.items() if arm.weighting in (curriculum.BASELINE, "barrier")}
    return [
        Response(curriculum.metric_name(name), fit.line.slope, fit.line.low, fit.line.high)
        for name, fit in curriculum.fits(outcomes, telemetry, replace(settings, arms=arms)).items()
    ]


def rewritten(text: str, part: str, table: str) -> str:
    """`text` with `table` between the markers of `part`. Raises ValueError where it lacks them."""
    begin, end = f"<!-- {part}: written by `python -m predictions.weight_map.page` -->\n", f"<!-- end of {part} -->"
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"the page lacks the markers {begin.strip()} and {end}")
    return before + begin + table + end + after


def data_sets(marks: pd.DataFrame) -> str:
    """The data sets: their place, and their measured and predicted clean weight and spread."""
    head = ("data", "C", "T", "rms", "sd", "correlation", "heterogeneity", *_PAIRS)
    return _table(
        head,
        (
            (
                row.name_, "over 1e5" if row.channels > 1e5 else f"{row.channels:.0f}", row.length, f"{row.scale:.2f}",
                f"{row.deviation:.2f}", f"{row.correlation:.2f}", f"{row.heterogeneity:.2f}", *_pairs(row),
            )
            for row in marks.rename(columns={"name": "name_"}).itertuples()
        ),
    )  # fmt: skip


def census(by_t: pd.DataFrame) -> str:
    """The census against the prediction from energies, by radial power and t."""
    rows = (
        (
            f"{row.power:g}", f"{row.t:.3f}", f"{row.measured_loss:.2f}", f"{row.largest_loss:.2f}",
            f"{row.elasticity:.2f}", *_pairs(row), f"{row.ideal_w:.3f}", f"{100 * row.ideal_factor_cv:.2g} %",
        )
        for row in by_t.itertuples()
    )  # fmt: skip
    learnt = ("w measured", "w predicted", "spread measured", "spread predicted")
    return _table(("g", "t", "loss", "largest", "elasticity", *learnt, "w, spectrum", "spread, spectrum"), rows)


def limit_rows(limits: pd.DataFrame) -> str:
    """The largest deviations of log energy at which the closed forms hold."""
    rows = (
        (f"{row.channels:.0f}", row.length, f"{row.scale:g}", *map(_limit, (row.mean_w, row.spread)))
        for row in limits.itertuples()
    )
    return _table(("C", "T", "rms", "w to second order within .02", "spread by elasticity within 25 %"), rows)


def by_deviation(cells: pd.DataFrame) -> str:
    """w(0) and the factor's spread by deviation of log energy, for each shape."""
    rows = (
        (
            f"{row.channels:.0f}", row.length, f"{row.deviation:g}", _with_error(row.w, row.w_se),
            f"{row.w_second_order:.3f}", _percent(row.factor_cv, row.factor_cv_se), f"{row.effective_share:.2%}",
            "" if pd.isna(row.class_ratio) else _with_error(row.class_ratio, row.class_ratio_se, 2),
        )
        for row in cells[cells["sweep"] == "deviation"].itertuples()
    )  # fmt: skip
    head = ("C", "T", "sd", "w(0)", "second order", "spread of the factor", "effective samples", "ratio of classes")
    return _table(head, rows)


def bands(medium: pd.DataFrame) -> str:
    """Bands for Medium by length and t: w, the factor's spread at each lambda, the ratio of the classes."""
    lams = sorted(medium["lam"].unique())
    rows = []
    for (clip, t), one in medium.groupby(["clip", "t"]):
        spreads = (_band(one.loc[one["lam"] == lam, "factor_cv"], ".1%") for lam in lams)
        learnt = _band(one.loc[(one["lam"] == lams[0]) & (one["model"] == "learnt"), "factor_cv"], ".1%")
        ratio = one.loc[one["deviation"] > 0, "class_ratio"]
        rows.append((clip, f"{t:g}", _band(one["w"], ".2f"), *spreads, learnt, _band(ratio, ".2f")))
    spreads = (f"spread at lambda {lam:g}" for lam in lams)
    head = ("length", "t", "w", *spreads, f"at {lams[0]:g}, losses as learnt", "ratio of classes")
    return _table(head, rows)


def effects(found: pd.DataFrame) -> str:
    """What the barrier may do to Medium: its share of a full curriculum and its effect on each measured outcome."""
    rows = (
        (
            row.clip_, f"{row.lam:g}", f"{row.spread_low:.1%} to {row.spread_high:.1%}",
            f"{row.share_low:.1%} to {row.share_high:.1%}", row.outcome,
            f"{row.effect_low:+.2g} to {row.effect_high:+.2g}",
        )
        for row in found.rename(columns={"clip": "clip_"}).itertuples()
    )  # fmt: skip
    return _table(
        ("length", "lambda", "spread", "at most, of a full curriculum", "outcome", "at most, its effect"), rows
    )


_PAIRS = ("w measured", "w of the map", "spread measured", "spread of the map")


def _pairs(row) -> tuple[str, ...]:
    return (
        _with_error(row.measured_w, row.measured_w_se),
        _with_error(row.w, row.w_se),
        _percent(row.measured_factor_cv, row.measured_factor_cv_se),
        _percent(row.factor_cv, row.factor_cv_se),
    )


def _with_error(value: float, error: float, digits: int = 3) -> str:
    return f"{value:.{digits}f} ± {error:.{digits}f}"


def _percent(value: float, error: float) -> str:
    return f"{100 * value:.2g} ± {100 * error:.1g} %"


def _limit(value: float) -> str:
    return "fails at 0" if pd.isna(value) else f"{value:g}"


def _band(values: pd.Series, form: str) -> str:
    return f"{values.min():{form}} to {values.max():{form}}"


def _table(head: tuple[str, ...], rows) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)


if __name__ == "__main__":
    command.run(main)
