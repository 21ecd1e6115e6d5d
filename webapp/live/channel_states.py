"""States of channels that have no version, as pages show them beside the log: read when they may have changed."""

import asyncio
from collections.abc import Callable, Collection, Coroutine, Mapping

from webapp.live import states
from webapp.live.admission import ReconnectStorm
from webapp.live.channel import LogChannel, StateChannel
from webapp.live.providers import Providers
from webapp.live.reader import deliver
from webapp.live.states import Due, StateRefresher

# How many channels one query asks about.
CHANNEL_BATCH_SIZE = 500


class ChannelStates:
    """Reads the states of the open channels, each for all channels that are due together."""

    def __init__(
        self,
        channels: Mapping[str, StateChannel],
        providers: Callable[[], Providers],
        spawn: Callable[[Coroutine[object, object, None]], None],
        storm: ReconnectStorm,
        on_failure: Callable[[str, Exception], None],
    ) -> None:
        self._channels = channels
        self._providers = providers
        self._spawn = spawn
        self._storm = storm
        self._on_failure = on_failure
        # For each state of each kind of channel one of its own: a query that is slow delays no other state.
        self._refreshers: dict[tuple[str, str], StateRefresher] = {}

    def clear(self) -> None:
        self._refreshers.clear()

    def refresh(self, name: str, state: str) -> None:
        """Read a state of the channel that may have changed, if a page here shows it."""
        channel = self._channels.get(name)
        if channel and state in self._providers().states.get(channel.kind, ()) and channel.shows(state):
            refresher = self._refresher(channel.kind, state)
            refresher.mark(refresher.queues[0], channel.number)

    def _refresher(self, kind: str, state: str) -> StateRefresher:
        if (refresher := self._refreshers.get((kind, state))) is None:
            pace = states.PROMPT if kind in self._providers().logs else states.CALM
            refresher = self._refreshers[kind, state] = StateRefresher(pace, self._storm, self._on_failure)

            async def read(numbers: list[int]) -> None:
                await self.read(kind, state, numbers)

            def count_readers(number: int) -> int:
                return len(channel.present) if (channel := self._channels.get(f"{kind}:{number}")) else 0

            refresher.queues.append(Due(read, CHANNEL_BATCH_SIZE, count_readers))
            self._spawn(refresher.run())
        return refresher

    async def read(self, kind: str, state: str, numbers: Collection[int]) -> None:
        """Read the state of those of the channels that are open, and on which a page shows it."""
        begun = asyncio.get_running_loop().time()
        channels = [channel for number in numbers if (channel := self._channels.get(f"{kind}:{number}"))]
        wanted = [channel.number for channel in channels if channel.shows(state)]
        found = await self._providers().states[kind][state](wanted) if wanted else {}
        for number, payload in found.items():
            channel = self._channels.get(f"{kind}:{number}")
            if isinstance(channel, LogChannel):
                channel.set_state(state, payload, begun)
            elif channel:
                await deliver([reader for reader in channel.present if state in reader.states], payload)
