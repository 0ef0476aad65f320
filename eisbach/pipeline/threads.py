"""Independent work in parallel threads. A step here consists of many small products: running several at once is faster
than splitting each over the cores."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")


def thread_map(function: Callable[[Item], Result], items: Iterable[Item], at_once: int | None = None) -> list[Result]:
    """`[function(item) for item in items]` with up to `at_once` threads (None: one per item), at most one per core.

    Each thread gets an equal share of torch's cores, even when there are fewer items than `at_once`: with a given
    `at_once`, the rounding of a result does not depend on the number of items. A thread starts with a copy of the
    caller's context variables. Torch's grad mode is local to each thread, so `function` must set it. An error in an
    item is raised when all items have ended; of several errors, the one of the first item.
    """
    items, cores = list(items), torch.get_num_threads()
    at_once = min(at_once or len(items), cores)
    if at_once < 2:
        return [function(item) for item in items]
    try:
        # Each thread sets its share itself. Otherwise torch tells it to MKL with the thread's first parallel operation,
        # and the matrix products before that are split over all cores, or not, as the load has it.
        with ThreadPoolExecutor(at_once, initializer=torch.set_num_threads, initargs=(cores // at_once,)) as pool:
            started = [pool.submit(copy_context().run, function, item) for item in items]
            return [future.result() for future in started]
    finally:
        torch.set_num_threads(cores)
