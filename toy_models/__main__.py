"""Run the stage `toys`: train and measure all arms on the toy regimes of params.yaml, write artifacts/toys/*.parquet.

Units (a regime and a block of seeds) run in parallel. Finished units are kept, so a killed stage resumes.
"""

from pathlib import Path

from eisbach.pipeline import command

STATE = Path(".cache/toys")  # finished units, outside the stage's outputs, which DVC removes before it runs


def main() -> None:
    command.parser(__doc__).parse_args()

    import multiprocessing
    import os
    import shutil
    import sys
    from concurrent.futures import ProcessPoolExecutor, as_completed

    import pandas as pd

    from eisbach.pipeline import arm_check, paths, tables
    from eisbach.pipeline.outcomes import joined
    from eisbach.pipeline.params import load
    from eisbach.pipeline.progress import track
    from toy_models import outcomes, units
    from toy_models.regimes import ANALYTIC

    settings = load().toys
    arm_check.toys(settings)
    blocks = [settings.seeds[i : i + settings.block] for i in range(0, len(settings.seeds), settings.block)]
    work = [(name, block) for name in settings.regimes for block in ([settings.seeds] if name == ANALYTIC else blocks)]
    folders = [STATE / units.digest(*unit, settings) for unit in work]
    missing = [(folder, *unit) for folder, unit in zip(folders, work, strict=True) if not folder.exists()]
    missing.reverse()  # start with the longest units: they are last in the list of regimes
    os.environ.update(units.MEMORY)  # for the worker processes, which read it when they start
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), context, units.single_threaded) as pool:
        running = [pool.submit(units.run_unit, *unit, settings) for unit in missing]
        try:
            for done in track(as_completed(running), "toys", len(running)):
                done.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)  # otherwise the error would wait for all other units
            raise
    for table, columns in outcomes.TABLES.items():
        files = [folder / f"{table}.parquet" for folder in folders]
        parts = [pd.read_parquet(file) for file in files if file.exists()]
        rows = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)
        if table == "outcomes":
            rows = joined([rows])
            for message in outcomes.divergence_messages(rows):
                print(message, file=sys.stderr)
        tables.write(paths.TOYS / f"{table}.parquet", rows)
    shutil.rmtree(STATE)


if __name__ == "__main__":
    command.run(main)
