"""`python -m predictions`: the stage `verify`. Reads the registry and tables of outcomes; writes results/verdicts.json,
and the counterexamples as files in results/counterexamples/.

`python -m predictions TABLE... --registry FILE --out FILE` judges other tables by another registry.
"""

import argparse
from pathlib import Path

from eisbach.pipeline.command import run
from eisbach.pipeline.paths import METRICS


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m predictions", description="Judge tables of outcomes by the registered hypotheses."
    )
    parser.add_argument("tables", nargs="*", type=Path, help="parquet files; by default the pipeline's own")
    parser.add_argument("--registry", type=Path, help="a YAML file; by default predictions/registry/registry.yaml")
    parser.add_argument("--out", type=Path, default=METRICS / "verdicts.json", help="by default %(default)s")
    arguments = parser.parse_args()

    from rich.console import Console

    from eisbach.pipeline import params, paths, tables
    from predictions.counterexamples import archive
    from predictions.git import git
    from predictions.judge import document, outcomes, validity
    from predictions.judge.judge import Checkout, judge
    from predictions.judge.verdict import RegistryFile, Tree
    from predictions.registry import load as registry
    from predictions.registry import seal

    path = arguments.registry or registry.REGISTRY
    plan = registry.load(path)
    if path.resolve() == registry.REGISTRY.resolve():  # no other registry was sealed, and none confirms anything
        seal.check_seal(plan)
    table, sources = outcomes.read(arguments.tables or outcomes.of_pipeline(params.load().seeds))
    checkout = Checkout(seal.clean(), seal.committed(path), seal.sealed(plan))
    revision = git("rev-parse", "HEAD")
    counterexamples = archive.collect(arguments.out.parent, paths.CENSUS, paths.CLIPS)
    judgement = judge(plan, table, checkout, counterexamples, validity.invalid())
    written = document.document(
        plan,
        judgement,
        RegistryFile(sha256=seal.digest(plan), committed=checkout.registry_committed),
        Tree(revision=revision and revision.strip(), clean=checkout.clean),
        sources,
    )
    tables.write_metrics(arguments.out, document.plain(written))
    console = Console(width=110)
    console.print(document.terminal(plan, judgement))
    if unknown := sorted(name for name in table["regime"].unique() if plan.pattern(name) is None):
        console.print(f"not judged, because the registry has no such regime: {', '.join(unknown)}")
    console.print(f"{len(sources)} tables; every verdict with its sentence: {arguments.out}")


if __name__ == "__main__":
    run(main)
