"""Stage `finetune@seed`: the adapters of all arms of one seed, trained side by side; resumes."""

import sys

from eisbach.command import run


def main() -> None:
    import shutil
    from functools import partial
    from itertools import chain

    import pandas as pd

    from eisbach import loggers, places, previews, tables, validation, weighting
    from eisbach.adapters.paired import compile_blocks
    from eisbach.data import latents
    from eisbach.params import load
    from eisbach.progress import track
    from eisbach.stages import loading
    from eisbach.train import finetune

    seed = int(sys.argv[1])
    params = load()
    settings = params.finetune
    weightings = {name: weighting.of_run(arm.weighting, seed, **arm.settings) for name, arm in settings.arms.items()}
    model, adapters = loading.arms(params, seed)
    if settings.compile:
        compile_blocks(adapters.dit)
    archive = latents.load(places.ARCHIVE)
    data, heldout = archive.split("finetune"), archive.split("heldout")
    state, heard = places.CHECKPOINTS / f"finetune-{seed}.safetensors", places.CHECKPOINTS / f"previews-{seed}"
    if not state.exists():
        shutil.rmtree(heard, ignore_errors=True)  # of another run
    preview = partial(previews.write, model, adapters, heldout, settings, params.generate, heard)
    training = finetune(model, adapters, weightings, data, settings, seed, state, heldout, preview)
    logged = loggers.logged(training, settings.loggers, places.CHECKPOINTS / f"logs-{seed}")
    by_step = zip(*[logged] * len(settings.arms), strict=True)  # for the bar: steps, steps a second
    records = list(chain.from_iterable(track(by_step, f"finetune seed {seed}", settings.steps)))
    telemetry = pd.concat([_rows(record) for record in records])
    folder = places.ADAPTERS / str(seed)
    for arm in settings.arms:
        adapters.save(arm, folder / arm)
    tables.write(folder / "telemetry.parquet", telemetry.assign(seed=seed, regime=model.regime))
    if settings.validate_every:
        watched = validation.table(records, validation.clips(heldout, settings))
        tables.write(folder / "validation.parquet", watched.assign(seed=seed, regime=model.regime))
    state.unlink()  # last: killed before this line, the same command finds a finished run and writes it out again


def _rows(record: dict):
    """One row per sample of a step."""
    import pandas as pd

    columns = {name: value for name, value in record.items() if name != "validation"}
    return pd.DataFrame(
        {name: value.tolist() if hasattr(value, "tolist") else value for name, value in columns.items()}
    )


if __name__ == "__main__":
    run(main)
