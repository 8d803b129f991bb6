"""Expands a config and the values to vary into a grid of trials."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass
from itertools import product
from typing import Any

import yaml

from ranker.config.yaml import YamlError
from ranker.config.yaml import parse as read_yaml
from ranker.position import POSITION_METHODS
from ranker.rank_losses import RANK_LOSSES
from ranker.registry import suggestion
from training.config.experiment import CHOICES, ConfigError, Experiment
from training.sweeps import Trial, checked

EVERY = "all"
_NAMED: Mapping[str, Mapping[str, Any]] = {"position.method": POSITION_METHODS, "rank_loss.name": RANK_LOSSES}
"""Choices within a section, by the end of the key of their name."""


@dataclass(frozen=True)
class Variation:
    """A config key, dotted if nested, and the values to try."""

    key: str
    values: tuple[Any, ...]
    every: bool = False
    """Whether the values are a whole registry: entries that do not fit the tasks are then skipped."""


def variations(vary: Mapping[str, Any] | Sequence[str]) -> list[Variation]:
    """Variations from a mapping of keys to values, or from ``KEY=VALUE,VALUE`` strings. Raises ``ConfigError``."""
    if not isinstance(vary, Mapping):
        return [parse(text) for text in ([vary] if isinstance(vary, str) else vary)]
    return [_listed(key, values) for key, values in vary.items()]


def _listed(key: str, values: Any) -> Variation:
    if values == EVERY:
        return parse(f"{key}={EVERY}")
    if isinstance(values, str) or not isinstance(values, Sequence) or not values:
        raise ConfigError(f"vary[{key!r}]: must be a list of values to try, got {values!r}")
    return _distinct(f"vary[{key!r}]", Variation(key, tuple(values)))


def _distinct(named: str, variation: Variation) -> Variation:
    """Raise ``ConfigError`` if a value is listed twice."""
    if len({str(value) for value in variation.values}) < len(variation.values):
        raise ConfigError(f"{named}: a value is listed twice")
    return variation


def parse(text: str) -> Variation:
    """``architecture=mmoe,ple`` or ``optimizer.dense.learning_rate=1e-3,3e-3``; ``all`` stands for a whole registry.

    Values are YAML; commas inside brackets or braces do not separate. Raises ``ConfigError``.
    """
    key, words = _split(text)
    every = words == [EVERY] and key in CHOICES
    if every:
        words = sorted(CHOICES[key])
    try:
        values = tuple(read_yaml(word).data for word in words)
    except YamlError as error:
        raise ConfigError(f"--vary {text!r}: {error}") from None
    return _distinct(f"--vary {text!r}", Variation(key, values, every))


def expand(base: Experiment, variations: Sequence[Variation], seeds: int) -> list[Trial]:
    """Every combination of values and seeds, starting from the config's seed. Raises ``ConfigError``.

    If a choice such as ``architecture``, ``position.method`` or a task's ``rank_loss`` changes its name, the config's
    options that the new class shares are kept; all others take their defaults.
    """
    keys = [variation.key for variation in variations]
    for key in keys:
        if keys.count(key) > 1:
            raise ConfigError(f"--vary {key}: is given twice; list all its values in one")
        if key == "training.seed":
            raise ConfigError("--vary training.seed: use --seeds 3 for three seeds, starting from the config's own")
    # Choices first, so that their options can be varied too, and an option that a choice lacks is an error.
    variations = sorted(variations, key=lambda variation: variation.key not in CHOICES)
    keys = [variation.key for variation in variations]
    raw = base.model_dump(mode="json", by_alias=True)
    for key in keys:
        _check_key(raw, key)
    values_of = [_fitting(raw, variation) for variation in variations]
    trials = []
    for seed in range(base.training.seed, base.training.seed + seeds):
        for values in product(*values_of):
            changed = deepcopy(raw)
            changed["training"]["seed"] = seed
            for key, value in zip(keys, values, strict=True):
                _set(changed, key, value)
            texts = {key: _text(value) for key, value in zip(keys, values, strict=True)}
            varied = ", ".join(f"{key}={value}" for key, value in texts.items())
            trials.append(Trial(texts, seed, checked(changed, f"--vary {varied}")))
    return trials


def _check_key(raw: Mapping[str, Any], key: str) -> None:
    """Raise ``ConfigError`` for an unknown section, suggesting a key with the same ending or a similar spelling."""
    section = key.partition(".")[0]
    if section in raw:
        return
    known = list(_paths(raw))
    ending = [path for path in known if path.endswith(f".{key}")]
    hint = f"; did you mean {ending[0]!r}?" if ending else suggestion(key, known)
    raise ConfigError(f"--vary {key}: unknown key {section!r}{hint} (known: {', '.join(raw)})")


def _paths(config: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """All keys of a config, dotted."""
    for key, value in config.items():
        yield prefix + key
        if isinstance(value, Mapping):
            yield from _paths(value, f"{prefix}{key}.")


def _fitting(raw: dict[str, Any], variation: Variation) -> list[Any]:
    """The values to try; for a whole registry, only those that are valid in this config."""
    if not variation.every:
        return list(variation.values)
    fitting = []
    for name in variation.values:
        changed = deepcopy(raw)
        _set(changed, variation.key, name)
        with suppress(ConfigError):
            checked(changed, name)
            fitting.append(name)
    return fitting


def _set(config: dict[str, Any], key: str, value: Any) -> None:
    *path, last = key.split(".")
    node = config
    for depth, part in enumerate(path):
        child = node.get(part)
        if child is None:
            child = node[part] = {}
        if not isinstance(child, dict):
            raise ConfigError(f"--vary {key}: {'.'.join(path[: depth + 1])} has no keys")
        node = child
    if not path and last in CHOICES:
        value = _chosen(last, config.get(last), value)
    if last == "rank_loss" and isinstance(value, str) and isinstance(node.get(last), dict):
        _set(config, f"{key}.name", value)  # a bare name keeps the group and the weight
        return
    for ending, kinds in _NAMED.items():
        if f".{key}".endswith(f".{ending}") and isinstance(value, str) and value in kinds:
            for option in node.keys() - kinds[value].Options.model_fields.keys():
                del node[option]
    node[last] = value


def _chosen(section: str, before: Any, value: Any) -> Any:
    """A choice's new options: as given, completed with the previous options that still apply."""
    options = {"name": value} if isinstance(value, str) else dict(value) if isinstance(value, Mapping) else value
    if not isinstance(options, dict) or not isinstance(before, Mapping):
        return options
    name = str(options.get("name", before["name"]))
    if name not in CHOICES[section]:
        return {**options, "name": name}
    if name == before["name"]:
        return {**before, **options}
    # Keep only what the config set explicitly, since the other class' defaults do not carry over, and only options
    # with the same meaning: those of the nearest common base class that the class does not leave unused.
    kind, other = CHOICES[section][name].Options, CHOICES[section][before["name"]].Options
    common = next(base for base in kind.__mro__ if issubclass(other, base))
    defaults = other().model_dump(mode="json")
    shared = common.model_fields.keys() - set(getattr(kind, "unused", ()))
    kept = {k: v for k, v in before.items() if k in shared and v != defaults.get(k)}
    return {**kept, **options, "name": name}


def _text(value: Any) -> str:
    return (
        value
        if isinstance(value, str)
        else yaml.safe_dump(value, default_flow_style=True).strip().removesuffix("...").strip()
    )


def _split(text: str) -> tuple[str, list[str]]:
    """Split ``architecture=mmoe,ple`` into the key and its values as text. Raises ``ConfigError``.

    Commas inside brackets or braces do not separate.
    """
    key, equals, rest = text.partition("=")
    key = key.strip()
    if not equals or not key or not rest.strip():
        raise ConfigError(f"--vary {text!r}: must be KEY=VALUE,VALUE, for example architecture=mmoe,ple")
    return key, [word.strip() for word in _divided(rest)]


def _divided(text: str) -> Iterator[str]:
    depth, start = 0, 0
    for place, c in enumerate(text):
        depth += (c in "[{") - (c in "]}")
        if c == "," and depth == 0:
            yield text[start:place]
            start = place + 1
    yield text[start:]
