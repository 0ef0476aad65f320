"""`python -m toy_models`: the stage `toys`. Units run in parallel and are kept when done: a killed stage goes on."""

from pathlib import Path

from eisbach.pipeline.command import run

STATE = Path(".cache/toys")  # finished units, outside the stage's outputs, which DVC removes before it runs


def main() -> None:
    import multiprocessing
    import os
    import shutil
    import sys
    from concurrent.futures import ProcessPoolExecutor, as_completed

    import pandas as pd

    from eisbach.pipeline import paths, tables
    from eisbach.pipeline.params import load
    from eisbach.pipeline.progress import track
    from toy_models import outcomes, units
    from toy_models.regimes import ANALYTIC, check

    settings = load().toys
    check(settings)
    blocks = [settings.seeds[i : i + settings.block] for i in range(0, len(settings.seeds), settings.block)]
    work = [(name, block) for name in settings.regimes for block in ([settings.seeds] if name == ANALYTIC else blocks)]
    folders = [STATE / units.digest(*unit, settings) for unit in work]
    missing = [(folder, *unit) for folder, unit in zip(folders, work, strict=True) if not folder.exists()]
    missing.reverse()  # the longest come last in the list of regimes: begin with them
    os.environ.update(units.MEMORY)  # read by a process as it starts: the units' own, not this one
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), context, units.single_threaded) as pool:
        running = [pool.submit(units.work, *unit, settings) for unit in missing]
        try:
            for done in track(as_completed(running), "toys", len(running)):
                done.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)  # or a fault would be told only after all other units are done
            raise
    for table, columns in outcomes.TABLES.items():
        files = [folder / f"{table}.parquet" for folder in folders]
        parts = [pd.read_parquet(file) for file in files if file.exists()]
        rows = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)
        tables.write(paths.TOYS / f"{table}.parquet", rows)
        if table == "outcomes":
            for sentence in outcomes.divergences(rows):
                print(sentence, file=sys.stderr)
    shutil.rmtree(STATE)


if __name__ == "__main__":
    run(main)
