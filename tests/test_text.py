"""What people type: what is kept of it, and which of it a person would call the same."""

import unicodedata
from collections.abc import Callable

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from webapp.core import text

# The characters that normalising, folding and trimming stumble over; and any.
TRICKY = "\0\a\x7f\x85\xad \t\r\n\u0301\u0345\u034f\u061c\u1160\u200b\u200d\u200e\u202e\u2028\u2066\u3164\ufdfa\ufeff"
TRICKY += "eéßSſİıΣςK½ﬁｱ가각\ue000\uffff\U000e0041\U0001fae8"
TYPED = st.text(st.sampled_from(TRICKY), max_size=12) | st.text(max_size=60)
Keep = Callable[[str], str]
KEEPERS: list[Keep] = [text.clean_text, text.clean_line, text.fold, text.slug]
at_ease = settings(deadline=None, database=None, max_examples=200)


@at_ease
@given(TYPED)
@pytest.mark.parametrize("keep", KEEPERS)
def test_cleaning_a_text_twice_changes_nothing(keep: Keep, typed: str) -> None:
    once = keep(typed)
    assert keep(once) == once


@at_ease
@given(TYPED)
@pytest.mark.parametrize("keep", KEEPERS)
def test_control_direction_and_hidden_characters_are_removed(keep: Keep, typed: str) -> None:
    kept = keep(typed)
    assert not [c for c in kept if unicodedata.category(c) in ("Cc", "Cs", "Co") and c not in "\n\t"]
    assert not set(kept) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200b\ufeff\uffff")


@at_ease
@given(TYPED)
def test_a_cleaned_text_is_normalized(typed: str) -> None:
    for keep in (text.clean_text, text.clean_line):
        assert unicodedata.is_normalized("NFC", keep(typed))
    assert unicodedata.is_normalized("NFKC", text.fold(typed))


@at_ease
@given(TYPED)
def test_nothing_grows_beyond_what_unicode_says(typed: str) -> None:
    # The worst that the standard allows: three characters for one in NFC, eighteen in NFKC.
    assert len(text.clean_text(typed)) <= 3 * len(typed)
    assert len(text.clean_line(typed)) <= 3 * len(typed)
    assert len(text.fold(typed)) <= 18 * len(typed)


@at_ease
@given(TYPED)
def test_a_line_is_one_line_without_spaces_at_its_ends(typed: str) -> None:
    kept = text.clean_line(typed)
    assert kept == " ".join(kept.split())


@at_ease
@given(TYPED)
def test_the_slug_is_words_with_hyphens_between(typed: str) -> None:
    slug = text.slug(typed)
    assert "--" not in slug
    assert slug == slug.strip("-")
    assert all(c == "-" or unicodedata.category(c)[0] in "LNM" for c in slug)


@at_ease
@given(TYPED)
def test_spaces_around_make_no_difference_to_what_is_folded(typed: str) -> None:
    assert text.fold(f"  {typed}  ") == text.fold(typed)
    assert text.fold(f"\t{typed}\n\n") == text.fold(typed)


@at_ease
@given(st.text(st.characters(codec="latin-1", exclude_characters="\x1b"), max_size=60))
def test_case_makes_no_difference_to_what_is_folded(typed: str) -> None:
    assert text.fold(typed.upper()) == text.fold(typed.lower()) == text.fold(typed)


@pytest.mark.parametrize(
    "spelling",
    [
        "Café Müller",
        unicodedata.normalize("NFD", "Café Müller"),
        "CAFÉ MÜLLER",
        "  café \t\n  müller ",
        "Café\u00a0Müller",
        "Ｃａｆé Müller",
        "Ca\u200bfé Müller",
        "C\u00adafé Müller",
        "Caf\u200be\u0301 Müller",
        "\u202eCafé Müller",
    ],
)
def test_one_name_in_many_spellings_is_one_name(spelling: str) -> None:
    assert text.fold(spelling) == "café müller"


@pytest.mark.parametrize(
    ("one", "other"),
    [("Straße", "STRASSE"), ("ΣΊΣΥΦΟΣ", "σίσυφος"), ("ﬁsh", "FISH"), ("Kelvin", "kelvin"), ("가", "\u1100\u1161")],
)
def test_names_fold_by_the_rules_of_their_script(one: str, other: str) -> None:
    assert text.fold(one) == text.fold(other)


def test_signs_between_words_make_names_different() -> None:
    assert len({text.fold(name) for name in ("a/b", "a b", "a-b")}) == 3


def test_newlines_stay_and_trailing_spaces_do_not() -> None:
    assert text.clean_text("\r\n\r\nfirst  \r\nsecond\rthird\n\n") == "first\nsecond\nthird"


def test_the_indent_of_the_first_line_stays() -> None:
    assert text.clean_text("\n  code\n    more") == "  code\n    more"


def test_at_most_two_empty_lines_stay_between_others() -> None:
    assert text.clean_text("a\n\n\nb") == "a\n\n\nb"
    assert text.clean_text("a\n \n\t\n\n\n\nb") == "a\n\n\nb"


@pytest.mark.parametrize("emoji", ["👩‍👩‍👧‍👦", "❤️", "🇩🇪", "👍🏽", "\U0001fae8", "\U0001fae9"])
def test_emoji_come_through_whole_also_those_newer_than_this_python(emoji: str) -> None:
    assert text.clean_line(f"hi {emoji}") == f"hi {emoji}"
    assert text.has_visible(emoji)


@pytest.mark.parametrize("name", ["نرگس", "می\u200cخواهم", "שָׁלוֹם", "हिन्दी", "ภาษาไทย", "O’Neill"])
def test_names_of_every_script_come_through(name: str) -> None:
    assert text.clean_line(name) == unicodedata.normalize("NFC", name)
    assert text.has_visible(name)


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Tea & Cake", "tea-cake"),
        ("a/b", "a-b"),
        ("a _ b", "a-b"),
        ("  Übung: ½ ", "übung-1-2"),
        ("日本語 部屋", "日本語-部屋"),
        ("हिन्दी चैट", "हिन्दी-चैट"),
        ("../..", ""),
        ("🎉", ""),
    ],
)
def test_a_slug_reads_like_its_name(name: str, slug: str) -> None:
    assert text.slug(name) == slug


@pytest.mark.parametrize(
    "nothing",
    [
        *(
            "",
            " ",
            "\n",
            "\u200b",
            "\u200d",
            "\u200e",
            "\u0301",
            "\u3164",
            "\u115f\u1160",
            "\uffa0",
            "\u2800",
            "\ufe0f",
        ),
        *("\ufffc", "\U00013441", "\U00013442", "\U0001d159"),
    ],
)
def test_a_name_of_nothing_is_not_visible(nothing: str) -> None:
    assert not text.has_visible(nothing)
    assert text.has_visible(nothing + "a")


@at_ease
@given(st.text(st.characters(max_codepoint=127, exclude_characters="\x1b")))
def test_plain_letters_come_out_as_any_others_would(typed: str) -> None:
    assert text.clean_text(f"é{typed}é") == f"é{text.clean_text(f'x{typed}x')[1:-1]}é"


@pytest.mark.parametrize(
    ("pasted", "words"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b[1;38;5;208mé\x1b[m", "é"),
        ("\x1b]0;a title\x07$ ls", "$ ls"),
        ("\x1b]8;;https://example.com\x1b\\here\x1b]8;;\x1b\\", "here"),
        ("\x1b(B\x1b7done\x1b8", "done"),
        ("[31m, typed by hand", "[31m, typed by hand"),
        ("\x1b", ""),
    ],
)
def test_terminal_commands_are_removed_with_all_their_characters(pasted: str, words: str) -> None:
    assert text.clean_text(pasted) == words


@pytest.mark.parametrize("letter", ["a", "क", "ก", "あ", "👍"])
def test_a_heap_of_accents_is_cut_to_five(letter: str) -> None:
    marks = [chr(code) for code in (*range(0x300, 0x330), *range(0x20D0, 0x20DD), 0x489)]
    kept = text.clean_text(letter + "".join(marks) + "b\u200d".join(marks))
    assert max(len(marks) for marks in regex.findall(r"[\p{Mn}\p{Me}]+", kept)) <= 5
    assert text.clean_text(letter + "\u200d".join(marks)).count("\u0331") == 0
    assert len(text.clean_text(letter + "\u200d".join(marks))) <= 7


@pytest.mark.parametrize("words", ["ที่นี่", "Tiếng Việt", "וְהָיָ֣ה", "བསྒྲུབས", "हिन्दी", "ကြွေးမြွှေ", "مُحَمَّدٌ", "1️⃣❤️‍🔥"])
def test_letters_with_the_marks_of_their_script_stay_whole(words: str) -> None:
    assert text.clean_text(words) == unicodedata.normalize("NFC", words)


FAMILY, ENGLAND = "👨‍👩‍👧‍👦", "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"


@pytest.mark.parametrize("cluster", [FAMILY, ENGLAND, "🇩🇪", "1️⃣", "👍🏽", "क्षि", "กำ", "각", "❤️", "e\u0316\u0317"])
@pytest.mark.parametrize("before", range(12))
def test_a_shortened_text_ends_between_two_letters(cluster: str, before: int) -> None:
    typed = "x" * before + cluster * 12
    short = text.shorten(typed, 12)
    assert len(short) <= 12
    assert len(typed) == 12 or short == "x" * before + cluster * ((11 - before) // len(cluster)) + "…"
    assert text.clusters(short)[:-1] == text.clusters(typed)[: len(text.clusters(short)) - 1]


def test_a_text_that_fits_is_not_shortened() -> None:
    assert text.shorten("just right", 10) == "just right"
    assert text.shorten("just wrong!", 10) == "just wron…"
    assert text.shorten("👩" + "\u200d👩" * 90, 12) == "👩" + "\u200d👩" * 5 + "…"  # one that would never end


@at_ease
@given(st.text(st.sampled_from("a \t\r\n\0\x7fé\u0301"), max_size=20))
def test_plain_letters_are_counted_as_all_others_are(typed: str) -> None:
    expected = regex.findall(r"\X", typed)
    assert text.clusters(typed) == expected
    whole = [cluster for place, cluster in enumerate(expected) if len("".join(expected[: place + 1])) < 12]
    # Of a first cluster that is longer than all there is room for, that much is left.
    cut = "".join(whole) or typed[:11]
    assert text.shorten(typed, 12) == (typed if len(typed) <= 12 else cut.rstrip() + "…")


def test_a_letter_is_counted_once_however_it_is_spelt() -> None:
    assert [len(text.clusters(letter)) for letter in (FAMILY, "e\u0301", "é", "क्षि", "🇩🇪🇫🇷", "")] == [1, 1, 1, 1, 2, 0]
