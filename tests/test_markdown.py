"""Markdown-light: what is formatted, what stays as it was typed, and that nothing else of HTML ever comes out."""

import re
import unicodedata
from html import escape, unescape
from html.parser import HTMLParser

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from webapp.core import text
from webapp.messages.links import ADDRESS, in_ascii
from webapp.messages.markdown import LARGE, PLAIN_WORDS, first_line, render_markdown, render_parsed, render_plain

TAGS = {"p", "br", "strong", "em", "del", "code", "pre", "blockquote", "ul", "ol", "li", "a"}
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
        *(
            "1. a\n",
            "2. b\n",
            "07. c\n",
            "3) d\n",
            "\n- 5",
            "~~",
            "\\*",
            "__",
            "[a b](",
            "xn--80ak6aa92e.com",
            "%E2%80%AE",
        ),
        *(
            "（",
            "」",
            "漢字",
            "한",
            "。",
            "\n```\n",
            "```a b\n",
            "mailto:a@b.c",
            "\\\\",
            "\n>",
            "\n> > ",
            "\n  - ",
            "\n\\- ",
        ),
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
        self.pieces: list[tuple[str, str]] = []
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
        self.pieces.append((self.open[-1] if self.open else "", data))

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
        ("snake_case_name and 2*3*4", "<p>snake_case_name and 2*3*4</p>"),
        ("`a < b`", "<p><code>a &lt; b</code></p>"),
        ("```\n**as** <typed>\n  it is\n```", "<pre><code>**as** &lt;typed&gt;\n  it is\n</code></pre>"),
        ("```js\nalert(1)\n```", "<pre><code>alert(1)\n</code></pre>"),
        ("> quoted\n\nanswer", "<blockquote>\n<p>quoted</p>\n</blockquote>\n<p>answer</p>"),
        ("- a\n- b", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>"),
        ("1. a\n2. b", "<ol>\n<li>a</li>\n<li>b</li>\n</ol>"),
        ("3. c\n4. d", '<ol start="3">\n<li>c</li>\n<li>d</li>\n</ol>'),
        ("one\ntwo\n\nthree", "<p>one<br>\ntwo</p>\n<p>three</p>"),
        (r"\*not italic\* and \<b\>", r"<p>*not italic* and \&lt;b\&gt;</p>"),
        ("~~struck~~", "<p><del>struck</del></p>"),
        ("a | b\n--|--\nc | d", "<p>a | b<br>\n--|--<br>\nc | d</p>"),
    ],
)
def test_what_people_type_is_formatted(typed: str, html: str) -> None:
    assert render_markdown(typed) == html


@pytest.mark.parametrize(
    ("typed", "href", "words"),
    [
        ("[tea](https://example.com/tea)", "https://example.com/tea", "tea"),
        ('[tea](https://example.com "a title")', "https://example.com", '[tea](https://example.com "a title")'),
        ("[](https://example.com)", "https://example.com", "[](https://example.com)"),
        ("<https://example.com>", "https://example.com", "https://example.com"),
        ("https://example.com/a?b=c&d=e#f", "https://example.com/a?b=c&d=e#f", "https://example.com/a?b=c&d=e#f"),
        ("http://example.com.", "http://example.com", "http://example.com"),
        ("(see https://example.com/a_(b))", "https://example.com/a_(b)", "https://example.com/a_(b)"),
        ("[write](mailto:tea@example.com)", "mailto:tea@example.com", "write"),
        ("mailto:tea@例え.jp", "mailto:tea@xn--r8jz45g.jp", "mailto:tea@例え.jp"),
        ("https://例え.jp/お茶", "https://xn--r8jz45g.jp/%E3%81%8A%E8%8C%B6", "https://例え.jp/お茶"),
    ],
)
def test_a_link_leads_out_and_says_that_nobody_vouches_for_it(typed: str, href: str, words: str) -> None:
    html = render_markdown(typed)
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
    assert 'href="https://example.com"' in render_markdown("[x](https://example.com)")
    reading = Reading(render_markdown(typed))
    assert "href" not in {name for _, attributes in reading.tags for name in attributes}
    assert reading.words.strip()


@pytest.mark.parametrize(
    "typed", ["example.com", "www.example.com", "tea@example.com", "127.0.0.1", "ftp.example.com", "v1.2.co"]
)
def test_words_with_dots_stay_words(typed: str) -> None:
    assert render_markdown(typed) == f"<p>{typed}</p>"


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
    reading = Reading(render_markdown(typed))
    assert {tag for tag, _ in reading.tags} <= {"p", "br", "ul", "li"}
    assert reading.words == typed


def test_an_image_is_a_link_at_most() -> None:
    html = render_markdown("![a cat](https://example.com/cat.png)")
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
    reading = Reading(render_markdown(typed))
    assert {tag for tag, _ in reading.tags} <= {"p", "code", "pre", "blockquote"}
    assert not [attributes for _, attributes in reading.tags if attributes]
    assert reading.words.strip() == typed.removeprefix("> ").strip("`").strip()


def test_quotes_and_ampersands_cannot_leave_an_address() -> None:
    html = render_markdown(
        '[x](https://example.com/"onmouseover="alert(1)) https://example.com/"><script>alert(1)</script>'
    )
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
    reading = Reading(render_markdown(typed))
    assert {tag for tag, _ in reading.tags} <= TAGS
    assert reading.open == []
    assert len(reading.tags) <= len(typed)


@pytest.mark.parametrize(
    "typed",
    [">", "> ", "+", "-", "*", "- - - -", "* * *", "1.", "> >", "```", "``` hello", "- >"],
)
def test_signs_that_would_leave_nothing_to_see_are_shown_as_they_were_typed(typed: str) -> None:
    assert Reading(render_markdown(f"{typed}\n\nwords")).words.strip()
    assert render_markdown(typed) == f"<p>{escape(typed.strip(), quote=False)}</p>"


@pytest.mark.parametrize("deep", range(1, 30))
def test_words_are_never_lost_however_deep_they_are(deep: int) -> None:
    for sign in ("> ", "- ", "1. ", "> - ", ">"):
        reading = Reading(render_markdown(sign * deep + "✂ cut here"))
        assert "✂ cut here" in reading.words
        assert reading.open == []


def test_quotes_and_lists_in_each_other_two_hundred_deep_are_shown() -> None:
    assert render_markdown("> > > deep").count("<blockquote>") == 3
    for typed in ("> " * 200 + "deep", "- " * 200 + "deep", "> - " * 100 + "deep", "*" * 200 + "deep" + "*" * 200):
        reading = Reading(render_markdown(typed))
        assert "deep" in reading.words
        assert len(reading.tags) < 250
        assert reading.open == []


@at_ease
@given(TYPED)
def test_nothing_but_the_few_tags_ever_comes_out(typed: str) -> None:
    html = render_markdown(typed)
    reading = Reading(html)
    assert reading.open == []
    assert reading.others == []
    for tag, attributes in reading.tags:
        assert tag in TAGS
        assert set(attributes) <= {"a": {"href", "rel"}, "ol": {"start"}}.get(tag, set()) | (
            {"class"} & {*attributes} if attributes == {"class": LARGE} else set()
        )
        if tag == "a" and (href := attributes.get("href")) is not None:
            scheme = re.match(r"\s*([a-zA-Z][\w+.-]*):", unescape(href))
            assert scheme is None or scheme[1].lower() in ("http", "https", "mailto")
            assert attributes["rel"] == "nofollow noopener noreferrer"
    assert len(TAG_BEGINS.findall(html)) == len(reading.tags) + html.count("</")


@at_ease
@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"], exclude_characters="\\*_`>-+.)[]<&:")))
def test_text_without_markup_comes_out_as_it_was_typed(typed: str) -> None:
    words = Reading(render_markdown(f"say {typed}")).words
    assert words == f"say {typed}".strip()


@at_ease
@given(TYPED.map(text.clean_text))
def test_whatever_can_be_seen_before_can_be_seen_after(typed: str) -> None:
    assert text.has_visible(Reading(render_markdown(typed)).words) == text.has_visible(typed)


@at_ease
@given(TYPED)
def test_the_same_text_is_always_rendered_the_same(typed: str) -> None:
    assert render_markdown(typed) == render_markdown(typed)


PLAIN_PIECES = "abmailto1 .,;!?'%-ä名\u3164()\"/:\n…“”€\U0001f600\U0001f3fd"


@at_ease
@given(st.from_regex(PLAIN_WORDS, fullmatch=True) | st.text(st.sampled_from(PLAIN_PIECES), max_size=16))
def test_words_alone_come_out_as_the_parser_would_have_them(words: str) -> None:
    assert render_markdown(body := text.clean_text(words)) == render_parsed(body)


def letters(words: str) -> str:
    return "".join(c for c in words if unicodedata.category(c)[0] in "LN")


class Told(Reading):
    """What a person can read or look up: also the numbers of lists, and where a link with a name leads."""

    def __init__(self, typed: str) -> None:
        self.lists, self.link, self.name = list[int | None](), "", ""
        # Addresses in other letters are shown as they are, and only where they lead is spelt otherwise.
        self.typed = {in_ascii(found[0]): found[0] for found in regex.finditer(ADDRESS, typed, regex.V1)}
        super().__init__(render_markdown(typed))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        super().handle_starttag(tag, attrs)
        if tag in ("ol", "ul"):
            self.lists.append(int(dict(attrs).get("start") or 1) if tag == "ol" else None)
        elif tag == "li" and (number := self.lists[-1]) is not None:
            self.words += f"{number} "
            self.lists[-1] = number + 1
        elif tag == "a":
            href = dict(attrs)["href"] or ""
            self.link, self.name = self.typed.get(href, href), self.words

    def handle_endtag(self, tag: str) -> None:
        super().handle_endtag(tag)
        if tag in ("ol", "ul"):
            self.lists.pop()
        elif tag == "a" and in_ascii(self.words.removeprefix(self.name)) != in_ascii(self.link):
            self.words += f"({self.link})"


WITHOUT_FENCES = TYPED.map(text.clean_text).filter(lambda typed: "```" not in typed)
LANGUAGE = re.compile(r"`{3,}([^\W_][\w+#.-]*)$", re.MULTILINE)


@at_ease
@given(WITHOUT_FENCES)
def test_every_letter_and_digit_is_shown_in_its_order(typed: str) -> None:
    assert letters(Told(typed).words) == letters(typed)


@at_ease
@given(TYPED.map(text.clean_text) | st.text(max_size=200).map(text.clean_text))
def test_only_the_languages_of_fences_are_not_shown(typed: str) -> None:
    shown, languages = letters(Told(typed).words), "".join(LANGUAGE.findall(typed))
    rest = iter(letters(typed))
    assert all(c in rest for c in shown)
    assert len(letters(typed)) - len(shown) <= len(letters(languages))


@at_ease
@given(TYPED.map(text.clean_text) | st.text(max_size=200).map(text.clean_text))
def test_no_sign_is_shown_that_was_not_typed(typed: str) -> None:
    rest, shown = iter(typed), Reading(render_markdown(typed)).words
    assert all(c in rest for c in shown if not c.isspace())
    assert text.clean_text(shown).split() == shown.split()


@at_ease
@given(st.text(max_size=200).map(text.clean_text))
def test_in_an_anonymous_chat_nothing_is_markup(typed: str) -> None:
    assert Reading(render_plain(typed)).words.split() == typed.split()


# One of each kind, in both directions: what is markup, and what is none.
@pytest.mark.parametrize(
    ("typed", "html"),
    [
        # Fences: what is not one word is code, and where it ends doesn't matter.
        ("```SELECT 1\nFROM t\n```", "<pre><code>SELECT 1\nFROM t\n</code></pre>"),
        ("``` SELECT 1\nFROM t```", "<pre><code>SELECT 1\nFROM t\n</code></pre>"),
        ("```\n  a\n``` and b", "<pre><code>  a\n</code></pre>\n<p>and b</p>"),
        ("```c++\na\n```", "<pre><code>a\n</code></pre>"),
        ("```python\n```", "<pre><code>python\n</code></pre>"),
        ("````\n```\na\n```\n````", "<pre><code>```\na\n```\n</code></pre>"),
        ("```a b\nnever closed", "<p>```a b<br>\nnever closed</p>"),
        ("> ```\n> a\n> ```", "<blockquote>\n<pre><code>a\n</code></pre>\n</blockquote>"),
        # Quotes and lists end where their signs do.
        ("> is it done?\nyes", "<blockquote>\n<p>is it done?</p>\n</blockquote>\n<p>yes</p>"),
        (
            "> > old\n> newer",
            "<blockquote>\n<blockquote>\n<p>old</p>\n</blockquote>\n<p>newer</p>\n</blockquote>",
        ),
        (">quoted\n>\n>too", "<blockquote>\n<p>quoted</p>\n<p>too</p>\n</blockquote>"),
        ("- a\n- b\nThat is all.", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>\n<p>That is all.</p>"),
        ("- a\n- b\n  more\n  - c", "<ul>\n<li>a</li>\n<li>b<br>\nmore\n<ul>\n<li>c</li>\n</ul></li>\n</ul>"),
        ("To buy:\n* a\n\n* b", "<p>To buy:</p>\n<ul>\n<li>a</li>\n<li>b</li>\n</ul>"),
        (r"\> no quote", "<p>&gt; no quote</p>"),
        *(
            (f"{line}", f"<p>{escape(line, quote=False)}</p>")
            for line in (">:(", ">_<", ">>> print(1)", ">5 people", "> >")
        ),
        # Numbers are as they were typed.
        ("3. c\n4. d", '<ol start="3">\n<li>c</li>\n<li>d</li>\n</ol>'),
        ("98. a\n99. b", '<ol start="98">\n<li>a</li>\n<li>b</li>\n</ol>'),
        *(
            (f"{a}\n{b}", f"<p>{a}<br>\n{b}</p>")
            for a, b in (
                *(
                    ("3. yes", "7. no"),
                    ("1. a", "1. b"),
                    ("007. Bond", "008. Bill"),
                    ("99. a", "100. b"),
                    ("1) a", "2) b"),
                ),
                *(("1999. What a year", "2000. Another"), ("- 5 °C", "- 3 °C"), ("+ 3 points", "+ 4 points")),
                *(("- - -", "- - -"), ("* * *", "* * *"), ("- a", "* b"), ("1. a", "- b")),
            )
        ),
        *(
            (line, f"<p>{line}</p>")
            for line in ("1999. What a year", "24. Dezember", "2) x", "- 5 °C at night", "* their", "+ 3")
        ),
        ("\\- a\n- b", "<p>- a<br>\n- b</p>"),
        ("1\\. a\n2\\. b", "<p>1. a<br>\n2. b</p>"),
        # Blanks and indents.
        ("for x in y:\n    stop()\n\tgo()", "<p>for x in y:<br>\n    stop()<br>\n\tgo()</p>"),
        ("  first\n\n   second", "<p>  first</p>\n<p>   second</p>"),
        ("tea      2.50\ncoffee   3.10", "<p>tea      2.50<br>\ncoffee   3.10</p>"),
        ("- tea   2.50\n- milk  1.10", "<ul>\n<li><p>tea   2.50</p></li>\n<li><p>milk  1.10</p></li>\n</ul>"),
        # Backslashes go only where there would be markup.
        (r"\*a\* \**b\** \_c\_ \~~d~~ \`e`", "<p>*a* **b** _c_ ~~d~~ `e`</p>"),
        *(
            (line, f"<p>{line}</p>")
            for line in (
                *(
                    r"\\\\files\\team",
                    r"C:\temp\_old\*.log",
                    r"¯\_(ツ)_/¯",
                    r"$\alpha\_1 \* 2$",
                    r"\d+\.\w*\[a-z\]",
                    "\\",
                ),
                *(
                    r"^_^ and ^_^",
                    "-_- or -_-",
                    "*_* and *_*",
                    ";_; ._. ;_;",
                    "u_u",
                    ":* and :*",
                    '"*" and "*"',
                    "(*) or (*)",
                ),
            )
        ),
        # Stars, underscores, tildes.
        ("**注意：**明日は休み", "<p><strong>注意：</strong>明日は休み</p>"),
        ("**중요(필독)**은", "<p><strong>중요(필독)</strong>은</p>"),
        ("これは**「重要」**です", "<p>これは<strong>「重要」</strong>です</p>"),
        ("„*so*“, *so*; (*so*)", "<p>„<em>so</em>“, <em>so</em>; (<em>so</em>)</p>"),
        (
            "**a *b*** *a **b*** **a *b**",
            "<p><strong>a <em>b</em></strong> <em>a <strong>b</strong></em> <strong>a *b</strong></p>",
        ),
        ("**two\nlines**", "<p><strong>two<br>\nlines</strong></p>"),
        ("__two words__", "<p><strong>two words</strong></p>"),
        ("~~a **b**~~", "<p><del>a <strong>b</strong></del></p>"),
        *(
            (line, f"<p>{escape(line, quote=False)}</p>")
            for line in (
                *(
                    "f**k and s**t",
                    "call __init__ and __main__",
                    "2*3*4 = 24",
                    "f(x)*g(x)*h(x)",
                    "a_b_c",
                    "2 ** 3 ** 4",
                ),
                *(
                    "rm *.log tmp*",
                    "/* a */ and /* b */",
                    "int *a, *b;",
                    "~5 to ~6",
                    "****",
                    "** a **",
                    "変数_名前_です",
                    "5* hotel*",
                ),
            )
        ),
        # Code.
        ("`` a`b `` and `` ` ``", "<p><code> a`b </code> and <code>`</code></p>"),
        ("使用`foo`函数", "<p>使用<code>foo</code>函数</p>"),
        *((line, f"<p>{line}</p>") for line in ("l`école et l`hôpital", "rock `n roll `n stuff", "` `", "```")),
        # Emoji alone are large.
        *((few, f'<p class="{LARGE}">{few}</p>') for few in ("👍", "❤️ 🇩🇪", "👨‍👩‍👧‍👦👍🏽1️⃣", "🏴󠁧󠁢󠁥󠁮󠁧󠁿")),
        *((typed, f"<p>{typed}</p>") for typed in ("👍👍👍👍", "👍 yes", "12", "©", "🇩", "👍\u3164", "ツ")),
        # Not markup at all.
        ("x = 4 //todo.later", "<p>x = 4 //todo.later</p>"),
        ("Amelia <a@example.com>", "<p>Amelia &lt;a@example.com&gt;</p>"),
    ],
)
def test_what_was_typed_is_what_is_read(typed: str, html: str) -> None:
    assert render_markdown(typed) == html
    assert text.clean_text(typed) == typed


@pytest.mark.parametrize(
    ("before", "address", "after"),
    [
        ("", "https://example.com/%E2%80%AEfdp.exe", ""),
        ("", "https://example.com/a%20b.pdf%0A%07", " c"),
        ("", "https://xn--80ak6aa92e.com/login", ""),
        ("", "https://example.com/plan", "（第二版）です"),
        ("見て", "https://example.com/", "、"),
        *(
            (a, "https://example.com/plan", b)
            for a, b in ("“”", "„“", "«»", "»«", "「」", "‘’", "『』", "〈〉", "【】")
        ),
        *(
            ("", "https://example.com/plan", after)
            for after in ("…", "،", "؟", "۔", "।", "。", "，", "！", "—so", "?!", ".)", '"')
        ),
        ("(", "https://example.com/a_(b_(c))", "),so"),
        ("", "https://example.com/straße_(köln)", ""),
        ("", "https://example.com/日本–語", "."),
        ("", "http://[::1]:8080/x", ""),
        ("", "http://localhost:8000/?a=b&c=d#e", ","),
        ("", "HTTPS://example.com", ";"),
        ("", "mailto:tea@example.com", "."),
    ],
)
def test_an_address_ends_before_the_punctuation_of_its_sentence(before: str, address: str, after: str) -> None:
    html = render_markdown(f"{before}{address}{after}")
    reading = Reading(html)
    assert [words for tag, words in reading.pieces if tag == "a"] == [address]
    assert reading.words == before + address + after
    if address.isascii():
        assert [attributes["href"] for tag, attributes in reading.tags if tag == "a"] == [address]


@pytest.mark.parametrize("sign", ["_", "*", "**", "~~", "***"])
def test_an_address_may_stand_in_markup(sign: str) -> None:
    reading = Reading(render_markdown(f"{sign}https://example.com/a_b{sign}"))
    assert reading.words == "https://example.com/a_b"
    assert [words for tag, words in reading.pieces if tag == "a"] == [reading.words]


@pytest.mark.parametrize(
    "typed",
    [
        "[https://bank.example/](https://evil.example/)",
        "[bank.example](https://evil.example/bank.example)",
        "[bank.example/login](https://bank.example/evil)",
        "[www.bank.example](https://evil.example)",
        "[help@bank.example](mailto:evil@evil.example)",
        "[see https://bank.example](https://evil.example)",
        "[ｂａｎｋ.example](https://evil.example)",
        "[list](ftp://example.com/list.txt)",
        "[x](/logout)",
        "[x](//evil.example)",
        "[x](evil.example)",
        "https://bank.example@evil.example/",
        "https://a:b@evil.example/",
        "xhttps://example.com",
        "http://example.com¹",
        "http://example.comſ",
        "httpſ://example.com",
        "http://example.com:99999/",
        "http://xn--a/",
        "[x](http://256.256.256.256)",
    ],
)
def test_an_address_in_disguise_is_shown_as_it_was_typed(typed: str) -> None:
    reading = Reading(render_markdown(typed))
    assert reading.words == typed
    links = [words for tag, words in reading.pieces if tag == "a"]
    assert links == [attributes["href"] for tag, attributes in reading.tags if tag == "a"]


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("tea", "https://example.com/tea"),
        ("a [b] c", "http://example.com"),
        ("example.com", "https://www.example.com/"),
        ("https://example.com/a", "https://example.com/a"),
        ("tea@example.com", "mailto:tea@example.com"),
        ("e.g. this", "https://example.com"),
    ],
)
def test_a_link_may_have_a_name_that_is_true(name: str, address: str) -> None:
    assert render_markdown(f"[{name}]({address})") == f'<p><a href="{address}" {REL}>{name}</a></p>'


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("> is it done?\n\nyes, since noon", "yes, since noon"),
        ("> is it done?", "is it done?"),
        ("> a\n> > b\n\n- c\n- d", "• c"),
        ("24. Dezember", "24. Dezember"),
        ("1. milk\n2. tea", "1. milk"),
        ("7. milk\n8. tea", "7. milk"),
        ("- 5 °C at night", "- 5 °C at night"),
        ("2*3*4 = 24", "2*3*4 = 24"),
        ("a < b & c", "a < b & c"),
        ("```\n\n  x = 1\n```", "x = 1"),
        ("tea      2.50\nmilk", "tea 2.50"),
        ("https://example.com/%E2%80%AEfdp.exe", "https://example.com/%E2%80%AEfdp.exe"),
        ("**a**\nb", "a"),
    ],
)
def test_the_list_at_the_side_says_what_the_message_says(typed: str, line: str) -> None:
    assert first_line(render_markdown(typed), 120) == line


def test_what_was_stored_before_is_listed_by_the_same_rule() -> None:
    stored = '<blockquote>\n<p>old</p>\n</blockquote>\n<ol start="24">\n<li>\n<p>Dezember</p>\n</li>\n</ol>'
    assert first_line(stored, 120) == "24. Dezember"
    assert first_line("", 120) == ""


def test_quotes_deeper_than_a_phone_is_wide_are_shown_as_they_were_typed() -> None:
    html = render_markdown("> " * 15 + "deep")
    assert html.count("<blockquote>") == 5
    assert Reading(html).words.split() == [*[">"] * 10, "deep"]


def test_markup_beyond_all_measure_is_shown_as_it_was_typed() -> None:
    reading = Reading(render_markdown("*漢" * 2000))
    assert 100 < len(reading.tags) < 1000
    assert reading.words.endswith("*漢*漢")
