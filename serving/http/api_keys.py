"""API keys for ranking and for the admin routes."""

import hashlib
import hmac
from pathlib import Path

from pydantic import SecretStr

from serving.settings import SettingsError

SHORTEST = 16
SCHEME = "bearer "


class Keys:
    """Digests of keys; headers are compared with them in constant time."""

    def __init__(self, keys: frozenset[str] = frozenset()) -> None:
        self._digests = [_digest(key) for key in sorted(keys)]

    @classmethod
    def read(cls, name: str, text: SecretStr | None, file: Path | None) -> "Keys":
        """Read comma-separated keys, and keys from a file: one per line, ``#`` for comments.

        Raises ``SettingsError`` if the file cannot be read, if there is no key, and if a key is too short.
        """
        candidates = text.get_secret_value().split(",") if text is not None else []
        if file is not None:
            try:
                lines = file.read_text(encoding="utf-8").splitlines()
            except (OSError, UnicodeDecodeError) as error:
                raise SettingsError(f"{name}_FILE: cannot be read: {error}") from None
            candidates += [line for line in lines if not line.lstrip().startswith("#")]
        keys = frozenset(key.strip() for key in candidates) - {""}
        if not keys and (text is not None or file is not None):
            raise SettingsError(f"{name}: holds no key")
        if any(len(key) < SHORTEST for key in keys):
            raise SettingsError(f"{name}: holds a key of fewer than {SHORTEST} characters; use a long random one")
        return cls(keys)

    def __bool__(self) -> bool:
        return bool(self._digests)

    def allow(self, authorization: str | None) -> bool:
        """Whether an ``Authorization`` header carries one of the keys, as ``Bearer KEY``."""
        if authorization is None or authorization[: len(SCHEME)].lower() != SCHEME:
            return False
        sent = _digest(authorization[len(SCHEME) :].strip())
        # Compare with every key, even after a match, so that the time taken reveals nothing.
        return sum(hmac.compare_digest(sent, digest) for digest in self._digests) > 0


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
