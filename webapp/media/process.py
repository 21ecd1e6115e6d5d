"""The server's end of the child process that makes pictures (child.py): begun when first needed, ended when idle."""

import asyncio
import atexit
import logging
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from threading import Lock, Timer
from typing import Any

import webapp
from webapp import settings
from webapp.core.errors import Unavailable
from webapp.core.i18n import _
from webapp.core.pool import Pool
from webapp.media.child import read_message, write_message
from webapp.media.sizes import Refused

COMMAND = [sys.executable, "-P", "-m", "webapp.media.child"]
# Of the server's environment it gets what a program needs to start, and no secret.
PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "TMPDIR")
# So many pictures may wait, and so many bytes of those that are in memory.
MAX_QUEUED, MAX_QUEUED_BYTES = 32, 64 * 2**20
# Then the memory that they left behind is given back.
PICTURES_PER_CHILD = 20
IDLE_SECONDS = 120.0
# Of one picture by the clock, on a machine that has no time: child.py bounds the processor's.
MAX_SECONDS = 120.0
# More than any answer has.
MAX_ANSWER_BYTES = 32 * 2**20

logger = logging.getLogger(__name__)


class Work:
    """What the child is asked for, and whether anybody still waits for the answer."""

    def __init__(self, head: dict[str, Any], parts: Sequence[bytes]) -> None:
        self.head, self.parts = head, parts
        self.is_abandoned = False


class PictureProcess:
    """
    One child at a time, working on one picture at a time, for the threads and event loops of one server.

    Raises Unavailable when too many pictures wait, Refused when the child refuses one, or dies of it.
    """

    def __init__(self, command: Sequence[str] = COMMAND, idle_seconds: float = IDLE_SECONDS) -> None:
        self.command, self.idle_seconds, self.max_seconds = command, idle_seconds, MAX_SECONDS
        self.pool = Pool("picture", 1, MAX_QUEUED, _("Many pictures come in right now. Try again in a moment."))
        self._bytes = 0
        self._working = Lock()  # held as long as a picture takes
        self._changing = Lock()  # held for a moment: which work is the child's
        self._child: subprocess.Popen[bytes] | None = None
        self._work: Work | None = None
        self._made = 0
        self._idle: Timer | None = None
        atexit.register(self.end)

    @property
    def pid(self) -> int | None:
        """The child's, None while there is none."""
        return self._child.pid if self._child else None

    async def run(self, head: dict[str, Any], *parts: bytes) -> tuple[dict[str, Any], list[bytes]]:
        """Return head and parts of the child's answer. When the waiting task is cancelled, the work ends with it."""
        work, size = Work(head, parts), sum(map(len, parts))
        if self._bytes and self._bytes + size > MAX_QUEUED_BYTES:
            raise Unavailable(self.pool.refusal)
        self._bytes += size
        try:
            answer, made = await self.pool.run(self._run, work)
        except asyncio.CancelledError:
            self._abandon(work)
            raise
        finally:
            self._bytes -= size
        if "refused" in answer:
            raise Refused(*answer["refused"])
        return answer, made

    def end(self) -> None:
        """End the child; the next picture begins another."""
        with self._changing:
            child, self._child, self._made = self._child, None, 0
        if child is not None:
            child.kill()
            for stream in (child.stdin, child.stdout):
                _close(stream)
            child.wait()

    def _run(self, work: Work) -> tuple[dict[str, Any], list[bytes]]:
        with self._working:
            if self._idle:
                self._idle.cancel()
            with self._changing:
                self._work = work
            try:
                is_fresh = self._child is None
                answer, parts = self._ask(self._child or self._begin(work), work)
                if "is_exhausted" in answer and not is_fresh:  # perhaps by what others left behind
                    answer, parts = self._ask(self._begin(work), work)
                return ({"refused": ["complicated"]}, []) if "is_exhausted" in answer else (answer, parts)
            finally:
                with self._changing:
                    self._work = None
                self._rest()

    def _ask(self, child: "subprocess.Popen[bytes]", work: Work) -> tuple[dict[str, Any], list[bytes]]:
        assert child.stdin
        assert child.stdout
        if work.is_abandoned:
            return {}, []
        clock = _timer(self.max_seconds, child.kill)
        try:
            write_message(child.stdin, work.head, work.parts)
            head, parts = read_message(child.stdout, MAX_ANSWER_BYTES)
        except (OSError, EOFError, ValueError, KeyError) as error:
            self.end()
            if not work.is_abandoned:
                logger.warning("the child that makes pictures died of one (%r, exit code %s)", error, child.returncode)
            return {"refused": ["complicated"]}, []
        finally:
            clock.cancel()
        self._made += 1
        if "failed" in head:
            logger.error("a picture could not be made: %s", head["failed"])
            head = {"refused": ["complicated"]}
        if head.pop("is_spent", False) or head.keys() & {"failed", "is_exhausted"}:
            self.end()
        return head, parts

    def _begin(self, work: Work) -> "subprocess.Popen[bytes]":
        try:
            child = subprocess.Popen(
                self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=_environment(), cwd="/"
            )
        except OSError as error:
            raise _failed(error) from error
        self._child = child
        assert child.stdout
        clock = _timer(self.max_seconds, child.kill)
        try:
            read_message(child.stdout, 0)
        except (OSError, EOFError, ValueError, KeyError) as error:
            self.end()
            raise (Unavailable() if work.is_abandoned else _failed(error)) from error
        finally:
            clock.cancel()
        return child

    def _abandon(self, work: Work) -> None:
        """Let the child do nothing that nobody waits for, least of all a server that ends."""
        with self._changing:
            work.is_abandoned = True
            if self._work is work and self._child:
                self._child.kill()

    def _rest(self) -> None:
        """End a child that has made enough; another ends when it has waited for long."""
        if self._made >= PICTURES_PER_CHILD:
            self.end()
        if self._child:
            self._idle = _timer(self.idle_seconds, self._end_idle)

    def _end_idle(self) -> None:
        if self._working.acquire(blocking=False):  # else it is not idle
            try:
                self.end()
            finally:
                self._working.release()


def _timer(seconds: float, act: Any) -> Timer:
    timer = Timer(seconds, act)
    timer.daemon = True
    timer.start()
    return timer


def _close(stream: Any) -> None:
    try:
        stream.close()
    except OSError:  # what was not written yet, to a process that is no more
        return


def _environment() -> dict[str, str]:
    """MALLOC_ARENA_MAX and LC_ALL: reserves of memory and tables of languages would count towards its bound."""
    root = str(Path(webapp.__file__).parent.parent)
    return settings.environment(PASSED_ON) | {"PYTHONPATH": root, "LC_ALL": "C.UTF-8", "MALLOC_ARENA_MAX": "1"}


def _failed(error: Exception) -> Unavailable:
    logger.error("the child that makes pictures can't be started: %r", error)
    return Unavailable(_("Pictures can't be taken right now. Try again later."))
