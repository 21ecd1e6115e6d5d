"""
Draws the icons of static/icons/ from static/favicon.svg; to be run again when the mark changes.

    python -m tests.icons
"""

import io
import re

from PIL import Image
from playwright.sync_api import sync_playwright

from tests.servers import ROOT, chromium

PAPER = "#fdfbf8"
# What a launcher cuts off at most is a fifth on each side of a maskable icon.
ICONS = {
    "mark-192": (192, "0", "transparent"),
    "mark-512": (512, "0", "transparent"),
    "maskable-512": (512, "22%", PAPER),
    "touch-180": (180, "16%", PAPER),
}


def main() -> None:
    mark = re.sub(r"<!--.*?-->", "", (ROOT / "static/favicon.svg").read_text())
    folder = ROOT / "static/icons"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        for name, (size, margin, paper) in ICONS.items():
            page = browser.new_page(viewport={"width": size, "height": size})
            style = f"margin:0;box-sizing:border-box;height:100vh;padding:{margin};background:{paper}"
            page.set_content(f'<body style="{style}">{mark.replace("<svg ", "<svg style=display:block ")}')
            picture = Image.open(io.BytesIO(page.screenshot(omit_background=True)))
            # Two colours and their edges: a palette is a third of the bytes.
            picture.quantize(48, method=Image.Quantize.FASTOCTREE).save(folder / f"{name}.png", optimize=True)
        browser.close()


if __name__ == "__main__":
    main()
