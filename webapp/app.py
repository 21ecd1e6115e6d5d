"""The map: every address, what live/ is given by name, and what lives as long as the application."""

import asyncio
import contextlib
import gc
from collections import Counter
from collections.abc import AsyncIterator, Iterator

from broadcaster import Broadcast
from starlette.applications import Starlette
from tortoise.contrib.starlette import RegisterTortoise

from webapp import settings
from webapp.accounts import stream_access as account_access
from webapp.accounts import views as accounts
from webapp.accounts.destinations import invitations, room_names
from webapp.accounts.models import User
from webapp.accounts.queries import viewer_by_token
from webapp.accounts.sessions import SessionUses, session_uses
from webapp.accounts.settings_page import layout as settings_layout
from webapp.chats import views as chats
from webapp.conversations import broadcasts as conversations
from webapp.conversations import stream_access as room_access
from webapp.conversations.access import FIND_SEAT
from webapp.conversations.endings import DELETED
from webapp.conversations.queries import listed_name
from webapp.conversations.read_marks import ReadMarks, read_marks
from webapp.core.faults import Faults, faults, logger
from webapp.db import engine, transaction
from webapp.deletion import views as deletion
from webapp.deletion.steps import finish_all
from webapp.exports import views as exports
from webapp.exports.jobs import Export
from webapp.exports.worker import ExportWorker, worker
from webapp.files import quota
from webapp.files import serving_views as serving
from webapp.files import views as files
from webapp.files.sending_queries import MAX_FILES
from webapp.home import views as home
from webapp.http import assets, render, security_log
from webapp.http.application import Application
from webapp.http.limits import Limiter, limiter
from webapp.http.routes import Entrances
from webapp.http.urls import name_addresses
from webapp.inbox import views as inbox
from webapp.invitations import joining, joining_views, site_views
from webapp.invitations import room_views as room_invitations
from webapp.live import Hub, Providers, hub, sse, wire
from webapp.live.admission import Admitted, admitted
from webapp.live.providers import LogSource
from webapp.live.shards import LocalBroadcast
from webapp.live.stream import parked_by_session, send_farewells
from webapp.media import places, store
from webapp.media import views as media
from webapp.media.files import file_store
from webapp.media.places import open_place
from webapp.media.store import Store, picture_store
from webapp.messages import changes, days, pacing, pin_views, pins, reaction_views, receipts, rendering, typing
from webapp.messages import saved_views as saved
from webapp.messages import views as messages
from webapp.messages.page import layouts, room_page
from webapp.messages.retention import delete_closed_rooms
from webapp.moderation import file_views as sealed_files
from webapp.moderation import overview_views as overview
from webapp.moderation import person_views as moderated_people
from webapp.moderation import views as moderation
from webapp.ops import health, indexing, purge, scraping
from webapp.ops.file_metrics import FileMetrics, file_metrics
from webapp.ops.stores import open_file_store
from webapp.people import act_views as room_person
from webapp.people import directory as people_directory
from webapp.people import group_views as groups
from webapp.people import room_views as room_people
from webapp.people import views as people
from webapp.people.directory import Directory, directory
from webapp.presence import broadcasts as presence
from webapp.presence.tracker import PresenceTracker, StreamPresence, tracker
from webapp.rooms import settings_views as room_settings
from webapp.rooms import views as rooms
from webapp.search import finding
from webapp.search import views as search
from webapp.sidebar import chat_typing, inbox_news
from webapp.sidebar import states as sidebars
from webapp.sidebar import views as sidebar
from webapp.sidebar.layout import render_with_sidebar
from webapp.strangers import broadcasts as company
from webapp.strangers import chat_views as stranger_chats
from webapp.strangers import company as strangers_watch
from webapp.strangers import views as strangers
from webapp.strangers.company import CompanyWatcher, Matchmaker, matchmaker, watch
from webapp.strangers.conduct import records_first_message
from webapp.strangers.masks import find_seat, read_mask
from webapp.streams import endings
from webapp.streams import views as streams
from webapp.streams.reading import DocumentReading

entrances = Entrances(viewer_by_token, account_access.viewer_of_stream)
masked = Entrances(viewer_by_token, account_access.viewer_of_stream, read_mask, {FIND_SEAT: find_seat})
page, form, action, upload = entrances.page, entrances.form, entrances.action, entrances.upload
frame, stream, document = entrances.frame, entrances.stream, entrances.document
file, asset, probe = entrances.file, entrances.asset, entrances.probe
pieces = entrances.pieces

routes = [
    # First what is asked for most.
    stream("/rooms/{key}/events", streams.room_events, "room_events"),
    form("/rooms/{key}/messages", messages.messages, "room_messages"),
    entrances.files("/rooms/{key}/attach", messages.attach, "attach", MAX_FILES),
    action("/rooms/{key}/typing", messages.report_typing, "room_typing"),
    action("/rooms/{key}/read", messages.read, "room_read"),
    page("/rooms/{key}", messages.show, "room"),
    document("/rooms/{key}/live", streams.room_document, "room_live", streams.supervisor),
    frame("/rooms/{key}/composer", messages.composer, "room_composer"),
    asset("/static/{name:path}", assets.serve, "static"),
    asset("/pictures/{name}", media.show, "picture"),
    file("/me.css", home.me_css, "viewer_css"),
    file("/rooms/{key}/files/{code}-thumb.webp", serving.show_thumbnail, "thumbnail"),
    file("/rooms/{key}/files/{code}/{name}", serving.show, "file"),
    #
    page("/", home.home, "home"),
    asset("/favicon.ico", assets.favicon, "favicon"),
    asset("/manifest.webmanifest", assets.manifest, "manifest"),
    probe("/health", health.show, "health"),
    probe("/metrics", scraping.show, "metrics"),
    #
    form("/register", accounts.register, "register"),
    form("/login", accounts.login, "login"),
    action("/logout", accounts.logout, "logout", while_banned=True),
    action("/warning", accounts.acknowledge_warning, "warning"),
    action("/language", accounts.set_language, "language"),
    form("/reset/{token}", accounts.reset, "reset"),
    form("/join/{token}", joining_views.invitation, "invitation"),
    upload("/settings/profile", accounts.profile, "profile"),
    form("/settings/appearance", accounts.appearance, "appearance"),
    form("/settings/invitations", site_views.site_invitations, "site_invitations"),
    action("/settings/invitations/{id:number}/revoke", site_views.revoke, "revoke_site_invitation"),
    form("/settings/password", accounts.password, "password"),
    form("/settings/delete", deletion.delete, "delete_account", while_banned=True),
    form("/settings/export", exports.export, "export", while_banned=True),
    file("/settings/export/{run}.zip", exports.download, "export_file", while_banned=True),
    page("/settings/sessions", accounts.sessions, "sessions"),
    action("/settings/sessions/end-others", accounts.end_other_sessions, "end_other_sessions"),
    action("/settings/sessions/{id:number}/end", accounts.end_session, "end_session"),
    #
    page("/search", search.search, "search"),
    page("/people", people.people, "people"),
    form("/rooms/{key}/people", room_people.room_people, "room_people"),
    page("/rooms/{key}/bans", room_person.show_bans, "room_bans"),
    action("/rooms/{key}/people/{code}", room_person.act_on_person, "room_person"),
    page("/people/{code}", people.show, "person"),
    action("/people/{code}/block", people.block, "block"),
    action("/people/{code}/unblock", people.unblock, "unblock"),
    action("/friends/blocks/{id:number}/lift", people.lift, "lift_block"),
    page("/friends", people.friends, "friends"),
    action("/friends/{code}/ask", people.send_request, "ask"),
    action("/friends/{code}/cancel", people.cancel, "cancel_request"),
    action("/friends/{code}/accept", people.accept, "accept_request"),
    action("/friends/{code}/decline", people.decline, "decline_request"),
    action("/friends/{code}/remove", people.remove, "remove_friend"),
    page("/groups/new", groups.new_group, "new_group"),
    action("/groups", groups.start_group, "groups"),
    form("/settings/privacy", people.privacy, "privacy"),
    action("/settings/privacy/online", people.answer_presence_offer, "presence_offer"),
    #
    page("/lobby", home.lobby, "lobby"),
    page("/inbox", inbox.inbox, "inbox"),
    page("/inbox/catch-up", inbox.show_catch_up, "catch_up"),
    action("/inbox/read", inbox.read, "read_inbox"),
    page("/shortcuts", home.shortcuts, "shortcuts"),
    frame("/sidebar", sidebar.sidebar, "sidebar"),
    frame("/sidebar/unread", sidebar.unread_count, "unread_count"),
    form("/rooms", rooms.index, "rooms"),
    action("/rooms/{key}/join", rooms.join, "join"),
    action("/rooms/{key}/leave", rooms.leave, "leave"),
    form("/rooms/{key}/settings", room_settings.show_settings, "room_settings"),
    form("/rooms/{key}/invitations", room_invitations.room_invitations, "room_invitations"),
    action("/rooms/{key}/invitations/{id:number}/revoke", room_invitations.revoke, "revoke_invitation"),
    #
    page("/rooms/{key}/messages/{number:number}", messages.permalink, "message"),
    page("/rooms/{key}/messages/{number:number}/more", messages.more, "more_of_message"),
    form("/rooms/{key}/messages/{number:number}/edit", messages.edit, "edit_message"),
    form("/rooms/{key}/messages/{number:number}/reactions", reaction_views.show, "message_reactions"),
    action("/rooms/{key}/messages/{number:number}/remove", messages.remove, "remove_message"),
    action("/rooms/{key}/messages/{number:number}/save", saved.save, "save_message"),
    action("/rooms/{key}/messages/{number:number}/unsave", saved.unsave, "unsave_message"),
    page("/saved", saved.show, "saved"),
    action("/rooms/{key}/messages/{number:number}/pin", pin_views.pin, "pin_message"),
    action("/rooms/{key}/messages/{number:number}/unpin", pin_views.unpin, "unpin_message"),
    page("/rooms/{key}/pins", pin_views.show, "pins"),
    action("/rooms/{key}/files", files.begin, "files"),
    pieces("/rooms/{key}/files/{code:code}", files.file, "pending_file"),
    #
    page("/chat/{code}", chats.chat, "chat"),
    action("/chat/{code}/messages", chats.post_first, "chat_messages"),
    entrances.files("/chat/{code}/attach", chats.attach, "chat_attach", MAX_FILES),
    action("/chat/{code}/files", chats.begin_file, "chat_files"),
    action("/chat/{code}/cancel", chats.cancel, "cancel_chat"),
    #
    form("/report", moderation.report, "report"),
    page("/moderation", moderation.index, "moderation"),
    form("/moderation/reports/{id:number}", moderation.show, "moderation_report"),
    file("/moderation/reports/{id:number}/files/{code}-thumb.webp", sealed_files.show_thumbnail, "sealed_thumbnail"),
    file("/moderation/reports/{id:number}/files/{code}/{name}", sealed_files.show, "sealed_file"),
    form("/moderation/out", moderation.banned, "bans"),
    page("/moderation/files", moderation.files, "moderation_files"),
    page("/moderation/people", overview.people, "moderation_people"),
    form("/moderation/people/{code}", moderated_people.show, "moderation_person"),
    page("/moderation/rooms", overview.rooms, "moderation_rooms"),
    form("/moderation/rooms/{id:number}/close", overview.close, "moderation_close"),
    page("/moderation/log", moderation.audit_log, "moderation_log"),
    #
    stream("/events", streams.viewer_events, "viewer_events"),
    document("/live", streams.viewer_document, "viewer_live", streams.supervisor),
]

stranger_routes = [
    masked.page("/strangers", strangers.index, "strangers"),
    masked.action("/strangers/find", strangers.find_stranger, "find_stranger"),
    masked.action("/strangers/stop", strangers.stop_waiting, "stop_waiting"),
    masked.form("/strangers/next", stranger_chats.find_next, "next_stranger"),
    masked.action("/strangers/leave", stranger_chats.leave, "leave_stranger"),
    masked.action("/strangers/keep", stranger_chats.keep, "keep_stranger"),
    masked.action("/strangers/block", stranger_chats.block, "block_stranger"),
    masked.form("/strangers/register", strangers.register, "register_stranger"),
    masked.form("/strangers/question", strangers.question, "question"),
    masked.file("/strangers/me.css", strangers.me_css, "stranger_css"),
    masked.stream("/strangers/events", strangers.waiting_events, "strangers_events"),
    masked.page("/strangers/chat/{chat:number}", stranger_chats.chat, "stranger_chat"),
    masked.frame("/strangers/chat/{chat:number}/composer", messages.composer, "stranger_composer"),
    masked.action("/strangers/chat/{chat:number}/messages", records_first_message(messages.post), "stranger_messages"),
    masked.page("/strangers/chat/{chat:number}/messages/{number:number}", messages.permalink, "stranger_message"),
    masked.action("/strangers/chat/{chat:number}/typing", messages.report_typing, "stranger_typing"),
    masked.action("/strangers/chat/{chat:number}/read", messages.read, "stranger_read"),
    masked.stream("/strangers/chat/{chat:number}/events", stranger_chats.chat_events, "stranger_events"),
    masked.document("/strangers/chat/{chat:number}/live", streams.room_document, "stranger_live", streams.supervisor),
]
name_addresses([*routes, *stranger_routes])
if settings.STRANGERS:
    routes += stranger_routes

# By the templates of the kinds of rooms.
page_layouts = {"messages/room.html": room_page, "strangers/chat.html": stranger_chats.chat_page}


def broadcaster() -> Broadcast:
    if not settings.REDIS_URL:
        return LocalBroadcast()
    from webapp.live import redis  # here, as the client takes a tenth of the time of a start

    return redis.broadcaster(settings.REDIS_URL)


def on_presence(users: str) -> None:
    """These people may have come online or left: their friends' pages show it, and those that list everybody."""
    sidebars.on_presence(users)
    people_directory.on_presence(users)


def on_person_changed(code: str) -> None:
    """The person has another name or picture, or was deleted."""
    rendering.clear(code)
    sidebars.on_person_changed(code)


def providers() -> Providers:
    """What the domains bring to the live engine: every log, state, news, right and ending."""
    return Providers(
        logs={"room": LogSource(changes.log, changes.versions, DELETED, changes.rung)},
        states={
            "room": {
                "people": presence.people,
                "about": conversations.about,
                "typing": typing.typing,
                "receipts": receipts.receipts,
                "company": company.company,
                days.STATE: days.days,
                "pins": pins.pins,
            },
            "user": {inbox_news.STATE: inbox_news.inbox},
        },
        topics={"user": sidebars.Sidebars()},
        news={
            "person": on_person_changed,
            "presence": on_presence,
            "unlisted": people_directory.on_unlisted,
            "room": sidebars.on_room_deleted,
            "place": sidebars.on_membership_changed,
            "ties": sidebars.on_relationships_changed,
            "typing": typing.on_typing,
            "reacted": pacing.on_reacted,
            chat_typing.STATE: chat_typing.on_chat_typing,
            "moved": company.on_moved,
        },
        concerns={
            "room": "room",
            "place": "user",
            "ties": "user",
            "typing": "room",
            "reacted": "room",
            chat_typing.STATE: "user",
        },
        watchers=[
            StreamPresence(),
            sidebars.CountAgain(),
            DocumentReading(),
            strangers_watch.StrangerStreams(),
            directory(),
            inbox_news.InboxStreams(),
        ],
        access_checks=[account_access.check_access, strangers_watch.check_access, room_access.check_access],
        last_frame=endings.last_frame,
        on_failure=engine.report_failure,
    )


@contextlib.asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    direct_writes = (wire.problem(), sse.problem()) if settings.DIRECT_WRITES else ()
    for problem in (engine.problem(), assets.problem(), *direct_writes):
        if problem:
            logger.warning(problem)
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(_objects())
        await stack.enter_async_context(RegisterTortoise(app, config=engine.config()))
        stack.push_async_callback(transaction.drain)
        await stack.enter_async_context(hub().running(broadcaster(), settings.installation()))
        await stack.enter_async_context(tracker().running())
        hub().spawn(send_farewells())
        hub().spawn(session_uses().run())
        hub().spawn(worker().run())
        hub().spawn(directory().run())
        if settings.STRANGERS:
            hub().spawn(watch().run())
        hub().spawn(finish_interrupted_work())
        hub().spawn(faults().database.watch(health.is_database_up))
        hub().spawn(faults().disk.watch(health.is_disk_writable))
        hub().spawn(faults().space.watch(quota.is_space_left))
        hub().spawn(faults().media.watch(places.is_bucket_writable))
        hub().spawn(purge.run())
        hub().spawn(indexing.run())
        yield


@contextlib.contextmanager
def _objects() -> Iterator[None]:
    """What lives as long as the application, and no longer."""
    with contextlib.ExitStack() as stack:
        hold = stack.enter_context
        hold(faults.holding(Faults()))
        hold(security_log.budget.holding(security_log.LineBudget()))
        hold(limiter.holding(Limiter(settings.REDIS_URL)))
        hold(health.last_check.holding(health.LastCheck()))
        hold(file_metrics.holding(FileMetrics()))
        hold(layouts.holding(page_layouts))
        hold(settings_layout.holding(render_with_sidebar))
        hold(room_names.holding(listed_name))
        hold(invitations.holding(joining.for_registration))
        hold(admitted.holding(Admitted()))
        hold(account_access.opening_viewers.holding(account_access.viewer_batches()))
        hold(room_access.opening_seats.holding(room_access.seat_batches()))
        hold(picture_store.holding(Store(open_place(store.FOLDER), User.pictures_in_use)))
        hold(file_store.holding(open_file_store()))
        hold(render.parts.holding(render.Parts()))
        hold(rendering.caches.holding(rendering.Caches()))
        hold(typing.typists.holding({}))
        hold(pacing.pacer.holding(pacing.Pacer()))
        hold(chat_typing.chat_typists.holding({}))
        hold(read_marks.holding(ReadMarks()))
        hold(parked_by_session.holding(Counter()))
        hold(session_uses.holding(SessionUses()))
        hold(tracker.holding(PresenceTracker()))
        hold(worker.holding(ExportWorker()))
        hold(finding.turns.holding(asyncio.Semaphore(finding.MAX_SEARCHES)))
        hold(matchmaker.holding(Matchmaker()))
        hold(watch.holding(CompanyWatcher()))
        hold(directory.holding(Directory()))
        hold(hub.holding(Hub(providers())))
        yield


async def finish_interrupted_work() -> None:
    """Go on with what a crash or a restart may have interrupted."""
    await finish_all()
    await Export.delete_expired()
    await delete_closed_rooms()
    await picture_store().sweep()
    await file_store().sweep()


app = Application(entrances.nowhere(), routes=routes, lifespan=lifespan)

# What is loaded by now stays: the collector of cycles need not look at it, not even once (the little of it that is
# waste takes less memory than the time is worth). And thousands of open pages are many objects that live long: with
# Python's own threshold of 700 new ones it would look at them all the time.
gc.freeze()
gc.enable()
gc.set_threshold(50_000, 20, 50)
