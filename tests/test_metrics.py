"""What an operator sees: metrics, health, and a log with one line for each fault."""

import asyncio
import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest
from starlette.requests import Request
from starlette.routing import Route

from tests.conftest import Person
from tests.people import post_as
from tests.readers import reader as open_reader
from webapp import settings
from webapp.app import app as the_app
from webapp.conversations.models import Room
from webapp.core import data_folder
from webapp.core import faults as module
from webapp.core.faults import Fault, faults
from webapp.db import engine, sql
from webapp.live import hub
from webapp.ops import health

TOKEN = "a token for those who may look"
COUNTERS = (
    "changes database_errors disk_errors links_lost log_reads media_errors outbox_overruns publish_failures "
    "read_failures resumes rings_heard rings_lost rings_sent space_refusals streams_opened streams_refused"
)
GAUGES = (
    "channels database_failing disk_failing disk_free_bytes files files_bytes info link_up media_failing "
    "outbox_bytes outbox_bytes_max search_indexed streams tasks"
)


async def scrape(address: str = "127.0.0.1", **headers: str) -> httpx2.Response:
    transport = httpx2.ASGITransport(app=the_app, client=(address, 5000))  # type: ignore[arg-type]
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
        return await client.get("/metrics", headers={name.replace("_", "-"): value for name, value in headers.items()})


async def metrics() -> dict[str, float]:
    rows = (line.rpartition(" ") for line in (await scrape()).text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in rows}


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.001)


# /metrics


async def test_metrics_are_for_this_machine_alone(app: object) -> None:
    for address in ("127.0.0.1", "::1"):
        assert (await scrape(address)).status_code == 200
    for address in ("192.0.2.7", "2001:db8::1", "", "a.socket"):
        assert (await scrape(address)).status_code == 404


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "Via"])
async def test_what_a_proxy_on_this_machine_passes_on_is_not_from_this_machine(app: object, header: str) -> None:
    assert (await scrape(**{header: "192.0.2.7"})).status_code == 404


async def test_with_a_token_they_are_for_who_has_it(app: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "METRICS_TOKEN", TOKEN)
    assert (await scrape("192.0.2.7", Authorization=f"Bearer {TOKEN}")).status_code == 200
    for wrong in ("Bearer", "Bearer x", f"Basic {TOKEN}", f"Bearer {TOKEN}x", TOKEN):
        assert (await scrape("192.0.2.7", Authorization=wrong)).status_code == 404
    assert (await scrape()).status_code == 404


@pytest.mark.parametrize("hosts", [["chat.example"], ["localhost", "chat.example"], ["*"], ["192.168.1.20"]])
async def test_a_site_with_a_name_has_metrics_for_a_token_alone(
    app: object, monkeypatch: pytest.MonkeyPatch, hosts: list[str]
) -> None:
    monkeypatch.setattr(settings, "ALLOWED_HOSTS", hosts)
    host = {"Host": hosts[-1].replace("*", "localhost")}
    assert (await scrape(**host)).status_code == 404, "a bare proxy_pass looks like this machine"
    monkeypatch.setattr(settings, "METRICS_TOKEN", TOKEN)
    assert (await scrape(**host, Authorization=f"Bearer {TOKEN}")).status_code == 200


async def test_metrics_are_read_only(app: object) -> None:
    transport = httpx2.ASGITransport(app=the_app, client=("127.0.0.1", 5000))  # type: ignore[arg-type]
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
        answer = await client.post("/metrics", headers={"Sec-Fetch-Site": "same-origin"})
    assert answer.status_code == 405


async def test_every_metric_is_explained_and_says_what_it_is(app: object) -> None:
    lines = (await scrape()).text.splitlines()
    explained = {line.split()[2] for line in lines if line.startswith("# HELP")}
    typed = {line.split()[2] for line in lines if line.startswith("# TYPE")}
    names = {re.match(r"\w+", line)[0] for line in lines if not line.startswith("#")}  # type: ignore[index]
    assert explained == typed == {re.sub("_(bucket|sum|count)$", "", name) for name in names}
    for line in lines:
        assert line.startswith("#") or re.fullmatch(r'\w+(\{\w+="[^"]*"\})? [0-9.e+-]+', line), line


async def test_dashboards_find_every_metric_under_its_name_and_type(app: object) -> None:
    typed = [line.split()[2:] for line in (await scrape()).text.splitlines() if line.startswith("# TYPE")]
    assert {kind: {name for name, its in typed if its == kind} for _, kind in typed} == {
        "counter": {f"parley_{name}_total" for name in COUNTERS.split()},
        "gauge": {f"parley_{name}" for name in GAUGES.split()} | {"process_open_fds", "process_resident_memory_bytes"},
        "histogram": {"parley_delivery_seconds"},
    }


async def test_metrics_count_what_happens(alice: Person, room: Room) -> None:
    assert alice.user
    await post_as(alice.user, room, "before", "")
    before, waited = await metrics(), hub().counts.delays.total
    reader = open_reader(room.id, 0, "sse", session=alice.session.id, user=alice.user.id)
    hub().join(reader)
    await until(lambda: not reader.outbox.is_empty)
    await alice.say(room, "hello")
    # The counts go on for as long as the process lives, which other tests were in.
    await until(lambda: hub().counts.delays.total > waited)
    now = await metrics()
    assert now['parley_streams{kind="sse"}'] == 1
    assert now['parley_streams{kind="html"}'] == 0
    assert now["parley_channels"] == 1
    assert now["parley_outbox_bytes"] == now["parley_outbox_bytes_max"] == reader.outbox.size > 500
    grown = {name: now[name] - before[name] for name in now}
    assert grown["parley_changes_total"] == 1
    assert grown["parley_streams_opened_total"] == 1
    assert grown["parley_resumes_total"] == 1
    # For the page that joined: the message was shown from its row.
    assert grown["parley_log_reads_total"] == 1
    assert grown["parley_delivery_seconds_count"] == 1
    assert grown['parley_delivery_seconds_bucket{le="+Inf"}'] == 1
    hub().leave(reader)
    assert (await metrics())['parley_streams{kind="sse"}'] == 0


async def test_a_ring_that_was_lost_is_counted(alice: Person, room: Room) -> None:
    assert alice.user
    reader = open_reader(room.id, 0, "sse", session=alice.session.id, user=alice.user.id)
    hub().join(reader)
    await until(lambda: hub().channels[f"room:{room.id}"].version == 0)
    await hub().heartbeat.reconcile()
    lost = hub().counts.rings_lost
    await post_as(alice.user, room, "nobody was told", "")
    await hub().heartbeat.reconcile()
    assert hub().counts.rings_lost == lost + 1
    await until(lambda: hub().channels[f"room:{room.id}"].version == 1)
    await hub().heartbeat.reconcile()
    assert hub().counts.rings_lost == lost + 1
    hub().leave(reader)


# Faults.


async def test_a_fault_is_one_line_when_it_begins_and_one_when_it_is_over(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "INTERVAL_SECONDS", 0)
    monkeypatch.setattr(module, "CLEAR_AFTER_SECONDS", 0.05)
    fault, answers = Fault("it is gone", "it is back"), [False, False, True]

    async def is_well() -> bool:
        return answers.pop(0)

    watching = asyncio.create_task(fault.watch(is_well))
    await asyncio.sleep(0)
    for _ in range(100):
        fault.report(ConnectionError("refused"))
    assert [record.getMessage() for record in caplog.records] == ["it is gone: ConnectionError('refused')"]
    await until(lambda: not fault.is_on)
    assert [record.getMessage() for record in caplog.records][1:] == ["it is back, after 0 seconds"]
    assert fault.count == 100
    assert answers == []
    watching.cancel()


async def test_little_room_on_the_disk_is_one_line_until_there_is_room(
    alice: Person, room: Room, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = list[bool]()

    def has_space() -> bool:
        looks.append(has_room)
        return has_room

    has_room = False
    monkeypatch.setattr(module, "INTERVAL_SECONDS", 0)
    monkeypatch.setattr(module, "CLEAR_AFTER_SECONDS", 0)
    monkeypatch.setattr(data_folder, "has_space", has_space)
    for _ in range(3):
        assert (await alice.post(f"{room.path}/files", {"name": "a", "size": "10"})).status_code == 503
        seen = len(looks)
        await until(lambda seen=seen: len(looks) > seen + 2)  # type: ignore[misc]
    assert faults().space.count == 3
    assert not faults().disk.is_on
    has_room = True
    await until(lambda: not faults().space.is_on)
    said = [record.getMessage().partition(":")[0] for record in caplog.records if record.name == module.__name__]
    assert said == ["there is too little room for files", "there is room for files again, after 0 seconds"]


async def away(*args: object) -> object:
    raise engine.OperationalError("connection refused")


async def test_an_unreachable_database_is_one_line_in_the_log(
    alice: Person, room: Room, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(hub(), "providers", replace(hub().providers, access_checks=[away]))
    monkeypatch.setattr(sql, "fetch_inline", away)
    monkeypatch.setattr("webapp.messages.rendering.list_page", away)
    for _ in range(5):
        assert (await alice.get(room.path)).status_code == 503
        assert (await alice.get("/health")).status_code == 503
    hub().join(open_reader(None, None, "sse", session=alice.session.id))
    failures = hub().counts.read_failures
    hub().heartbeat.check_soon()
    await until(lambda: hub().counts.read_failures > failures)
    errors = [record for record in caplog.records if record.levelname != "DEBUG"]
    assert [record.getMessage().partition(":")[0] for record in errors] == ["the database does not answer"]
    assert all(record.exc_info is None for record in errors)


# /health


async def test_health_is_for_everybody_and_says_ok(visitor: Person) -> None:
    answer = await visitor.get("/health")
    assert answer.status_code == 200
    assert answer.json() | {"version": ""} == {
        "status": "ok", "database": "ok", "broadcaster": "ok", "disk": "ok", "version": "",
    }  # fmt: skip


async def test_health_says_when_other_processes_cannot_be_heard(
    visitor: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub(), "is_connected", False)
    answer = await visitor.get("/health")
    assert (answer.status_code, answer.json()["status"], answer.json()["broadcaster"]) == (200, "degraded", "down")


async def test_health_says_when_the_database_is_away_slow_or_was_a_moment_ago(
    visitor: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "CACHE_SECONDS", 0)
    with monkeypatch.context() as patch:
        patch.setattr(health, "SLOW_SECONDS", 0)
        answer = await visitor.get("/health")
        assert (answer.status_code, answer.json()["status"], answer.json()["database"]) == (200, "degraded", "slow")
    with monkeypatch.context() as patch:
        patch.setattr(sql, "fetch_inline", away)
        answer = await visitor.get("/health")
        assert (answer.status_code, answer.json()["status"], answer.json()["database"]) == (503, "down", "down")
    answer = await visitor.get("/health")
    assert (answer.status_code, answer.json()["status"], answer.json()["database"]) == (200, "degraded", "failing")
    faults().database.clear()
    assert (await visitor.get("/health")).json()["status"] == "ok"


async def test_a_file_that_is_missing_is_our_fault_and_not_the_databases(alice: Person, visitor: Person) -> None:
    def open_missing(_: Request) -> None:
        Path("/no/such/file").read_text()

    route = Route("/missing", open_missing)
    the_app.router.routes.insert(0, route)
    try:
        assert (await alice.get("/missing")).status_code == 500
    finally:
        the_app.router.routes.remove(route)
    assert not faults().database.is_on
    assert (await visitor.get("/health")).json()["status"] == "ok"


async def test_health_asks_the_database_once_for_all_who_ask_within_a_second(
    visitor: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, fetch = list[str](), sql.fetch_inline

    async def count(query: str, *values: object) -> Sequence[sql.Row]:
        asked.append(query)
        return await fetch(query, *values)

    monkeypatch.setattr(sql, "fetch_inline", count)
    answers = [*await asyncio.gather(*(visitor.get("/health") for _ in range(20))), await visitor.get("/health")]
    assert {answer.status_code for answer in answers} == {200}
    assert asked.count("SELECT 1") == 1
    monkeypatch.setattr(health, "CACHE_SECONDS", 0)
    await visitor.get("/health")
    assert asked.count("SELECT 1") == 2


async def test_only_the_operator_reads_the_version(visitor: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "version" in (await visitor.get("/health")).json()
    monkeypatch.setattr(settings, "ALLOWED_HOSTS", ["localhost", "chat.example"])
    assert "version" not in (await visitor.get("/health")).json()
    monkeypatch.setattr(settings, "METRICS_TOKEN", TOKEN)
    assert "version" not in (await visitor.get("/health")).json()
    assert "version" in (await visitor.get("/health", Authorization=f"Bearer {TOKEN}")).json()


@pytest.mark.parametrize(("on_sqlite", "status"), [(True, (503, "down")), (False, (200, "degraded"))])
async def test_health_says_when_the_disk_is_full(
    visitor: Person, monkeypatch: pytest.MonkeyPatch, on_sqlite: bool, status: tuple[int, str]
) -> None:
    def full(**options: object) -> object:
        raise OSError(28, "No space left on device")

    async def fetch(query: str) -> list[object]:
        return []  # whichever database it is said to be

    monkeypatch.setattr(sql, "fetch_inline", fetch)
    monkeypatch.setattr(settings, "ON_SQLITE", on_sqlite)
    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    answer = await visitor.get("/health")
    assert answer.json()["disk"] == "full"
    assert (answer.status_code, answer.json()["status"]) == status
