"""Asks a running service to serve a version, by its admin routes."""

from dataclasses import dataclass
from urllib.parse import quote

from ranker.artifact import Artifact
from training.admin_client import AdminClient, ServiceError, address, key_in_environment
from training.config.experiment import ConfigError


@dataclass(frozen=True)
class Service(AdminClient):
    """A running service, and the model's name there; ``None`` for the default model."""

    model: str | None = None

    @classmethod
    def of(cls, url: str, key_env: str | None, model: str | None = None) -> "Service":
        """Check the address, and read the key from an environment variable. Raises ``ConfigError``."""
        where = address("--activate", url)
        if key_env is None:
            raise ConfigError("--activate: needs --admin-key-env, the environment variable that holds the admin key")
        return cls(where, key_in_environment("--admin-key-env", key_env), model)

    def activate(self, artifact: Artifact) -> int:
        """Have the service serve this artifact's version; return the number of workers that serve it.

        Raises ``ServiceError`` if it cannot be asked, refuses, or then serves another artifact of this number.
        """
        version = artifact.manifest.version
        chosen = {} if self.model is None else {"model": self.model}
        answer = self.ask("POST", "/admin/reload", {"version": version, **chosen})
        if answer.get("version") != version:
            raise ServiceError(f"{self.url}: serves version {answer.get('version')} and not {version}")
        name = "" if self.model is None else f"?name={quote(self.model, safe='')}"
        created = self.ask("GET", f"/model{name}").get("created")
        if created != artifact.manifest.created.isoformat():
            raise ServiceError(
                f"{self.url}: serves another artifact with the number {version}, exported {created}, and not "
                f"{artifact.folder}; POST /admin/rollback returns to the version before"
            )
        workers = answer.get("workers")
        workers = workers if isinstance(workers, dict) else {}
        if late := [pid for pid, serves in workers.items() if serves != version]:
            raise ServiceError(f"{self.url}: {len(late)} of {len(workers)} workers do not serve version {version} yet")
        return len(workers)
