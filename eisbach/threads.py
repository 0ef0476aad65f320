"""Independent pieces of work on all cores, each on one: here a step is many small products, and splitting each
product over the cores gains little."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")


def each(function: Callable[[Item], Result], items: Iterable[Item], at_once: int | None = None) -> list[Result]:
    """`[function(item) for item in items]`, `at_once` threads side by side (None: all items, at most one a core).

    Torch's cores are shared out equally among the threads, also when there are fewer items: what an item rounds to
    does not depend on how many there are. Torch's grad mode belongs to a thread: `function` sets its own. Raises what
    the first failing item raised, after those that were under way.
    """
    items, cores = list(items), torch.get_num_threads()
    at_once = min(at_once or len(items), cores)
    if at_once < 2:
        return [function(item) for item in items]
    torch.set_num_threads(cores // at_once)
    try:
        with ThreadPoolExecutor(at_once) as pool:
            return list(pool.map(function, items))
    finally:
        torch.set_num_threads(cores)
