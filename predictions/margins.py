"""Freeze the margins: `python -m predictions.margins` on a run of the seeds 1100 to 1111 at the final settings.

A margin is the paper's own figure where it gives one and the positive control reaches it, otherwise a quarter of what
the positive control did on these seeds. Its direction is frozen too, and the gate asks for it on other seeds. Where the
control was not detected (two-sided), the registry gets no margin, and says so. Writes
predictions/registry/margins.yaml; check and commit it.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from eisbach.pipeline import command, paths

if TYPE_CHECKING:
    import pandas as pd

    from predictions.judge.quantities import Tables
    from predictions.registry.schema import AnyAtom, Margin, Registry

SHARE = 0.25  # of the positive control's effect
HEADER = """\
# The frozen margins, in the unit of each atom's x (registry.yaml). Written by `python -m predictions.margins` from
# seeds {first} to {last}, which judge nothing. `control`: the positive control's effect there, with its standard error
# and two-sided p. `acts`: its direction, which the gate asks for on other seeds: along the claim's or against it.
# `reach`: what the barrier's spread of factors reaches by linear response, in margins.
"""


def main() -> None:
    parser = command.parser(__doc__)
    parser.add_argument("--artifacts", type=Path, nargs="+", default=[paths.ARTIFACTS], help="folders of finished runs")
    parser.add_argument("--out", type=Path, help="by default margins.yaml beside the registry")
    given = parser.parse_args()

    import pandas as pd

    from eisbach.errors import UserError
    from eisbach.pipeline.files import replacing
    from predictions.judge import outcomes
    from predictions.registry import load as registry

    plan = registry.load()
    if plan.freezing is None:
        raise UserError(f"{registry.REGISTRY} sets no seeds aside for margins; add `freezing`")
    seeds = plan.freezing.seeds
    files = [file for folder in given.artifacts for file in sorted(folder.glob("evaluate/*/outcomes.parquet"))]
    files += [file for folder in given.artifacts for file in sorted(folder.glob("toys/outcomes.parquet"))]
    table, _ = outcomes.read(files)
    telemetry = [file for folder in given.artifacts for file in sorted(folder.glob("finetune/*/telemetry.parquet"))]
    records = pd.concat([pd.DataFrame(), *map(pd.read_parquet, telemetry)])
    found = margins(plan, table[table["seed"].isin(seeds)], spreads(records, seeds))
    out = given.out or registry.REGISTRY.with_name(registry.MARGINS)
    with replacing(out) as temporary:
        temporary.write_text(HEADER.format(first=seeds[0], last=seeds[-1]) + text(found))
    print(f"{sum(map(len, found.values()))} margins of {len(found)} atoms are in {out}; check and commit it")


def spreads(telemetry: "pd.DataFrame", seeds: list[int]) -> dict[tuple[str, str], float]:
    """(regime, arm) -> the spread of its factors, standard deviation over mean, averaged over seeds."""
    from predictions import doses

    if telemetry.empty:
        return {}
    own = telemetry[telemetry["seed"].isin(seeds)]
    of_seeds = own.groupby(["regime", "arm", "seed"])["factor"].agg(lambda one: doses.dose(one.to_numpy()))
    return of_seeds.groupby(["regime", "arm"]).mean().to_dict()


def margins(
    plan: "Registry", table: "pd.DataFrame", factors: Mapping[tuple[str, str], float]
) -> "dict[str, dict[str, Margin]]":
    """Atom -> system -> margin, for every atom that needs one and has a positive control in `table`.

    A system that `table` does not have keeps the margins of the registry.

    Raises UserError where a regime in `table` lacks a seed of those that freeze margins.
    """
    from predictions.judge import quantities
    from predictions.judge.outcomes import Missing

    found = {atom: dict(of) for atom, of in plan.margins.items()}
    for name, system in plan.systems.items():
        rows = quantities.rows_of(system, table)
        tables = quantities.tables_of(system, rows)
        for regime in tables:
            _check_complete(regime, rows.loc[rows["regime"] == regime, "seed"], plan)
        for atom in plan.atoms if tables else ():
            on = atom.on.get(name)
            if on is None or not atom.needs_margin or on.control is None or on.margin is not None:
                continue
            try:
                found.setdefault(atom.id, {})[name] = _margin(plan, atom, name, tables, factors)
            except Missing as missing:
                print(f"{atom.id} on {name}: {missing}")
    return found


def _check_complete(regime: str, seeds: "pd.Series", plan: "Registry") -> None:
    from eisbach.errors import UserError

    if lacking := sorted({*plan.freezing.seeds} - {*seeds}):
        raise UserError(f"'{regime}' lacks seed {lacking[0]} of those that freeze margins; run it first")


def _margin(plan: "Registry", atom: "AnyAtom", name: str, tables: "Tables", factors: Mapping) -> "Margin":
    from predictions.judge import quantities, statistics
    from predictions.registry.schema import Margin

    on = atom.on[name]
    control = plan.controls[on.control]
    values = quantities.of_control(control, atom, on, tables).values.to_numpy()
    mean, error = float(values.mean()), float(values.std(ddof=1) / len(values) ** 0.5)
    p = float(statistics.sign_flip_p(values))
    detected = p < plan.rules.control_level
    if not detected:
        margin, because = None, f"no margin: the control was not detected on {len(values)} seeds (p = {p:.2g})"
    elif on.paper is not None and abs(mean) >= on.paper:
        margin, because = on.paper, "the paper's own figure"
    else:
        margin, because = SHARE * abs(mean), f"a quarter of {control.title}"
    barrier, strong = ([factors.get((regime, arm)) for regime in tables] for arm in ("barrier", control.plus[0].name))
    share = barrier[0] / strong[0] if len(tables) == 1 and barrier[0] and strong[0] else None
    return Margin(
        margin=margin and _rounded(margin),
        acts=("along" if mean > 0 else "against") if detected else None,
        control=_rounded(mean),
        error=_rounded(error),
        p=_rounded(p),
        reach=_rounded(share * abs(mean) / margin) if share and margin else None,
        because=because,
    )


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")


def text(found: "Mapping[str, Mapping[str, Margin]]") -> str:
    """The margins as YAML."""
    import yaml
    from pydantic import TypeAdapter

    from predictions.registry.schema import Margin

    plain = TypeAdapter(dict[str, dict[str, Margin]]).dump_python(found, mode="json")
    return yaml.safe_dump(plain, sort_keys=False, width=110)


if __name__ == "__main__":
    command.run(main)
