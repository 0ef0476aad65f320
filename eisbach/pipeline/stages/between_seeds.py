"""Stage `between_seeds`: distances between the samples of training seeds, from the features that `evaluate` stored."""

from itertools import combinations

from eisbach.pipeline import command


def main() -> None:
    import numpy as np

    from eisbach.metrics import between_seeds
    from eisbach.pipeline import outcomes, paths, tables
    from eisbach.pipeline.params import load
    from eisbach.training.arms import arms as trained_arms

    params = load()
    seeds, named = params.seeds, trained_arms(params.finetune)
    arms = list(named)
    regime = tables.read(paths.EVALUATION / str(seeds[0]) / "outcomes.parquet")["regime"].iat[0]
    compared = {}
    for arm in arms:
        features = {seed: between_seeds.load(paths.EVALUATION / str(seed) / between_seeds.FILE, arm) for seed in seeds}
        for one, other in combinations(seeds, 2):
            compared[arm, one, other] = between_seeds.compare(features[one], features[other])
    results = [
        outcomes.rows(
            compared[arm, one, other],
            regime=regime,
            arm=arm,
            lam=named[arm].lam,
            adapter=params.finetune.adapter,
            optimizer="adamw",
            run="short",
            seed=one,  # the first seed names the block
        )
        for arm in arms
        for one, other in between_seeds.blocks(seeds)
    ]
    tables.write(paths.BETWEEN_SEEDS, outcomes.joined(results or [outcomes.empty()]))

    def described(metric: str, arm: str, reference: str = "") -> dict[str, float]:
        pairs = np.full((len(seeds), len(seeds)), np.nan)
        for (row, one), (column, other) in combinations(enumerate(seeds), 2):
            pairs[row, column] = compared[arm, one, other][metric]
            pairs[row, column] -= compared[reference, one, other][metric] if reference else 0
            pairs[column, row] = pairs[row, column]
        found = zip(("mean", "low", "high"), between_seeds.jackknife(pairs), strict=True)
        return {name: value for name, value in found if not np.isnan(value)}

    metrics = next(iter(compared.values()), {})
    tables.write_metrics(
        paths.METRICS / "between_seeds.json",
        {
            metric: {
                "by_arm": {arm: described(metric, arm) for arm in arms},
                f"minus_{arms[0]}": {arm: described(metric, arm, arms[0]) for arm in arms[1:]},
            }
            for metric in metrics
        },
    )


if __name__ == "__main__":
    command.stage(main)
