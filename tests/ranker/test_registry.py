import pytest

from ranker.registry import Registry, UnknownNameError, alternatives, nearest, require_known, suggestion


def test_an_unknown_name_lists_the_known_and_the_nearest():
    registry = Registry("colour")
    registry.register("green")(1)
    registry.register("red")(2)
    assert registry["red"] == 2
    assert list(registry) == ["green", "red"]
    with pytest.raises(UnknownNameError) as caught:
        registry["gren"]
    assert str(caught.value) == "unknown colour 'gren'; did you mean 'green'? (known: green, red)"


def test_a_message_ends_with_the_nearest_name_and_all_that_are_known():
    known = {"green": 1, "red": 2}
    assert nearest("gren", list(known)) == "did you mean 'green'?"
    assert suggestion("gren", known) == "; did you mean 'green'?"
    assert alternatives("gren", known) == "; did you mean 'green'? (known: green, red)"
    assert alternatives("gren", iter(known), "colours") == "; did you mean 'green'? (colours: green, red)"


def test_without_a_near_name_only_the_known_ones_are_listed():
    assert suggestion(7, ["green"]) == ""
    assert alternatives(7, ["green"]) == " (known: green)"
    assert alternatives("green", []) == " (known: none)"


def test_a_name_must_be_one_of_those_known():
    require_known("red", ["green", "red"], "lamp.colour", "a colour")
    with pytest.raises(
        ValueError, match=r"^lamp\.colour: 'gren' is not a colour; did you mean 'green'\? \(known: green\)$"
    ):
        require_known("gren", ["green"], "lamp.colour", "a colour")


def test_a_name_is_taken_once():
    registry = Registry("colour")
    registry.register("green")(1)
    with pytest.raises(ValueError, match="colour 'green' is registered twice"):
        registry.register("green")(2)
