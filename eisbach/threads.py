"""Independent pieces of work on all cores, each on one: here a step is many small products, and splitting each
product over the cores gains little."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")


def each(function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """`[function(item) for item in items]`, a thread per core. torch works within `function` on one core.

    The same bits on any number of cores. Torch's grad mode belongs to a thread: `function` sets its own. Raises what
    the first failing item raised, after the items that were under way.
    """
    cores = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(cores) as pool:
            return list(pool.map(function, items))
    finally:
        torch.set_num_threads(cores)
