"""The log of a room as the live engine reads it: frames of what was posted, edited and removed."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from webapp.accounts.viewer import Person
from webapp.conversations import queries
from webapp.conversations.seats import Kind, RoomRow
from webapp.http import render
from webapp.live import Frame, Payload, frames, hub
from webapp.live.providers import Log
from webapp.live.tail import Row
from webapp.messages import days, new_rows, rendering, typing
from webapp.messages.queries import MAX_CHANGES, MessageRow, changes_since, last_number_at, list_page


def log_changed(room_id: int, version: int, row: Row | str = "") -> None:
    """
    A message was posted, edited or removed: the log has reached this version.

    `row` is a message that was posted, and committed (see new_rows.py).
    """
    hub().publish_version(f"room:{room_id}", version, row)


def member_left(room_id: int, user: Person) -> None:
    """A member has left the room, or was kicked: they type no more."""
    typing.stopped(room_id, user)


async def versions(rooms: Collection[int]) -> Mapping[int, int]:
    return await queries.room_versions(rooms)


async def log(room_id: int, cursors: Collection[int | None]) -> tuple[int, Mapping[int | None, Payload]] | None:
    """
    Return what each of these cursors lacks, as frames that all lead to one version; None without the room.

    The room's version is read before the rows: they may be newer, as their own versions say, but none in between
    can be missing. A cursor that is more than MAX_CHANGES behind, or ahead, gets the newest page in place of what the
    page shows; so do all from before a restore from a backup, which sets the versions far ahead. An endless document,
    of which nothing can be taken back, ends.
    """
    room = await queries.room_by_id(room_id)
    if room is None:
        return None
    held = [cursor for cursor in cursors if cursor is not None and 0 <= room.version - cursor <= MAX_CHANGES]
    changes = await changes_since(room, min(held)) if held else []
    version = max(room.version, changes[0].version if changes else 0)
    made = ChangeFrames(room.kind, await days.times_before(room_id, changes))
    result: dict[int | None, Payload] = {}
    for cursor in cursors:
        after = [line for line in changes if cursor in held and line.version > cursor]
        if cursor in held and len(after) <= MAX_CHANGES:
            result[cursor] = made.changes(after, cursor, version)
        else:
            newest = await _newest(room, version)
            result[cursor] = made.page(room, newest, version, is_first=cursor is None)
    return version, result


def rung(room_id: int, rows: Sequence[tuple[int, object]], cursors: Collection[int]) -> Log:
    """
    Return what each of these cursors lacks of the messages that rings have brought, as `log` does.

    The rows have every version after the lowest cursor. None where the database has to say more than they do.
    """
    messages = new_rows.read(room_id, rows)
    if not messages or not days.are_known(room_id, messages):
        return None
    version, kind = messages[-1].line.version, messages[-1].kind
    times = {message.line.number - 1: message.before_at for message in messages if message.before_at}
    made = ChangeFrames(kind, times)
    lines = [message.line for message in messages]
    return version, {
        cursor: made.changes([line for line in lines if line.version > cursor], cursor, version) for cursor in cursors
    }


async def _newest(room: RoomRow, version: int) -> list[MessageRow]:
    """Return the newest page as of the version: what was posted since comes with the next frame."""
    last_number = await last_number_at(room.id, version)
    return await list_page(replace(room, last_number=last_number))


class ChangeFrames:
    """The messages of one reading, as they stand in streams."""

    def __init__(self, kind: Kind, times: Mapping[int, datetime] = days.NO_TIMES) -> None:
        """`times` are those of messages before these, which say where days begin in another zone than the site's."""
        self._kind = kind
        self._times = times

    def changes(self, lines: list[MessageRow], cursor: int, version: int) -> Payload:
        """Return new messages in their order, then changed ones in their places."""
        return frames.localized(lambda: self._changes(lines, cursor, version)) if lines else Frame()

    def _changes(self, lines: list[MessageRow], cursor: int, version: int) -> Frame:
        lines = days.in_zone(sorted(lines, key=lambda line: line.number), self._times)
        posted = [line for line in lines if line.posted_version > cursor]
        replaced = [line for line in lines if line.posted_version <= cursor < line.words_version]
        reacted = [line for line in lines if line.words_version <= cursor]
        sse = "".join(self._message(line) for line in posted) + "".join(
            frames.hx_partial(f"#{dom_id(line)}", "outerHTML", self._message(line)) for line in replaced
        )
        html = "".join(self._placed(line) for line in posted) + "".join(self._replacing(line) for line in replaced)
        sse += "".join(self._chips(line) for line in reacted)
        html += "".join(self._reacting(line) for line in reacted)
        if posted and self._kind.is_between_two:
            # How far the message before has come is no longer of interest.
            sse += frames.hx_partial("#receipt", "innerHTML", "")
            html += '<li class="receipt"></li>'
        return Frame(frames.sse_event(sse, version), html.encode())

    def page(self, room: RoomRow, lines: list[MessageRow], version: int, is_first: bool) -> Payload:
        """The newest page of the log, in the place of what a page shows, or as the first that it shows."""
        return frames.localized(lambda: self._page(room, lines, version, is_first))

    def _page(self, room: RoomRow, lines: list[MessageRow], version: int, is_first: bool) -> Frame:
        lines = days.in_zone(lines)
        messages = "".join(self._message(line) for line in lines)
        first_number = room.first_number
        earlier = lines[0].number if lines and lines[0].number > first_number else 0
        above = {"earlier": earlier, "have_gone": first_number > 1}
        more = render.fragment("messages/_more.html", room_path=room.path, messages=lines, **above)
        sse = frames.hx_partial("#log", "innerHTML", messages) + frames.hx_partial("#earlier", "outerHTML", more)
        # No line above the log has the day of its first message.
        first = [line._replace(opens_day=True, continues=False) for line in lines[:1]] + lines[1:]
        html = "".join(self._placed(line) for line in first).encode() if is_first else frames.RELOAD_DOCUMENT
        return Frame(frames.sse_event(sse, version), html)

    def _message(self, line: MessageRow, is_again: bool = False) -> str:
        return str(rendering.render_message(line, is_changeable=self._kind.allows_editing, is_again=is_again))

    # In the endless document nothing that was sent can be changed, but a style can hide it, and give each
    # message a place: the one that comes later in the document then stands where the hidden one stood.

    def _placed(self, line: MessageRow, is_again: bool = False) -> str:
        """Put the message where it belongs; face and time of the one that it continues stand in it from now on."""
        before = f"#message-{line.room_id}-{line.number - 1}{{--end:none}}" if line.continues else ""
        order = f"#{dom_id(line)}{{order:{2 * line.number}}}"
        return frames.style_element(order + before) + self._message(line, is_again)

    def _replacing(self, line: MessageRow) -> str:
        """
        Hide every earlier form of the message, and render the new one where the document has its first form.

        Both rules of what came again weigh the same, so that of all that were sent the last one counts.
        """
        message = f"#{dom_id(line)}"
        again = f"{message}:not(.again)~{message}.again"
        hidden = f"{message}[data-version],{again}[data-version]{{--shown:none}}"
        shown = f'{again}[data-version="{line.words_version}"]{{--shown:initial}}'
        if line.reacted_version is not None:
            # The reactions are in the new form again, no more in a row of their own.
            shown += f'{message}[data-version="{line.words_version}"]{{--chips:initial}}{self._row(line)}{{--row:none}}'
        return frames.style_element(hidden + shown) + self._placed(line, is_again=True)

    @staticmethod
    def _chips(line: MessageRow) -> str:
        """Replace the reactions of a message on a page, where it may have had none."""
        message = f"#{dom_id(line)}"
        row = frames.hx_partial(f"{message}>.reactions", "delete", "")
        if line.reactions:
            row += frames.hx_partial(message, "beforeend", render.fragment("messages/_reactions.html", message=line))
        return row

    @staticmethod
    def _row(line: MessageRow) -> str:
        """Select the rows of reactions behind the message, where the document has its first form."""
        return f"#{dom_id(line)}:not(.again)~#reactions-{line.room_id}-{line.number}[data-version]"

    def _reacting(self, line: MessageRow) -> str:
        """
        Hide the reactions in the message and every earlier row of them, and add a row with those of now behind it.

        Here too rules of one knob weigh the same, so that the last one counts, also if the message comes again later.
        """
        rules = f"#{dom_id(line)}[data-version]{{--chips:none}}{self._row(line)}{{--row:none}}"
        if not line.reactions:
            return frames.style_element(rules)
        this = self._row(line).replace("[data-version]", f'[data-version="{line.version}"]')
        rules += f"{this}{{--row:grid}}#reactions-{line.room_id}-{line.number}{{order:{2 * line.number + 1}}}"
        return frames.style_element(rules) + render.fragment("messages/_reacted.html", message=line)


def dom_id(line: MessageRow) -> str:
    return f"message-{line.room_id}-{line.number}"
