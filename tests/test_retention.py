"""How long messages stay: what owners choose and when that takes effect, what goes then, and what readers see of it."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.conftest import Person
from tests.people import now
from webapp.conversations.models import Room
from webapp.conversations.queries import room_by_id
from webapp.core.errors import Invalid, NotFound
from webapp.messages.models import Message
from webapp.messages.retention import MAX_DAYS, WARNING, set_keep_days


async def chosen(room: Room) -> tuple[int, int | None, datetime | None]:
    found = await now(room)
    return found.keep_days, found.next_keep_days, found.keep_changes_at


async def kept(room: Room) -> int:
    """After how many days messages go, as pages say it."""
    found = await room_by_id(room.id)
    assert found
    return found.kept_days


async def notices(room: Room) -> list[str]:
    found = await Message.filter(room_id=room.id).exclude(notice="").order_by("number").values_list("notice", flat=True)
    return [str(notice) for notice in found]


# What is chosen.


async def test_what_is_shorter_takes_effect_a_day_later_and_the_log_says_so_and_what_is_not_at_once(
    alice: Person, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    await alice.say(room, "Hello")
    takes_effect = await set_keep_days(room.id, 30)
    assert takes_effect
    assert timedelta() < datetime.now(UTC) + WARNING - takes_effect < timedelta(minutes=1)
    assert await chosen(room) == (0, 30, takes_effect)
    assert await notices(room) == ["retention:30"]
    assert ((await now(room)).last_number, await kept(room)) == (2, 0)
    # The same once more is nothing new; another puts the day off.
    assert await set_keep_days(room.id, 30) == takes_effect
    later = await set_keep_days(room.id, 7)
    assert later
    assert later >= takes_effect
    assert await notices(room) == ["retention:30", "retention:7"]
    # It has taken effect, whether or not anything was deleted yet: what is said then is about what is now.
    await Room.filter(id=room.id).update(keep_changes_at=datetime.now(UTC) - timedelta(seconds=1))
    assert await kept(room) == 7
    assert await set_keep_days(room.id, 14) is None
    assert await chosen(room) == (14, None, None)
    # What takes effect at once takes the place of what waits.
    assert await set_keep_days(room.id, 2)
    assert await set_keep_days(room.id, 0) is None
    assert await chosen(room) == (0, None, None)
    assert await notices(room) == ["retention:30", "retention:7", "retention:2"]
    # What the site sets is what counts where it is less, and then nothing becomes shorter.
    monkeypatch.setattr("webapp.settings.KEEP_MESSAGES_DAYS", 10)
    assert await kept(room) == 10
    assert await set_keep_days(room.id, 20) is None
    assert (await chosen(room), await kept(room)) == ((20, None, None), 10)
    assert await set_keep_days(room.id, 5)
    assert await chosen(room) == (20, 5, (await now(room)).keep_changes_at)


async def test_a_number_of_days_that_is_none_is_refused_and_so_is_one_of_a_room_that_was_deleted(room: Room) -> None:
    for days in (-1, MAX_DAYS + 1):
        with pytest.raises(Invalid):
            await set_keep_days(room.id, days)
    await Room.close(room.id)
    with pytest.raises(NotFound):
        await set_keep_days(room.id, 3)
