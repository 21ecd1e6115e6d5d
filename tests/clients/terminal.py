"""A terminal without a window: a program behind a pty, and what its screen shows."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self
from unicodedata import east_asian_width

WIDTH, HEIGHT = 80, 50
# What a VT100 is told besides text: `ESC [ numbers letter`, a charset, or a single letter.
CONTROL = re.compile(
    r"\x1b\[[?]?([\d;]*)([A-Za-z])|\x1b[()#].|\x1b([^\[()#])|([\x00-\x1f\x7f])|([^\x00-\x1f\x7f]+)", re.S
)
# The beginning of one, at the end of what has come so far.
BEGUN = re.compile(r"\x1b(\[[?]?[\d;]*|[()#])?\Z")
QUIET_SECONDS = 0.08


class Screen:
    """As much of a VT100 as curses asks of one; a wide character takes two cells, of which the second is empty."""

    def __init__(self) -> None:
        self.cells = [[" "] * WIDTH for _ in range(HEIGHT)]
        self.row = self.column = 0
        self.top, self.bottom = 0, HEIGHT - 1
        self.kept = (0, 0)

    @property
    def text(self) -> str:
        return "\n".join("".join(row).rstrip() for row in self.cells).rstrip()

    def feed(self, text: str) -> str:
        """Show the text; what is left is the beginning of something that has not all come yet."""
        begun = BEGUN.search(text)
        end = begun.start() if begun else len(text)
        for match in CONTROL.finditer(text[:end]):
            numbers, letter, escape, control, plain = match.groups()
            if letter:
                self._move(letter, [int(number or 0) for number in numbers.split(";")])
            elif escape or control:
                self._step(escape or control)
            for character in plain or "":
                self._put(character)
        return text[end:]

    def _put(self, character: str) -> None:
        width = 2 if east_asian_width(character) in "WF" else 1
        if self.column + width > WIDTH:
            self.column = 0
            self._step("\n")
        self.cells[self.row][self.column : self.column + width] = [character, ""][:width]
        self.column += width

    def _step(self, control: str) -> None:
        if control == "\r":
            self.column = 0
        elif control == "\b":
            self.column = max(0, self.column - 1)
        elif control == "\t":
            self.column = min(WIDTH - 1, self.column // 8 * 8 + 8)
        elif control == "7":
            self.kept = (self.row, self.column)
        elif control == "8":
            self.row, self.column = self.kept
        elif control in "\nD" and self.row == self.bottom:
            del self.cells[self.top]
            self.cells.insert(self.bottom, [" "] * WIDTH)
        elif control in "\nD":
            self.row = min(HEIGHT - 1, self.row + 1)
        elif control == "M" and self.row == self.top:
            del self.cells[self.bottom]
            self.cells.insert(self.top, [" "] * WIDTH)
        elif control == "M":
            self.row = max(0, self.row - 1)

    def _move(self, letter: str, numbers: list[int]) -> None:
        first, count = numbers[0], max(1, numbers[0])
        if letter in "Hf":
            row, column = ([*numbers, 0])[:2]
            self.row, self.column = min(HEIGHT, max(1, row)) - 1, min(WIDTH, max(1, column)) - 1
        elif letter in "AB":
            self.row = min(HEIGHT - 1, max(0, self.row + (count if letter == "B" else -count)))
        elif letter in "CD":
            self.column = min(WIDTH - 1, max(0, self.column + (count if letter == "C" else -count)))
        elif letter == "r":
            self.top, self.bottom = max(1, first) - 1, (numbers[1] if len(numbers) > 1 else HEIGHT) - 1
            self.row = self.column = 0
        elif letter in "JK":
            self._clear(letter, first)

    def _clear(self, letter: str, mode: int) -> None:
        begin, end = (0 if mode else self.column), (self.column + 1 if mode == 1 else WIDTH)
        self.cells[self.row][begin:end] = [" "] * (end - begin)
        if letter == "J":
            others = range(0 if mode else self.row + 1, self.row if mode == 1 else HEIGHT)
            for row in others:
                self.cells[row] = [" "] * WIDTH


class Terminal:
    """A program at a screen of its own, driven by keys. What waits, waits at most `seconds`."""

    def __init__(self, *command: str, home: Path, env: Mapping[str, str] | None = None, seconds: float = 15) -> None:
        self.seconds = seconds
        self.screen = Screen()
        self._rest = ""
        self._bytes = b""
        here = {
            "TERM": "vt100",
            "LANG": "C.UTF-8",
            "LC_ALL": "C.UTF-8",
            "HOME": str(home),
            "PATH": os.environ["PATH"],
        } | dict(env or {})
        self.pty, inner = pty.openpty()
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", HEIGHT, WIDTH, 0, 0))
        # setsid makes the terminal theirs, as a login does: w3m asks for /dev/tty.
        line = ("setsid", "--ctty", *command)
        self.process = subprocess.Popen(line, stdin=inner, stdout=inner, stderr=inner, cwd=home, env=here)
        os.close(inner)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.pty)

    def press(self, keys: str) -> None:
        """Type the keys, and wait until the screen has answered and is still."""
        os.write(self.pty, keys.encode())
        self._read(1.0)
        self._settle()

    def see(self, pattern: str) -> re.Match[str]:
        """Wait until the screen shows it and is still."""
        deadline = time.monotonic() + self.seconds
        while True:
            self._settle()
            if found := re.search(pattern, self.screen.text):
                return found
            assert time.monotonic() < deadline, f"{pattern!r} is not on the screen:\n{self.screen.text}"

    def is_still(self) -> bool:
        """Whether nothing more comes: while a screen is drawn anew its cursor may stand anywhere."""
        return not self._read(2 * QUIET_SECONDS)

    def _settle(self) -> None:
        while self._read(QUIET_SECONDS):
            pass

    def _read(self, seconds: float) -> bool:
        """Take in what the program writes within so long; False when it writes nothing."""
        if not select.select([self.pty], [], [], seconds)[0]:
            return False
        self._bytes += os.read(self.pty, 65536)
        whole = self._bytes.decode(errors="ignore")
        # A character may be cut in the middle: what can't be read yet is kept.
        self._bytes = self._bytes[len(whole.encode()) :]
        self._rest = self.screen.feed(self._rest + whole)
        return True
