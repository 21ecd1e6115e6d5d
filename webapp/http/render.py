"""HTML from templates: the only file that knows Jinja."""

import secrets
from collections.abc import Hashable
from functools import cache
from hashlib import blake2b
from types import FunctionType
from typing import Any, NamedTuple

from cachetools import LRUCache
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template, nodes
from jinja2.runtime import Context
from jinja2.visitor import NodeTransformer
from markupsafe import Markup, escape

from webapp import settings
from webapp.core import clock, i18n
from webapp.core.lifetime import Slot
from webapp.http import assets
from webapp.http.compiled import CompiledTemplates
from webapp.http.urls import path_for

# What is called without a look for the context: these are functions, those are cached ones.
PLAIN = FunctionType, type(cache(len))


class _Context(Context):
    """The names that a template knows; a page calls two hundred functions, none of which wants to know them too."""

    def call(self, called: Any, /, *args: Any, **kwargs: Any) -> Any:
        if type(called) in PLAIN and not hasattr(called, "jinja_pass_arg"):
            kwargs.pop("_block_vars", None)
            kwargs.pop("_loop_vars", None)
            return called(*args, **kwargs)
        return super().call(called, *args, **kwargs)


class _Inlining(NodeTransformer):
    """Puts what a template includes in its place: to include it when it is rendered takes as long as to render it."""

    def visit_Include(self, node: nodes.Include) -> nodes.Node:
        if not isinstance(node.template, nodes.Const):
            return node
        included = environment.parsed(node.template.value)
        # What fails in it is said to be here: its own lines would be taken for those of this template.
        for each in included.find_all(nodes.Node):
            each.lineno = node.lineno
        return nodes.Scope(included.body, lineno=node.lineno, environment=environment)


def _escaped(value: Any) -> str:
    return value if type(value) is Markup else escape(value)


class _Template(Template):
    """Jinja's, which copies half of what it writes: what is HTML already, a part or a translated text."""

    @classmethod
    def _from_namespace(cls, environment: Environment, namespace: Any, known: Any) -> Template:
        namespace["escape"] = _escaped
        return super()._from_namespace(environment, namespace, known)


class InliningEnvironment(Environment):
    """Jinja's, with includes put in place where templates do not change any more."""

    context_class = _Context
    template_class = _Template

    def parsed(self, name: str) -> nodes.Template:
        assert self.loader
        source, filename, _ = self.loader.get_source(self, name)
        return self._parse(source, name, filename)

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        return tree if self.auto_reload else _Inlining().visit(tree)


environment = InliningEnvironment(
    loader=FileSystemLoader(settings.TEMPLATES),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=settings.DEBUG,
    bytecode_cache=CompiledTemplates(),
    extensions=["jinja2.ext.i18n"],
)


environment.policies["ext.i18n.trimmed"] = True


environment.newstyle_gettext = True  # type: ignore[attr-defined]  # of the extension


environment.globals["path"] = path_for


environment.globals.update(asset=assets.url, site_name=settings.SITE_NAME, registration=settings.REGISTRATION)


environment.globals["strangers_open"] = settings.STRANGERS
environment.globals["directory_open"] = settings.DIRECTORY


environment.globals.update(max_upload_mb=settings.MAX_UPLOAD_MB, near_days=clock.near_days)
environment.globals.update(zone_name=lambda: clock.current_zone().key, site_zone=settings.SITE_TIMEZONE.key)


environment.globals.update(language=i18n.current_language, site_languages=list(i18n.LANGUAGES.values()))


def _version() -> str:
    """Changes with what pages are made of (script, styles, templates, languages), and not with every release."""
    digest = blake2b(digest_size=4)
    for name in ("app.js", "acts.js", *assets.STYLES, "icons.svg"):
        digest.update(assets.url(name).encode())
    files = [*settings.TEMPLATES.rglob("*.html"), *i18n.CATALOGUES.glob("*.po")]
    for file in sorted(files):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


# What an open page sends to its stream: with another value than this it learns that it is outdated.
PAGE_VERSION = _version()


environment.globals["page_version"] = PAGE_VERSION


@cache
def _marked(said: i18n.Language, text: str) -> Markup:
    return Markup(said.gettext(text))  # noqa: S704  of a template or a catalogue


def _filled(said: str, values: dict[str, object]) -> Markup:
    return Markup(said % {name: escape(value) for name, value in values.items()})  # noqa: S704


def _gettext(text: str, /, **values: object) -> Markup:
    said = _marked(i18n.current_language(), text)
    return _filled(str(said), values) if values else said


def _ngettext(one: str, many: str, count: int, /, **values: object) -> Markup:
    return _filled(i18n.current_language().ngettext(one, many, count), {"num": count, **values})


environment.globals.update(_=_gettext, gettext=_gettext, ngettext=_ngettext)


environment.filters.update(
    clock=clock.format_time, long_day=clock.format_long_day, brief=clock.format_brief, stamp=clock.stamp
)


environment.filters.update(datetime=clock.datetime_html, datetime_text=clock.format_datetime, first_day=clock.first_day)


environment.filters["number"] = lambda number: i18n.current_language().number(number)


environment.filters["size"] = lambda size: i18n.current_language().size(size)


def fragment(name: str, **context: object) -> str:
    """The HTML of one template."""
    template = environment.get_template(name)
    # As `template.render` does it; but to put together what all templates know takes that as long as all the rest.
    known = template.new_context({**environment.globals, **context}, shared=True)
    try:
        return "".join(template.root_render_func(known))
    except Exception:
        environment.handle_exception()  # says where in the template it was


# In a page it stands for what is put in encoded. Nobody can know it, and so nobody can write it.
MARK = f"<!--{secrets.token_hex(16)}-->"


class Encoded(NamedTuple):
    """HTML that may be long, encoded once for all pages in which it stands, each of them once; and its digest."""

    html: bytes
    digest: bytes

    @classmethod
    def of(cls, html: str) -> "Encoded":
        encoded = html.encode()
        return cls(encoded, blake2b(encoded, digest_size=16).digest())

    def __html__(self) -> str:
        return MARK


class Parts(LRUCache[Hashable, Markup]):
    """The HTML of parts of pages, by what they show: bounded by its characters."""

    MAX_CHARACTERS = 4_000_000

    def __init__(self) -> None:
        super().__init__(self.MAX_CHARACTERS, getsizeof=len)


parts = Slot[Parts]("cache of parts of pages")


def part(name: str, facts: Hashable, /, **context: object) -> Markup:
    """
    Return the HTML of a template that shows nothing but these facts: rendered once for all pages that show them.

    What the language, the zone of the times and the day make of them need not be among the facts.
    """
    key = name, facts, clock.current_locale(), clock.today()
    if (html := parts().get(key)) is None:
        html = parts()[key] = Markup(fragment(name, **context).strip())  # noqa: S704  our own template
    return html


environment.globals["render_part"] = part


@cache
def _icon(name: str) -> Markup:
    return Markup(fragment("_icon.html", icon=name).strip())  # noqa: S704  our own template


# A page has a dozen; to include a template takes ten times as long.
environment.globals["icon"] = _icon
