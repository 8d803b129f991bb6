"""A tab of a headless Chromium that is driven like a person would: by its DevTools protocol over a pipe."""

import base64
import itertools
import json
import os
import queue
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.training.reports.browser import browser

OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--hide-scrollbars", "--remote-debugging-pipe"),
)
PATIENCE = 60.0
KEYS = {"Tab": 9, "Enter": 13, "Escape": 27, " ": 32, "ArrowLeft": 37, "ArrowRight": 39, "ArrowDown": 40}
"""Key codes of keys that a keyboard walk presses."""


class Tab:
    """One page; what it printed to the console as errors, and every address it asked for, are kept."""

    def __init__(self, send: Any, receive: Any) -> None:
        self._send, self._receive = send, receive
        self._numbers = itertools.count(1)
        self._session: str | None = None
        self._answers: queue.Queue[dict[str, Any]] = queue.Queue()
        self.errors: list[str] = []
        self.requested: list[str] = []
        threading.Thread(target=self._listen, daemon=True).start()
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "Accessibility", "DOM"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol and return its result. Raises ``RuntimeError`` for its error."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        self._send.write(json.dumps(message).encode() + b"\0")
        self._send.flush()
        while True:
            answer = self._answers.get(timeout=PATIENCE)
            if answer["id"] == number:
                break
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        result: dict[str, Any] = answer["result"]
        return result

    def open(self, url: str) -> None:
        """Go to an address, and wait until its scripts have begun."""
        self.call("Page.navigate", url=url)

        def there() -> bool:
            with suppress(RuntimeError):  # the page before is going away
                return bool(self.run(f"location.href === {json.dumps(url)} && document.readyState === 'complete'"))
            return False

        patiently(there, lambda: url)

    def run(self, script: str) -> Any:
        """The value of an expression, also of one with ``await``. Raises ``RuntimeError`` where it throws."""
        found = self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, userGesture=True
        )
        if "exceptionDetails" in found:
            raise RuntimeError(found["exceptionDetails"].get("exception", {}).get("description", script))
        return found["result"].get("value")

    def until(self, script: str) -> Any:
        """The value of an expression as soon as it is true."""
        return patiently(lambda: self.run(script), lambda: f"{script}\n{self.text()}\n{self.errors}")

    def text(self) -> str:
        """The text that is shown."""
        return str(self.run("document.body.innerText"))

    def key(self, name: str, modifiers: int = 0) -> None:
        """Press and release a key; modifiers are 2 for control and 8 for shift."""
        more = {"text": "\r"} if name == "Enter" else {"text": " "} if name == " " else {}
        for kind in ("keyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent", type=kind, key=name, code="Space" if name == " " else name,
                windowsVirtualKeyCode=KEYS[name], modifiers=modifiers, **(more if kind == "keyDown" else {}),
            )  # fmt: skip

    def type(self, text: str) -> None:
        """Type a text into what has the focus."""
        self.call("Input.insertText", text=text)

    def show_as(self, width: int, height: int = 900, scheme: str = "light") -> None:
        """Show the page on a screen of this size, to a reader who prefers ``light`` or ``dark``."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        features = [
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]
        self.call("Emulation.setEmulatedMedia", features=features)

    def picture(self, output: Path, clip: Mapping[str, float] | None = None) -> None:
        """Write the page as PNG, all of it or a part."""
        parameters: dict[str, Any] = {"format": "png", "captureBeyondViewport": True}
        if clip is not None:
            parameters["clip"] = {**clip, "scale": 1}
        output.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", **parameters)["data"]))

    def accessible(self) -> list[dict[str, Any]]:
        """What assistive technology sees: role, name, and properties of each node that is not ignored."""
        nodes = self.call("Accessibility.getFullAXTree")["nodes"]
        return [
            {
                "role": node["role"]["value"],
                "name": node.get("name", {}).get("value", ""),
                **{one["name"]: one["value"].get("value") for one in node.get("properties", ())},
            }
            for node in nodes
            if not node.get("ignored")
        ]

    def _listen(self) -> None:
        buffer = b""
        while part := os.read(self._receive.fileno(), 1 << 20):
            *messages, buffer = (buffer + part).split(b"\0")
            for message in map(json.loads, messages):
                if "id" in message:
                    self._answers.put(message)
                else:
                    self._note(message["method"], message["params"])

    def _note(self, event: str, facts: dict[str, Any]) -> None:
        if event == "Network.requestWillBeSent":
            self.requested.append(facts["request"]["url"])
        elif event == "Runtime.exceptionThrown":
            self.errors.append(facts["exceptionDetails"]["exception"].get("description", "exception"))
        elif event == "Runtime.consoleAPICalled" and facts["type"] in ("error", "warning"):
            self.errors.append(" ".join(str(argument.get("value")) for argument in facts["args"]))
        elif event == "Log.entryAdded" and facts["entry"]["level"] in ("error", "warning"):
            self.errors.append(f"{facts['entry']['text']} {facts['entry'].get('url', '')}")


@contextmanager
def tab() -> Iterator[Tab]:
    """A browser with one tab, until the block ends."""
    to_browser, from_browser = os.pipe(), os.pipe()
    # Chromium reads commands from file 3 and writes answers to file 4.
    shell = 'exec 3<&"$1" 4>&"$2"; shift 2; exec "$@"'
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = ["bash", "-c", shell, "bash", str(to_browser[0]), str(from_browser[1]), browser(), *OPTIONS]
        process = subprocess.Popen(
            [*command, f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(to_browser[0], from_browser[1]),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser[0])
        os.close(from_browser[1])
        with os.fdopen(to_browser[1], "wb") as send, os.fdopen(from_browser[0], "rb", buffering=0) as receive:
            opened = None
            try:
                opened = Tab(send, receive)
                yield opened
            finally:
                if opened is not None:
                    opened._session = None
                    opened.call("Browser.close")
                else:
                    process.terminate()
                process.wait(timeout=PATIENCE)


def patiently(found: Callable[[], Any], explain: Callable[[], str]) -> Any:
    """What is true as soon as it is; fail with an explanation where it never becomes so."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if answer := found():
            return answer
        time.sleep(0.05)
    raise AssertionError(f"it did not come about: {explain()}")
