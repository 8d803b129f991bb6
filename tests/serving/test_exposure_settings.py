"""Settings of the exposure log."""

import pytest

from serving.setting_groups import EXPOSURES, GROUPS
from serving.settings import Settings, SettingsError


def settings(**given):
    return Settings.from_environment({f"RANKER_SERVE_{k.upper()}": v for k, v in {"artifact": "a", **given}.items()})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"exposures": "a", "exposures_file": "b"}, "name exposures or exposures_file, not both"),
        ({"exposures_salt": "a", "exposures_salt_file": "b"}, "name exposures_salt or exposures_salt_file, not both"),
        (
            {"exposures_depth": "9", "exposures_rows": "8"},
            r"exposures_depth \(9\) must be at most exposures_rows \(8\)",
        ),
        ({"exposures_features": " , "}, "must be ids, all, or columns, got ' , '"),
        ({"exposures_sample": "0"}, "EXPOSURES_SAMPLE: .*greater than 0"),
        ({"exposures_roll_seconds": "0"}, "EXPOSURES_ROLL_SECONDS: .*greater than or equal to 1"),
    ],
)
def test_what_does_not_fit_is_said(given, said):
    with pytest.raises(SettingsError, match=said):
        settings(**given)


@pytest.mark.parametrize(("text", "names"), [("ids", []), ("all", ["all"]), (" city , age", ["city", "age"])])
def test_features_are_names_or_words(text, names):
    assert settings(exposures_features=text).exposures_feature_names == names


def test_neither_the_place_nor_the_salt_is_shown_and_workers_read_them():
    given = settings(exposures="redis://:secret@host", exposures_salt="secret")
    assert "secret" not in repr(given)
    assert Settings.from_environment(given.environment()) == given


def test_all_of_them_are_options_but_the_salt():
    fields = {name: field for name, field in Settings.model_fields.items() if name.startswith("exposures")}
    assert [name for name, field in fields.items() if EXPOSURES not in field.metadata] == ["exposures_salt"]
    assert EXPOSURES in GROUPS
