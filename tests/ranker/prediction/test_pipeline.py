import time

import pytest

from ranker.prediction.pipeline import in_order


def test_results_come_in_order_and_few_wait():
    read = []

    def items():
        for number in range(40):
            read.append(number)
            yield number

    def slower_first(number):
        time.sleep(0.002 * (number % 3 == 0))
        return number * 2

    ahead = []
    for place, result in enumerate(in_order(slower_first, items(), 3)):
        assert result == place * 2
        ahead.append(len(read) - place)
    assert max(ahead) <= 2 * 3 + 1


def test_an_error_ends_it():
    started = []

    def broken(number):
        started.append(number)
        if number == 2:
            raise ValueError("row 2")
        return number

    found = []
    with pytest.raises(ValueError, match="row 2"):
        found.extend(in_order(broken, iter(range(10**9)), 2))
    assert found in ([], [0], [0, 1])
    assert len(started) < 20
