"""Covariates by unit, from files and from an earlier period."""

import pyarrow as pa
import pytest

from ranker.exposures import hashed_unit
from ranker.log_files.log_reader import DataError
from tests.training.experiments.logs import START, requests, write
from tests.training.experiments.test_collect import collected
from training.experiments.collect import collect
from training.experiments.covariates import of_column, of_earlier_period
from training.experiments.events import read_events
from training.experiments.metrics import metric_of
from training.experiments.requests import Period, read_requests
from training.exposures.keys import hashes

UNITS = ["7", "ü", "8"]


def by_unit(found, covariate, units):
    """Numerator and denominator of each unit."""
    rows = [found.keys.tolist().index(key) for key in hashes(pa.array(units)).tolist()]
    return [(float(covariate[0][row]), float(covariate[1][row])) for row in rows]


def test_a_column_by_unit_as_number_or_text(tmp_path):
    found = collected(tmp_path, requests(UNITS, ["a", "b", "b"]))
    file = tmp_path / "users.csv"
    file.write_text("unit,x\n7,1.5\nü,-2\n8,\nnobody,9\n", encoding="utf-8")
    assert by_unit(found, of_column([file], "x", found, None), UNITS) == [(1.5, 1), (-2, 1), (0, 0)]


def test_units_of_a_log_that_hashes_them_are_found_by_name_with_the_salt_and_by_hash_without(tmp_path):
    hashed = [hashed_unit(unit, "pepper") for unit in UNITS]
    read = read_requests(write(tmp_path / "log", requests(hashed, ["a", "b", "b"]), hashed=True), [Period()])
    empty = tmp_path / "events.csv"
    empty.write_text("request_id,item,kind,time\nr0,1,click,2026-03-02T00:00:01Z\n")
    found = collect(read, read_events([empty], read, 60_000), Period())
    for units, salt in ((UNITS, "pepper"), (hashed, None)):
        file = tmp_path / "users.csv"
        file.write_text("unit,x\n" + "".join(f"{unit},{i}\n" for i, unit in enumerate(units)), encoding="utf-8")
        assert by_unit(found, of_column([file], "x", found, salt), hashed) == [(0, 1), (1, 1), (2, 1)]


def test_an_earlier_period_has_no_part_of_units_that_were_not_there(tmp_path):
    log = requests(["u", "u", "v", "u", "v", "w"], [None, None, None, "a", "b", "b"])
    happened, begin = [("r0", "click", 1), ("r3", "click", 1)], START + 3 * 60_000
    metric = {"m": metric_of("click / requests", ["click"])}
    found = collected(tmp_path, log, happened, Period(since=begin), Period(until=begin))
    covariate = of_earlier_period(found, metric)["m"]
    assert by_unit(found, covariate, ["u", "v", "w"]) == [(1, 2), (0, 1), (0, 0)]
    late = tmp_path / "late"
    late.mkdir()
    found = collected(late, log, happened, Period(since=begin), Period(until=START))
    with pytest.raises(DataError, match="no unit of the experiment made a request in this time"):
        of_earlier_period(found, metric)
