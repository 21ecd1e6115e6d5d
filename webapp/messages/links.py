"""Addresses in what people type: where one begins and ends, where it leads, and whether its name is honest."""

import re
from html import escape
from urllib.parse import quote

import nh3
import regex

from webapp.core import text

# Letters of any script, but of signs only those that addresses have: what closes a sentence in Chinese, a quotation in
# German or a question in Arabic ends the address, too.
_LETTER = r"\p{L}\p{M}\p{N}"
_HOST = rf"(?:\[[0-9a-fA-F:.]{{2,45}}+\]|[{_LETTER}][{_LETTER}._-]{{0,252}}+)"
_SIGN = rf"[[{_LETTER}\p{{S}}/?#\-._~:@!$&'*+,;=%|\^\u00b7\u200c\u200d\u2010-\u2013]--[<>`\u3000-\u303f\uff00-\uff65]]"
# Brackets only in pairs: "(see https://example.com/tea_(drink))".
_PATH = rf"(?:{_SIGN}|\((?:{_SIGN}|\({_SIGN}*+\))*+\)|\[{_SIGN}*+\]|\{{{_SIGN}*+\}})*+"
# No name before the host: https://bank.example@evil.example is read for what it is not.
_WEB = rf"[Hh][Tt][Tt][Pp][Ss]?://{_HOST}(?::\d{{1,5}}+)?+(?!(?::[\w%!$&*+=.~-]*+)?+@)(?:[/?#]{_PATH})?+"
_MAIL = rf"[Mm][Aa][Ii][Ll][Tt][Oo]:[\w.!#$%&*+/=?\^{{|}}~-]++@{_HOST}(?:\?{_PATH})?+"

ADDRESS = rf"(?:{_WEB}|{_MAIL})"
# What ends a sentence rather than an address.
CLOSING = ".,;:!?'|"

_PARTS = regex.compile(r"(?P<scheme>\w+:(?://)?)(?P<host>[^/?#]*)(?P<rest>.*)", regex.V1)
_LIKE_AN_ADDRESS = regex.compile(
    rf"\w+:.*|www\..*|(?:[^\s/@]+@)?(?:[{_LETTER}_-]+\.)+\p{{L}}{{2,}}(?:[:/?#].*)?", regex.V1 | regex.DOTALL
)


_checker = nh3.Cleaner(tags={"a"}, attributes={"a": {"href"}}, url_schemes={"http", "https", "mailto"}, link_rel=None)
# What needs no second look.
_USUAL = re.compile(r"https?://(?:[a-z0-9_-]+\.)*[a-z][a-z0-9_-]*(?::\d{1,4})?(?:[/?#]|$)", re.IGNORECASE | re.ASCII)


def href(address: str) -> str:
    """Where the address leads; nowhere for `http://example.com¹`, `http://a:99999` or `http://xn--a`."""
    found = in_ascii(address)
    is_usual = _USUAL.match(address) and "xn--" not in found
    return found if is_usual or "href" in _checker.clean(link(found, "")) else ""


def link(target: str, name: str) -> str:
    """The HTML of a link, whose name is HTML already."""
    return f'<a href="{escape(target)}">{name}</a>'


def is_true(name: str, address: str) -> bool:
    """Whether a link may have that name: one that looks like an address has to be the one that it leads to."""
    shown = text.fold(name)
    if "://" not in shown and not _LIKE_AN_ADDRESS.fullmatch(shown):
        return True
    parts = _PARTS.fullmatch(address)
    return parts is not None and _core(shown) in (_core(text.fold(address)), _core(text.fold(parts["host"])))


def _core(address: str) -> str:
    return re.sub(r"^(?:https?://|mailto:)?(?:www\.)?|/$", "", address)


def in_ascii(address: str) -> str:
    """The address as it is requested (Punycode, percent signs): not every browser makes that of letters."""
    if address.isascii() or not (parts := _PARTS.fullmatch(address)):
        return address
    person, at, host = parts["host"].rpartition("@")
    host = person + at + ".".join(_label(label) for label in host.split("."))
    return f"{parts['scheme']}{host}" + quote(parts["rest"], safe="/?#-._~:@!$&'()*+,;=%|^[]{}", errors="replace")


def _label(label: str) -> str:
    # 63 is what a label may have (RFC 1035); the codec takes the square of what it is given.
    if label.isascii() or len(label) > 63:
        return label
    return "xn--" + label.lower().encode("punycode", "replace").decode("ascii")
