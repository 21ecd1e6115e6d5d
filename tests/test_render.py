"""Templates: what they include is put in place, and what they call is called without a look around."""

import pytest
from jinja2 import DictLoader, pass_context
from jinja2.runtime import Context

from webapp.http import render
from webapp.http.responses import Body

TEMPLATES = {
    "base.html": "<p>{% block all %}{% endblock %}{% block end %}{{ word }}{% endblock %}</p>",
    "page.html": """{% extends "base.html" %}
{% block all %}
{% set name = "page" %}
{% for one in rows %}
{% include "_row.html" %}

{% endfor %}
{% with name = "with" %}{% include "_row.html" %}{% endwith %}
{{- name }} {{ none | default("nothing") }}
{% endblock %}""",
    "_row.html": "{% set word = name ~ (one | default(0)) %}\n{% if one is defined and one > 1 %}{% set name = 9 %}"
    "{% endif %}\n{% include '_cell.html' %}\n{{ plain(word, other=1) }}{{ around() }}\n",
    "_cell.html": "{% from '_macro.html' import bold %}{{ bold(word) }}<{{ rows | length }}>\n",
    "_macro.html": "{% macro bold(text) %}<b>{{ text }}</b>{% endmacro %}",
    "wrong.html": "{{ word }}\n\n{% include '_wrong.html' %}",
    "_wrong.html": "\n\n\n\n\n{{ 1 // zero }}",
}


def plain(word: str, other: int) -> str:
    return f"{word}&{other}"


@pass_context
def around(context: Context) -> str:
    return str(context["rows"])


def environment(auto_reload: bool) -> render.InliningEnvironment:
    made = render.environment.overlay(loader=DictLoader(TEMPLATES), auto_reload=auto_reload)
    assert isinstance(made, render.InliningEnvironment)
    return made


@pytest.fixture
def inlining(monkeypatch: pytest.MonkeyPatch) -> render.InliningEnvironment:
    made = environment(auto_reload=False)
    monkeypatch.setattr(render, "environment", made)
    return made


@pytest.mark.parametrize("rows", [[], [1], [1, 2, 3]])
def test_what_is_included_in_place_says_the_same_as_when_it_is_included(
    inlining: render.InliningEnvironment, rows: list[int]
) -> None:
    context = {"rows": rows, "word": "<outer>", "plain": plain, "around": around, "name": "name"}
    including = environment(auto_reload=True)
    assert "_row" not in str(inlining.parsed("page.html"))
    assert "_row" in str(including.parsed("page.html"))
    said = inlining.get_template("page.html").render(context)
    assert said == including.get_template("page.html").render(context)
    assert "&lt;outer&gt;</p>" in said
    assert said.count("<b>") == len(rows) + 1


def test_what_fails_in_an_included_template_is_said_to_be_where_it_is_included(
    inlining: render.InliningEnvironment,
) -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        inlining.get_template("wrong.html").render(word="", zero=0)
    assert caught.traceback[-1].lineno == 2  # counted from 0


def test_every_template_compiles_with_what_it_includes() -> None:
    for name in render.environment.list_templates():
        assert render.environment.get_template(name).name == name


def page(before: str, log: str, after: str) -> Body:
    encoded = render.Encoded.of(log)
    return Body.of(f"{before}{encoded.__html__()}{after}", encoded)


def test_a_page_is_what_is_before_its_log_the_log_and_what_is_after_it() -> None:
    made = page("<ol>", "<li>\N{GRINNING FACE}", "</ol>")
    assert made.joined().decode() == "<ol><li>\N{GRINNING FACE}</ol>"
    # A page may have a log and not show it.
    assert Body.of("<p>empty</p>", made.log).joined() == b"<p>empty</p>"
    assert Body.of("<p>empty</p>", made.log).etag() == Body.of("<p>empty</p>", None).etag()


def test_every_byte_of_a_page_is_in_its_tag_but_what_is_new_in_every_answer() -> None:
    parts = ["<p>token-1</p>", "<li>words of token-1</li>", "<p>nonce-1</p>"]
    tags = {page(*parts).etag("token-1", "nonce-1")}
    for which, text in enumerate(parts):
        for at in range(len(text)):
            changed = parts.copy()
            changed[which] = f"{text[:at]}\N{BULLET}{text[at + 1 :]}"
            tags.add(page(*changed).etag("token-1", "nonce-1"))
            changed[which] = text[:at] + text[at + 1 :]
            tags.add(page(*changed).etag("token-1", "nonce-1"))
    # To leave out one of two equal letters gives the same text.
    same = sum(text[at] == text[at + 1] for text in parts for at in range(len(text) - 1))
    assert len(tags) == 1 + 2 * sum(map(len, parts)) - same
    assert page("<p>token-2</p>", parts[1], "<p>nonce-2</p>").etag("token-2", "nonce-2") in tags
    assert page("<p>token-1</p>", "<li>words of token-2</li>", "").etag("token-1") not in tags


@pytest.mark.parametrize(
    "moved", [("ab", "c", "d"), ("a", "bc", "d"), ("a", "b", "cd"), ("abcd", "", ""), ("", "", "abcd")]
)
def test_what_moves_between_the_parts_of_a_page_is_another_page(moved: tuple[str, str, str]) -> None:
    assert page(*moved).etag() != page("a", "", "bcd").etag()
