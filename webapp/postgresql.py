"""Tortoise's PostgreSQL, with one thing mended."""

import contextlib

import asyncpg
from tortoise.backends.asyncpg.client import AsyncpgDBClient, TransactionWrapper
from tortoise.backends.base.client import TransactionalDBClient, TransactionContext, TransactionContextPooled
from tortoise.connection import get_connections


class Client(AsyncpgDBClient):
    def _in_transaction(self) -> TransactionContext:
        return Turn(TransactionWrapper(self), self._pool_init_lock)


class Turn(TransactionContextPooled):
    """
    Tortoise's kept the connection of a transaction that could not begin for ever: after a server that was frozen for
    as long as a statement may take, the pool had none left, and nobody was answered any more.
    """

    async def __aenter__(self) -> TransactionalDBClient:
        try:
            return await super().__aenter__()
        except BaseException:
            self._give_up()
            raise

    def _give_up(self) -> None:
        """The pool makes another in its place: nobody knows in what state this one is."""
        if self.client._connection is None:
            return  # there was none to have
        get_connections().reset(self.token)
        with contextlib.suppress(asyncpg.InterfaceError):  # it has ended, and is back already
            self.client._connection.terminate()


client_class = Client
