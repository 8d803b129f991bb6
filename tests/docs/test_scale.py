"""The page about more than one machine says what the plan says."""

import shlex
from itertools import pairwise

import pytest
from typer.testing import CliRunner

from tests.docs.pages import BLOCK, ROOT
from training.cli import app
from training.cli.terminal import console
from training.planning import PlanInputs, plan, shipped_costs
from training.planning.limits import LIMITS

PAGE = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")
WIDTH = 118
BLOCKS = [(found["language"], found["code"]) for found in BLOCK.finditer(PAGE)]
PLANS = [
    (code.strip().replace("\\\n", " "), shown)
    for (language, code), (kind, shown) in pairwise(BLOCKS)
    if language == "sh" and code.startswith("ranker-train plan ") and kind == "text"
]


def rows(page):
    """Cells of all tables of a page, by line."""
    lines = [line for line in page.splitlines() if line.startswith("| ")]
    return [tuple(cell.strip() for cell in line.strip("|").split(" | ")) for line in lines]


def test_the_page_shows_plans():
    assert len(PLANS) >= 1


@pytest.mark.parametrize(("command", "shown"), PLANS)
def test_a_plan_on_the_page_is_what_the_command_prints(command, shown):
    console.width = WIDTH
    ended = CliRunner().invoke(app, shlex.split(command)[1:])
    assert ended.exit_code == 0, ended.output
    printed = [line.rstrip() for line in ended.stdout.splitlines()]
    wanted = [line.rstrip() for line in shown.splitlines()]
    assert printed[: len(wanted)] == wanted
    assert len(printed) == len(wanted) or printed[len(wanted)] == "assumptions:"


def test_the_unit_costs_on_the_page_are_the_shipped_ones():
    found = rows(PAGE)
    for row in shipped_costs().rows():
        assert tuple(row) in found


def test_every_limit_is_on_the_page():
    for name in LIMITS:
        assert f"| {name} |" in PAGE


def one_machine():
    """What one machine of the default plan does, from the shipped costs, by the first cell of the page's table."""
    inputs, costs = PlanInputs(), shipped_costs()
    memory, cores = inputs.memory, inputs.machine_cores * inputs.headroom
    trained = costs.train.cpu_s.at(inputs.batch) / inputs.batch
    moments = inputs.width * 4 * (1 + inputs.moments)
    served = inputs.width * 4 + costs.ids.bytes.each
    return {
        "impressions trained on in a night": inputs.window / trained,
        "rows of tables in training": (memory - costs.train.memory_bytes.at(inputs.batch)) / moments,
        "ids that an encoder is fitted on": (memory - costs.encode.memory_bytes) / costs.ids.memory_bytes.each,
        "rows of tables in service": (memory - inputs.machine_cores * costs.rank.memory_bytes) / served,
        "rows scored in a night": inputs.window * cores / costs.score.cpu_s.each,
        "requests a second, of 500 candidates": cores / costs.rank.cpu_s.at(inputs.candidates),
    }


@pytest.mark.parametrize("name", one_machine())
def test_what_one_machine_does_is_computed(name):
    said = next(row[1] for row in rows(PAGE) if row[0] == name)
    number, *unit = said.split()
    units = {"million": 1e6, "billion": 1e9}
    assert float(number.replace(",", "")) * (units[unit[0]] if unit else 1) == pytest.approx(
        one_machine()[name], rel=0.03
    )


def test_one_machine_needs_no_second_one_below_its_numbers():
    found = one_machine()
    inputs = PlanInputs(
        impressions_per_day=found["impressions trained on in a night"] * 0.9,
        users=found["ids that an encoder is fitted on"] * 0.8, items=found["ids that an encoder is fitted on"] * 0.1,
        peak_rps=10_000,
    )  # fmt: skip
    made = plan(inputs, shipped_costs())
    assert made.training.distribute == "one"
    assert made.exceeded == []
    for stage in ("join", "encode", "train", "score"):
        assert made.stages[stage].machines == 1
