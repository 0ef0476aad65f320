"""`python -m predictions`: the stage `verify`. Reads the registry and tables of outcomes; writes results/verdicts.json,
and the counterexamples as files in results/counterexamples/.

`python -m predictions TABLE... --registry FILE --out FILE` judges other tables by another registry.
"""

from pathlib import Path

from eisbach.pipeline import command
from eisbach.pipeline.paths import METRICS


def main() -> None:
    parser = command.parser(__doc__)
    parser.add_argument("tables", nargs="*", type=Path, help="parquet files; by default the pipeline's own")
    parser.add_argument("--registry", type=Path, help="a YAML file; by default predictions/registry/registry.yaml")
    parser.add_argument("--out", type=Path, default=METRICS / "verdicts.json", help="by default %(default)s")
    arguments = parser.parse_args()

    from rich.console import Console

    from eisbach.pipeline import params, paths, tables
    from predictions.counterexamples import archive
    from predictions.git import git
    from predictions.judge import document, headline, inputs, outcomes
    from predictions.judge.judge import Seal, judge
    from predictions.judge.verdict import RegistryFile, Tree
    from predictions.registry import load as registry
    from predictions.registry import seal

    path = arguments.registry or registry.REGISTRY
    plan = registry.load(path)
    table, sources = outcomes.read(arguments.tables or outcomes.of_pipeline(params.load().seeds))
    own = path.resolve() == registry.REGISTRY.resolve()  # no other registry was sealed, and none confirms anything
    under = {one.path: one.seal for one in sources}
    broken = seal.broken(plan, under) if own else "another registry was named"
    judgement = judge(plan, table, grids=inputs.grids(), invalid=inputs.invalid(), seal=Seal(broken))
    revision = git("rev-parse", "HEAD")
    written = document.document(
        plan,
        judgement,
        archive.collect(arguments.out.parent, paths.CENSUS, paths.CLIPS),
        table,
        file=RegistryFile(
            sha256=seal.digest(plan),
            committed=seal.committed(path) and seal.committed(path.with_name(registry.MARGINS)),
        ),
        tree=Tree(revision=revision and revision.strip(), clean=seal.clean()),
        tables=sources,
    )
    tables.write_metrics(arguments.out, document.plain(written))
    console = Console(width=headline.WIDTH)
    for part in headline.terminal(written.headline, written.claims):
        console.print(part, highlight=False)
    if unknown := sorted(name for name in table["regime"].unique() if plan.system(name) is None):
        console.print(f"not judged, because the registry has no such regime: {', '.join(unknown)}")
    console.print(f"{len(sources)} tables; every word with its interval: {arguments.out}")


if __name__ == "__main__":
    command.run(main)
