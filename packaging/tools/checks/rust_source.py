"""Reads Rust source as far as the checks need it: what is code, comment or string, which items are tests, which
functions and types there are.

This is not a parser. It knows comments (nested ones too), strings (raw ones too), characters and lifetimes, and matches
brackets. What a macro generates is invisible to it.
"""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

TOKEN = re.compile(
    r"""
    (?P<doc>     //(?:/(?!/)|!)[^\n]* | /\*(?:\*(?![*/])|!) )
  | (?P<comment> //[^\n]* | /\* )
  | (?P<raw>     (?<!\w) [bc]? r (?P<hashes>\#*) " .*? " (?P=hashes) )
  | (?P<string>  (?:(?<!\w)[bc])? " (?: [^"\\] | \\. )* " )
  | (?P<char>    (?:(?<!\w)b)? ' (?: [^'\\\n] | \\ (?: u\{[0-9a-fA-F_]+\} | x[0-9a-fA-F]{2} | . ) ) ' )
    """,
    re.VERBOSE | re.DOTALL,
)
ATTRIBUTE = re.compile(r"\s*#\[")
USE_ITEM = re.compile(r"(?:pub\b[^;{]*?\s)?use\b")
BLOCK_COMMENT_EDGE = re.compile(r"/\*|\*/")
TEST_ATTRIBUTE = re.compile(r"#\[\s*(?:cfg\s*\(\s*(?:all\s*\(\s*)?test\b|test\s*\])")
ITEM_KEYWORD = re.compile(
    r"(?:pub|unsafe|async|const|extern|static|use|fn|mod|impl|struct|enum|trait|type|macro_rules)\b"
)
CLOSING = {"(": ")", "[": "]", "{": "}", "<": ">"}


@dataclass(frozen=True)
class Token:
    """A comment or a literal. `kind` is `doc`, `comment`, `string` or `char`."""

    kind: str
    start: int
    end: int


@dataclass(frozen=True)
class Function:
    """A function with its body. `parameters` are the texts between its commas, without `self`."""

    name: str
    start: int
    end: int
    parameters: tuple[str, ...]


@dataclass
class Source:
    """One file. `module` is its place in the crate: `("sys", "rbd")` for src/sys/rbd.rs and src/sys/rbd/mod.rs."""

    path: str
    text: str
    module: tuple[str, ...]
    is_test: bool = field(default=False)

    @cached_property
    def tokens(self) -> list[Token]:
        return list(scan(self.text))

    @cached_property
    def code(self) -> str:
        """The text with comments and literals blanked. Positions and lines stay the same."""
        return blank(self.text, [(token.start, token.end) for token in self.tokens])

    @cached_property
    def test_spans(self) -> list[tuple[int, int]]:
        """Where test items stand; the whole file if it is a test."""
        return [(0, len(self.text))] if self.is_test else list(test_items(self.code))

    @cached_property
    def program(self) -> str:
        """The code without its tests."""
        return blank(self.code, self.test_spans)

    def in_tests(self, position: int) -> bool:
        return any(start <= position < end for start, end in self.test_spans)


def scan(text: str) -> Iterator[Token]:
    """Finds comments and literals."""
    position = 0
    while match := TOKEN.search(text, position):
        position = block_comment_end(text, match.start()) if match[0].startswith("/*") else match.end()
        kind = "string" if match.lastgroup == "raw" else match.lastgroup or ""
        yield Token(kind, match.start(), position)


def block_comment_end(text: str, start: int) -> int:
    depth = 0
    for edge in BLOCK_COMMENT_EDGE.finditer(text, start):
        depth += 1 if edge[0] == "/*" else -1
        if depth == 0:
            return edge.end()
    return len(text)


def blank(text: str, spans: list[tuple[int, int]]) -> str:
    """The text with blanks in these places; line ends are kept."""
    parts, position = [], 0
    for start, end in spans:
        parts.append(text[position:start])
        parts.append(re.sub(r"[^\n]", " ", text[start:end]))
        position = end
    return "".join([*parts, text[position:]])


def closing(code: str, opening: int) -> int:
    """The position of the bracket that closes the one at `opening`; the end of the code if there is none."""
    open_, close = code[opening], CLOSING[code[opening]]
    depth = 0
    for match in re.compile("[" + re.escape(open_ + close) + "]").finditer(code, opening):
        if close == ">" and code[match.start() - 1] in "-=" and match[0] == ">":
            continue
        depth += 1 if match[0] == open_ else -1
        if depth == 0:
            return match.start()
    return len(code)


def item_end(code: str, start: int) -> int:
    """Where the item that begins at `start` ends. Its attributes may come first."""
    while attribute := ATTRIBUTE.match(code, start):
        start = closing(code, attribute.end() - 1) + 1
    while code[start : start + 1].isspace():
        start += 1
    is_use = USE_ITEM.match(code, start)
    stops = "([{;}" if ITEM_KEYWORD.match(code, start) else "([{;},"
    position = start
    while position < len(code):
        char = code[position]
        if char in "([{" and char in stops:
            end = closing(code, position)
            if char == "{" and not is_use:
                return end + 1
            position = end
        elif char in stops:
            return position if char == "}" else position + 1
        position += 1
    return len(code)


def test_items(code: str) -> Iterator[tuple[int, int]]:
    """The items that are compiled for tests only."""
    position = 0
    while match := TEST_ATTRIBUTE.search(code, position):
        position = item_end(code, match.start())
        yield match.start(), position


def split_list(text: str) -> list[str]:
    """Splits at the commas that stand in no bracket."""
    parts, depth, begin = [], 0, 0
    for position, char in enumerate(text):
        if char in "([{<":
            depth += 1
        elif char in ")]}" or (char == ">" and text[position - 1] not in "-="):
            depth -= 1
        elif char == "," and depth == 0:
            parts.append(text[begin:position].strip())
            begin = position + 1
    return [part for part in [*parts, text[begin:].strip()] if part]


def functions(code: str) -> Iterator[Function]:
    """The functions that have a body, nested ones too."""
    for match in re.finditer(r"\bfn\s+(\w+)\s*", code):
        opening = match.end()
        if code[opening] == "<":
            opening = code.index("(", closing(code, opening))
        last = closing(code, opening)
        body = last + 1
        while body < len(code) and code[body] not in "{;":
            body = closing(code, body) + 1 if code[body] in "([" else body + 1
        if body < len(code) and code[body] == "{":
            parameters = split_list(code[opening + 1 : last])
            others = tuple(part for part in parameters if not re.match(r"(?:&\s*(?:'\w+\s+)?)?(?:mut\s+)?self\b", part))
            yield Function(match[1], match.start(), closing(code, body) + 1, others)


def crate_sources(root: Path) -> list[Source]:
    """The files of the main crate, which is all of src/ but the other crates of the workspace."""
    manifest = tomllib.loads((root / "Cargo.toml").read_text())
    members = [root / member for member in manifest.get("workspace", {}).get("members", []) if member != "."]
    sources = []
    for path in sorted((root / "src").rglob("*.rs")):
        if not any(path.is_relative_to(member) for member in members):
            place = path.relative_to(root / "src").with_suffix("").parts
            module = place[:-1] if place[-1] == "mod" or place == ("main",) else place
            sources.append(Source(path.relative_to(root).as_posix(), path.read_text(), module))
    mark_tests(sources)
    return sources


def mark_tests(sources: list[Source]) -> None:
    """A file is a test if it, or a module that it is in, is declared for tests only: `#[cfg(test)] mod tests;`."""
    declared: set[tuple[str, ...]] = set()
    for source in sources:
        for start, end in test_items(source.code):
            names = re.findall(r"\bmod\s+(\w+)\s*;", source.code[start:end])
            declared.update((*source.module, name) for name in names)
    for source in sources:
        if any(source.module[: len(module)] == module for module in declared):
            source.is_test = True
