"""A YAML file (JSON is YAML too) -> a closed, frozen model; every error names its path and line."""

import codecs
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from ranker.config.errors import explain
from ranker.config.yaml import Document, YamlError, parse

Config = TypeVar("Config", bound=BaseModel)

LARGEST = 4 * 2**20
"""Maximum size of a config in bytes."""


class ConfigError(ValueError):
    """An invalid config; the message is for the author of the file."""


def read(path: Path, model: type[Config]) -> Config:
    """Read and check a file. Raises ``ConfigError`` that lists each error with path and line."""
    return check(path, document(path), model)


def document(path: Path) -> Document:
    """Read a YAML file that must be a mapping; keys are not checked. Raises ``ConfigError``."""
    text = _text(path)
    try:
        parsed = parse(text)
    except YamlError as error:
        raise ConfigError(f"{path} is not valid YAML: {error}") from None
    if not isinstance(parsed.data, dict):
        kind = {list: "is a list", type(None): "is empty"}.get(type(parsed.data), "is a single value")
        raise ConfigError(f"{path} {kind}; a config is a mapping of keys to values")
    return parsed


def check(path: Path, parsed: Document, model: type[Config]) -> Config:
    """Check the content of a file. Raises ``ConfigError`` that lists each error with path and line."""
    return _checked(parsed.data, model, str(path), parsed.tree)


def check_data(content: Mapping[str, Any], model: type[Config]) -> Config:
    """Check a dict. Raises ``ConfigError`` that lists each error with its path."""
    return _checked(content, model, "the config", None)


def _checked(content: Any, model: type[Config], name: str, tree: yaml.Node | None) -> Config:
    try:
        return model.model_validate(content)
    except ValidationError as error:
        lines = explain(error, model, tree)
        mistakes = "\n".join(f"  {line}" for line in lines)
        raise ConfigError(f"{name} has {len(lines)} mistake(s):\n{mistakes}") from None


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST + 1)
    except FileNotFoundError:
        raise ConfigError(f"{path}: cannot be read: there is no such file") from None
    except IsADirectoryError:
        raise ConfigError(f"{path}: is a folder; name the YAML file in it") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ConfigError(f"{str(path)!r}: cannot be read: {reason}") from None
    if len(raw) > LARGEST:
        raise ConfigError(f"{path}: is larger than {LARGEST // 2**20} MB; is it a config?")
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise ConfigError(f"{path}: is encoded as UTF-16; save it as UTF-8")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}, line {line}: the byte 0x{raw[error.start]:02x} is not UTF-8") from None


def keys(model: type[BaseModel]) -> list[str]:
    """Names of a config's sections."""
    return [field.alias or name for name, field in model.model_fields.items()]
