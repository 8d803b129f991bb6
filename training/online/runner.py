"""Does what a search decides: writes the models file, has the services reload it, and cleans up at the end."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from ranker.config.file import ConfigError
from ranker.files import replace_file
from training.online.actions import Action, Done, Serve
from training.online.models_file import check_writable, current_experiment, write_experiment
from training.online.observed import Observations
from training.online.search import Search
from training.online.served import digest, experiment, is_of
from training.online.services import Services

REPLACED = "replaced-experiment.yaml"


class Runner:
    """A search, its services and the models file that they read.

    Parameters
    ----------
    search
        The decisions.
    services
        What is asked to reload.
    folder
        Where an experiment that is replaced is kept.
    replace
        Whether an experiment that is not of this search may be replaced.
    """

    def __init__(self, search: Search, services: Services, folder: Path, *, replace: bool = False) -> None:
        self.search, self._services = search, services
        self._models, self._name = search.config.service.models, search.config.name
        self._folder, self._replace = folder, replace

    def check(self) -> None:
        """Raise ``ConfigError`` if the models file cannot be written, or has an experiment that may not be replaced."""
        check_writable(self._models)
        self._foreign()

    def step(self, now: datetime, observations: Observations) -> Action:
        """Take the next step of the search, and carry it out.

        Raises ``ConfigError``, ``ServiceError`` or ``ObservationError``; the step is then taken again at the next call.
        """
        self._again_if_lost()
        action = self.search.step(now, observations)
        if isinstance(action, Serve):
            self._serve(action.experiment)
            self.search.served(now)
        elif isinstance(action, Done):
            self._remove()
        return action

    def _again_if_lost(self) -> None:
        """Serve a running round again if the models file or a service has lost it, for example by a restart."""
        rounds = self.search.rounds
        if self.search.outcome is not None or not rounds or rounds[-1].measured is not None or not rounds[-1].served:
            return
        content = experiment(self.search.config, self.search.space, rounds[-1])
        if rounds[-1].served != digest(content):
            return  # its change was never served, which the next step does
        if current_experiment(self._models) != content or self._services.experiments() != {content["name"]}:
            self._serve(content)
            self.search.note("the models file or a service had lost the experiment; it was served again")

    def _serve(self, content: Mapping[str, Any]) -> None:
        foreign = self._foreign()
        if foreign is not None:
            text = yaml.safe_dump({"experiment": foreign}, sort_keys=False, allow_unicode=True)
            replace_file(self._folder / REPLACED, text.encode())
        write_experiment(self._models, content)
        self._services.reload(content["name"])

    def _remove(self) -> None:
        """End the experiment, unless somebody has begun another meanwhile."""
        found = current_experiment(self._models)
        if found is not None and not is_of(self._name, str(found.get("name"))):
            return
        if found is not None:
            write_experiment(self._models, None)
        if any(name is not None and is_of(self._name, name) for name in self._services.experiments()):
            self._services.reload(None)

    def _foreign(self) -> dict[str, Any] | None:
        """An experiment in the models file that is not of this search. Raises ``ConfigError`` if it must stay."""
        found = current_experiment(self._models)
        if found is None or is_of(self._name, str(found.get("name"))):
            return None
        if not self._replace:
            raise ConfigError(
                f"{self._models}: has the experiment {found.get('name')!r:.80}, which is not of this search; end it, "
                "or replace it with --replace"
            )
        return found
