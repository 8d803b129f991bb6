"""API keys: who may rank, and who may administrate."""

import hashlib
import hmac
from pathlib import Path

from pydantic import SecretStr

from serving.settings import SettingsError

SHORTEST = 16
SCHEME = "bearer "


class Keys:
    """Digests of keys; a header is compared with each of them in constant time."""

    def __init__(self, keys: frozenset[str] = frozenset()) -> None:
        self._digests = [_digest(key) for key in sorted(keys)]

    @classmethod
    def read(cls, name: str, text: SecretStr | None, file: Path | None) -> "Keys":
        """Keys between commas and keys of a file, one a line, ``#`` for remarks.

        Raises ``SettingsError`` for a file that cannot be read or holds none, and for a key that is too short.
        """
        given = text.get_secret_value().split(",") if text is not None else []
        if file is not None:
            try:
                lines = file.read_text(encoding="utf-8").splitlines()
            except (OSError, UnicodeDecodeError) as error:
                raise SettingsError(f"{name}_FILE: cannot be read: {error}") from None
            given += [line for line in lines if not line.lstrip().startswith("#")]
        keys = frozenset(key.strip() for key in given) - {""}
        if not keys and (text is not None or file is not None):
            raise SettingsError(f"{name}: holds no key")
        if any(len(key) < SHORTEST for key in keys):
            raise SettingsError(f"{name}: holds a key of fewer than {SHORTEST} characters; take a long random one")
        return cls(keys)

    def __bool__(self) -> bool:
        return bool(self._digests)

    def allow(self, authorization: str | None) -> bool:
        """Whether an ``Authorization`` header carries one of the keys, as ``Bearer KEY``."""
        if authorization is None or authorization[: len(SCHEME)].lower() != SCHEME:
            return False
        found = _digest(authorization[len(SCHEME) :].strip())
        # All are compared, whichever fits, so that the time taken says nothing.
        return sum(hmac.compare_digest(found, digest) for digest in self._digests) > 0


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
