"""The models file (setting ``models``): the service's models by name, the default model, and the experiment."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import Field, model_validator

from ranker.config.closed import Closed
from ranker.config.file import ConfigError, read
from ranker.registry import alternatives
from serving.experiments.config import Experiment, Named
from serving.ranking.ranker import ONLY_MODEL
from serving.settings import Settings, SettingsError


class Source(Closed):
    """Files of one model; paths are relative to the models file."""

    artifact: Path = Field(description="An artifact, or a folder of versions.")
    version: int | None = Field(None, ge=1, lt=2**31, description="Serve only this version.")
    version_file: Path | None = Field(
        None, description="File that holds the number of the version to serve; changes are followed."
    )
    items: Path | None = Field(None, description="Items that requests may name by id, as in the setting `items`.")

    @model_validator(mode="after")
    def _one_version(self) -> Self:
        if self.version is not None and self.version_file is not None:
            raise ValueError("name a version or a version_file, not both")
        return self


class Catalogue(Closed):
    """Content of the models file: models by name, the default model, and the experiment."""

    models: dict[Named, Source] = Field(min_length=1, description="Models by name.")
    default: Named = Field(description="Model used if neither the request nor the experiment names another.")
    experiment: Experiment | None = Field(None, description="A/B experiment that splits users into groups.")

    @model_validator(mode="before")
    @classmethod
    def _only_one(cls, data: Any) -> Any:
        """A single model is the default."""
        models = data.get("models") if isinstance(data, Mapping) else None
        if isinstance(models, Mapping) and len(models) == 1 and "default" not in data:
            return {**data, "default": next(iter(models))}
        return data

    @model_validator(mode="after")
    def _known_models(self) -> Self:
        groups = self.experiment.groups if self.experiment else {}
        named = {f"experiment.groups.{name}.model": group.model for name, group in groups.items()}
        for where, name in {"default": self.default, **named}.items():
            if name is not None and name not in self.models:
                raise ValueError(f"{where}: {unknown(name, self.models)}")
        return self

    @classmethod
    def of(cls, settings: Settings) -> "Catalogue":
        """The models named by the settings. Raises ``SettingsError``."""
        if settings.models is not None:
            try:
                return cls.read(settings.models)
            except ConfigError as error:
                raise SettingsError(f"RANKER_SERVE_MODELS: {error}") from None
        assert settings.artifact is not None
        source = Source(
            artifact=settings.artifact,
            version=settings.version,
            version_file=settings.version_file,
            items=settings.items,
        )
        return cls(models={ONLY_MODEL: source}, default=ONLY_MODEL)

    @classmethod
    def read(cls, file: Path) -> "Catalogue":
        """Read a file. Raises ``ConfigError``."""
        catalogue = read(file, cls)
        folder = file.resolve().parent

        def absolute(source: Source) -> Source:
            paths = {name: getattr(source, name) for name in ("artifact", "version_file", "items")}
            return source.model_copy(update={name: folder / path for name, path in paths.items() if path is not None})

        models = {name: absolute(source) for name, source in catalogue.models.items()}
        return catalogue.model_copy(update={"models": models})


def unknown(name: str, models: Mapping[str, Any]) -> str:
    """Error message for an unknown model name, with the known ones."""
    return f"no model is named {name!r}{alternatives(name, models)}"
