"""Editing a message of one's own, on its page in a tab beside the room."""

from urllib.parse import urljoin

from playwright.sync_api import Page

from tests.browser.person import BrowserPerson


def open_edit_page(person: BrowserPerson, words: str) -> Page:
    """Open the page that the message with these words links to, in a tab beside the room."""
    message = person.log.locator(".message", has=person.body(words))
    tab = person.context.new_page()
    link = message.locator(".tray a[href^='?all=']").get_attribute("href") or ""
    tab.goto(urljoin(person.log.evaluate("document.baseURI"), link))
    return tab


def press_and_close(tab: Page, name: str) -> None:
    """Press a button that leads back to the room, and close the tab once it has led there."""
    tab.get_by_role("button", name=name, exact=True).click()
    tab.wait_for_url("**/rooms/*", wait_until="commit")
    # Chromium now and then does not close a page whose endless frame is just being opened.
    tab.goto("about:blank")
    tab.close()


def edit_message(person: BrowserPerson, words: str, new: str) -> None:
    tab = open_edit_page(person, words)
    tab.fill("#text", new)
    press_and_close(tab, "Save")
