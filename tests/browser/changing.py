"""A message of one's own, changed on a page beside the room."""

from playwright.sync_api import Page

from tests.browser.reader import Reader


def edit_page(person: Reader, words: str) -> Page:
    """The page that the link of a message leads to, in a tab beside the room."""
    message = person.log.locator(".message", has=person.body(words))
    tab = person.context.new_page()
    tab.goto(message.locator(".message__more").get_attribute("href") or "")
    return tab


def press(tab: Page, name: str) -> None:
    """Press a button that leads back to the room."""
    tab.get_by_role("button", name=name).click()
    tab.wait_for_url("**/rooms/*", wait_until="commit")
    # Chromium now and then does not close a page whose endless frame is just being opened.
    tab.goto("about:blank")
    tab.close()


def change(person: Reader, words: str, new: str) -> None:
    tab = edit_page(person, words)
    tab.fill("#text", new)
    press(tab, "Save")
