"""Which models one service serves, by name, and the experiment among them: the file of the setting ``models``."""

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
    """Where a model comes from."""

    artifact: Path = Field(description="An artifact, or a folder of versions; relative to the file that says so.")
    version: int | None = Field(None, ge=1, lt=2**31, description="Serve this version and no other.")
    version_file: Path | None = Field(
        None, description="Serve the version whose number this file holds, and follow it; relative as `artifact`."
    )
    items: Path | None = Field(
        None, description="Items that its requests may name by id, as the setting `items`; relative as `artifact`."
    )

    @model_validator(mode="after")
    def _one_version(self) -> Self:
        if self.version is not None and self.version_file is not None:
            raise ValueError("name a version or a version_file, not both")
        return self


class Catalogue(Closed):
    """Models by name, the one that ranks where nothing else is said, and the experiment."""

    models: dict[Named, Source] = Field(min_length=1, description="By name.")
    default: Named = Field(description="Ranks where neither the request nor the experiment names another.")
    experiment: Experiment | None = Field(None, description="Users split into groups.")

    @model_validator(mode="before")
    @classmethod
    def _only_one(cls, data: Any) -> Any:
        """Of one model the name need not be said twice."""
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
        """What the settings name. Raises ``SettingsError``."""
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
        found = read(file, cls)
        folder = file.resolve().parent

        def placed(source: Source) -> Source:
            named = {name: getattr(source, name) for name in ("artifact", "version_file", "items")}
            return source.model_copy(update={name: folder / path for name, path in named.items() if path is not None})

        return found.model_copy(update={"models": {name: placed(source) for name, source in found.models.items()}})


def unknown(name: str, models: Mapping[str, Any]) -> str:
    """Say that no model has a name, and which there are."""
    return f"no model is named {name!r}{alternatives(name, models)}"
