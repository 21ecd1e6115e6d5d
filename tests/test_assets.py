"""Static files: what a browser gets, how it is packed, and for how long it may keep it."""

import gzip
import hashlib
import io
import re
from collections.abc import Callable
from pathlib import Path

import brotli  # type: ignore[import-untyped]  # it ships no types
import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient

from webapp.http import aliases, assets, minifier

# The budget for htmx, hx-sse and our own script together: compressed, on a first visit.
SCRIPT_BYTES = 17_000
# And for each bundle that a press brings.
PRESSED_BYTES = {
    "acts.js": 10_200,
    "emoji.js": 1_600,
    "crop.js": 1_600,
    "mentions.js": 1_500,
    "pictures.js": 1_600,
    "attach.js": 4_900,
}
Serve = Callable[[Path], None]


@pytest.fixture
def client() -> TestClient:
    app = Starlette(
        routes=[
            Route("/favicon.ico", assets.favicon),
            Route("/manifest.webmanifest", assets.manifest),
            Route("/static/{name:path}", assets.serve),
        ]
    )
    return TestClient(app)


def own_script() -> str:
    """All the script of our own."""
    return "\n".join(file.read_text() for file in sorted((assets.STATIC / "js").rglob("*.js")))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small static folder of the test's own, to be served by `serve`."""
    files = dict.fromkeys(assets.OWN_SCRIPTS, "// why\n") | {
        "vendor/htmx.min.js": "var htmx = 1",
        "vendor/hx-sse.min.js": "sse()",
        "vendor/LICENSE": "free",
        "js/helpers.js": "// why\n  const chat = alert;\n",
        "js/acts/keys.js": "chat('key');",
        "js/acts/edit.js": "chat('edit');",
        "js/emoji/emoji.js": "chat('smile');",
        "js/log.js": "// why\n  chat('// stays');\n",
        "css/accounts.css": ".account { color: red }",
        "css/base.css": "body { margin: 0 }",
        "css/tokens.css": ":root { --ink: rgb(9 9 9) }",
        "css/room/message.css": ".message { display: grid }",
        "css/card/card.css": ".card { padding: 1rem }",
        "css/only/nojs.css": ".script { display: none }",
        "icons.svg": "<svg/>",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Serves another folder in place of static/."""
    return lambda folder: monkeypatch.setattr(assets, "SERVED", assets.Assets(folder))


def body(client: TestClient, name: str) -> str:
    return client.get(assets.url(name)).text


def test_an_address_names_its_content(folder: Path, serve: Serve) -> None:
    serve(folder)
    before = assets.url("app.css")
    assert re.fullmatch(r"/static/app\.[0-9a-f]{10}\.css", before)

    serve(folder)
    assert assets.url("app.css") == before

    (folder / "css/base.css").write_text("body { margin: 1px }")
    serve(folder)
    assert assets.url("app.css") != before


def test_a_name_that_is_not_served_has_no_address() -> None:
    for name in ("nothing.css", "vendor/LICENSE", "vendor/htmx.min.js", "css/tokens.css"):
        with pytest.raises(KeyError):
            assets.url(name)


def test_the_current_address_is_immutable(client: TestClient) -> None:
    answer = client.get(assets.url("app.js"))
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_an_address_from_before_an_upgrade_works_but_is_not_cached(client: TestClient) -> None:
    for address in ("/static/app.0123456789.js", "/static/app.js"):
        answer = client.get(address)
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "no-cache"
        assert answer.text == body(client, "app.js")


@pytest.mark.parametrize(
    "name",
    [
        "nothing.css",
        "nothing.0123456789.css",
        "vendor/LICENSE",
        "js/log.js",
        "../webapp/http/assets.py",
        "%2e%2e/webapp/http/assets.py",
        "",
    ],
)
def test_a_file_that_is_not_served_is_not_found(client: TestClient, name: str) -> None:
    assert client.get("/static/app.js").status_code == 200
    assert client.get(f"/static/{name}").status_code == 404


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("br", "br"),
        ("*", "br"),
        ("gzip", "gzip"),
        ("GZIP ; Q=0.5", "gzip"),
        ("br;q=0, gzip", "gzip"),
        ("br;q=0.2, gzip;q=0.8", "gzip"),
        ("br;q=0.5, gzip;q=0.5", "br"),
        ("*;q=0, gzip", "gzip"),
        ("identity;q=0.5, gzip;q=1.0, br;q=0.1", "gzip"),
        ("identity, br;q=0.5", "identity"),
        ("br;q=0, gzip;q=0", "identity"),
        ("*;q=0", "identity"),
        ("br;q=nan", "identity"),
        ("br;q=-1, gzip;q=much", "identity"),
        ("deflate", "identity"),
        ("", "identity"),
    ],
)
def test_the_browser_chooses_the_coding(client: TestClient, accepted: str, coding: str) -> None:
    with client.stream("GET", assets.url("app.js"), headers={"Accept-Encoding": accepted}) as answer:
        raw = b"".join(answer.iter_raw())
    unpack = {"br": brotli.decompress, "gzip": gzip.decompress, "identity": bytes}[coding]
    assert answer.headers.get("Content-Encoding", "identity") == coding
    assert int(answer.headers["Content-Length"]) == len(raw)
    assert unpack(raw).startswith(b"var htmx=")


def test_a_file_that_compression_would_make_larger_is_sent_as_it_is(
    client: TestClient, folder: Path, serve: Serve
) -> None:
    serve(folder)
    answer = client.get(assets.url("icons.svg"), headers={"Accept-Encoding": "br, gzip"})
    assert "Content-Encoding" not in answer.headers
    assert answer.text == "<svg/>"


@pytest.mark.parametrize("coding", ["br", "gzip", "identity"])
def test_what_the_browser_has_is_not_sent_again(client: TestClient, coding: str) -> None:
    headers = {"Accept-Encoding": coding}
    etag = client.get(assets.url("app.js"), headers=headers).headers["ETag"]
    for known in (etag, etag.removeprefix("W/"), f'"other", {etag}', "*"):
        answer = client.get(assets.url("app.js"), headers=headers | {"If-None-Match": known})
        assert answer.status_code == 304
        assert answer.content == b""
        assert answer.headers["ETag"] == etag
        assert answer.headers["Cache-Control"].endswith("immutable")
        assert answer.headers["Vary"] == "Accept-Encoding"
    answer = client.get(assets.url("app.js"), headers=headers | {"If-None-Match": '"other"'})
    assert answer.status_code == 200


def test_head_answers_the_headers_alone(client: TestClient) -> None:
    get, head = client.get(assets.url("app.js")), client.head(assets.url("app.js"))
    assert head.status_code == 200
    assert head.content == b""
    assert head.headers == get.headers


def test_posting_to_a_file_is_not_allowed(client: TestClient) -> None:
    assert client.post(assets.url("app.js")).status_code == 405


def test_the_script_bundle_is_htmx_then_its_extension_then_our_parts_in_one_function(
    client: TestClient, folder: Path, serve: Serve
) -> None:
    serve(folder)
    assert body(client, "app.js").split("\n") == ["var htmx = 1;", "sse();", '(()=>{const e=alert;e("// stays")})()']


def test_what_comes_with_the_first_press_is_a_bundle_of_its_own(client: TestClient, folder: Path, serve: Serve) -> None:
    serve(folder)
    assert body(client, "acts.js") == '(()=>{const e=alert;e("edit"),e("key")})()'
    assert "edit" not in body(client, "app.js")


@pytest.mark.parametrize(
    ("loaded", "source", "call", "content"),
    [
        ("emoji.json", "emoji.json", "fetch", '["two"]'),
        # What a press needs more, made of a folder of its own.
        ("emoji.js", "js/emoji/emoji.js", "bring", "chat('laugh')"),
    ],
)
def test_what_a_script_loads_is_named_by_its_content(
    client: TestClient, folder: Path, serve: Serve, loaded: str, source: str, call: str, content: str
) -> None:
    (folder / "emoji.json").write_text('["one"]')
    (folder / "js/acts/smile.js").write_text(f"{call}('/static/{loaded}'); {call}('/static/none.json')")
    serve(folder)
    before = assets.url(loaded)
    assert f'{call}("{before}"),{call}("/static/none.json")' in body(client, "acts.js")
    assert client.get(before).headers["Cache-Control"] == assets.IMMUTABLE
    assert body(client, "emoji.js") == '(()=>{const e=alert;e("smile")})()'
    (folder / source).write_text(content)
    serve(folder)
    assert assets.url(loaded) != before
    assert assets.url(loaded) in body(client, "acts.js")


def test_names_of_our_script_are_shortened_but_none_that_others_know(
    client: TestClient, folder: Path, serve: Serve
) -> None:
    (folder / "js/log.js").write_text("on('swap', event => htmx.process(event.detail.task, { sourceElement: event }));")
    serve(folder)
    assert 'on("swap",e=>htmx.process(e.detail.task,{sourceElement:e}))' in body(client, "app.js")


def test_nothing_is_written_that_the_oldest_browsers_would_not_read(
    client: TestClient, folder: Path, serve: Serve
) -> None:
    """A shorter `??=` could stand in the place of the first, but is a year younger than what we write for."""
    (folder / "js/log.js").write_text("let a = f(); if (a == null) a = f(); a = a || f(); try { a() } catch (e) {}")
    serve(folder)
    assert "??=" not in body(client, "app.js")
    assert "||=" not in body(client, "app.js")


def test_what_can_not_be_minified_is_served_as_it_is_and_the_start_says_why(
    client: TestClient, folder: Path, serve: Serve
) -> None:
    (folder / "js/log.js").write_text("let 1 = chat;")
    serve(folder)
    assert "let 1 = chat;" in body(client, "app.js")
    assert ".account { color: red }" in body(client, "app.css")
    assert "unexpected 1" in assets.problem()


def test_without_the_minifier_everything_is_served_as_it_is_and_the_start_says_so(
    client: TestClient, folder: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(minifier, "find_spec", lambda name: None)
    serve(folder)
    assert body(client, "app.js").startswith("var htmx = 1;\nsse();\n(()=>{\n// why\n  const chat = alert;\n")
    assert body(client, "nojs.css") == ".script { display: none }"
    assert "tdewolff-minify is not installed" in assets.problem()


def test_served_styles_and_scripts_are_minified() -> None:
    assert assets.problem() == ""


def test_a_missing_script_stops_the_start_and_leaves_the_loaded_bundle(
    client: TestClient, folder: Path, serve: Serve
) -> None:
    serve(folder)
    (folder / "js/log.js").unlink()
    with pytest.raises(FileNotFoundError):
        serve(folder)
    assert "// stays" in body(client, "app.js")


def test_the_stylesheet_has_tokens_first_then_the_base_then_the_rest(
    client: TestClient, folder: Path, serve: Serve
) -> None:
    serve(folder)
    assert body(client, "app.css") == ":root{--ink:rgb(9 9 9)}body{margin:0}.account{color:red}"


def test_what_only_rooms_or_only_other_pages_need_is_a_bundle_of_its_own(
    client: TestClient, folder: Path, serve: Serve
) -> None:
    serve(folder)
    assert body(client, "room.css") == ".message{display:grid}"
    assert body(client, "card.css") == ".card{padding:1rem}"
    assert "card" not in body(client, "app.css")
    assert "message" not in body(client, "app.css")


def test_drawings_come_without_what_only_people_read_and_styles_name_them_by_what_is_served(
    client: TestClient, folder: Path, serve: Serve
) -> None:
    root = '<svg xmlns="http://www.w3.org/2000/svg">'
    (folder / "icons.svg").write_text(
        f'{root}\n<!-- why -->\n<symbol id="up"><path d="M 4 4 L 4 8"/></symbol>\n</svg>\n'
    )
    (folder / "css/room/message.css").write_text(".message { mask: url(icons.svg) }")
    serve(folder)
    assert body(client, "icons.svg") == f'{root}<symbol id="up"><path d="M4 4V8"/></symbol></svg>'
    name = assets.url("icons.svg").rpartition("/")[2]
    assert body(client, "room.css") == f".message{{mask:url({name})}}"


def test_a_stylesheet_for_one_kind_of_page_stands_alone(client: TestClient, folder: Path, serve: Serve) -> None:
    serve(folder)
    assert "display:none" in body(client, "nojs.css")
    assert "display:none" not in body(client, "app.css")


def test_the_favicon_is_found_where_browsers_look_for_it(client: TestClient) -> None:
    answer = client.get("/favicon.ico")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "image/svg+xml"
    assert "immutable" not in answer.headers["Cache-Control"]
    assert answer.text == body(client, "favicon.svg")


def test_the_manifest_names_icons_that_are_there_in_the_sizes_it_says(client: TestClient) -> None:
    answer = client.get("/manifest.webmanifest")
    assert answer.headers["Content-Type"] == "application/manifest+json"
    manifest = answer.json()
    assert manifest["name"] == "Parley"
    assert manifest["display"] == "standalone"
    assert {(icon["sizes"], icon["purpose"]) for icon in manifest["icons"]} == {
        ("192x192", "any"),
        ("512x512", "any"),
        ("512x512", "maskable"),
    }
    for icon in manifest["icons"]:
        picture = Image.open(io.BytesIO(client.get(icon["src"]).content))
        assert (picture.format, "{}x{}".format(*picture.size)) == ("PNG", icon["sizes"])


def test_the_colours_of_the_frame_are_those_of_the_page() -> None:
    papers = re.findall(r"--paper: (#\w+);", (assets.STATIC / "css/tokens.css").read_text())
    base = (assets.STATIC.parent / "templates/base.html").read_text()
    assert re.findall(r'name="theme-color" content="(#\w+)"', base) == papers


def test_who_chooses_light_or_dark_has_the_colours_of_such_a_system() -> None:
    tokens, chosen = [(assets.STATIC / "css" / name).read_text() for name in ("tokens.css", "only/appearance.css")]
    light, dark = [
        dict(re.findall(r"--([\w-]+): ([^;]+);", part))
        for part in tokens.split("--surface-low:")[0].split("@media")[:2]
    ]
    for theme, colours in {"light": light, "dark": dark}.items():
        block = re.search(rf":root\[data-theme={theme}\] {{\s*color-scheme: {theme};([^}}]*)}}", chosen)
        assert block
        assert dict(re.findall(r"--([\w-]+): ([^;]+);", block[1])) == colours


def test_every_class_with_a_style_is_given_somewhere() -> None:
    root = assets.STATIC.parent
    sheets = "\n".join(path.read_text() for path in assets.STATIC.rglob("*.css"))
    selectors = re.findall(r"([^{}]+){", re.sub(r"(?s)/\*.*?\*/|\[[^]]*]", "", sheets))
    styled = set(re.findall(r"\.([a-z][\w-]*)", " ".join(selectors)))
    assert "message--continues" in styled
    givers = [*root.glob("templates/**/*.html"), *root.glob("static/js/**/*.js"), *root.glob("webapp/**/*.py")]
    given = set(re.findall(r"[\w-]+", "\n".join(path.read_text() for path in givers)))
    # Of these a template says the end in an expression.
    assert sorted(name for name in styled - given if not re.fullmatch(r"hue-\d+|split--\w+", name)) == []


def test_every_property_that_a_style_reads_without_another_value_is_set_somewhere() -> None:
    root = assets.STATIC.parent
    setters = [*assets.STATIC.rglob("*.css"), *root.glob("templates/**/*"), *root.glob("webapp/messages/*.py")]
    text = "\n".join(path.read_text() for path in setters if path.is_file())
    read = set(re.findall(r"var\((--[\w-]+)\)", text))
    assert "--text-soft" in read
    assert sorted(read - set(re.findall(r"(--[\w-]+):", text))) == []


def test_what_a_program_writes_reads_no_property_as_its_name_may_not_be_served() -> None:
    programs = [path for path in (assets.STATIC.parent / "webapp").rglob("*.py") if path.name != "aliases.py"]
    assert [path.name for path in programs if "var(--" in path.read_text()] == []


def test_every_icon_that_a_template_names_is_drawn() -> None:
    drawn = set(re.findall(r'<symbol id="([\w-]+)"', (assets.STATIC / "icons.svg").read_text()))
    assert "send" in drawn
    for template in (assets.STATIC.parent / "templates").rglob("*.html"):
        named = re.findall(r"""icon = "([\w-]+)"|icons\.svg'\) }}#([\w-]+)""", template.read_text())
        assert {"".join(name) for name in named} <= drawn, template.name


@pytest.mark.parametrize(("name", "most"), [("app.js", SCRIPT_BYTES), *PRESSED_BYTES.items()])
def test_a_script_bundle_is_within_its_budget(client: TestClient, name: str, most: int) -> None:
    head = client.head(assets.url(name), headers={"Accept-Encoding": "br"})
    assert head.headers["Content-Encoding"] == "br"
    assert int(head.headers["Content-Length"]) <= most


def test_every_bundle_that_a_press_brings_has_a_budget() -> None:
    assert PRESSED_BYTES.keys() == assets.PRESSED.keys()


def test_our_script_does_nothing_that_the_content_security_policy_forbids() -> None:
    script = own_script()
    assert "addEventListener" in script
    for forbidden in (
        r"\beval\b",
        r"\bFunction\b",
        r"innerHTML",
        r"\.style\b",
        r"setTimeout\(\s*['\"]",
        r"https?://",
    ):
        assert not re.search(forbidden, script)


def test_our_script_has_nothing_that_its_minifier_gets_wrong() -> None:
    """`return void remove()` becomes `return 0[0]`, whatever remove() does; that is why others' comes as it is."""
    assert not re.search(r"\bvoid\b", own_script())


def test_our_script_leads_htmx_to_everything_that_it_has_to_do_with() -> None:
    """At the start htmx sees only what our script shows it (htmx:before:process); later it looks for itself."""
    shown = set(re.findall(r"\[(hx-[\w\\:-]+)\]", own_script()))
    acting = r"hx-(?:get|post|put|patch|delete|query|action|boost|on|sse:connect)(?=[=:\s])"
    templates = (assets.STATIC.parent / "templates").rglob("*.html")
    used = {name for template in templates for name in re.findall(acting, template.read_text())}
    assert used == {name.replace("\\", "") for name in shown}


def test_the_vendored_scripts_say_what_they_are_and_ask_for_no_source_map() -> None:
    vendor = assets.STATIC / "vendor"
    version = (vendor / "VERSION").read_text()
    for script in sorted(vendor.glob("*.js")):
        assert f"{hashlib.sha256(script.read_bytes()).hexdigest()}  {script.name}" in version
        assert "sourceMappingURL" not in script.read_text()
    assert "htmx.org 4.0.1" in version
    assert 'version="4.0.1"' in (vendor / "htmx.min.js").read_text()
    assert "Zero-Clause BSD" in (vendor / "LICENSE").read_text()


def test_a_name_that_only_stands_for_another_or_for_something_shorter_is_not_served() -> None:
    root = "--paper:#fff;--soft:#eee;--surface:var(--paper);--text:var(--ink);--well:var(--soft);--ink:#000"
    sheets = {
        "app.css": f":root{{{root}}}@media(pointer:coarse){{:root{{--ink:#fff;--paper:#000}}}}:root{{--gap:1rem}}",
        "room.css": ".log{background:var(--surface,red);color:var(--text);gap:var(--gap)calc(var(--gap)/2)}"
        ".message{--soft:var(--well);--surfaces:1}",
        "card.css": ".card{--gap-more:var(--gap)}",
    }
    assert aliases.resolve(sheets, ".own{color:var(--text)}") == {
        "app.css": ":root{--paper:#fff;--soft:#eee;--text:var(--ink);--well:var(--soft);--ink:#000}"
        "@media(pointer:coarse){:root{--ink:#fff;--paper:#000}}:root{}",
        "room.css": ".log{background:var(--paper,red);color:var(--ink);gap:1rem calc(1rem/2)}"
        ".message{--soft:var(--well);--surfaces:1}",
        "card.css": ".card{--gap-more:1rem}",
    }


def test_a_style_that_varies_or_has_a_substitute_is_read_by_its_name() -> None:
    sheets = {
        "app.css": ":root{--size:1rem;--hue:6;--press:2rem}@media(pointer:coarse){:root{--press:3rem}}",
        "room.css": ".face{--size:2rem;inline-size:var(--size);color:hsl(var(--hue,190) 0 0);block-size:var(--press)}",
    }
    assert aliases.resolve(sheets, "") == sheets
