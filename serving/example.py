"""Send a running service the example from its own docs and print the ranking: ``python -m serving.example URL``."""

import sys
import time
import urllib.error
import urllib.request
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table


def main(url: str, patience: float = 300.0) -> None:
    """Wait until the service is ready, at most ``patience`` seconds, then rank once."""
    deadline = time.monotonic() + patience
    while True:
        try:
            _get(f"{url}/health/ready")
            break
        except (urllib.error.URLError, ConnectionError):
            if time.monotonic() > deadline:
                raise SystemExit(f"error: {url} is not ready after {patience:.0f} s") from None
            time.sleep(0.2)
    body = _get(f"{url}/openapi.json")["paths"]["/rank"]["post"]["requestBody"]["content"]["application/json"]
    request = urllib.request.Request(
        f"{url}/rank", data=orjson.dumps(body["example"]), headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request) as response:
        ranking = orjson.loads(response.read())
    used = f"{ranking['fusion']['name']} fusion ({ranking['fusion']['formula']})"
    table = Table(title=f"POST {url}/rank: version {ranking['model_version']}, {used}")
    for name in ("rank", "id", "fused", *ranking["scores"]):
        table.add_column(name, justify="right")
    for i, candidate in enumerate(ranking["ids"]):
        scores = [f"{values[i]:.4f}" for values in ranking["scores"].values()]
        table.add_row(str(i + 1), str(candidate), f"{ranking['fused'][i]:.6g}", *scores)
    Console().print(table)


def _get(url: str) -> Any:
    with urllib.request.urlopen(url) as response:
        return orjson.loads(response.read())


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000")
