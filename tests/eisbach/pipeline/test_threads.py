import threading
from contextvars import ContextVar

import pytest
import torch

from eisbach.pipeline.threads import thread_map


def test_results_come_in_the_order_of_the_items():
    assert thread_map(lambda item: item * item, range(20)) == [item * item for item in range(20)]


@pytest.fixture
def cores():
    """A function that lets torch use so many."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.parametrize(("count", "share"), [(1, 6), (2, 3), (3, 2), (4, 1), (20, 1)])
def test_the_cores_are_shared_out_and_given_back(cores, count, share):
    cores(6)
    assert thread_map(lambda _: torch.get_num_threads(), range(count)) == [share] * count
    assert torch.get_num_threads() == 6


def test_fewer_items_than_threads_get_no_more_cores(cores):
    cores(6)
    assert thread_map(lambda _: torch.get_num_threads(), range(1), 3) == [2]


def test_items_are_worked_on_together(cores):
    """Each of two items waits for the other: one after the other they would never end."""
    cores(2)
    meeting = threading.Barrier(2, timeout=10)
    assert sorted(thread_map(lambda _: meeting.wait(), range(2))) == [0, 1]


def test_the_first_failure_is_raised_and_the_cores_are_given_back(cores):
    cores(2)
    with pytest.raises(ZeroDivisionError):
        thread_map(lambda item: 1 // item, [1, 0, 2])
    assert torch.get_num_threads() == 2


def test_a_thread_starts_in_the_caller_s_context_and_keeps_its_changes_to_itself(cores):
    cores(2)
    variable = ContextVar("variable", default=0)
    variable.set(3)

    def seen(item):
        before = variable.get()
        variable.set(item)
        return before

    assert thread_map(seen, range(4)) == [3] * 4
    assert variable.get() == 3
