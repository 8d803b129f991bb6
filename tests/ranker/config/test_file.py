"""What a YAML file may hold, and the one line that is said of what it may not."""

from datetime import date, datetime
from typing import Annotated, Literal

import pytest
from pydantic import Field

from ranker.config.closed import Closed
from ranker.config.file import LARGEST, ConfigError, read
from ranker.config.yaml import DEEPEST, YamlError, parse


class Inner(Closed):
    size: int = 1
    share: float | None = None
    deep: bool = False


class Red(Closed):
    kind: Literal["red"]


class Blue(Closed):
    kind: Literal["blue"]


class Outer(Closed):
    inner: Inner = Inner()
    name: str = ""
    shares: dict[str, float] = Field(default_factory=dict)
    sizes: tuple[int, ...] = ()
    parts: dict[str, Inner] = Field(default_factory=dict)
    pair: tuple[int, ...] = Field((1,), min_length=1)
    weights: Annotated[float, Field(gt=0)] | dict[str, float] = 1.0
    start: int | float | datetime | date | str | None = None
    names: tuple[str | tuple[str, ...], ...] = ()
    colour: Annotated[Red | Blue, Field(discriminator="kind")] = Red(kind="red")
    one: Inner | Red | None = None
    often: Literal["always"] | int = 1


def written(tmp_path, content):
    path = tmp_path / "config.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def refused(tmp_path, content):
    with pytest.raises(ConfigError) as caught:
        read(written(tmp_path, content), Outer)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("on", "on"), ("no", "no"), ("y", "y"), ("12:30", "12:30"), ("010", 10), ("0o10", 8), ("0x10", 16)),
        *(("1_000", "1_000"), ("1e3", 1000.0), ("1e-3", 0.001), (".5", 0.5), ("-7", -7), ("+1.5", 1.5), ("=", "=")),
        *(("~", None), ("null", None), ("", None), ("true", True), ("False", False), ("<<", "<<"), ("'1'", "1")),
        *(("2024-01-05", "2024-01-05"), ("2024-01-05 00:00:00", "2024-01-05 00:00:00"), ("!!str 1", "1")),
        *(("!!float 1", 1.0), ("-.inf", float("-inf")), ("'true'", "true"), ("1.0.0", "1.0.0")),
    ],
)
def test_scalars_follow_yaml_1_2(text, value):
    found = parse(f"key: {text}").data["key"]
    assert found == value
    assert type(found) is type(value)


def test_keys_are_text_as_written():
    found = parse("on: 1\nno: 2\n1: 3\nnull: 4\n~: 5\n010: 6\n2024-01-05: 7").data
    assert list(found) == ["on", "no", "1", "null", "~", "010", "2024-01-05"]


@pytest.mark.parametrize(
    ("text", "key", "lines"),
    [
        ("a: 1\nb: 2\na: 3", "a", (3, 1)),
        ("x:\n  a: 1\n  a: 1", "a", (3, 2)),
        ("- {a: 1,\n   'a': 2}", "a", (2, 1)),
        ("1: x\n'1': y", "1", (2, 1)),
        ("a: {<<: {b: 1},\n  <<: {c: 1}}", "<<", (2, 1)),
        ("x: &x {a: 1}\ny: {<<: *x, b: 1,\n  b: 2}", "b", (3, 2)),
    ],
)
def test_a_duplicate_key_is_reported_with_both_lines(text, key, lines):
    with pytest.raises(YamlError, match=f"line {lines[0]}: duplicate key '{key}', first on line {lines[1]}"):
        parse(text)


def test_a_mappings_own_keys_override_merged_ones():
    found = parse("a: &a {p: 1, q: 2}\nb: &b {q: 3}\nc: {p: 9, <<: *a}\nd: {<<: [*b, *a]}\ne: *a").data
    assert found["c"] == {"p": 9, "q": 2}
    assert found["d"] == {"q": 3, "p": 1}
    assert found["e"] == {"p": 1, "q": 2}


LAUGHS = "a: &a [1,2,3,4,5,6,7,8,9]\n" + "".join(
    f"{new}: &{new} [{','.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefg", "bcdefgh", strict=True)
)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "is empty"),
        ("# nothing", "is empty"),
        ("- 1", "is a list"),
        ("word", "is a single value"),
        ("name: a\n---\nname: b", "line 2, column 1: a second document"),
        ("inner:\n\tsize: 1", "line 2, column 1: found a tab; indent with spaces"),
        ("name: !!python/object/apply:os.system [ls]", "line 1: the tag !!python/object/apply:os.system"),
        ("name: !secret x", "the tag !secret"),
        ("inner: !!set {a, b}", "the tag !!set"),
        ("name: !!int abc", "line 1: 'abc' is not a valid int"),
        ("name: *nowhere", "undefined alias"),
        ("name: &a [*a]", "an alias refers to a value that contains it"),
        (LAUGHS, "more than 100,000 values"),
        ("sizes: " + "[" * 10_000, f"line 1: is nested more than {DEEPEST} levels"),
        ("\n".join(" " * i + "a:" for i in range(2000)), f"is nested more than {DEEPEST} levels"),
        ("inner: {size: " + "9" * 5000 + "}", "has 5000 digits"),
        ("inner: {size: 0x" + "f" * 5000 + "}", "has 5002 digits"),
        ("name: {{ name }}", "a key must be a name"),
        ("name: a: b", "line 1, column 8"),
        ("name: 'a", "line 1"),
        ('name: "\\ud800"', "half of a surrogate pair"),
        ('name: "\\UFFFFFFFF"', "invalid escape"),
        ("name: \x00", "U+0000"),
        (b"name: a\nsizes: caf\xe9", "line 2: the byte 0xe9 is not UTF-8"),
        ("name: a".encode("utf-16"), "UTF-16"),
        (b"a" * (LARGEST + 1), "larger than 4 MB"),
        ("inner: {size: true}", "inner.size: must be a number, got true"),
        ("inner: {share: no}", "inner.share: "),
        ("shares: {a: 1, b: false}", "shares: must be a number"),
        ("sizes: [1, true]", "sizes: must be a number"),
        ("parts: {a: {size: true}}", "parts.a.size: must be a number"),
        ("name: 0x10", 'got 16 (written 0x10); text is written in quotes: "0x10"'),
        ("name: 010", 'got 10 (written 010); text is written in quotes: "010"'),
        ("inner: {size: 12:30}", "got '12:30'"),
        ("inner: {share: .nan}", "inner.share: "),
        ("inner: {size: 1e400}", "inner.size: "),
    ],
)
def test_an_invalid_config_gives_a_short_error(tmp_path, content, expected):
    message = refused(tmp_path, content)
    assert expected in message
    assert len(message.splitlines()) <= 2
    assert len(message) < 1000


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("inner: 3", "line 1, inner: must be a mapping of keys to values, got 3"),
        ("inner: {size: 1.5}", "line 1, inner.size: must be a whole number, got 1.5"),
        ("inner: {size: many}", "line 1, inner.size: must be a whole number, got 'many'"),
        ("inner: {share: a}", "line 1, inner.share: must be a number, got 'a'"),
        ("inner: {share: .inf}", "line 1, inner.share: must be a finite number, got inf (written .inf)"),
        ("inner: {deep: maybe}", "line 1, inner.deep: must be true or false, got 'maybe'"),
        ("name: [a]", "line 1, name: must be text, got ['a']"),
        ("sizes: 3", "line 1, sizes: must be a list, such as [a, b], got 3"),
        ("sizes: {a: 1}", "line 1, sizes: must be a list, such as [a, b], got a mapping"),
        ("shares: [1]", "line 1, shares: must be a mapping of keys to values, got [1]"),
        ("pair: []", "line 1, pair: must have at least 1 value(s), and has 0, got []"),
        ("pair:\n  - [1]", "line 2, pair.0: must be a whole number, got [1]"),
        ("weights: [1]", "line 1, weights: must be a number or a mapping of keys to values, got [1]"),
        ("weights: -1", "line 1, weights: must be greater than 0, got -1"),
        ("weights:\n  a: x", "line 2, weights.a: must be a number, got 'x'"),
        ("start: .inf", "line 1, start: must be a finite number, a date or time or text, got inf (written .inf)"),
        ("start: [1]", "line 1, start: must be a number, a date or time or text, got [1]"),
        ("start: {a: 1}", "line 1, start: must be a number, a date or time or text, got a mapping"),
        ("names: [a, 1]", "line 1, names.1: must be text or a list, such as [a, b], got 1"),
        ("names: [[a, 1]]", "line 1, names.0.1: must be text, got 1"),
        ("colour: {kind: bleu}", "line 1, colour: unknown name 'bleu'; did you mean 'blue'? (known: red, blue)"),
        ("colour: {shade: 1}", "line 1, colour: needs the key 'kind'"),
        ("colour: 1", "line 1, colour: must be a mapping of keys to values, got 1"),
        ("one: 1", "line 1, one: must be a mapping of keys to values, got 1"),
        ("often: never", "line 1, often: must be 'always' or a whole number, got 'never'"),
    ],
)
def test_a_wrong_value_gives_one_line_in_yaml_terms(tmp_path, content, line):
    assert refused(tmp_path, content) == f"{tmp_path / 'config.yaml'} has 1 mistake(s):\n  {line}"


def test_booleans_are_accepted_for_boolean_fields(tmp_path):
    found = read(written(tmp_path, "inner: {deep: true}\nparts: {a: {deep: false}}"), Outer)
    assert found.inner.deep
    assert not found.parts["a"].deep


def test_a_byte_order_mark_is_not_part_of_a_key(tmp_path):
    assert read(written(tmp_path, b"\xef\xbb\xbfname: x"), Outer).name == "x"


def test_paths_that_are_not_files_are_rejected(tmp_path):
    for path, expected in ((tmp_path, "is a folder"), (tmp_path / "no.yaml", "there is no such file")):
        with pytest.raises(ConfigError, match=expected):
            read(path, Outer)
    with pytest.raises(ConfigError, match="cannot be read"):
        read(tmp_path / "a\0b", Outer)


@pytest.mark.parametrize(
    "content", ["{k}: 1", "inner: {{? {k} : 1}}", "parts: {{? {k} : {{size: x}}}}", "sizes: [{k}]"]
)
def test_a_long_key_or_value_is_truncated_in_the_message(tmp_path, content):
    text = refused(tmp_path, content.format(k="x" * 1000))
    assert "line 1, " in text
    assert len(text) < 1200 + len(str(tmp_path))
