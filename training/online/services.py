"""The running services of a search: reload the experiment, and see what all workers serve."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from ranker.artifact import Artifact
from training.admin_client import AdminClient, ServiceError, address, key_in_environment, key_in_file
from training.config.online import ServiceOptions

NOT_FOUND = 404


@dataclass(frozen=True)
class Services:
    """All services that read the models file; ``model`` is the searched one there, ``None`` for the default model."""

    clients: Sequence[AdminClient]
    model: str | None

    @classmethod
    def of(cls, options: ServiceOptions) -> "Services":
        """Check the addresses and read the key. Raises ``ConfigError``."""
        if options.admin_key_env is not None:
            key = key_in_environment("service.admin_key_env", options.admin_key_env)
        else:
            assert options.admin_key_file is not None
            key = key_in_file("service.admin_key_file", options.admin_key_file)
        return cls([AdminClient(address("service.urls", url), key) for url in options.urls], options.model)

    def check(self, artifact: Artifact) -> list[str]:
        """Return what is doubtful: a service that serves another version than the artifact.

        Raises ``ServiceError`` if a service cannot be asked or has no admin routes.
        """
        doubts = []
        name = "" if self.model is None else f"?name={quote(self.model, safe='')}"
        for client in self.clients:
            self._status(client)
            served = client.ask("GET", f"/model{name}")
            if served.get("created") != artifact.manifest.created.isoformat():
                doubts.append(
                    f"{client.url} serves version {served.get('version')}, exported {served.get('created')}, and not "
                    f"{artifact.folder}"
                )
        return doubts

    def reload(self, experiment: str | None) -> int:
        """Have all services serve the experiment of the models file, or none; return the number of workers.

        Raises ``ServiceError`` if a service refuses it, serves another, or not with all workers.
        """
        revisions: dict[str, str | None] = {}
        workers = 0
        for client in self.clients:
            answer = client.ask("POST", "/admin/experiment/reload")
            name, revision = _served(answer)
            if name != experiment:
                raise ServiceError(
                    f"{client.url}: serves {_words(name)} after the reload, and not {_words(experiment)}: does it read "
                    "the models file of service.models?"
                )
            revisions[client.url] = revision
            workers += _all_follow(client, self._status(client), revision)
        if len(set(revisions.values())) > 1:
            told = ", ".join(f"{url}: {revision}" for url, revision in revisions.items())
            raise ServiceError(f"the services serve different revisions of {experiment}: {told}")
        return workers

    def experiments(self) -> set[str | None]:
        """Names of the experiments that the services serve; ``None`` for none. Raises ``ServiceError``."""
        return {_served(self._status(client))[0] for client in self.clients}

    def _status(self, client: AdminClient) -> dict[str, Any]:
        try:
            return client.ask("GET", "/admin/status")
        except ServiceError as error:
            if error.status == NOT_FOUND:
                raise ServiceError(
                    f"{client.url}: has no admin routes; start the service with admin keys (setting admin_keys_file)"
                ) from None
            raise


def _served(answer: dict[str, Any]) -> tuple[str | None, str | None]:
    """Name and revision of the experiment in an answer."""
    found = answer.get("experiment")
    return (found.get("name"), found.get("revision")) if isinstance(found, dict) else (None, None)


def _all_follow(client: AdminClient, status: dict[str, Any], revision: str | None) -> int:
    workers = status.get("workers")
    workers = workers if isinstance(workers, dict) else {}
    late = [
        pid for pid, serves in workers.items() if not isinstance(serves, dict) or serves.get("experiment") != revision
    ]
    if late:
        raise ServiceError(f"{client.url}: {len(late)} of {len(workers)} workers do not serve the experiment yet")
    return len(workers)


def _words(experiment: str | None) -> str:
    return "no experiment" if experiment is None else f"the experiment {experiment!r}"
