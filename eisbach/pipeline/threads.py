"""Independent pieces of work on all cores, each on one: here a step is many small products, and splitting each
product over the cores gains little."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")


def thread_map(function: Callable[[Item], Result], items: Iterable[Item], at_once: int | None = None) -> list[Result]:
    """`[function(item) for item in items]`, `at_once` threads side by side (None: all items, at most one a core).

    Torch's cores are shared out equally among the threads, also when there are fewer items than `at_once`: with it
    given, what an item rounds to does not depend on how many there are. A thread starts with the caller's context
    variables, but torch's grad mode is a thread's own: `function` sets it. Raises what the first failing item raised,
    after those that were under way.
    """
    items, cores = list(items), torch.get_num_threads()
    at_once = min(at_once or len(items), cores)
    if at_once < 2:
        return [function(item) for item in items]
    torch.set_num_threads(cores // at_once)
    try:
        with ThreadPoolExecutor(at_once) as pool:
            started = [pool.submit(copy_context().run, function, item) for item in items]
            return [future.result() for future in started]
    finally:
        torch.set_num_threads(cores)
