"""What a stranger would like to talk about, and in which language."""

from webapp.core import text
from webapp.core.errors import Invalid
from webapp.core.i18n import Text, _

MAX_INTERESTS = 5
MAX_INTEREST_LENGTH = 24

LANGUAGES = {
    "en": "English",
    "ar": "العربية",
    "de": "Deutsch",
    "es": "Español",
    "fr": "Français",
    "hi": "हिन्दी",
    "it": "Italiano",
    "ja": "日本語",
    "ko": "한국어",
    "nl": "Nederlands",
    "pl": "Polski",
    "pt": "Português",
    "ru": "Русский",
    "tr": "Türkçe",
    "uk": "Українська",
    "zh": "中文",
}


def validate_preferences(typed: dict[str, str]) -> tuple[str, str]:
    """Return interests and language as they are stored; raise Invalid, by field."""
    problems: dict[str, Text] = {}
    if not typed["rules"]:
        problems["rules"] = _("Only for people of 18 years or more who accept the rules.")
    interests = language = ""
    try:
        interests = _interests(typed["interests"])
        language = _language(typed["language"])
    except Invalid as error:
        problems |= error.problems
    if problems:
        raise Invalid(**problems)
    return interests, language


# More than fits in any case: to fold 128 kB of ligatures takes 0.1 s in the event loop.
MAX_TYPED = 2000


def _interests(typed: str) -> str:
    """Return the words as they are stored, with spaces between; raise Invalid."""
    pieces = text.fold(typed[:MAX_TYPED]).replace(",", " ").split()
    words = list(dict.fromkeys(word for piece in pieces if (word := piece.strip("#.;:!?\"'()"))))
    if len(words) > MAX_INTERESTS:
        raise Invalid(interests=_("Use at most %(most)s words.", most=MAX_INTERESTS))
    if any(len(word) > MAX_INTEREST_LENGTH for word in words):
        raise Invalid(interests=_("Use words of at most %(most)s letters.", most=MAX_INTEREST_LENGTH))
    return " ".join(words)


def _language(typed: str) -> str:
    if typed not in LANGUAGES:
        raise Invalid(language=_("Choose one of these."))
    return typed
