"""Redis behind TLS, a password and the rights of an ACL: all that uses it does so, and a secret is in no log."""

import asyncio
import gc
import logging
import subprocess
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from limits import parse

from tests.servers import Redis, free_port
from webapp import settings
from webapp.cli.check import run_checks
from webapp.http.limits import Limiter
from webapp.live.bridge import LINK_DOWN, LINK_UP
from webapp.live.redis import RedisBackend
from webapp.live.shards import ALL, ShardedBroadcast

SECRET = "a:long/pass#word"
QUOTED = "a%3Along%2Fpass%23word"
# As the README has it.
RIGHTS = ("~parley:*", "&parley:*", "+@all", "-@admin", "-@dangerous")


class Guarded(NamedTuple):
    plain: str
    tls: str
    authority: Path


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """A Redis on two ports, one of them with TLS, where one user may do what Parley does and nobody else anything."""
    folder = tmp_path_factory.mktemp("tls")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    # A certificate that is its own authority, for this name alone.
    request = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    names = ("-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate))
    subprocess.run([*request.split(), *names], check=True, capture_output=True)
    port = free_port()
    options = ("--tls-port", str(port), "--tls-cert-file", str(certificate), "--tls-key-file", str(key))
    with Redis(options=(*options, "--tls-auth-clients", "no")) as redis:
        redis.start()
        redis.cli("ACL", "SETUSER", "parley", "on", f">{SECRET}", *RIGHTS)
        redis.cli("ACL", "SETUSER", "default", "off")
        plain = f"redis://parley:{QUOTED}@localhost:{redis.port}"
        yield Guarded(plain, f"rediss://parley:{QUOTED}@localhost:{port}", certificate)


async def links(url: str, count: int) -> list[str]:
    """What a process is first told of its link."""
    async with ShardedBroadcast(RedisBackend(url)) as broadcast, broadcast.subscribe("parley:test") as events:
        async with asyncio.timeout(20):
            return [(await events.get()).message for _ in range(count)]


@pytest.fixture(params=["password", "TLS"])
def url(request: pytest.FixtureRequest, guarded: Guarded) -> str:
    return guarded.plain if request.param == "password" else f"{guarded.tls}?ssl_ca_certs={guarded.authority}"


@pytest.fixture(autouse=True)
def left_connections() -> Iterator[None]:
    """The clients of limits and redis leave a TLS connection to the collector: not to that of another test."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


async def test_rings_reach_another_process(url: str) -> None:
    one, other = RedisBackend(url), RedisBackend(url)
    one.name, other.name = "one", "other"
    async with (
        asyncio.timeout(20),
        ShardedBroadcast(one) as here,
        ShardedBroadcast(other) as there,
        here.subscribe("parley:test") as mine,
        there.subscribe("parley:test") as events,
    ):
        assert (await mine.get()).message == (await events.get()).message == LINK_UP
        if heard := other.subscriptions.follow(["room:5"]):
            await asyncio.shield(heard)
        await one.ring({"room:5": "5 1", ALL: "{}"})
        assert [(await events.get()).message for _ in range(2)] == ["one\n5 1", "one\n{}"]


async def test_rates_are_counted_together(url: str) -> None:
    one, other = Limiter(url), Limiter(url)
    rate = parse("1/minute")
    for limiter in (one, other):
        limiter.TIMEOUT_SECONDS = 20.0
    assert await one.hit(rate, "visitor", url[:6]) == 0
    assert await other.hit(rate, "visitor", url[:6]) > 0
    assert (one.down_until, other.down_until) == (0.0, 0.0)


async def checked(url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    """The line of `python -m webapp check` about Redis."""
    monkeypatch.setattr(settings, "REDIS_URL", url)
    await run_checks()
    return next(
        line for line in "".join(capsys.readouterr()).splitlines() if "localhost:" in line or "127.0.0.1:" in line
    )


async def test_the_check_finds_it_and_names_no_secret(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], migrated: None
) -> None:
    line = await checked(url, monkeypatch, capsys)
    assert "ok" in line
    assert "localhost:" in line
    assert "pass" not in line


def refused(guarded: Guarded, why: str) -> str:
    return {
        "another password": guarded.plain.replace(QUOTED, "another-pass"),
        "no password": guarded.plain.replace(f"parley:{QUOTED}@", ""),
        "an unknown authority": guarded.tls,
        "another name": f"{guarded.tls}?ssl_ca_certs={guarded.authority}".replace("@localhost", "@127.0.0.1"),
    }[why]


REFUSED = {
    "another password": "username-password pair",
    "no password": "authenticate",
    "an unknown authority": "CERTIFICATE_VERIFY_FAILED",
    "another name": "CERTIFICATE_VERIFY_FAILED",
}


@pytest.mark.parametrize("why", REFUSED)
async def test_what_is_not_the_right_redis_or_refuses_us_is_not_used_and_the_log_says_why(
    guarded: Guarded,
    why: str,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    migrated: None,
) -> None:
    caplog.set_level(logging.DEBUG)
    url = refused(guarded, why)
    assert await links(url, 2) == [LINK_DOWN, LINK_DOWN]
    line = await checked(url, monkeypatch, capsys)
    assert "does not answer" in line
    for text in (caplog.text, line):
        assert REFUSED[why] in text
        assert "pass#word" not in text
        assert "another-pass" not in text
        assert QUOTED not in text
