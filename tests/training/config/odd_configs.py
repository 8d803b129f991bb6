"""Odd configs: a valid one, changed at random as data and as text; and a check of how ``load`` ends for them."""

import copy
import datetime
import json
import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import yaml

from tests.training.conftest import CONFIG
from training.config.experiment import ConfigError, Experiment, load

CONFIGS = Path(__file__).parents[3] / "configs"
DEEP = 60

TEXTS = [
    *("", " ", "=", "<<", "~", "on", "no", "null", "*", "[", "{", "-", "#", "x" * 20_000, "\0", "\ud800", "\u2028"),
    *("é", "日本", "🙂", "a b", "a.b", "a\nb", "\t", "../..", "2024-01-01", "12:30", "1e999", "0x1f", "1_000", "nan"),
    *("%", "%Y", "%Y-%", "%z" * 300, "all", "default", "click", "like", "item_id", "user_id", "date", "mean_auc"),
    *("click + like", "click /", "1/0", "log(click)", "f(x, y", "(" * 2000, "-" * 2000 + "1", "1" * 5000),
    *("a" + "+a" * 3000, "power(click, 9999999999)", "9**9**9**9", "click.auc", "click[0]", "if click else", "λ"),
]  # fmt: skip
NUMBERS = [0, -0.0, 1, -1, 2, 0.5, 1e-320, 1e308, -1e308, 2**31, 2**63, -(2**63), 2**64, 10**350, 10**450]
NUMBERS += [math.nan, math.inf, -math.inf]
OTHERS = [None, True, False, datetime.date(2024, 1, 9), datetime.datetime(2024, 1, 9, 1, 2, tzinfo=datetime.UTC), b"a"]
PIECES = [
    *("\t", " ", "  ", ":", ": ", "-", "- ", "#", "'", '"', "{", "}", "[", "]", ",", "&a ", "*a", "*b", "? ", "|", ">"),
    *("\n", "\r", "---", "...", "%YAML 1.1\n", "!!python/object:os.system ", "!!int ", "!!binary ", "!!set ", "!x "),
    *("!!timestamp ", "!!float ", "!!str ", "<<: ", "\\", "\0", "\x85", "\ufeff", "é", "\\ud800", '"\\UFFFFFFFF"', "@"),
]  # fmt: skip


def odd_config(seed: int) -> str:
    """The text of a config, valid but for one to four changes; the same for the same seed."""
    random = Random(seed)
    data = copy.deepcopy(random.choice(_bases()))
    as_data = random.choice((0, 1, 1, 1, 1, 2, 2, 3))
    for _ in range(as_data):
        random.choice(CHANGES)(random, data)
    text = yaml.safe_dump(data, sort_keys=False, allow_unicode=random.random() < 0.5)
    for _ in range(random.choice((0, 0, 0, 0, 0, 1)) if as_data else random.choice((1, 1, 2))):
        text = random.choice(EDITS)(random, text)
    return text


def complaint(text: str, folder: Path) -> str | None:
    """What is wrong with how ``load`` ends for such a file, if anything is.

    It must return an experiment, which is the same once written as JSON and read again, or raise a ``ConfigError``
    that names the file and says more.
    """
    path = folder / "odd-config.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            experiment = load(path)
            stored = json.loads(json.dumps(experiment.model_dump(mode="json", by_alias=True)))
            if Experiment.model_validate(stored) != experiment:
                return "differs once it is written as JSON and read again"
    except ConfigError as error:
        told = str(error)
        if str(path) not in told or not told.replace(str(path), "").strip():
            return f"an error that does not name the file: {told}"
        try:
            told.encode()
        except UnicodeEncodeError:
            return f"an error that cannot be printed: {told!r}"
        longest = max(map(len, told.splitlines()))
        return f"an error with a line too long to read: {longest:,} characters" if longest > 4000 else None
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:500]}"
    return None


def smallest(text: str, folder: Path) -> str:
    """``text`` without the lines that the same kind of complaint does not need."""
    kind = str(complaint(text, folder)).partition(":")[0]
    lines = text.splitlines(keepends=True)
    step = max(len(lines) // 2, 1)
    while True:
        for start in range(len(lines) - step, -1, -step):
            fewer = lines[:start] + lines[start + step :]
            if str(complaint("".join(fewer), folder)).partition(":")[0] == kind:
                lines = fewer
        if step == 1:
            return "".join(lines)
        step //= 2


@cache
def _bases() -> list[dict[str, Any]]:
    return [CONFIG, *(yaml.safe_load(path.read_text()) for path in sorted(CONFIGS.glob("*.yaml")))]


@cache
def _names() -> list[str]:
    """Names of the options of every section, and of choices."""
    found: set[str] = set()

    def walk(node: Any) -> None:
        if isinstance(node, Mapping):
            found.update(node.get("properties", {}))
            found.update(word for word in [node.get("const"), *node.get("enum", [])] if isinstance(word, str))
        for child in node.values() if isinstance(node, Mapping) else node if isinstance(node, list) else ():
            walk(child)

    walk(Experiment.model_json_schema(by_alias=True))
    return sorted(found)


@cache
def _parts() -> list[Any]:
    """Every value within the valid configs."""
    return [holder[key] for base in _bases() for holder, key in _places(base)]


def _places(data: Any) -> Iterator[tuple[Any, Any]]:
    """Every mapping or list within ``data``, with each key or index."""
    keys = list(data) if isinstance(data, dict) else range(len(data)) if isinstance(data, list) else ()
    for key in keys:
        yield data, key
        yield from _places(data[key])


def _value(random: Random, depth: int = 0) -> Any:
    kind = random.randrange(9 if depth < 3 else 5)
    if kind < 5:
        pool: list[Any] = (TEXTS, NUMBERS, OTHERS, _names(), [random.randint(-3, 40)])[kind]
        return random.choice(pool)
    if kind == 5:
        return copy.deepcopy(random.choice(_parts()))
    if kind == 6:
        return [_value(random, depth + 1) for _ in range(random.randrange(4))]
    if kind == 7:
        return {_key(random): _value(random, depth + 1) for _ in range(random.randrange(4))}
    value: Any = _value(random, 3)
    for _ in range(random.choice((3, 30, DEEP))):
        value = [value] if random.random() < 0.5 else {_key(random): value}
    return value


def _key(random: Random) -> Any:
    return random.choice(random.choice((TEXTS, _names(), _names(), [*NUMBERS, None, True])))


def _drop(random: Random, data: dict[str, Any]) -> None:
    holder, key = random.choice(list(_places(data)) or [({"": 0}, "")])
    del holder[key]


def _rename(random: Random, data: dict[str, Any]) -> None:
    holder, key = random.choice([place for place in _places(data) if isinstance(place[0], dict)] or [({"": 0}, "")])
    holder[_key(random)] = holder.pop(key)


def _add(random: Random, data: dict[str, Any]) -> None:
    holder = random.choice([data, *(h[k] for h, k in _places(data) if isinstance(h[k], dict | list))])
    if isinstance(holder, dict):
        holder[_key(random)] = _value(random)
    else:
        holder.insert(random.randint(0, len(holder)), _value(random))


def _replace(random: Random, data: dict[str, Any]) -> None:
    holder, key = random.choice(list(_places(data)) or [({"": 0}, "")])
    holder[key] = _value(random)


def _nudge(random: Random, data: dict[str, Any]) -> None:
    """Put another value of the same kind in place of one, so that the checks behind those of types come to it."""
    holder, key = random.choice([p for p in _places(data) if isinstance(p[0][p[1]], int | float | str)] or [({}, "")])
    value = holder.get(key) if isinstance(holder, dict) else holder[key]
    if isinstance(value, bool):
        holder[key] = not value
    elif isinstance(value, str):
        words = [str(k) for h, k in _places(data) if isinstance(h, dict)]
        holder[key] = random.choice([*words, *_names(), "click + like", "log(1 + click)", "%Y-%m", "mean_loss", "a.b"])
    else:
        holder[key] = random.choice((value + 1, -value, value * 10**6, value / 2, int(value), 0, 1, 0.999, 10**30))


def _wrap(random: Random, data: dict[str, Any]) -> None:
    holder, key = random.choice(list(_places(data)) or [({"": 0}, "")])
    holder[key] = random.choice(([holder[key]], {_key(random): holder[key]}, [holder[key]] * 2, str(holder[key])))


def _cut(random: Random, text: str) -> str:
    start, end = sorted(random.randint(0, len(text)) for _ in range(2))
    return random.choice((text[:start], text[start:], text[:start] + text[end:]))


def _insert(random: Random, text: str) -> str:
    place = random.randint(0, len(text))
    return text[:place] + random.choice(PIECES) + text[place:]


def _before_a_value(random: Random, text: str) -> str:
    places = [place for place, c in enumerate(text) if c == " " and text[place - 1 : place] in ":-"] or [0]
    place = random.choice(places) + 1
    return text[:place] + random.choice(PIECES) + text[place:]


def _lines(random: Random, text: str) -> str:
    lines = text.splitlines(keepends=True) or [""]
    place = random.randrange(len(lines))
    change = random.randrange(4)
    if change == 0:
        lines.insert(random.randint(0, len(lines)), lines[place])
    elif change == 1:
        lines[place] = random.choice((" ", "  ", "\t", "- ")) + lines[place]
    elif change == 2:
        lines[place] = lines[place].lstrip()
    else:
        random.shuffle(lines)
    return "".join(lines)


Change = Callable[[Random, dict[str, Any]], None]
CHANGES: list[Change] = [
    _nudge,
    _nudge,
    _nudge,
    _nudge,
    _drop,
    _rename,
    _add,
    _add,
    _add,
    _replace,
    _replace,
    _replace,
    _replace,
    _wrap,
]
EDITS: list[Callable[[Random, str], str]] = [_cut, _insert, _before_a_value, _lines]
