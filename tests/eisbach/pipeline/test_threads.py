import threading
from contextvars import ContextVar

import pytest
import torch

from eisbach.pipeline.threads import thread_map


def test_results_are_in_the_order_of_the_items():
    assert thread_map(lambda item: item * item, range(20)) == [item * item for item in range(20)]


@pytest.mark.parametrize(("count", "share"), [(1, 6), (2, 3), (3, 2), (4, 1), (20, 1)])
def test_threads_share_the_cores_equally_and_return_them(cores, count, share):
    cores(6)
    assert thread_map(lambda _: torch.get_num_threads(), range(count)) == [share] * count
    assert torch.get_num_threads() == 6


def test_an_item_gets_no_cores_of_unused_threads(cores):
    cores(6)
    assert thread_map(lambda _: torch.get_num_threads(), range(1), 3) == [2]


def test_the_first_product_of_a_thread_uses_its_share_of_the_cores(cores):
    """MKL rounds this product differently on one core and on two; a thread that left it to torch used either."""
    generator = torch.Generator().manual_seed(0)
    x, weight = torch.randn(4, 257, generator=generator), torch.randn(384, 257, generator=generator)
    cores(1)
    expected = x @ weight.T
    cores(2)
    assert all(torch.equal(found, expected) for found in thread_map(lambda _: x @ weight.T, range(2)))


def test_items_run_in_parallel(cores):
    """Each of two items waits for the other, which fails when they run one after the other."""
    cores(2)
    meeting = threading.Barrier(2, timeout=10)
    assert sorted(thread_map(lambda _: meeting.wait(), range(2))) == [0, 1]


def test_the_error_of_the_first_failing_item_is_raised(cores):
    cores(2)
    with pytest.raises(KeyError, match="second"):
        thread_map(lambda key: {"first": 1}[key], ["first", "second", "third"])


def test_an_error_returns_the_cores(cores):
    cores(2)
    with pytest.raises(ZeroDivisionError):
        thread_map(lambda item: 1 // item, [1, 0, 2])
    assert torch.get_num_threads() == 2


@pytest.fixture
def variable():
    return ContextVar("variable", default=0)


def test_a_thread_starts_with_the_context_variables_of_the_caller(cores, variable):
    cores(2)
    variable.set(3)
    assert thread_map(lambda _: variable.get(), range(4)) == [3] * 4


def test_a_thread_changes_no_context_variable_of_other_items_or_the_caller(cores, variable):
    cores(2)
    variable.set(3)

    def changed(item):
        before = variable.get()
        variable.set(item)
        return before

    assert [*thread_map(changed, range(4)), variable.get()] == [3] * 5
