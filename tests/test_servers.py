"""The servers that other tests lean on do what they promise."""

import socket

import asyncpg
import pytest

from tests.servers import App, Postgres, Redis


def subscribe(server: Redis, channel: str) -> socket.socket:
    connection = socket.create_connection((server.host, server.port), 5)
    connection.sendall(f"SUBSCRIBE {channel}\r\n".encode())
    assert b"subscribe" in connection.recv(1000)
    return connection


def test_redis_stores_nothing_and_answers_every_kind_of_reply(own_redis: Redis) -> None:
    assert own_redis.cli("SET", "greeting", "hello wörld\r\n") == "OK"
    assert own_redis.cli("GET", "greeting") == "hello wörld\r\n"
    assert own_redis.cli("GET", "nothing") is None
    assert own_redis.cli("DEL", "greeting") == 1
    assert own_redis.cli("CONFIG", "GET", "save") == ["save", ""]
    with pytest.raises(RuntimeError, match="unknown command"):
        own_redis.cli("NONSENSE")


def test_a_killed_redis_comes_back_empty_on_the_same_port(own_redis: Redis) -> None:
    own_redis.cli("SET", "greeting", "hello")
    first = own_redis.pid
    own_redis.kill()
    with pytest.raises(ConnectionRefusedError):
        own_redis.cli("PING")
    own_redis.start()
    assert own_redis.pid != first
    assert own_redis.cli("GET", "greeting") is None


def test_a_frozen_redis_accepts_but_answers_only_when_thawed(own_redis: Redis) -> None:
    own_redis.freeze()
    with pytest.raises(TimeoutError):
        own_redis.cli("PING", seconds=0.2)
    own_redis.thaw()
    assert own_redis.cli("PING") == "PONG"


def test_one_client_kill_ends_a_subscription(own_redis: Redis) -> None:
    with subscribe(own_redis, "room") as connection:
        assert own_redis.cli("CLIENT", "KILL", "TYPE", "pubsub") == 1
        assert connection.recv(1000) == b""


async def test_postgres_makes_databases_that_do_not_see_each_other(postgres_server: Postgres) -> None:
    one, other = postgres_server.create(), postgres_server.create()
    connection = await asyncpg.connect(one)
    await connection.execute("CREATE TABLE room (key text)")
    await connection.close()
    connection = await asyncpg.connect(other)
    assert await connection.fetchval("SELECT to_regclass('room')") is None
    await connection.close()


async def test_a_restarted_postgres_cuts_connections_and_loses_no_rows() -> None:
    with Postgres() as server:
        server.start()
        url = server.create()
        connection = await asyncpg.connect(url)
        await connection.execute("CREATE TABLE room AS SELECT 'lobby' AS key")
        server.restart()
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
            await connection.fetchval("SELECT key FROM room")
        connection = await asyncpg.connect(url)
        assert await connection.fetchval("SELECT key FROM room") == "lobby"
        await connection.close()


def test_an_app_that_cannot_start_says_why() -> None:
    with pytest.raises(RuntimeError, match="RATE_POST"), App({"RATE_POST": "often"}):
        pass
