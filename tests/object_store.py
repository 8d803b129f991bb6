"""A real S3-compatible store in a process of its own, from the environment that ``make store`` makes."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from pyarrow import fs

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "for-tests",
    "AWS_SECRET_ACCESS_KEY": "for-tests",
    "AWS_EC2_METADATA_DISABLED": "true",
}

STORE = Path(sys.executable).parent.parent / "store" / "bin" / "python"


@contextmanager
def object_store(bucket: str) -> Iterator[str]:
    """Run a store with a bucket, and set credentials; yield the options that a URL in it ends with."""
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    before = {name: os.environ.get(name) for name in CREDENTIALS}
    os.environ.update(CREDENTIALS)
    if not STORE.exists():
        raise FileNotFoundError(f"{STORE}: there is no store for the tests; run `make store`")
    command = [str(STORE), "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait(process, port)
        options = f"?endpoint_override=127.0.0.1:{port}&scheme=http"
        fs.FileSystem.from_uri(f"s3://{bucket}{options}&allow_bucket_creation=true")[0].create_dir(bucket)
        yield options
    finally:
        process.terminate()
        process.wait(timeout=20)
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _wait(process: "subprocess.Popen[bytes]", port: int) -> None:
    for _ in range(600):
        if process.poll() is not None:
            raise RuntimeError(f"the store ended with {process.returncode}")
        with closing(socket.socket()) as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError("the store did not start within a minute")
