"""Reads manual pages in man(7): sections, and the items that `.TP` makes, as plain text."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ESCAPES = [
    (re.compile(r'\\".*'), ""),
    (re.compile(r"\\f(?:\(..|\[[^\]]*\]|.)"), ""),
    (re.compile(r"\\[&|^%/,]"), ""),
    (re.compile(r"\\-"), "-"),
    (re.compile(r"\\\(aq"), "'"),
    (re.compile(r"\\\(dq"), '"'),
    (re.compile(r"\\[ ~0]"), " "),
    (re.compile(r"\\e"), r"\\"),
]
ARGUMENT = re.compile(r'"((?:[^"]|"")*)"|(\S+)')
FONTS = ("B", "I")
ALTERNATING = ("BR", "RB", "BI", "IB", "IR", "RI", "MR")


@dataclass
class Line:
    """A line of the page: its request (`TP`, `B`; empty for text), and what it prints."""

    number: int
    request: str
    text: str


@dataclass
class Item:
    """What `.TP` makes: a tag, which may have several lines (`.TQ`), and the text below it."""

    section: str
    line: int
    tag: str
    text: str = ""


def plain(text: str) -> str:
    """Without escapes: what a reader sees."""
    for pattern, replacement in ESCAPES:
        text = pattern.sub(replacement, text)
    return text


def lines(path: Path) -> Iterator[Line]:
    """The lines of the page as a reader sees them."""
    for number, raw in enumerate(path.read_text().splitlines(), 1):
        request = re.match(r"[.']\s*([A-Za-z\\\"]+)\s*(.*)", raw)
        if not request:
            yield Line(number, "", plain(raw))
            continue
        arguments = [quoted.replace('""', '"') or bare for quoted, bare in ARGUMENT.findall(request[2])]
        between = "" if request[1] in ALTERNATING else " "
        yield Line(number, request[1], plain(between.join(arguments)))


def items(path: Path) -> list[Item]:
    """The items of the page in their order."""
    found: list[Item] = []
    section = ""
    state = "outside"
    for line in lines(path):
        if line.request in ("SH", "SS"):
            section, state = line.text, "outside"
        elif line.request == "TP":
            found.append(Item(section, line.number + 1, ""))
            state = "tag"
        elif line.request == "TQ" and found:
            state = "more tags"
        elif line.request in ("PP", "P", "LP", "IP"):
            state = "outside"
        elif line.text and (not line.request or line.request in FONTS + ALTERNATING):
            if state == "tag":
                found[-1].tag = line.text
            elif state == "more tags":
                found[-1].tag += f", {line.text}"
            elif state == "inside":
                found[-1].text += f" {line.text}"
            state = "inside" if state in ("tag", "more tags") else state
    return found
