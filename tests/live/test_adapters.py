"""What is done where the library below is another than the one whose private parts are known."""

import pytest
from starlette.types import Message
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from webapp import app
from webapp.live import redis, sse, wire
from webapp.live.bridge import LINK_DOWN, LINK_UP
from webapp.live.wire import Wire


class Cycle(RequestResponseCycle):
    def __init__(self) -> None:
        pass

    async def send(self, message: Message) -> None:  # type: ignore[override]
        pass


def test_the_installed_uvicorn_is_the_known_one() -> None:
    assert wire.problem() is None
    assert Wire.below(Cycle().send) is not None


def test_the_installed_sse_starlette_and_broadcaster_are_the_known_ones() -> None:
    assert (sse.problem(), redis.problem()) == (None, None)


async def test_with_another_sse_starlette_streams_take_its_own_way_and_the_log_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, migrated: None
) -> None:
    monkeypatch.setattr(sse, "KNOWN_VERSION", "0.1")
    assert Wire.below(Cycle().send) is None
    async with app.lifespan(app.app):
        pass
    assert "in place of 0.1: streams take more memory and time" in caplog.text


def test_with_another_broadcaster_its_own_backend_is_used_and_the_log_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    url = "redis://127.0.0.1:1"
    assert isinstance(redis.broadcaster(url)._backend, redis.RedisBackend)
    monkeypatch.setattr(redis, "KNOWN_VERSION", "0.1")
    assert not isinstance(redis.broadcaster(url)._backend, redis.RedisBackend)
    assert "in place of 0.1: the link to Redis does not come back when it breaks" in caplog.text


async def test_with_another_uvicorn_streams_take_the_plain_way_and_the_log_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, migrated: None
) -> None:
    monkeypatch.setattr(wire, "KNOWN_VERSION", "0.1")
    assert Wire.below(Cycle().send) is None
    async with app.lifespan(app.app):
        pass
    assert "in place of 0.1: streams take more memory and time" in caplog.text


async def test_a_flood_from_redis_is_a_break_and_not_a_queue_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis, "MAX_QUEUED", 5)
    backend = redis.RedisBackend("redis://127.0.0.1:1")
    for number in range(8):
        backend._queue(str(number))
    heard = [(await backend.next_published()).message for _ in range(5)]
    assert heard == [LINK_DOWN, LINK_UP, "5", "6", "7"]
    await backend.disconnect()
