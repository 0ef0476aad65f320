import threading

import pytest
import torch

from eisbach.threads import each


def test_results_come_in_the_order_of_the_items():
    assert each(lambda item: item * item, range(20)) == [item * item for item in range(20)]


def test_torch_works_on_one_core_within_and_on_as_many_as_before_afterwards():
    before = torch.get_num_threads()
    assert set(each(lambda _: torch.get_num_threads(), range(4))) == {1}
    assert torch.get_num_threads() == before


def test_items_are_worked_on_together():
    """Each of two items waits for the other: one after the other they would never end."""
    if torch.get_num_threads() < 2:
        pytest.skip("one core")
    meeting = threading.Barrier(2, timeout=10)
    assert sorted(each(lambda _: meeting.wait(), range(2))) == [0, 1]


def test_the_first_failure_is_raised_and_the_cores_are_given_back():
    before = torch.get_num_threads()
    with pytest.raises(ZeroDivisionError):
        each(lambda item: 1 // item, [1, 0, 2])
    assert torch.get_num_threads() == before
