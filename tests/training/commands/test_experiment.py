"""``ranker-train experiment`` from a log and events to a verdict, numbers and a page."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from rich.console import Console
from typer.testing import CliRunner

from ranker.config.file import ConfigError
from ranker.exposures import hashed_unit
from ranker.log_files.log_reader import DataError
from tests.training.command import ranker_train
from tests.training.experiments.logs import DAY, START, events, requests, write
from tests.training.reports.browser import dom
from training.cli import app
from training.commands.experiment import ExperimentOptions, effect_of, experiment
from training.experiments.metrics import MetricError
from training.reports.experiment import to_html

DAYS = 8
USERS = 300
EVEN = {"control": 0.5, "bold": 0.5}


def simulated(folder, lift=0.0, seed=0, users=USERS, lost=0, hashed=None):
    """A week of users who differ, half of them in a group whose clicks are lifted; the day before has no experiment."""
    rng = np.random.default_rng(seed)
    rate = rng.beta(3, 5, users)
    visits = 1 + rng.poisson(np.exp(rng.normal(0.5, 0.8, (DAYS, users))))
    units, times, groups = [], [], []
    for day in range(DAYS):
        for user in range(lost if day else 0, users):
            for _ in range(visits[day, user]):
                units.append(user)
                times.append(START + day * DAY + int(rng.integers(DAY)))
                groups.append(user % 2 if day else -1)
    units, groups, order = np.array(units), np.array(groups), np.argsort(times)
    units, groups, times = units[order], groups[order], np.sort(times)
    named = [None if group < 0 else ("control", "bold")[group] for group in groups]
    text = [str(user) if hashed is None else hashed_unit(str(user), hashed) for user in units]
    log = requests(text, named, times, experiment=[None if group is None else "e" for group in named])
    write(folder / "log", log, hashed=hashed is not None)
    clicked = rng.random(len(units)) < rate[units] * (1 + lift * (groups == 1))
    rows = np.flatnonzero(clicked)
    watched = rows[rng.random(len(rows)) < 0.5]
    both = np.concatenate([rows, watched])
    path = events(
        folder / "events.parquet",
        request_id=pa.array([f"r{row}" for row in both]),
        user=pa.array([str(units[row]) for row in both]),
        item=pa.array(both),
        kind=pa.array(["click"] * len(rows) + ["watch"] * len(watched)),
        time=pa.array(times[both] + 5000),
        value=pa.array(np.r_[np.ones(len(rows)), rng.exponential(30, len(watched))]),
    )
    return folder / "log", [path]


SINCE = "2026-03-03"


@pytest.fixture(scope="module")
def alike(tmp_path_factory):
    return simulated(tmp_path_factory.mktemp("alike"))


@pytest.fixture(scope="module")
def lifted(tmp_path_factory):
    return simulated(tmp_path_factory.mktemp("lifted"), lift=0.4)


def judged(log, **options):
    return experiment(*log, ExperimentOptions(**{"since": SINCE, "shares": EVEN} | options), progress=False)


def test_a_lift_is_a_win_with_numbers_and_a_page(lifted, tmp_path):
    files = ("--json", tmp_path / "numbers.json", "--output", tmp_path / "page.html")
    words = ("--exposures", lifted[0], "--events", *lifted[1], "--since", SINCE, "--shares", "control=0.5,bold=0.5")
    ended = ranker_train("experiment", *words, *files, "--guardrail", "watch.value / users >= -20%")
    assert ended.returncode == 0, ended.stderr
    assert "Win: a metric is better, none is worse" in ended.stdout
    numbers = json.loads((tmp_path / "numbers.json").read_text())
    assert (numbers["state"], numbers["status"], numbers["experiment"]) == ("win", 0, "e")
    assert numbers["groups"]["bold"]["state"] == "win"
    assert numbers["groups"]["control"]["units"] == USERS // 2
    clicks = next(one for one in numbers["comparisons"] if one["metric"] == "click / requests")
    assert clicks["outcome"] == "better"
    assert 0.2 < clicks["relative_low"] < clicks["relative"] < clicks["relative_high"] < 0.7
    assert numbers["guardrails"][0]["state"] == "holds"
    assert [day["end"][:10] for day in numbers["days"]] == [f"2026-03-0{day}" for day in range(3, 10)]
    assert numbers["mismatch"]["p"] > 0.9
    page = dom((tmp_path / "page.html").read_text(), tmp_path)
    assert page.count('class="marks"') == 1 + 2 + 2  # units, differences and their growth by metric
    for text in ("Experiment e", "click / requests", "Over time", "Power", "Win:"):
        assert text in page


@pytest.mark.parametrize(
    ("options", "status", "why"),
    [
        ({}, 5, "undecided: bold: click / requests"),
        ({"--effect": "60%"}, 0, ""),
        ({"--guardrail": "click / requests >= 60%", "--effect": "60%"}, 3, "harm: bold: guardrail click / requests >="),
        ({"--shares": "control=0.9,bold=0.1"}, 4, "not trusted: sample ratio mismatch: control 150, bold 150"),
    ],
)
def test_the_exit_status_tells_the_verdict(alike, options, status, why):
    words = ["experiment", "--exposures", alike[0], "--events", *alike[1], "--since", SINCE]
    given = {"--shares": "control=0.5,bold=0.5"} | options
    ended = CliRunner().invoke(app, [str(word) for word in [*words, *(w for pair in given.items() for w in pair)]])
    assert ended.exit_code == status, ended.output
    assert why in ended.stderr


def test_cuped_takes_out_what_users_did_before(lifted):
    plain, adjusted = judged(lifted), judged(lifted, before="2026-03-02..2026-03-03")
    for before, after in zip(plain.comparisons, adjusted.comparisons, strict=True):
        assert after.difference.error <= before.difference.error * 1.001
        assert before.difference.saved is None
    assert max(one.difference.saved for one in adjusted.comparisons) > 0.05
    assert sum("the covariate takes away" in note for note in adjusted.notes) == len(adjusted.comparisons)
    without = judged(lifted, since=None, before="2026-03-02..2026-03-03")
    assert without.to_dict()["comparisons"] == adjusted.to_dict()["comparisons"]


def test_a_column_of_users_is_a_covariate_too(lifted, tmp_path):
    rate = np.random.default_rng(0).beta(3, 5, USERS)
    file = tmp_path / "users.parquet"
    pq.write_table(pa.table({"unit": np.arange(USERS), "rate": np.where(rate > 0.9, np.nan, rate)}), file)
    found = judged(lifted, covariates=[file], covariate="rate")
    clicks = next(one for one in found.comparisons if one.metric.name == "click / requests")
    assert clicks.difference.saved > 0.4


def test_a_column_of_users_is_a_covariate_of_a_log_that_hashes_them(tmp_path):
    log, file = simulated(tmp_path, hashed="pepper"), tmp_path / "users.parquet"
    pq.write_table(pa.table({"unit": np.arange(USERS), "rate": np.arange(USERS) % 7}), file)
    with pytest.raises(DataError, match="no unit of the experiment has a value of 'rate'"):
        judged(log, covariates=[file], covariate="rate")
    found = judged(log, covariates=[file], covariate="rate", unit_salt="pepper")
    assert all(one.difference.saved is not None for one in found.comparisons)


def test_a_covariate_that_the_groups_differ_in_is_told(lifted, tmp_path):
    file = tmp_path / "users.csv"
    file.write_text("unit,score\n" + "".join(f"{user},{user % 2 + user / 1000}\n" for user in range(USERS)))
    found = judged(lifted, covariates=[file], covariate="score")
    assert any("bold and control differed before the experiment" in note for note in found.notes)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"unit": ["1", "1"], "x": [1.0, 2.0]}, "names a unit more than once"),
        ({"unit": ["1", "2"], "x": [1.0, np.inf]}, "holds an infinite number"),
        ({"unit": ["a", "b"], "x": [1.0, 2.0]}, "no unit of the experiment has a value of 'x'"),
        ({"unit": ["1", "2"], "x": ["a", "b"]}, "must hold numbers to be a covariate"),
        ({"unit": ["1", "2"]}, "has no column 'x'"),
        ({"x": [1.0, 2.0]}, "has no column 'unit'"),
    ],
)
def test_covariates_that_cannot_be_used_are_refused(alike, tmp_path, table, message):
    file = tmp_path / "users.parquet"
    pq.write_table(pa.table(table), file)
    with pytest.raises(DataError, match=message):
        judged(alike, covariates=[file], covariate="x")


def test_sequential_intervals_are_wider_and_hold_on_every_day(lifted):
    fixed, sequential = (
        judged(lifted, metrics=["click / requests"]),
        judged(lifted, metrics=["click / requests"], sequential=True, effect=0.2),
    )
    ends = [one.comparisons[0].difference.interval for one in (fixed, sequential)]
    assert ends[1][0] < ends[0][0] < ends[0][1] < ends[1][1]
    assert sequential.state == "win"
    assert "whenever one looks" in to_html(sequential)
    assert "at one look" in to_html(fixed)


def test_formulas_names_and_directions(lifted):
    found = judged(lifted, metrics=["ctr = click / requests"], lower=["capped = min(watch.value, 60) / users"])
    assert (found.comparisons[0].metric.name, found.comparisons[0].outcome) == ("ctr", "better")
    assert found.comparisons[1].metric.better == "less"
    assert found.comparisons[1].difference.value < 60


def test_lost_users_are_found(tmp_path):
    log = simulated(tmp_path, lost=60)
    all_lost = judged(log)  # of both groups
    assert all_lost.state != "not trusted"
    assert judged(log, shares={"control": 0.7, "bold": 0.3}).state == "not trusted"


def test_shares_of_a_models_file(alike, tmp_path):
    file = tmp_path / "models.yaml"
    groups = {"control": {"share": 0.2}, "bold": {"share": 0.8}}
    file.write_text(yaml.safe_dump({"experiment": {"name": "e", "unit": "u", "groups": groups}}))
    assert judged(alike, shares=None, models=file).state == "not trusted"
    assert judged(alike, shares=None).mismatch is None


def test_hashed_users(tmp_path):
    log = simulated(tmp_path, lift=0.4, hashed="pepper")
    assert judged(log).state == "win"  # by request id
    table = pq.read_table(log[1][0]).drop_columns(["request_id"])
    pq.write_table(table, log[1][0])
    with pytest.raises(DataError, match="hashed; give the salt"):
        judged(log)
    assert judged(log, unit_salt="pepper").state == "win"


def test_one_unit_that_weighs_too_much_is_told(tmp_path):
    log = simulated(tmp_path)
    table = pq.read_table(log[1][0])
    values = table["value"].to_numpy().copy()
    values[-1] = 1e9
    pq.write_table(table.set_column(5, "value", pa.array(values)), log[1][0])
    found = judged(log, metrics=["watch.value / users"])
    assert found.state == "undecided"
    assert any("one unit has 100% of the numerator" in note for note in found.notes)
    values[-1] = 1e200
    pq.write_table(table.set_column(5, "value", pa.array(values)), log[1][0])
    huge = judged(log, metrics=["watch.value / users"])
    assert huge.state == "undecided"
    assert "the numbers are too large to be squared" in huge.comparisons[0].difference.undefined
    assert json.dumps(huge.to_dict(), allow_nan=False)
    assert "undefined" in to_html(huge)


def test_no_events_but_a_metric_without_them(alike, tmp_path):
    none = tmp_path / "none.csv"
    none.write_text("request_id,item,kind,time\n")
    with pytest.raises(DataError, match="there are no events, so there is nothing to compare"):
        judged((alike[0], [none]))
    assert judged((alike[0], [none]), metrics=["requests / users"]).comparisons[0].difference.p > 0.01


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"control": "old"}, ConfigError, "--control: no units are in the group 'old'"),
        ({"groups": ["bald"]}, ConfigError, "--group: 'bald' is no group besides the control; did you mean 'bold'"),
        ({"groups": ["control"]}, ConfigError, "--group: 'control' is no group besides the control"),
        ({"experiment": "f"}, DataError, "no request was in the experiment 'f'"),
        ({"metrics": ["clicks / users"]}, MetricError, "did you mean 'click'"),
        ({"metrics": ["click / users", "click / users"]}, MetricError, "two metrics are called"),
        ({"metrics": ["watch.value / click / users"]}, MetricError, "the numerator is undefined or infinite"),
        ({"guardrails": ["click / users"]}, MetricError, "write METRIC >= BOUND"),
        ({"within": "soon"}, ConfigError, "--within: must be a number and s, m, h or d"),
        ({"since": "noon"}, ConfigError, "--since and --until: 'noon' is no time"),
        ({"before": "2026-03-01"}, ConfigError, "--before: '2026-03-01' is no FROM..TO"),
        ({"before": "2026-03-02..2026-03-04"}, ConfigError, "ends after --since 2026-03-03"),
        ({"before": "2026-02-02..2026-02-04"}, ConfigError, "no unit of the experiment made a request in this time"),
        ({"shares": {"control": 1.0}}, ConfigError, "--shares: the group 'bold' has no share"),
        ({"level": 0.6}, ConfigError, "--level: must be above 0 and below 0.5"),
        ({"srm_level": 0}, ConfigError, "--srm-level: must be above 0"),
        ({"power": 1.0}, ConfigError, "--power: must be from 0.5 and below 1"),
        ({"effect": -1}, ConfigError, "--effect: must be above 0"),
        ({"correction": "hollm"}, ConfigError, "--correction: 'hollm' is unknown; did you mean 'holm'"),
        ({"models": "x"}, ConfigError, "--models and --shares both"),
        ({"covariate": "x"}, ConfigError, "--covariates and --covariate go together"),
        ({"covariates": ["x"], "covariate": "x", "before": "a..b"}, ConfigError, "both name covariates"),
    ],
)
def test_wrong_options_are_refused(alike, options, error, message):
    with pytest.raises(error, match=message):
        judged(alike, **options)


def test_effects_as_text():
    assert (effect_of("1%"), effect_of(" 0.02 "), effect_of("2.5 %")) == (0.01, 0.02, 0.025)
    with pytest.raises(ConfigError, match="--effect: 'small' is no effect"):
        effect_of("small")


def test_the_result_is_printed(lifted):
    console = Console(record=True, width=200)
    experiment(*lifted, ExperimentOptions(since=SINCE), progress=console)
    told = console.export_text()
    for text in ("experiment e", "differences to control", "better", "numbers of units are not tested", "Win:"):
        assert text in told
