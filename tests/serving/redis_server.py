"""A real Redis, without which these tests fail: a store that was never asked is not tested."""

import shutil
import socket
import subprocess
import time

from redis import Redis, RedisError


class RedisServer:
    """A server of its own on a port of its own, that can be stopped, frozen and started again."""

    def __init__(self, folder):
        self._binary = shutil.which("redis-server")
        assert self._binary, "no redis-server on PATH: install Debian's package `redis-server`"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._folder = folder
        self.client = Redis(port=self.port)
        self.start()

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self):
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self._folder)]
        self._process = subprocess.Popen([self._binary, *options], stdout=subprocess.DEVNULL)
        for _ in range(200):
            try:
                self.client.ping()
                return
            except RedisError:
                time.sleep(0.05)
        raise AssertionError("redis-server did not start")

    def stop(self):
        self._process.kill()
        self._process.wait()

    def signal(self, number):
        self._process.send_signal(number)
