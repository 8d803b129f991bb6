import pytest

from training.planning.inputs import PlanError, PlanInputs, checked_inputs, option


def test_numbers_are_read_as_people_write_them():
    found = checked_inputs({"impressions_per_day": "1e9", "items": "100_000_000", "users": " 5E8 ", "workers": None})
    assert (found.impressions_per_day, found.items, found.users) == (1e9, 1e8, 5e8)
    assert found.workers is None


def test_mean_requests_follow_from_impressions():
    assert PlanInputs(impressions_per_day=8.64e6, shown=10).mean_rps == pytest.approx(10)
    assert PlanInputs().rows_scored == PlanInputs().impressions_per_day


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"impressions_per_day": "-1"}, "--impressions-per-day -1"),
        ({"impressions_per_day": "1e-300"}, "--impressions-per-day 1e-300"),
        ({"users": "nan"}, "--users nan"),
        ({"users": "inf"}, "--users inf"),
        ({"items": "many"}, "--items many"),
        ({"items": ""}, "--items"),
        ({"items": "9" * 400}, "--items 999"),
        ({"candidates": "1e4", "items": "1000"}, "--candidates: 10000 of a request are more than the 1000 items"),
        ({"shown": "501"}, "--shown: 501 items of an answer are more than its 500 candidates"),
        ({"peak_rps": "10"}, "--peak-rps: 10 is below the mean of 1157.41"),
        ({"headroom": "1.5"}, "--headroom 1.5"),
        ({"headroom": "1e-300"}, "--headroom 1e-300: input should be greater than or equal to 0.001"),
        ({"window_hours": "1e-320"}, "--window-hours 1e-320"),
        ({"core_hour": "nan"}, "--core-hour nan: input should be a finite number"),
        ({"users": "0.5"}, "--users 0.5"),
        ({"workers": "2.5"}, "--workers 2.5: input should be a multiple of 1"),
        ({"users": "1e30"}, "--users 1e30"),
        ({"table_precision": "float8"}, "--table-precision float8"),
        ({"window_hours": "25"}, "--window-hours 25"),
    ],
)
def test_impossible_inputs_are_named(given, said):
    with pytest.raises(PlanError, match="^" + said.replace(".", r"\.")):
        checked_inputs(given)


@pytest.mark.parametrize("name", PlanInputs.model_fields)
def test_every_input_has_a_description_and_refuses_no_number(name):
    assert PlanInputs.model_fields[name].description
    with pytest.raises(PlanError, match=f"^{option(name)} none"):
        checked_inputs({name: "none"})
