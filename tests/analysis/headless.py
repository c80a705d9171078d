"""A real browser without a window, spoken to over two pipes (Chrome's DevTools protocol): no driver, no packages.

It is started for one page that lies in a file. All that it would send over a network, and all that its console says, is
kept.
"""

import itertools
import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--hide-scrollbars", "--force-color-profile=srgb", "--remote-debugging-pipe",
)  # fmt: skip
PATIENCE = 60  # seconds for an answer


def find_browser() -> str | None:
    """The browser's program; None where none is installed."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Tab:
    """One tab of a browser."""

    def __init__(self, send: int, receive: int) -> None:
        self._send, self._receive = send, receive
        self._numbers, self._rest = itertools.count(1), b""
        self.requests: list[str] = []  # addresses that were asked for
        self.complaints: list[str] = []  # errors and warnings of the console, and what was thrown
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Network", "Runtime", "Log", "Page"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """A command of the protocol, in this tab."""
        return self._call(method, self._session, **parameters)

    def open(self, file: Path, *, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        """Load a page from a file."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Page.navigate", url=file.resolve().as_uri())
        self.wait_for("document.readyState === 'complete'")

    def value(self, expression: str) -> Any:
        """What an expression of JavaScript gives, as JSON has it."""
        given = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in given, given["exceptionDetails"]
        return given["result"].get("value")

    def wait_for(self, expression: str) -> None:
        """Wait until an expression holds."""
        end = time.monotonic() + PATIENCE
        while not self.value(expression):
            assert time.monotonic() < end, f"never came true: {expression}"
            time.sleep(0.02)

    def press(self, key: str) -> None:
        """Press and release a key, such as ArrowRight."""
        known = {"key": key, "code": key, "windowsVirtualKeyCode": _KEYS[key]}
        for kind in ("rawKeyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, **known)

    def _call(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        os.write(self._send, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == number:
                assert "error" not in answer, (method, answer["error"])
                return answer["result"]
            self._note(answer.get("method", ""), answer.get("params", {}))

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            part = os.read(self._receive, 1 << 16)
            assert part, "the browser has gone"
            self._rest += part
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)

    def _note(self, method: str, given: dict[str, Any]) -> None:
        if method == "Network.requestWillBeSent":
            self.requests.append(given["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(given["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled":
            self.complaints.append(json.dumps(given["args"]))
        elif method == "Log.entryAdded":
            self.complaints.append(given["entry"]["text"])


_KEYS = {"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}


@contextmanager
def browser_tab(program: str, profile: Path) -> Iterator[Tab]:
    """A tab of a browser of its own, whose profile is an empty folder; it ends with the block."""
    to_browser, send = os.pipe()
    receive, from_browser = os.pipe()
    for end in (send, receive):
        os.set_inheritable(end, False)
    null = os.open(os.devnull, os.O_RDWR)
    actions = [
        *((os.POSIX_SPAWN_DUP2, null, number) for number in (0, 1, 2)),
        (os.POSIX_SPAWN_DUP2, to_browser, 3),
        (os.POSIX_SPAWN_DUP2, from_browser, 4),
    ]
    words = [program, *FLAGS, f"--user-data-dir={profile}", "about:blank"]
    process = os.posix_spawn(program, words, os.environ, file_actions=actions, setsid=True)
    for end in (to_browser, from_browser, null):
        os.close(end)
    try:
        yield Tab(send, receive)
    finally:
        os.killpg(process, signal.SIGKILL)
        os.waitpid(process, 0)
        os.close(send)
        os.close(receive)
