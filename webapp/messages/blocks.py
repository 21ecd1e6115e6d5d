"""What the lines of a message are together: paragraphs, fences, quotes and lists."""

import re
import sys
from html import escape

from webapp.core import text
from webapp.messages.inline import NO_NAMES, Names, inline

# Quotes and lists in each other. More would leave no room for words on a phone, and is shown as it was typed.
DEEPEST = 5

# The first sign of a line that may be more than the line of a paragraph.
_BEGINS = re.compile(r"\s*(```|>|\\?[*+0-9-])")
_FENCE = re.compile(r" {0,3}(`{3,})(.*)")
_LANGUAGE = re.compile(r"[^\W_][\w+#.-]{0,29}")
_QUOTE = re.compile(r" {0,3}>(?:[ \t]|(?=[^\W\d_]))")
_QUOTED_BLANK = re.compile(r" {0,3}>$")
_ESCAPED_QUOTE = re.compile(r"( {0,3})\\(>(?:[ \t]|[^\W\d_]).*)")
# An item has more than signs: "- - -" is a line.
_ITEM = re.compile(r"([ \t]*)(\\?)(?:([*+-])|(0|[1-9]\d?)(\\?)\.)[ \t]+(?=.*[^\s*+>=_-])(.+)")


class Blocks:
    """The blocks of some lines: paragraphs, fences, quotes and lists."""

    def __init__(self, lines: list[str], depth: int = 0, fewest: int = 2, names: Names = NO_NAMES) -> None:
        self.lines, self.depth, self.fewest, self.names = lines, depth, fewest, names
        self.blocks: list[str] = []
        self.paragraph: list[str] = []
        # From here on quotes and lists are looked for: what was none is not looked at again from its second line.
        self.quotes_from = self.lists_from = 0
        # As many backticks, or more, are not closed in what follows.
        self.unclosed = sys.maxsize

    def html(self) -> list[str]:
        at = 0
        while at < len(self.lines):
            line = self.lines[at]
            if not line.strip():
                self._end_paragraph()
                at += 1
            elif (found := _BEGINS.match(line)) and (end := self._block(found[1], at)):
                at = end
            else:
                line = self.lines[at]
                self.paragraph.append(_ESCAPED_QUOTE.sub(r"\1\2", line) if "\\>" in line else line)
                at += 1
        self._end_paragraph()
        return self.blocks

    def _block(self, sign: str, at: int) -> int:
        """Add the block that begins with that sign in that line, and return where the next one begins; 0 for none."""
        if sign == "```":
            return self._fence(at)
        return self._quote(at) if sign == ">" else self._list(at)

    def _end_paragraph(self) -> None:
        if self.paragraph:
            lines = inline("\n".join(self.paragraph), names=self.names)
            self.blocks.append(f"<p>{broken(lines)}</p>")
            self.paragraph = []

    def _add(self, block: str) -> None:
        self._end_paragraph()
        self.blocks.append(block)

    def _fence(self, at: int) -> int:
        found = _FENCE.match(self.lines[at])
        if not found or found[1] in found[2] or len(found[1]) >= self.unclosed:
            return 0
        fence, info = found[1], found[2].strip()
        for end in range(at + 1, len(self.lines)):
            if closing := _closing(self.lines[end], fence):
                break
        else:
            self.unclosed = len(fence)
            return 0
        last, after = closing
        code = self.lines[at + 1 : end] + [last] * bool(last)
        if info and not (_LANGUAGE.fullmatch(info) and text.has_visible("".join(code))):
            code.insert(0, found[2].removeprefix(" "))
        if not text.has_visible("".join(code)):
            return 0
        lines = escape("\n".join([*code, ""]), quote=False)
        self._add(f"<pre><code>{lines}</code></pre>")
        if after:
            self.lines[end] = after
            return end
        return end + 1

    def _quote(self, at: int) -> int:
        if self.depth == DEEPEST or at < self.quotes_from or not _QUOTE.match(self.lines[at]):
            return 0
        end, quoted = at, []
        while end < len(self.lines):
            if not (found := _QUOTE.match(self.lines[end]) or _QUOTED_BLANK.match(self.lines[end])):
                break
            quoted.append(self.lines[end][found.end() :])
            end += 1
        self.quotes_from = end
        if not text.has_visible("".join(quoted).replace(">", "")):
            return 0
        inner = "\n".join(Blocks(quoted, self.depth + 1, names=self.names).html())
        self._add(f"<blockquote>\n{inner}\n</blockquote>")
        return end

    def _list(self, at: int) -> int:
        first = _ITEM.match(self.lines[at])
        if self.depth == DEEPEST or at < self.lists_from or not first:
            return 0
        items, end = self._items(at, first)
        numbers = [int(found[4] or 0) for _, found, _ in items]
        counts = not first[4] or numbers == list(range(numbers[0], numbers[0] + len(items)))
        # "- 5 °C" is a temperature.
        is_signed = first[3] in ("-", "+") and all(found[6][0].isdigit() for _, found, _ in items)
        self.lists_from = end
        if len(items) < self.fewest or not counts or is_signed:
            return 0
        if any(found[2] or found[5] for _, found, _ in items):
            for place, found, _ in items:
                self.lines[place] = self.lines[place].replace("\\", "", bool(found[2] or found[5]))
            return 0
        tag = "ol" if first[4] else "ul"
        start = f' start="{numbers[0]}"' if numbers[0] > 1 or first[4] == "0" else ""
        inner = "".join(f"<li>{self._item(found[6], more)}</li>\n" for _, found, more in items)
        self._add(f"<{tag}{start}>\n{inner}</{tag}>")
        return end

    def _items(self, at: int, first: re.Match[str]) -> tuple[list[tuple[int, re.Match[str], list[str]]], int]:
        """The items of a list, each with its place, its first line and those below it; and where the list ends."""
        indent, items, end = _indent(first[0]), list[tuple[int, re.Match[str], list[str]]](), at
        while end < len(self.lines):
            line = self.lines[end]
            found = _ITEM.match(line)
            if found and found[3] == first[3] and abs(_indent(line) - indent) < 2:
                items.append((end, found, []))
            elif not line.strip() and self._goes_on(end, first, indent):
                items[-1][2].append("")
            elif line.strip() and _indent(line) > indent:
                width = items[-1][1].start(6)
                items[-1][2].append(line[min(width, _indent(line)) :])
            else:
                break
            end += 1
        return items, end

    def _goes_on(self, at: int, first: re.Match[str], indent: int) -> bool:
        """Whether a blank line is followed by more of the list."""
        line = next((line for line in self.lines[at : at + 4] if line.strip()), "")
        found = _ITEM.match(line)
        return bool(found and found[3] == first[3] and abs(_indent(line) - indent) < 2) or _indent(line) > indent + 1

    def _item(self, line: str, more: list[str]) -> str:
        blocks = Blocks([line, *more], self.depth + 1, fewest=1, names=self.names).html()
        # A paragraph only where its blanks count, with them; text browsers have an empty line after each.
        if blocks[0].startswith("<p>") and not re.search(r"\t|  ", blocks[0]):
            blocks[0] = blocks[0].removeprefix("<p>").removesuffix("</p>")
        return "\n".join(blocks)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _closing(line: str, fence: str) -> tuple[str, str] | None:
    """The last of the code and what comes after it, when this line closes the fence."""
    if line.endswith(fence):
        return line.rstrip("`"), ""
    ticks = line.lstrip()
    after = ticks.lstrip("`")
    if len(ticks) - len(after) >= len(fence) and after[:1].isspace():
        return "", after.lstrip()
    return None


def broken(html: str) -> str:
    return html.replace("\n", "<br>\n")
