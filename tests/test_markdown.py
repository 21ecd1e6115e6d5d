"""Markdown-light: what is formatted, what stays as it was typed, and that nothing else of HTML ever comes out."""

import re
from html import escape, unescape
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webapp import text
from webapp.messages.markdown import _WORDS, _formatted, rendered

TAGS = {"p", "br", "strong", "em", "code", "pre", "blockquote", "ul", "ol", "li", "a"}
REL = 'rel="nofollow noopener noreferrer"'
# What a browser would take for the beginning of a tag.
TAG_BEGINS = re.compile(r"<[/!?]?[a-zA-Z]")

# Pieces of markup and of HTML, put together at random: far more dangerous than random letters.
PIECES = st.sampled_from(
    [
        *(
            "*",
            "**",
            "_",
            "`",
            "```",
            "```js\n",
            "> ",
            "- ",
            "1. ",
            "    ",
            "\t",
            "\n",
            "\n\n",
            "\\",
            "~~",
            "# ",
            "---\n",
        ),
        *("[", "](", ")", "![", "<", ">", "</", "/>", '"', "'", "&", "&lt;", "&#106;", "&#x3c;", ";", "://", "|-|\n"),
        *(
            "http://example.com",
            "https://example.com/a?b=c&d=e#f",
            "javascript:alert(1)",
            "data:text/html,<b>",
            "mailto:",
        ),
        *(
            "<script>",
            "</script>",
            "<img src=x onerror=alert(1)>",
            "<a href=",
            "<b onclick=",
            "<!--",
            "-->",
            "<![CDATA[",
        ),
        *(
            "<style>",
            "<svg/onload=alert(1)>",
            "<iframe",
            "<p>",
            "</p>",
            "</li></ol>",
            "[x]: javascript:alert(1)\n",
            "[x]",
        ),
        *("[a](https://example.com ", '<a href="/" title="t" class="c" id="i" style="s">'),
        *("hello", " ", "é", "🎉", "[x]", "\u202e", "\x00", "\ufffd", "\u2028"),
    ]
)
# No deadline: how long it takes is no test's business.
at_ease = settings(deadline=None, database=None, max_examples=300)

TYPED = st.lists(PIECES | st.text(max_size=8), max_size=40).map("".join)


class Reading(HTMLParser):
    """What a browser makes of it: the tags with their attributes, what is open at the end, and the words."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words = ""
        self.others: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data

    def handle_comment(self, data: str) -> None:
        self.others.append(data)

    def handle_decl(self, decl: str) -> None:
        self.others.append(decl)

    def handle_pi(self, data: str) -> None:
        self.others.append(data)

    def unknown_decl(self, data: str) -> None:
        self.others.append(data)


@pytest.mark.parametrize(
    ("typed", "html"),
    [
        ("hello", "<p>hello</p>"),
        ("**bold** and *italic* and _italic_", "<p><strong>bold</strong> and <em>italic</em> and <em>italic</em></p>"),
        ("***both***", "<p><em><strong>both</strong></em></p>"),
        ("snake_case_name and 2*3*4", "<p>snake_case_name and 2<em>3</em>4</p>"),
        ("`a < b`", "<p><code>a &lt; b</code></p>"),
        ("```\n**as** <typed>\n  it is\n```", "<pre><code>**as** &lt;typed&gt;\n  it is\n</code></pre>"),
        ("```js\nalert(1)\n```", "<pre><code>alert(1)\n</code></pre>"),
        ("> quoted\n\nanswer", "<blockquote>\n<p>quoted</p>\n</blockquote>\n<p>answer</p>"),
        ("- a\n- b", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>"),
        ("1. a\n2. b", "<ol>\n<li>a</li>\n<li>b</li>\n</ol>"),
        ("3. c\n4. d", '<ol start="3">\n<li>c</li>\n<li>d</li>\n</ol>'),
        ("one\ntwo\n\nthree", "<p>one<br>\ntwo</p>\n<p>three</p>"),
        (r"\*not italic\* and \<b\>", "<p>*not italic* and &lt;b&gt;</p>"),
        ("~~struck~~", "<p>~~struck~~</p>"),
        ("a | b\n--|--\nc | d", "<p>a | b<br>\n--|--<br>\nc | d</p>"),
    ],
)
def test_what_people_type_is_formatted(typed: str, html: str) -> None:
    assert rendered(typed) == html


@pytest.mark.parametrize(
    ("typed", "href", "words"),
    [
        ("[tea](https://example.com/tea)", "https://example.com/tea", "tea"),
        ('[tea](https://example.com "a title")', "https://example.com", "tea"),
        ("<https://example.com>", "https://example.com", "https://example.com"),
        ("https://example.com/a?b=c&d=e#f", "https://example.com/a?b=c&d=e#f", "https://example.com/a?b=c&d=e#f"),
        ("http://example.com.", "http://example.com", "http://example.com"),
        ("(see https://example.com/a_(b))", "https://example.com/a_(b)", "https://example.com/a_(b)"),
        ("[write](mailto:tea@example.com)", "mailto:tea@example.com", "write"),
        ("https://例え.jp/お茶", "https://xn--r8jz45g.jp/%E3%81%8A%E8%8C%B6", "https://例え.jp/お茶"),
    ],
)
def test_a_link_leads_out_and_says_that_nobody_vouches_for_it(typed: str, href: str, words: str) -> None:
    html = rendered(typed)
    [(_, attributes)] = [found for found in Reading(html).tags if found[0] == "a"]
    assert attributes == {"href": href, "rel": "nofollow noopener noreferrer"}
    assert REL in html
    assert words in Reading(html).words


@pytest.mark.parametrize(
    "typed",
    [
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt:alert(1))",
        "[x](java\tscript:alert(1))",
        "[x](&#106;avascript:alert(1))",
        "[x](javascript&colon;alert(1))",
        "[x](vbscript:x)",
        "[x](data:text/html;base64,PHNjcmlwdD4=)",
        "[x](data:image/png;base64,AAAA)",
        "[x](file:///etc/passwd)",
        "<javascript:alert(1)>",
        "<data:text/html,x>",
        "javascript:alert(1)",
        "[x][y]\n\n[y]: javascript:alert(1)",
    ],
)
def test_an_address_that_acts_is_no_link(typed: str) -> None:
    assert 'href="https://example.com"' in rendered("[x](https://example.com)")
    reading = Reading(rendered(typed))
    assert "href" not in {name for _, attributes in reading.tags for name in attributes}
    assert reading.words.strip()


@pytest.mark.parametrize(
    "typed", ["example.com", "www.example.com", "tea@example.com", "127.0.0.1", "ftp.example.com", "v1.2.co"]
)
def test_words_with_dots_stay_words(typed: str) -> None:
    assert rendered(typed) == f"<p>{typed}</p>"


@pytest.mark.parametrize(
    "typed",
    [
        "# heading",
        "heading\n===",
        "heading\n---",
        "***",
        "---",
        "&amp; &lt;b&gt; &#60;",
        "<b>bold</b>",
        "<!-- c -->",
        "<br>",
    ],
)
def test_what_is_not_for_messages_is_shown_as_it_was_typed(typed: str) -> None:
    reading = Reading(rendered(typed))
    assert {tag for tag, _ in reading.tags} <= {"p", "br", "ul", "li"}
    assert reading.words == typed


def test_an_image_is_a_link_at_most() -> None:
    html = rendered("![a cat](https://example.com/cat.png)")
    assert "<img" not in html
    assert html == f'<p>!<a href="https://example.com/cat.png" {REL}>a cat</a></p>'


@pytest.mark.parametrize(
    "typed",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "<svg/onload=alert(1)>",
        '<a href="javascript:alert(1)">x</a>',
        '<p style="position:fixed">x</p>',
        "<iframe src=//example.com>",
        "`<script>alert(1)</script>`",
        "```\n<script>alert(1)</script>\n```",
        "> <script>alert(1)</script>",
        "<scr<script>ipt>alert(1)</scr</script>ipt>",
        "<![CDATA[<script>alert(1)</script>]]>",
    ],
)
def test_html_is_shown_as_it_was_typed(typed: str) -> None:
    reading = Reading(rendered(typed))
    assert {tag for tag, _ in reading.tags} <= {"p", "code", "pre", "blockquote"}
    assert not [attributes for _, attributes in reading.tags if attributes]
    assert reading.words.strip() == typed.removeprefix("> ").strip("`").strip()


def test_quotes_and_ampersands_cannot_leave_an_address() -> None:
    html = rendered('[x](https://example.com/"onmouseover="alert(1)) https://example.com/"><script>alert(1)</script>')
    for tag, attributes in Reading(html).tags:
        assert set(attributes) <= {"href", "rel"}, tag
    assert "<script" not in html


@pytest.mark.parametrize(
    "typed",
    [
        *("[" * 4000, "]" * 4000, "*" * 4000, "_" * 4000, ">" * 4000, "`" * 4000, "<" * 4000, "\\" * 4000, "&" * 4000),
        *(
            "[](" * 1300,
            "![" * 2000,
            "*a_ " * 1000,
            "**a " * 1000,
            "a**b" * 1000,
            "[a](" * 1000,
            "<a" * 2000,
            "- " * 2000,
        ),
        *(
            "- " * 2000,
            "> " * 2000,
            "1. " * 1300,
            "`a" * 2000,
            "https://" * 500,
            "mailto:a@" * 440,
            "&#" * 2000,
            "[a][b]" * 660,
        ),
        *(
            "\n" * 4000,
            "- a\n" * 1000,
            ">\n" * 2000,
            "  " * 2000 + "a",
            "a\n" * 2000,
            "```\n" * 1000,
            "http://a.b/(" * 330,
        ),
    ],
)
def test_a_message_that_is_made_to_be_slow_is_answered(typed: str) -> None:
    assert len(typed) <= 4001
    reading = Reading(rendered(typed))
    assert {tag for tag, _ in reading.tags} <= TAGS
    assert reading.open == []
    assert len(reading.tags) <= len(typed)


@pytest.mark.parametrize(
    "typed",
    [">", "> ", "+", "-", "*", "- - - -", "* * *", "1.", "> >", "```", "``` hello", "[](https://example.com)", "- >"],
)
def test_signs_that_would_leave_nothing_to_see_are_shown_as_they_were_typed(typed: str) -> None:
    assert Reading(rendered(f"{typed}\n\nwords")).words.strip()
    assert rendered(typed) == f"<p>{escape(typed.strip(), quote=False)}</p>"


@pytest.mark.parametrize("deep", range(1, 30))
def test_words_are_never_lost_however_deep_they_are(deep: int) -> None:
    for sign in ("> ", "- ", "1. ", "> - ", ">"):
        reading = Reading(rendered(sign * deep + "✂ cut here"))
        assert "✂ cut here" in reading.words
        assert reading.open == []


def test_quotes_and_lists_in_each_other_two_hundred_deep_are_shown() -> None:
    assert rendered("> > > deep").count("<blockquote>") == 3
    for typed in ("> " * 200 + "deep", "- " * 200 + "deep", "> - " * 100 + "deep", "*" * 200 + "deep" + "*" * 200):
        reading = Reading(rendered(typed))
        assert "deep" in reading.words
        assert len(reading.tags) < 250
        assert reading.open == []


@at_ease
@given(TYPED)
def test_nothing_but_the_few_tags_ever_comes_out(typed: str) -> None:
    html = rendered(typed)
    reading = Reading(html)
    assert reading.open == []
    assert reading.others == []
    for tag, attributes in reading.tags:
        assert tag in TAGS
        assert set(attributes) <= {"a": {"href", "rel"}, "ol": {"start"}}.get(tag, set())
        if tag == "a" and (href := attributes.get("href")) is not None:
            scheme = re.match(r"\s*([a-zA-Z][\w+.-]*):", unescape(href))
            assert scheme is None or scheme[1].lower() in ("http", "https", "mailto")
            assert attributes["rel"] == "nofollow noopener noreferrer"
    assert len(TAG_BEGINS.findall(html)) == len(reading.tags) + html.count("</")


@at_ease
@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"], exclude_characters="\\*_`>-+.)[]<&:")))
def test_text_without_markup_comes_out_as_it_was_typed(typed: str) -> None:
    words = Reading(rendered(f"say {typed}")).words
    assert words == f"say {typed}".strip()


@at_ease
@given(TYPED.map(text.block))
def test_whatever_can_be_seen_before_can_be_seen_after(typed: str) -> None:
    assert text.visible(Reading(rendered(typed)).words) == text.visible(typed)


@at_ease
@given(TYPED)
def test_the_same_text_is_always_rendered_the_same(typed: str) -> None:
    assert rendered(typed) == rendered(typed)


@at_ease
@given(st.from_regex(_WORDS, fullmatch=True) | st.text(st.sampled_from("ab1 .,;!?'%-ä名\u3164"), max_size=12))
def test_words_alone_come_out_as_the_parser_would_have_them(words: str) -> None:
    assert rendered(body := text.block(words)) == _formatted(body)
