"""Firefox without a driver: Marionette, the protocol that the browser itself speaks, as far as tests need it.

Debian has no geckodriver, and packages that wrap it download it from elsewhere; it only translates anyway.
A message is `<length>:<json>`: `[0, number, command, parameters]` out, `[1, number, error, result]` back.
"""

import base64
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self, TypeVar

T = TypeVar("T")
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the name under which WebDriver hands out elements
PASSING = {"no such element", "no such frame", "no such window", "stale element reference"}
CONSOLE = """
return Services.console.getMessageArray()
    .filter(one => one instanceof Ci.nsIScriptError && one.sourceName.startsWith("http://127.0.0.1"))
    .map(one => one.toString());
"""
PREFERENCES: dict[str, str | int | bool] = {
    "marionette.port": 0,  # any free one, which Firefox writes into its profile
    # Everything but loopback goes to a closed port: Firefox would call home.
    "network.proxy.type": 1,
    "network.proxy.http": "127.0.0.1",
    "network.proxy.http_port": 9,
    "network.proxy.ssl": "127.0.0.1",
    "network.proxy.ssl_port": 9,
    # A mouse, which a headless Firefox says it lacks.
    "ui.primaryPointerCapabilities": 6,
    "ui.allPointerCapabilities": 6,
}


class FirefoxError(Exception):
    """What Firefox answered instead of a result; `kind` is WebDriver's name for it."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind
        # The last is how Firefox says that the frame it looks into is being loaded anew.
        self.is_passing = kind in PASSING or "currentWindowGlobal is null" in message


class Firefox:
    """A headless Firefox with a fresh profile. What looks for an element waits for it, at most `seconds`."""

    def __init__(self, binary: str, *, javascript: bool = True, seconds: float = 20) -> None:
        self.seconds = seconds
        self.path: tuple[str, ...] = ()
        self.home = Path(tempfile.mkdtemp(prefix="firefox-"))
        preferences = PREFERENCES | {"javascript.enabled": javascript}
        lines = (f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in preferences.items())
        (self.home / "user.js").write_text("\n".join(lines))
        self._launch(binary)
        try:
            self._connect(int(self.until(self._port)))
        except BaseException:
            self.stop()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(self.seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if hasattr(self, "socket"):
            self.stream.close()
            self.socket.close()
        shutil.rmtree(self.home, ignore_errors=True)

    def open(self, url: str) -> None:
        """Go there, and on when the page that was there before has gone."""
        self.frame()
        before = self.until(lambda: self._find("html"))
        self.send("WebDriver:Navigate", url=url)
        self.until(lambda: self._find("html") != before)

    def frame(self, *path: str) -> None:
        """From here on look inside these iframes, each within the one before; without any, in the page."""
        self.path = path

    def text(self, css: str) -> str:
        return str(self._on(css, "WebDriver:GetElementText"))

    def texts(self, css: str) -> list[str]:
        """What each of them says that is not hidden, from top to bottom as they stand on the page."""
        return self.until(lambda: (self._texts(css),))[0]

    def has(self, css: str) -> bool:
        """Whether it is there now, seen or not."""
        self._enter()
        return bool(self.send("WebDriver:FindElements", using="css selector", value=css))

    def has_focus(self, css: str) -> bool:
        """Whether keys would go to it, in its document."""
        element = self._find(css)
        return str(self.send("WebDriver:GetActiveElement")[ELEMENT]) == element

    def value(self, css: str) -> str:
        return str(self._on(css, "WebDriver:GetElementProperty", name="value"))

    def type(self, css: str, text: str) -> None:
        self._on(css, "WebDriver:ElementSendKeys", text=text)

    def click(self, css: str) -> None:
        self._on(css, "WebDriver:ElementClick")

    def complaints(self) -> list[str]:
        """The errors and warnings in the browser's console that come from pages of this machine."""
        self.send("Marionette:SetContext", value="chrome")
        try:
            return list(self.send("WebDriver:ExecuteScript", script=CONSOLE, args=[]))
        finally:
            self.send("Marionette:SetContext", value="content")

    def screenshot(self) -> bytes:
        """What the window shows, as PNG."""
        self.send("WebDriver:SwitchToFrame", id=None)
        return base64.b64decode(self.send("WebDriver:TakeScreenshot", full=False))

    def until(self, answer: Callable[[], T]) -> T:
        """The first true answer; an element or frame that is missing only means "not yet"."""
        deadline = time.monotonic() + self.seconds
        problem: object = "nothing true came back"
        while time.monotonic() < deadline:
            try:
                if result := answer():
                    return result
            except FirefoxError as error:
                if not error.is_passing:
                    raise
                problem = error
            time.sleep(0.05)
        raise TimeoutError(f"not within {self.seconds} s: {problem}")

    def send(self, command: str, **parameters: Any) -> Any:
        text = json.dumps([0, 1, command, parameters]).encode()
        self.socket.sendall(b"%d:%s" % (len(text), text))
        _, _, error, result = self._receive()
        if error:
            raise FirefoxError(error["error"], error["message"])
        return result["value"] if isinstance(result, dict) and "value" in result else result

    def _on(self, css: str, command: str, **parameters: Any) -> Any:
        return self.until(lambda: (self.send(command, id=self._find(css), **parameters),))[0]

    def _find(self, css: str) -> str:
        self._enter()
        return self._element(css)

    def _enter(self) -> None:
        # The path is walked anew each time: a frame may have been loaded again since.
        self.send("WebDriver:SwitchToFrame", id=None)
        for frame in self.path:
            self.send("WebDriver:SwitchToFrame", element=self._element(frame))

    def _texts(self, css: str) -> list[str]:
        self._enter()
        found = [str(one[ELEMENT]) for one in self.send("WebDriver:FindElements", using="css selector", value=css)]
        # Not IsElementDisplayed and GetElementText: for them what is scrolled out of sight is not there.
        places = [(self.send("WebDriver:GetElementRect", id=one), one) for one in found]
        seen = sorted((float(place["y"]), one) for place, one in places if place["height"])
        return [str(self.send("WebDriver:GetElementProperty", id=one, name="innerText")) for _, one in seen]

    def _element(self, css: str) -> str:
        return str(self.send("WebDriver:FindElement", using="css selector", value=css)[ELEMENT])

    def _launch(self, binary: str) -> None:
        # A home of its own: as root, Firefox refuses one that belongs to somebody else.
        own = {"HOME": str(self.home), "TMPDIR": str(self.home), "MOZ_CRASHREPORTER_DISABLE": "1"}
        # System access is what `complaints` needs, to read the browser's console.
        options = ("--headless", "--marionette", "--remote-allow-system-access", "--no-remote")
        command = [binary, *options, "--profile", str(self.home)]
        with (self.home / "log").open("wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | own, cwd=self.home)

    def _port(self) -> str:
        if self.process.poll() is not None:
            raise FirefoxError("did not start", (self.home / "log").read_text(errors="replace"))
        file = self.home / "MarionetteActivePort"
        return file.read_text() if file.exists() else ""

    def _connect(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=self.seconds)
        self.stream = self.socket.makefile("rb")
        self._receive()  # the greeting
        # "none": a page with an endless frame never counts as loaded, so nothing may wait for that.
        self.send("WebDriver:NewSession", pageLoadStrategy="none")

    def _receive(self) -> Any:
        length = b""
        while (byte := self.stream.read(1)) != b":":
            if not byte:
                raise FirefoxError("gone", "Firefox closed the connection")
            length += byte
        return json.loads(self.stream.read(int(length)))
