"""Work for all cores, with results in the order of the tasks."""

import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

Task, Result = TypeVar("Task"), TypeVar("Result")


def parallel(work: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
    """One process a core: spawned, as torch's threads do not survive a fork."""
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool:
        try:
            yield from pool.map(work, tasks, chunksize=4)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
