"""The store of files: whole or not at all, named by nothing that was typed, and nothing left behind."""

import os
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import pytest

from webapp.core.errors import NotFound, Unavailable
from webapp.core.faults import Faults, faults
from webapp.media import folder as place
from webapp.media.files import PIECE_BYTES, FileStore
from webapp.media.folder import Folder

CODE, OTHER = "abcdefghijklmnopqrstuv", "-_ABCDEFGHIJKLMNOPQRST"
CONTENT = bytes(range(256)) * 1000  # four pieces, the last not full


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "files"


@pytest.fixture
def used() -> set[str]:
    """The codes that rows have."""
    return set()


@pytest.fixture
def store(root: Path, used: set[str]) -> FileStore:
    async def owner(codes: Collection[str]) -> set[str]:
        assert len(codes) <= 500
        return used & set(codes)

    return FileStore(Folder(root), owner)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """What somebody has sent: lying there for two hours, and readable by others."""
    path = tmp_path / "sent"
    path.write_bytes(CONTENT)
    os.utime(path, (time.time() - 7200,) * 2)
    path.chmod(0o644)
    return path


def stored(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def age(root: Path, seconds: int = 7200) -> None:
    for path in root.rglob("*"):
        if path.is_file():
            os.utime(path, (time.time() - seconds,) * 2)


async def read(store: FileStore, name: str, start: int = 0, end: int | None = None) -> list[bytes]:
    return [piece async for piece in store.read(name, start, end)]


async def test_a_file_is_moved_in_and_closed_to_others(store: FileStore, root: Path, source: Path) -> None:
    assert await store.size(CODE) is None
    await store.put(CODE, source)
    assert stored(root) == {f"ab/{CODE}": CONTENT}
    assert not source.exists()
    assert await store.size(CODE) == len(CONTENT)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (root, root / "ab", root / "ab" / CODE)}
    assert modes == {"files": 0o700, "ab": 0o700, CODE: 0o600}


async def test_what_was_made_of_a_file_lies_beside_it(store: FileStore, root: Path) -> None:
    await store.put_bytes(f"{OTHER}-thumb.webp", b"small")
    await store.put_bytes(f"{OTHER}-thumb.webp", b"smaller")
    assert stored(root) == {f"-_/{OTHER}-thumb.webp": b"smaller"}
    assert (root / "-_" / f"{OTHER}-thumb.webp").stat().st_mode & 0o777 == 0o600
    assert await read(store, f"{OTHER}-thumb.webp") == [b"smaller"]


@pytest.mark.parametrize(
    ("start", "end"),
    [(0, None), (0, 1), (5, 5), (1, PIECE_BYTES + 2), (PIECE_BYTES, 2 * PIECE_BYTES), (255_999, None), (256_000, None)],
)
async def test_any_part_is_read_in_pieces(store: FileStore, source: Path, start: int, end: int | None) -> None:
    await store.put(CODE, source)
    pieces = await read(store, CODE, start, end)
    assert b"".join(pieces) == CONTENT[start:end]
    assert all(0 < len(piece) <= PIECE_BYTES for piece in pieces)


async def test_a_file_that_is_deleted_is_not_sent_on(store: FileStore, source: Path) -> None:
    await store.put(CODE, source)
    reading = store.read(CODE)
    assert len(await anext(reading)) == PIECE_BYTES
    await store.drop([CODE])
    assert [piece async for piece in reading] == []
    with pytest.raises(NotFound):
        await read(store, CODE)


async def test_dropping_what_is_not_there_is_no_error(store: FileStore, root: Path) -> None:
    await store.drop([CODE])
    await store.put_bytes(CODE, b"a")
    await store.drop([OTHER, CODE, f"{CODE}-thumb.webp"])
    assert stored(root) == {}


TRICKS = (
    "",
    "..",
    "../../../../../etc/passwd",
    "../abcdefghijklmnopqrst",
    "/bcdefghijklmnopqrstuv",
    "ab/defghijklmnopqrstuv",
    "ab\\defghijklmnopqrstuv",
    f"{CODE}/../{OTHER}",
    f"{CODE}/x",
    f"{CODE}\n",
    f"{CODE}\0",
    f"{CODE}-thumb.webp\n",
    f"{CODE}-..webp",
    f"{CODE}-../a.webp",
    f"{CODE}.html",
    CODE[:-1],
    f"{CODE}a",
    "äbcdefghijklmnopqrstuv",
    "new-abcdefgh",
)


@pytest.mark.parametrize("name", TRICKS)
async def test_no_path_is_made_of_anything_but_a_name(store: FileStore, root: Path, source: Path, name: str) -> None:
    calls: list[Callable[[], Any]] = [
        lambda: store.put(name, source),
        lambda: store.put_bytes(name, b"a"),
        lambda: store.size(name),
        lambda: store.drop([CODE, name]),
        lambda: read(store, name),
    ]
    for call in calls:
        with pytest.raises(NotFound):
            await call()
    assert not root.exists()
    assert source.exists()


class Crash(BaseException):
    """The power is gone: what would clean up does not run either."""


class Machine:
    """The calls of the system that a folder makes; from a certain one on, nothing happens any more."""

    def __init__(self, last: int) -> None:
        self.count, self.last = 0, last

    def __getattr__(self, name: str) -> Any:
        known = getattr(os, name)
        if not callable(known) or name in ("fspath",):
            return known

        def call(*args: Any, **kwargs: Any) -> Any:
            self.count += 1
            if self.count > self.last:
                raise Crash
            return known(*args, **kwargs)

        return call


async def crash_everywhere(
    monkeypatch: pytest.MonkeyPatch, act: Callable[[int], Any], check: Callable[[int], Any]
) -> None:
    """Do it again and again, and let it end after each call of the system, until it comes to its own end."""
    for last in range(50):
        machine = Machine(last)
        with monkeypatch.context() as patch:
            patch.setattr(place, "os", machine)
            try:
                await act(last)
                is_done = True
            except Crash:
                is_done = False
        await check(last)
        if is_done:
            assert machine.count == last
            assert last > 4
            return
    raise AssertionError("it never came to its end")


async def test_wherever_a_crash_comes_a_file_is_where_it_was_or_where_it_belongs(
    store: FileStore, root: Path, tmp_path: Path, used: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def sent(turn: int) -> tuple[str, Path]:
        return f"{turn:022}", tmp_path / f"sent-{turn}"

    async def act(turn: int) -> None:
        name, path = sent(turn)
        path.write_bytes(CONTENT)
        await store.put(name, path)

    async def check(turn: int) -> None:
        name, path = sent(turn)
        used.add(name)
        await store.put(name, path)  # who finds its row unfinished does it again
        assert stored(root).pop(f"00/{name}") == CONTENT
        assert not path.exists()
        await store.drop([name])
        used.discard(name)
        (root / "00").rmdir()

    await crash_everywhere(monkeypatch, act, check)


async def test_wherever_a_crash_comes_bytes_are_whole_or_swept(
    store: FileStore, root: Path, used: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def act(turn: int) -> None:
        await store.put_bytes(f"{turn:022}-thumb.webp", CONTENT)

    async def check(turn: int) -> None:
        assert stored(root).get(f"00/{turn:022}-thumb.webp", CONTENT) == CONTENT
        age(root)
        used.clear()
        if turn % 2:
            used.add(f"{turn:022}")
        whole = {name: content for name, content in stored(root).items() if name.startswith("00/0") and turn % 2}
        await store.sweep()
        assert stored(root) == whole
        await store.drop([f"{turn:022}-thumb.webp"])
        if (root / "00").exists():
            (root / "00").rmdir()

    await crash_everywhere(monkeypatch, act, check)


async def test_a_file_of_another_disk_is_copied(
    store: FileStore, root: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = os.replace

    def across(old: Any, new: Any) -> None:
        if old == source:
            raise OSError(18, "Invalid cross-device link")
        replace(old, new)

    monkeypatch.setattr(os, "replace", across)
    await store.put(CODE, source)
    assert stored(root) == {f"ab/{CODE}": CONTENT}
    assert not source.exists()


async def test_a_full_disk_refuses_with_a_sentence_and_loses_nothing(
    store: FileStore, root: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with faults.holding(Faults()):
        monkeypatch.setattr(os, "replace", full)
        with pytest.raises(Unavailable, match=r"The file can't be kept right now\. Try again later\."):
            await store.put(CODE, source)
        with pytest.raises(Unavailable):
            await store.put_bytes(OTHER, CONTENT)
        assert faults().disk.is_on
    assert stored(root) == {}, "no half of it either"
    assert source.read_bytes() == CONTENT


async def test_a_file_that_was_never_sent_is_not_put(store: FileStore, tmp_path: Path) -> None:
    with faults.holding(Faults()), pytest.raises(Unavailable):
        await store.put(CODE, tmp_path / "nothing")


async def test_the_sweep_takes_what_no_row_names_and_only_after_an_hour(
    store: FileStore, root: Path, source: Path, used: set[str]
) -> None:
    used.add(OTHER)
    for name in (OTHER, f"{OTHER}-thumb.webp", CODE, f"{CODE}-thumb.webp"):
        await store.put_bytes(name, b"a")
    (root / "ab" / "new-half").write_bytes(b"a")
    (root / "ab" / "notes.txt").write_text("of whoever runs the server")
    (root / "zz").mkdir()
    (root / "zz" / CODE).write_text("where none of ours lies")
    age(root)
    young = "ab" + "y" * 20
    await store.put(young, source)
    await store.sweep()
    left = {"ab/notes.txt", f"zz/{CODE}", f"ab/{young}", f"-_/{OTHER}", f"-_/{OTHER}-thumb.webp"}
    assert set(stored(root)) == left, "what lay elsewhere for two hours before it was put is young"


async def test_a_sweep_asks_for_many_in_batches(store: FileStore, root: Path, used: set[str]) -> None:
    (root / "ab").mkdir(parents=True)
    names = [f"ab{index:020}" for index in range(1001)]
    for name in names:
        (root / "ab" / name).touch()
    used.update(names[:3])
    age(root)
    await store.sweep()
    assert set(stored(root)) == {f"ab/{name}" for name in names[:3]}


def test_what_is_deleted_while_a_folder_is_read_is_not_there(root: Path) -> None:
    root.mkdir()
    for name in ("first", "second", "third"):
        (root / name).write_bytes(b"")
    found = place.files_in(root)
    name, _ = next(found)
    for file in root.iterdir():
        file.unlink()
    assert list(found) == []
    assert name in {"first", "second", "third"}


async def test_without_a_folder_and_without_owners_nothing_is_swept(root: Path) -> None:
    store = FileStore(Folder(root))
    await store.sweep()
    await store.put_bytes(CODE, b"a")
    age(root)
    await store.sweep()
    assert set(stored(root)) == {f"ab/{CODE}"}
