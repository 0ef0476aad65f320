"""`python -m predictions`: the stage `verify`. Tables of outcomes and the registry in, `results/verdicts.json` out,
and the counterexamples as files beside it, in `counterexamples/`.

`python -m predictions TABLE... --registry FILE --out FILE` judges other tables by another registry.
"""

import argparse
from pathlib import Path

from eisbach.pipeline.command import run


def main() -> None:
    from rich.console import Console

    from eisbach.pipeline import params, paths, tables
    from predictions.counterexamples import archive
    from predictions.judge import judge as verdict
    from predictions.judge import outcomes, summary
    from predictions.registry import load as registry

    parser = argparse.ArgumentParser(prog="python -m predictions", description="Judge tables of outcomes.")
    parser.add_argument("tables", nargs="*", type=Path, help="parquet files; without any, those of the pipeline")
    parser.add_argument("--registry", type=Path, default=registry.REGISTRY)
    parser.add_argument("--out", type=Path, default=paths.METRICS / "verdicts.json")
    arguments = parser.parse_args()

    plan = registry.load(arguments.registry)
    if arguments.registry.resolve() == registry.REGISTRY.resolve():  # another was never sealed and confirms nothing
        registry.check_seal(plan)
    table, sources = outcomes.read(arguments.tables or outcomes.of_pipeline(params.load().seeds))
    tree = verdict.Tree(registry.clean(), registry.committed(arguments.registry), registry.sealed(plan))
    revision = registry.git("rev-parse", "HEAD")
    counterexamples = archive.collect(arguments.out.parent, paths.CENSUS, paths.CLIPS)
    verdicts, gates = verdict.judge(plan, table, tree, counterexamples, outcomes.unfit())
    tables.write_metrics(
        arguments.out, summary.document(plan, verdicts, gates, tree, revision and revision.strip(), sources)
    )
    console = Console(width=110)
    console.print(summary.terminal(plan, verdicts))
    if strangers := sorted(name for name in table["regime"].unique() if plan.pattern(name) is None):
        console.print(f"not judged, for the registry has no such regime: {', '.join(strangers)}")
    console.print(f"{len(sources)} tables; every verdict with its sentence: {arguments.out}")


if __name__ == "__main__":
    run(main)
