"""`python -m predictions.report`: the stage `report`."""

import json
import shutil
from pathlib import Path

from eisbach.command import run


def main() -> None:
    import pandas as pd

    from eisbach import places, tables
    from eisbach.files import replacing
    from eisbach.params import load
    from predictions.report import page, summary

    params = load()
    arms = list(params.finetune.arms)
    reference = arms[0]

    def per_seed(folder: Path, name: str) -> pd.DataFrame:
        return pd.concat([tables.read(folder / str(seed) / name) for seed in params.seeds], ignore_index=True)

    losses = per_seed(places.EVALUATION, "losses.parquet")
    means = summary.seed_means(losses, per_seed(places.EVALUATION, "samples.parquet"))
    differences = summary.paired_differences(means, reference)
    metrics = {name: json.loads((places.METRICS / f"{name}.json").read_text()) for name in ("encode", "base", "census")}
    made = per_seed(places.SAMPLES, "samples.parquet")
    first = made[made["seed"] == params.seeds[0]]
    listen = {
        "seed": params.seeds[0],
        "prompts": [
            {
                "caption": group["caption"].iloc[0],
                "files": [f"audio/{file}" for file in group.set_index("arm").loc[arms, "file"]],
            }
            for _, group in first.groupby("prompt")
        ],
    }
    with replacing(places.REPORT) as folder:
        (folder / "audio").mkdir(parents=True)
        for file in first["file"]:
            shutil.copyfile(places.SAMPLES / str(params.seeds[0]) / file, folder / "audio" / file)
        html = page.render(
            {
                "census": tables.read(places.CENSUS),
                "base": tables.read(places.BASE_LOSSES),
                "losses": losses,
                "telemetry": per_seed(places.ADAPTERS, "telemetry.parquet"),
            },
            {"arms": arms, "reference": reference, "seeds": params.seeds, "steps": params.finetune.steps, **metrics},
            differences,
            listen,
        )
        (folder / "index.html").write_text(html)
    by_metric = {
        f"{row.metric}/{row.arm}": {"difference": row.difference, "low": row.low, "high": row.high, "seeds": row.seeds}
        for row in differences.itertuples()
    }
    tables.write_metrics(places.METRICS / "arms.json", by_metric)
    print(f"report: {(places.REPORT / 'index.html').resolve()}")


if __name__ == "__main__":
    run(main)
