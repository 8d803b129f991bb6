"""A YAML file (JSON is YAML too) -> a closed, frozen model; every mistake is named by its path and line."""

from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from ranker.config_errors import explain

Config = TypeVar("Config", bound=BaseModel)


class ConfigError(ValueError):
    """A config that cannot be used; its text is meant for the person who wrote the file."""


def read(path: Path, model: type[Config]) -> Config:
    """Read and check a file. Raises ``ConfigError`` naming each mistake by path and line."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from None
    try:
        raw = yaml.safe_load(text)
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not valid YAML: {error}") from None
    if not isinstance(raw, dict):
        raise ConfigError(f"{path}: a config is a mapping with the keys {', '.join(keys(model))}")
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        mistakes = "\n".join(f"  {line}" for line in explain(error, model, tree))
        raise ConfigError(f"{path} has {error.error_count()} mistake(s):\n{mistakes}") from None


def keys(model: type[BaseModel]) -> list[str]:
    """Names of a config's sections."""
    return [field.alias or name for name, field in model.model_fields.items()]
