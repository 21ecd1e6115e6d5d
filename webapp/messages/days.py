"""Where days begin in a log, and which of them are today and yesterday."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from types import MappingProxyType

from webapp import settings
from webapp.core import clock
from webapp.live import Frame, Payload, frames, hub
from webapp.messages.new_rows import RungMessage
from webapp.messages.queries import MessageRow, times_of

# The state of endless documents that is read here; script does the same for other pages.
STATE = "days"
NO_TIMES: Mapping[int, datetime] = MappingProxyType({})


def in_zone(lines: list[MessageRow], times: Mapping[int, datetime] = NO_TIMES) -> list[MessageRow]:
    """
    Return these messages, in their order, with days beginning as they do in the zone of the times that are written.

    What is stored is where they begin for the site. Before a message comes one of these, or one of the `times`; one of
    which nothing is known begins no day: that of the first of a page stands above the log.
    """
    return _in_zone(lines, times) if clock.current_zone() is not settings.SITE_TIMEZONE else lines


def _in_zone(lines: list[MessageRow], times: Mapping[int, datetime]) -> list[MessageRow]:
    known = {**times, **{line.number: line.created_at for line in lines}}
    result: list[MessageRow] = []
    for line in lines:
        before = known.get(line.number - 1)
        opens = clock.to_local_time(before).date() != line.day if before else line.number == 1
        result.append(line._replace(opens_day=opens, continues=line.continues and not opens))
    return result


async def times_before(room_id: int, lines: Collection[MessageRow]) -> Mapping[int, datetime]:
    """Return the times of the messages before these, if there is a page in another zone than the site's."""
    if not _has_other_zone(room_id):
        return NO_TIMES
    wanted = {line.number - 1 for line in lines} - {line.number for line in lines} - {0}
    return await times_of(room_id, sorted(wanted)) if wanted else NO_TIMES


def are_known(room_id: int, messages: Iterable[RungMessage]) -> bool:
    """Return whether it is known of these messages where days begin, in the zone of every page."""
    return not _has_other_zone(room_id) or all(one.before_at or one.line.number == 1 for one in messages)


def _has_other_zone(room_id: int) -> bool:
    return any(" " in locale for locale in hub().languages(f"room:{room_id}"))


async def days(rooms: Collection[int]) -> Mapping[int, Payload]:
    """Return what calls today and yesterday so in endless documents; read at each heartbeat, and so after midnight."""
    return dict.fromkeys(rooms, frames.localized(_frame))


def _frame() -> Frame:
    # The last one counts of all that were sent: it begins by undoing them. The size has its value, as its name,
    # --text-xs, is not served (see http/aliases.py).
    rules = ".message__day [datetime]{font-size:inherit}.message__day [datetime]::before{content:none}"
    for day, name in clock.near_days().items():
        time = f'.message__day [datetime="{day}"]'
        rules += f'{time}{{font-size:0}}{time}::before{{content:"{name}";font-size:.75rem}}'
    return Frame(html=frames.style_element(rules).encode())
