"""Headless Chromium by the DevTools protocol: opens pages, presses keys, runs scripts. No package but websockets."""

import base64
import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--no-proxy-server", "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
    "--remote-debugging-port=0",
)  # fmt: skip
KEYS = {"Tab": 9, "Enter": 13, "Escape": 27, " ": 32}  # the others are their letters


def executable() -> str | None:
    """The browser on PATH, or None."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Browser:
    """One page in a window of its own, which shares nothing with others."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection, self._number, self._session = connection, 0, None
        context = self.call("Target.createBrowserContext", disposeOnDetach=True)["browserContextId"]
        target = self.call("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.call("Page.enable")
        self.call("Emulation.setFocusEmulationEnabled", enabled=True)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """A command of the protocol, and its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        self._connection.send(json.dumps(message | ({"sessionId": self._session} if self._session else {})))
        while True:
            answer = json.loads(self._connection.recv(timeout=60))
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result

    def run(self, script: str) -> Any:
        """The value of a script, awaited. A page's own policy does not hold here."""
        result = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def size(self, width: int, height: int, *, phone: bool = False, dark: bool = False) -> None:
        """What the page takes its window for."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=2 if phone else 1,
                  mobile=phone)  # fmt: skip
        self.call("Emulation.setTouchEmulationEnabled", enabled=phone)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def open(self, url: str) -> None:
        self.call("Page.navigate", url=url)
        self.wait(lambda: self.run("document.readyState === 'complete' && location.href !== 'about:blank'"))

    def press(self, key: str) -> None:
        """A key, down and up, wherever the focus is."""
        text = "\r" if key == "Enter" else key if len(key) == 1 else ""
        code = KEYS.get(key, ord(key.upper()[0]))
        known = {"key": key, "windowsVirtualKeyCode": code, "nativeVirtualKeyCode": code}
        self.call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", text=text, **known)
        self.call("Input.dispatchKeyEvent", type="keyUp", **known)

    def press_and_load(self, key: str) -> None:
        """A key that leads to another page, which is loaded."""
        self.run("window.before = true")
        self.press(key)
        self.wait(lambda: self.run("!window.before && document.readyState === 'complete'"))

    def wait(self, what: Callable[[], Any], seconds: float = 20.0) -> None:
        deadline = time.monotonic() + seconds
        while not self._true(what):
            assert time.monotonic() < deadline, self.run("document.body.innerText")
            time.sleep(0.02)

    def _true(self, what: Callable[[], Any]) -> bool:
        try:
            return bool(what())
        except AssertionError:  # the page went away while it was asked
            return False

    def tab_to(self, selector: str) -> None:
        """Tab until the focus is there. Fails if it does not come there in a hundred presses."""
        for _ in range(100):
            if self.run(f"document.activeElement.matches({json.dumps(selector)})"):
                return
            self.press("Tab")
        raise AssertionError(f"Tab does not lead to {selector}")

    def picture(self, path: Path) -> None:
        """A screenshot of the window."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))


@contextmanager
def window(address: str) -> Iterator[Browser]:
    """A new window of the browser at this address."""
    with connect(address, max_size=None, proxy=None) as connection:
        yield Browser(connection)


@contextmanager
def chromium(profile: Path) -> Iterator[str]:
    """A browser that is closed at the end: the address of its protocol."""
    path = executable()
    assert path is not None
    command = [path, *FLAGS, f"--user-data-dir={profile}", "about:blank"]
    port = profile / "DevToolsActivePort"
    port.unlink(missing_ok=True)
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while not port.exists() or len(lines := port.read_text().split()) < 2:
            assert process.poll() is None, "the browser did not start"
            assert time.monotonic() < deadline, "the browser did not start in a minute"
            time.sleep(0.05)
        yield f"ws://127.0.0.1:{lines[0]}{lines[1]}"
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
