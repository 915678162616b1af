"""Which file of the crate imports which.

An import is a `use` declaration or a path in the code (`crate::a::f()`, `super::f()`, `child::f()`) that leads into
another file. It counts for the deepest module on its way that is a file. `mod child;` is no import, and neither is
what tests use.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from . import line_of
from .rust_source import Source, blank, closing

Module = tuple[str, ...]

USE = re.compile(r"\buse\s+([^;]+);")
USE_PART = re.compile(r"\bas\s+(?P<alias>\w+)|(?P<name>\w+|\*)|(?P<bracket>[{},])")
INLINE_MODULE = re.compile(r"\bmod\s+(\w+)\s*\{")
CODE_PATH = re.compile(r"(?<![\w:])[a-z_]\w*(?:\s*::\s*\w+)+")
VISIBILITY = re.compile(r"\bpub\s*\(\s*in\b[^)]*\)")


@dataclass(frozen=True)
class Import:
    """A file of the module `source` imports the file of the module `target`, on this line of `path`."""

    source: Module
    target: Module
    path: str
    line: int


@dataclass(frozen=True)
class UsedPath:
    """One path of a `use` declaration or of the code, and the name that it gets in this file."""

    segments: tuple[str, ...]
    name: str
    position: int


def use_paths(tree: str, start: int) -> Iterator[UsedPath]:
    """The paths of a `use` tree, such as `crate::{a, b::{self, C as D}}`. `start` is the position of the tree."""
    prefixes: list[list[str]] = []
    path: list[str] = []
    leaf: UsedPath | None = None
    for part in USE_PART.finditer(tree):
        if part["alias"] and leaf:
            leaf = UsedPath(leaf.segments, part["alias"], leaf.position)
        elif part["name"]:
            path = [*path, part["name"]]
            known = path[:-1] if path[-1] in ("self", "*") and len(path) > 1 else path
            leaf = UsedPath(tuple(known), known[-1], start + part.start())
        elif part["bracket"] == "{":
            prefixes.append(path)
            leaf = None
        else:
            if leaf:
                yield leaf
            leaf = None
            path = prefixes[-1] if part["bracket"] == "," and prefixes else []
            if part["bracket"] == "}" and prefixes:
                prefixes.pop()
    if leaf:
        yield leaf


def code_paths(code: str) -> Iterator[UsedPath]:
    """The paths in the code outside `use` declarations."""
    for match in CODE_PATH.finditer(code):
        segments = tuple(re.findall(r"\w+", match[0]))
        yield UsedPath(segments, segments[-1], match.start())


class Resolver:
    """Finds the module that a path leads to, from one file."""

    def __init__(self, source: Source, code: str, files: dict[Module, str]) -> None:
        self.files = files
        self.names: dict[str, Module] = {}
        self.module = source.module
        self.inline = [
            (match[1], match.start(), closing(code, match.end() - 1)) for match in INLINE_MODULE.finditer(code)
        ]

    def learn(self, used: UsedPath) -> None:
        """Remembers the name of a module that a `use` declaration brings in."""
        target = self._module(used)
        if target is not None and target in self.files:
            self.names[used.name] = target

    def file(self, used: UsedPath) -> Module | None:
        """The module whose file the path leads to; nothing if it leads out of the crate."""
        target = self._module(used)
        while target is not None and target not in self.files:
            target = target[:-1] if target else None
        return target

    def _module(self, used: UsedPath) -> Module | None:
        """The path from the root of the crate, with everything that it names."""
        here = (*self.module, *(name for name, start, end in self.inline if start < used.position < end))
        first, rest = used.segments[0], used.segments[1:]
        if first == "crate":
            return rest
        if first in ("self", "super"):
            base = here if first == "self" else here[:-1]
            while rest and rest[0] == "super":
                base, rest = base[:-1], rest[1:]
            return base + rest
        if first in self.names:
            return self.names[first] + rest
        return (*here, *used.segments) if (*here, first) in self.files else None


def imports_of(source: Source, files: dict[Module, str]) -> Iterator[Import]:
    """The imports of one file."""
    code = VISIBILITY.sub(lambda match: " " * len(match[0]), source.program)
    resolver = Resolver(source, code, files)
    uses = list(USE.finditer(code))
    used = [path for use in uses for path in use_paths(use[1], use.start(1))]
    for path in used:
        resolver.learn(path)
    used.extend(code_paths(blank(code, [use.span() for use in uses])))
    for path in used:
        target = resolver.file(path)
        if target is not None and target != source.module:
            yield Import(source.module, target, source.path, line_of(code, path.position))


def crate_imports(sources: list[Source]) -> list[Import]:
    """The imports of all files that are no tests."""
    program = [source for source in sources if not source.is_test]
    files = {source.module: source.path for source in program}
    return [found for source in program for found in imports_of(source, files)]
