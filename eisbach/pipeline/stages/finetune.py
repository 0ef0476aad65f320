"""Stage `finetune@seed`: train the adapters of all arms of one seed together. A killed stage resumes when run again."""

from eisbach.pipeline import command


def main(seed: int) -> None:
    import shutil
    from dataclasses import replace
    from functools import partial
    from itertools import chain

    import pandas as pd
    from accelerate import PartialState

    from eisbach import weighting
    from eisbach.adapters.paired import compile_blocks
    from eisbach.data import latents
    from eisbach.pipeline import arm_check, paths, tables
    from eisbach.pipeline.params import load
    from eisbach.pipeline.progress import track
    from eisbach.pipeline.stages import adapters as stage_adapters
    from eisbach.pipeline.stages import loading
    from eisbach.training import exports, loggers, previews, validation
    from eisbach.training.loop import finetune
    from eisbach.training.processes import gathered, share

    params = load()
    arm_check.finetune(params.finetune)
    processes = PartialState(cpu=params.model.device == "cpu")  # one, unless started by `accelerate launch`
    index, count = processes.process_index, processes.num_processes
    arms = params.finetune.arms
    weighting.plugins.load(params.finetune.plugins)
    weightings = {name: weighting.of_run(arm.weighting, seed, **arm.settings) for name, arm in arms.items()}
    mine = share(weightings, arm_check.followed(weightings, params.finetune), index, count)
    settings = replace(params.finetune, arms={arm: arms[arm] for arm in mine})
    model, adapters = stage_adapters.initial(replace(params, finetune=settings), seed)
    if settings.compile:
        compile_blocks(adapters.dit)
    archive = latents.load(paths.ARCHIVE)
    data, heldout = archive.split("finetune"), archive.split("heldout")
    name = f"{seed}" if count == 1 else f"{seed}-{index + 1}of{count}"  # of this process's files
    state, audio = paths.CHECKPOINTS / f"finetune-{name}.safetensors", paths.CHECKPOINTS / f"previews-{seed}"
    exported = paths.CHECKPOINTS / f"exports-{seed}"
    if not state.exists():
        for arm in mine:
            shutil.rmtree(audio / arm, ignore_errors=True)  # of an earlier run
            shutil.rmtree(exported / arm, ignore_errors=True)
    export = partial(exports.write, adapters, loading.name(params), exported)
    preview = partial(previews.write, model, adapters, heldout, settings, params.generate, audio)
    chosen = {arm: weightings[arm] for arm in mine}
    training = finetune(model, adapters, chosen, data, settings, seed, state, heldout, preview, export)
    logged = loggers.logged(training, settings.loggers, paths.CHECKPOINTS / f"logs-{name}")
    by_step = zip(*[logged] * len(mine), strict=True)  # so that the progress bar counts steps
    records = list(chain.from_iterable(track(by_step, f"finetune seed {name}", settings.steps)))
    folder = paths.ADAPTERS / str(seed)
    for arm in mine:
        adapters.save(arm, folder / arm)
    made = {"telemetry": gathered(pd.concat([_rows(record) for record in records]), "step", arms)}
    if settings.validate_every:
        table = validation.table(records, validation.clips(heldout, settings))
        made["validation"] = gathered(table, "steps", arms)
    if processes.is_main_process:
        for kind, table in made.items():
            tables.write(folder / f"{kind}.parquet", table.assign(seed=seed, regime=model.regime))
    processes.wait_for_everyone()
    state.unlink(
        missing_ok=True
    )  # last: if the stage is killed before, the same command finds the finished run and writes it again


def _rows(record: dict):
    """One row per sample of a record, without the validation."""
    import pandas as pd

    columns = {name: value for name, value in record.items() if name != "validation"}
    return pd.DataFrame(
        {name: value.tolist() if hasattr(value, "tolist") else value for name, value in columns.items()}
    )


if __name__ == "__main__":
    command.stage(main)
