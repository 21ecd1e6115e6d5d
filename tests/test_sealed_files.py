"""Files of a reported message: copied with the report, for administrators alone, and deleted with it."""

import shutil
from datetime import UTC, datetime, timedelta

import pytest

from tests.attached import Killed, attach, killed_at, named, names, stored, sweep_later
from tests.conftest import Person
from tests.message_pages import fill
from tests.page import Page, words
from tests.people import who
from webapp import settings
from webapp.conversations.models import Room
from webapp.db import sql, transaction
from webapp.files.quota import USED
from webapp.files.removal import names_of
from webapp.files.usage import BY_PERSON, TOTAL
from webapp.media import files
from webapp.moderation import pages, views
from webapp.moderation.models import Report
from webapp.moderation.sealed import SealedFile
from webapp.ops import purge


@pytest.fixture(autouse=True)
def empty_store(app: object) -> None:
    """What other tests have stored, and the database forgets with each of them."""
    shutil.rmtree(files.FOLDER, ignore_errors=True)


async def sealed() -> set[str]:
    return set(names_of(await SealedFile.all()))


async def complain(one: Person, room: Room) -> None:
    fields = {"about": f"message:{room.key}:1", "reason": "spam", "text": ""}
    assert (await one.post("/report", fields)).status_code == 303


async def test_an_administrator_sees_the_files_of_a_reported_message_after_it_was_removed(
    alice: Person, bob: Person, charlie: Person, admin: Person, visitor: Person, room: Room
) -> None:
    await fill(room, bob, 2)
    rows = [await attach(room, who(bob), 1, name, description="What it shows") for name in ("a.webp", "b.webp")]
    await attach(room, who(bob), 2, "beside.webp")
    await complain(alice, room)
    await complain(alice, room)
    assert len(await sealed()) == 4, "once for one report"
    await bob.post(f"{room.path}/messages/1/remove")
    await sweep_later()
    assert stored() == await named() | await sealed()
    report = await Report.get()
    html = (await admin.get(f"/moderation/reports/{report.id}")).text
    assert "Files: beside.webp" in words(await admin.get(f"/moderation/reports/{report.id}"))
    paths = [link.attributes["href"] or "" for link in Page(html).all(".transcript a.file")]
    paths += [image.attributes["src"] or "" for image in Page(html).all(".transcript a.file img")]
    assert [image.attributes["alt"] for image in Page(html).all(".transcript a.file img")] == ["What it shows"] * 2
    for code in ("%00", "a"):
        assert (await admin.get(f"/moderation/reports/{report.id}/files/{code}/a.webp")).status_code == 404
    contents = [(await admin.get(path)).content for path in paths]
    assert contents == [b"whole", b"whole", b"thumb", b"thumb"]
    for path in paths:
        for one in (alice, bob, charlie, visitor):
            assert (await one.get(path)).status_code == 404
        assert (await admin.get(path.replace(f"/{report.id}/", f"/{report.id + 1}/"))).status_code == 404
        assert (await alice.get(path.replace(f"/moderation/reports/{report.id}", room.path))).status_code == 404
    assert stored().isdisjoint(names(*rows))


async def test_copies_go_with_the_report(alice: Person, bob: Person, room: Room) -> None:
    await fill(room, bob, 1)
    stays = await attach(room, who(bob), 1)
    await complain(alice, room)
    old = datetime.now(UTC) - timedelta(days=91)
    await Report.all().update(handled_at=old)
    assert await purge.purge_all() == "Forgotten: reports 1."
    assert stored() == names(stays) == await named()
    assert await SealedFile.all().count() == 0


async def test_a_report_that_is_killed_leaves_no_copy_and_no_row_without_one(
    alice: Person, bob: Person, room: Room
) -> None:
    await fill(room, bob, 1)
    await attach(room, who(bob), 1)
    for step in range(1, 100):
        await Report.all().delete()
        with killed_at(step) as done:
            try:
                await complain(alice, room)
            except (Killed, AssertionError):
                assert done[0] >= step
        assert await sealed() <= stored()
        await sweep_later()
        assert stored() == await named() | await sealed()
        if done[0] < step:
            break
    assert len(await sealed()) == 2
    assert step > 10


async def test_an_administrator_sees_who_uses_how_much(
    alice: Person, bob: Person, admin: Person, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(room, bob, 1)
    assert "Nobody has sent a file yet." in words(await admin.get("/moderation/files"))
    for size in (3000, 7000):
        await attach(room, who(bob), 1, content=bytes(size))
    await attach(room, who(alice), None, content=bytes(4000))
    await attach(room, None, 1, content=bytes(2000))
    html = (await admin.get("/moderation/files")).text
    cases = [" ".join(case.text().split()) for case in Page(html).all(".case")]
    assert cases == ["Bob 10 kB 2 files", "Alice 4 kB 1 file"]
    assert "4 files, 16 kB." in words(await admin.get("/moderation/files"))
    assert "free on the disk." in words(await admin.get("/moderation/files"))
    for module in (views, pages):
        monkeypatch.setattr(module, "PAGE", 1)
    assert 'rel="next"' in (await admin.get("/moderation/files")).text
    assert "Alice" in words(await admin.get("/moderation/files?page=2"))
    for one in (alice, bob):
        assert (await one.get("/moderation/files")).status_code == 404


async def test_figures_of_files_are_counted_for_the_operator(bob: Person, visitor: Person, room: Room) -> None:
    await fill(room, bob, 1)
    await attach(room, who(bob), 1, content=bytes(3000))
    figures = (await visitor.get("/metrics")).text
    assert "parley_files 1.0" in figures
    assert "parley_files_bytes 3005.0" in figures
    assert float(figures.split("\nparley_disk_free_bytes ")[1].split()[0]) > 0


@pytest.mark.parametrize("query", [BY_PERSON, TOTAL, USED])
async def test_what_files_use_is_counted_in_one_index(app: object, query: str) -> None:
    values = (51, 0) if "LIMIT" in query else (7,) if "?" in query else ()

    async def explain() -> str:
        if settings.ON_SQLITE:
            return " ".join(row["detail"] for row in await sql.fetch_all(f"EXPLAIN QUERY PLAN {query}", *values))
        # Of a table with no rows all ways cost the same.
        for way in ("seqscan", "bitmapscan"):
            await sql.execute(f"SET LOCAL enable_{way} = off")
        return " ".join(str(row[0]) for row in await sql.fetch_all(f"EXPLAIN {query}", *values))

    covering = "COVERING INDEX idx_attachment_" if settings.ON_SQLITE else "Index Only Scan using idx_attachment_"
    assert covering in await transaction.transact(explain)
