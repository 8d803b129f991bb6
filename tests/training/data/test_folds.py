import pandas as pd

from tests.training.days import CONFIG, config
from tests.training.stored import file_of
from training.config.experiment import checked
from training.data.days import DayClock
from training.data.experiment_log import open_log
from training.data.folds import DayFolds, Folds

DATES = [f"2026-01-{day:02}" for day in (1, 2, 12, 1)]


def folds(of, experiment, column):
    log = open_log(experiment, [file_of(pd.DataFrame({"date": DATES}))])
    chunk = next(log.chunks([column]))
    return of.of(chunk).tolist()


def test_carried_on_a_fold_is_a_day():
    experiment = config()
    found = folds(DayFolds(experiment.log_schema, DayClock(experiment, 1)), experiment, "date")
    assert found[0] == found[3] != found[1]
    assert found[1] == found[2]  # ten days apart, of ten folds


def test_a_first_fit_folds_by_values_in_the_order_of_their_first_row():
    statistics = {**CONFIG["schema"]["label_statistics"], "fold_by": "date"}
    experiment = checked({**CONFIG, "schema": {**CONFIG["schema"], "label_statistics": statistics}})
    by_date = Folds(experiment.log_schema, 0)
    assert by_date.columns == ("date",)
    assert folds(by_date, experiment, "date") == [2, 3, 4, 2]
