"""Reads Markdown: what is code, and what is prose. Code spans may reach across line ends, but not across paragraphs."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from . import line_of
from .rust_source import blank

FENCED_BLOCK = re.compile(r"^ {0,3}(```|~~~).*?(?:^ {0,3}\1[ \t]*$|\Z)", re.MULTILINE | re.DOTALL)
INDENTED_LINE = re.compile(r"^(?: {4}|\t)[ \t]*\S.*$", re.MULTILINE)
CODE_SPAN = re.compile(r"(?<!`)(`+)(?!`)((?:(?!\n[ \t]*\n).)+?)(?<!`)\1(?!`)", re.DOTALL)


@dataclass(frozen=True)
class Code:
    """A code span, or a line of a code block."""

    line: int
    text: str


def code(text: str) -> Iterator[Code]:
    """Code spans, and the lines of code blocks, which are fenced or indented by four blanks."""
    blocks = [match.span() for match in FENCED_BLOCK.finditer(text)]
    blocks += [match.span() for match in INDENTED_LINE.finditer(blank(text, blocks))]
    for start, end in sorted(blocks):
        for offset, line in enumerate(text[start:end].split("\n")):
            yield Code(line_of(text, start) + offset, line.strip())
    for span in CODE_SPAN.finditer(blank(text, sorted(blocks))):
        yield Code(line_of(text, span.start()), " ".join(span[2].split()))


def without_fenced_blocks(text: str) -> str:
    """The text with blanks where fenced blocks are; positions stay the same."""
    return blank(text, [match.span() for match in FENCED_BLOCK.finditer(text)])


def code_spans(text: str) -> list[tuple[int, int]]:
    """Where code spans are, also in indented lines, which are code only where no list goes on."""
    return [match.span() for match in CODE_SPAN.finditer(without_fenced_blocks(text))]
