"""Map a function over tasks in worker processes, one a core."""

import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

Task, Result = TypeVar("Task"), TypeVar("Result")


def process_map(work: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
    """Yield `work(task)` in the order of the tasks; `work` and tasks are pickled.

    Raises the first error of `work`, after cancelling the tasks that have not started.
    """
    # Spawned, because torch's threads do not survive a fork.
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool:
        try:
            yield from pool.map(work, tasks, chunksize=4)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
