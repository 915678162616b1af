"""The English of a file, for looking up words: everything else is replaced, and positions stay the same.

A blank stands for what only separates words (the marks of comments, requests and escapes of roff), `¤` for what is no
English (code, code spans, what a format string inserts). So a phrase is found across line ends, but not across code.
"""

import re
from pathlib import Path

from . import markdown
from .rust_source import scan

NO_ENGLISH = "¤"

CODE_SPAN = re.compile(r"(`+)[^`\n]+\1")
INSERTED = re.compile(r"\{[\w.:?#<>^+$]*\}")
COMMENT_MARK = re.compile(r"^[ \t]*(?:///?|//!|/?\*+/?|#+|;+)", re.MULTILINE)
RUST_COMMENT_MARK = re.compile(r"^\s*(?://[/!]?|/?\*+)", re.MULTILINE)
ROFF_REQUEST = re.compile(r"^[.'][ \t]*[A-Za-z]+", re.MULTILINE)
ROFF_ESCAPE = re.compile(r"\\f(?:\(..|\[[^\]]*\]|.)|\\[&|^%]")
ESCAPED = re.compile(r"\\(?:[nrt]|(?=\n))")


def mask(text: str, pattern: re.Pattern[str], with_: str) -> str:
    """Replaces what the pattern finds, but not the line ends in it."""
    return pattern.sub(lambda match: re.sub(r"[^\n]", with_, match[0]), text)


def rust(text: str) -> str:
    """Comments and strings, the tests' too. Between the lines of a comment there are only blanks."""
    parts = []
    position = 0
    for token in scan(text):
        parts.append(re.sub(r"\S", NO_ENGLISH, text[position : token.start]))
        english = text[token.start : token.end]
        if token.kind in ("comment", "doc"):
            english = mask(mask(english, RUST_COMMENT_MARK, " "), CODE_SPAN, NO_ENGLISH)
        else:
            english = mask(mask(english, INSERTED, NO_ENGLISH), ESCAPED, " ")
        parts.append(english)
        position = token.end
    return "".join([*parts, re.sub(r"\S", NO_ENGLISH, text[position:])])


def roff(text: str) -> str:
    """A manual page without its requests and fonts."""
    return mask(mask(text, ROFF_REQUEST, " "), ROFF_ESCAPE, " ")


def document(text: str) -> str:
    """Markdown without code spans, which may show what nobody should write."""
    for start, end in markdown.code_spans(text):
        text = text[:start] + re.sub(r"[^\n]", NO_ENGLISH, text[start:end]) + text[end:]
    return text


def plain(text: str) -> str:
    """Scripts, units and other files with comments that begin a line: read as a whole, code too."""
    return mask(mask(text, COMMENT_MARK, " "), CODE_SPAN, NO_ENGLISH)


def english(path: Path, text: str) -> str:
    """The English of this file, by the kind of file that it is."""
    if path.suffix == ".rs":
        return rust(text)
    if path.suffix == ".md":
        return document(text)
    return roff(text) if re.fullmatch(r"\.\d", path.suffix) else plain(text)
