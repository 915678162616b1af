"""How long files and functions are, how many comments explain the code, and what stands at the top of src/."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from . import Violation, line_of
from .rust_source import Source, blank, functions


@dataclass(frozen=True)
class Limits:
    """The numbers are named and explained in check-structure."""

    top_entries: int
    file_lines: int
    long_file_lines: int
    long_files: int
    function_lines: int
    function_lines_90: int
    comments_per_100: float


@dataclass(frozen=True)
class Length:
    """A function's length in lines, from `fn` to its closing brace."""

    lines: int
    path: str
    line: int
    name: str
    is_test: bool


def percentile(lengths: list[Length], share: float) -> int:
    """The least length that this share of the functions does not exceed."""
    ordered = sorted(length.lines for length in lengths)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else 0


def function_lengths(sources: list[Source]) -> list[Length]:
    """The lengths of all functions, those of tests too."""
    lengths = []
    for source in sources:
        for found in functions(source.code):
            lines = source.code.count("\n", found.start, found.end) + 1
            start = line_of(source.code, found.start)
            lengths.append(Length(lines, source.path, start, found.name, source.in_tests(found.start)))
    return lengths


def check_top(root: Path, limits: Limits) -> Iterator[Violation]:
    """Too many entries in the listing of src/ tell a newcomer nothing."""
    entries = sorted(path.name for path in (root / "src").iterdir() if not path.name.startswith("."))
    print(f"src/: {len(entries)} entries, at most {limits.top_entries}")
    if len(entries) > limits.top_entries:
        yield Violation("src", 1, f"{len(entries)} entries at the top of src/, at most {limits.top_entries}")


def check_files(sources: list[Source], limits: Limits) -> Iterator[Violation]:
    """No file over the limit, and only a few that are nearly as long."""
    by_length = sorted(((source.text.count("\n"), source.path) for source in sources), reverse=True)
    long_files = [(lines, path) for lines, path in by_length if lines > limits.long_file_lines]
    largest = ", ".join(f"{path} {lines}" for lines, path in by_length[:5])
    print(f"files: {len(by_length)}, {len(long_files)} over {limits.long_file_lines} lines; the largest: {largest}")
    for lines, path in by_length:
        if lines > limits.file_lines:
            yield Violation(path, limits.file_lines + 1, f"the file has {lines} lines, at most {limits.file_lines}")
    for lines, path in long_files if len(long_files) > limits.long_files else []:
        sentence = (
            f"one of {len(long_files)} files over {limits.long_file_lines} lines ({lines}), at most {limits.long_files}"
        )
        yield Violation(path, limits.long_file_lines + 1, sentence)


def check_functions(sources: list[Source], limits: Limits) -> Iterator[Violation]:
    """The maximum counts for all functions, the percentile for those that are no tests."""
    lengths = function_lengths(sources)
    program = [length for length in lengths if not length.is_test]
    half, most = percentile(program, 0.5), percentile(program, 0.9)
    longest = max(lengths, key=lambda length: length.lines, default=Length(0, "src", 1, "", False))
    print(
        f"functions: {len(program)}, and {len(lengths) - len(program)} in tests; lines, without tests: "
        f"50 % at most {half}, 90 % at most {most}; the longest: {longest.name} {longest.lines} "
        f"({longest.path}:{longest.line})"
    )
    for length in lengths:
        if length.lines > limits.function_lines:
            sentence = f"{length.name} has {length.lines} lines, at most {limits.function_lines}"
            yield Violation(length.path, length.line, sentence)
    if most > limits.function_lines_90:
        sentence = f"90 % of the functions have at most {most} lines; this may be {limits.function_lines_90}"
        yield Violation("src", 1, sentence)


def check_comments(sources: list[Source], limits: Limits) -> Iterator[Violation]:
    """Lines of `//` that say why, for each hundred lines of code; documentation (`///`, `//!`) does not count."""
    comments = code = 0
    for source in sources:
        spans = [(token.start, token.end) for token in source.tokens if token.kind in ("comment", "doc")]
        text = blank(blank(source.text, spans), source.test_spans)
        code += sum(1 for line in text.splitlines() if line.strip())
        comments += sum(
            source.text.count("\n", token.start, token.end) + 1
            for token in source.tokens
            if token.kind == "comment" and not source.in_tests(token.start)
        )
    share = 100 * comments / max(1, code)
    print(f"comments: {comments} lines of // for {code} lines of code, {share:.2f} in a hundred")
    if share < limits.comments_per_100:
        sentence = f"{share:.2f} lines of // comments in a hundred lines of code, at least {limits.comments_per_100}"
        yield Violation("src", 1, sentence)


def check(root: Path, sources: list[Source], limits: Limits) -> Iterator[Violation]:
    """All of the above."""
    yield from check_top(root, limits)
    yield from check_files(sources, limits)
    yield from check_functions(sources, limits)
    yield from check_comments(sources, limits)
