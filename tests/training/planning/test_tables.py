from io import StringIO

import pytest
from rich.console import Console

from tests.training.planning.made_up import costs
from tests.training.planning.test_plan import SMALL
from training.planning import growths, plan
from training.planning.stages import STAGES
from training.planning.tables import (
    formula_table,
    growth_table,
    limit_lines,
    number,
    size,
    stage_table,
    training_line,
)


def printed(table):
    console = Console(file=StringIO(), width=200)
    console.print(table)
    return console.file.getvalue()


def test_every_stage_has_a_line_and_their_sum_is_the_last():
    made = plan(SMALL, costs())
    shown = printed(stage_table(made))
    assert all(name in shown for name in STAGES)
    last = shown.splitlines()[-2]
    assert last.split("│")[1].strip() == "all"
    assert last.split("│")[-2].strip() == number(made.money)


def test_the_training_says_why():
    assert training_line(plan(SMALL, costs())) == (
        "training: distribute: one (tables fit (0.4 GB), and one core ends in 0.144 hours); 1 worker; 8,640 steps of "
        "60 ms on a core and 0 ms on the network; 0.144 hours"
    )
    large = SMALL.model_copy(update={"users": 2e9})
    why = "tables with moments are 160 GB, a worker has 1 GB beside them, and a machine has 50 GB to use"
    assert f"parameter_server ({why})" in training_line(plan(large, costs()))


def test_limits_that_hold_name_the_nearest():
    assert limit_lines(plan(SMALL, costs())) == ["all limits hold; nearest: encoder memory, 11% of it is used"]
    lines = limit_lines(plan(SMALL.model_copy(update={"users": 2e9}), costs()))
    assert [line.split(",")[0] for line in lines] == ["does not fit: encoder memory", "does not fit: service memory"]
    assert "40 times its limit" in lines[0]


def test_growth_has_a_line_an_input():
    shown = printed(growth_table(SMALL, growths(SMALL.model_copy(update={"deadline_ms": 5.0}), costs())))
    line = next(line for line in shown.splitlines() if "candidates" in line)
    assert [cell.strip() for cell in line.split("│")[2:5]] == ["100", "request time", "x4"]
    assert "nothing" in next(line for line in shown.splitlines() if "peak_rps" in line)


def test_formulas_are_shown():
    assert "impressions x bytes of a row of the log x days_kept" in printed(formula_table(plan(SMALL, costs())))


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (0.1234, "0.123"), (12.34, "12.3"), (123.4, "123"), (1e6, "1,000,000")]
)
def test_numbers_have_three_digits(value, text):
    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "-"),
        (5e5, "0.5 MB"),
        (1.5e6, "1.5 MB"),
        (2e9, "2 GB"),
        (3.25e12, "3.25 TB"),
        (4e15, "4 PB"),
        (5e18, "5,000 PB"),
    ],
)
def test_sizes_have_units_of_1000(value, text):
    assert size(value) == text
