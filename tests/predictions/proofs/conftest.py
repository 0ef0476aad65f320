"""Fifty digits, and a comparison for numbers that have them."""

import mpmath
import pytest


@pytest.fixture(autouse=True)
def fifty_digits():
    with mpmath.workdps(50):
        yield


def close(first, second, digits=15) -> bool:
    return abs(first - second) <= mpmath.mpf(10) ** -digits * max(1, abs(second))
