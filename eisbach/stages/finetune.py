"""Stage `finetune@seed`: the adapters of all arms of one seed, trained side by side; resumes."""

import sys

from eisbach.command import run


def main() -> None:
    import pandas as pd

    from eisbach import places, tables, weighting
    from eisbach.data import latents
    from eisbach.params import load
    from eisbach.progress import track
    from eisbach.stages import loading
    from eisbach.train import finetune

    seed = int(sys.argv[1])
    params = load()
    settings = params.finetune
    weightings = {name: weighting.make(arm.weighting, **arm.settings) for name, arm in settings.arms.items()}
    model, adapters = loading.arms(params, seed)
    data = latents.load(places.ARCHIVE).split("finetune")
    state = places.CHECKPOINTS / f"finetune-{seed}.safetensors"
    records = finetune(model, adapters, weightings, data, settings, seed, state)
    total = settings.steps * len(settings.arms)
    telemetry = pd.concat([_rows(record) for record in track(records, f"finetune seed {seed}", total)])
    folder = places.ADAPTERS / str(seed)
    for arm in settings.arms:
        adapters.save(arm, folder / arm)
    tables.write(folder / "telemetry.parquet", telemetry.assign(seed=seed, regime=model.regime))
    state.unlink()  # last: killed before this line, the same command finds a finished run and writes it out again


def _rows(record: dict):
    """One row per sample of a step."""
    import pandas as pd

    return pd.DataFrame({name: value.tolist() if hasattr(value, "tolist") else value for name, value in record.items()})


if __name__ == "__main__":
    run(main)
