import pytest

from ranker.registry import Registry, UnknownNameError


def test_an_unknown_name_lists_the_known_and_the_nearest():
    registry = Registry("colour")
    registry.register("green")(1)
    registry.register("red")(2)
    assert registry["red"] == 2
    assert list(registry) == ["green", "red"]
    with pytest.raises(UnknownNameError) as caught:
        registry["gren"]
    assert str(caught.value) == "unknown colour 'gren'; did you mean 'green'? (known: green, red)"


def test_a_name_is_taken_once():
    registry = Registry("colour")
    registry.register("green")(1)
    with pytest.raises(ValueError, match="colour 'green' is registered twice"):
        registry.register("green")(2)
