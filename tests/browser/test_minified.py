"""What is served is smaller than what is written, and says the same to a browser."""

import re

import pytest
from playwright.sync_api import Browser

from webapp.http import assets

# Every rule, and what it makes of an element with the variables of our pages. There is more than one way to write it.
READ = """texts => {
    const element = document.body.appendChild(document.createElement("div")), kept = [];
    const read = (rules, around) => [...rules].forEach(rule => {
        const name = around + (rule.selectorText || rule.conditionText || rule.keyText || rule.name || rule.cssText);
        if (rule.style && (rule.selectorText || rule.keyText)) {
            element.style.cssText = rule.style.cssText;
            kept.push(name + " " + [...element.computedStyleMap()].map(pair => pair.join(":")).join(";"));
        } else kept.push(name);
        if (rule.cssRules) read(rule.cssRules, name + " ");
    });
    const sheets = texts.map(text => {
        const sheet = new CSSStyleSheet();
        sheet.replaceSync(text);
        return sheet;
    });
    document.adoptedStyleSheets = [sheets[0]];
    read(sheets[1].cssRules, "");
    element.remove();
    return kept;
}"""
# Nothing is nothing in whatever unit, a condition is kept with its space or without, and an address has its digest.
SAME = re.compile(r"(?<![\w.])(?:0px|0%)|(?<=:) |\.[0-9a-f]{10}(?=\.)")
TOKENS = (assets.STATIC / "css/tokens.css").read_text()
FILES = {
    name: [sheet for folder in folders for sheet in sorted((assets.STATIC / folder).glob("*.css"))]
    for name, folders in assets.STYLES.items()
}
FILES |= {path.name: [path] for path in (assets.STATIC / "css/only").glob("*.css")}


@pytest.mark.parametrize("name", FILES)
def test_minified_styles_do_the_same_in_a_browser(browser: Browser, name: str) -> None:
    page = browser.new_page()

    def rules(text: str) -> list[str]:
        return sorted(SAME.sub("", rule) for rule in page.evaluate(READ, [TOKENS, text]))

    written = rules("\n".join(file.read_text() for file in FILES[name]))
    assert len(written) > 1
    assert rules(assets.SERVED.files[name].content.decode()) == written
    page.close()
