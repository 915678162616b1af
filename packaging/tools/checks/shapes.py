"""How items are named and shaped: type names, parameters, closures with names, nested and stringly results."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from . import Violation, line_of
from .rust_source import Source, closing, functions, split_list

TYPE = re.compile(r"\b(?:struct|enum|union|trait|type)\s+([A-Z]\w*)")
BLOCK_WITH_ITEMS = re.compile(
    r"(?:^|[;{}\]])\s*(?:pub(?:\([^)]*\))?\s+|unsafe\s+|default\s+)*(?:impl|trait)\b[^;{}]*\{"
)
NAMED_CLOSURE = re.compile(
    r"\blet\s+(?:mut\s+)?(\w+)\s*(?::[^;=|]+)?=\s*&?\s*(?:mut\s+)?(?:static\s+)?(?:async\s+)?(?:move\s+)?\|"
)
RESULT = re.compile(r"\bResult\s*(?:::\s*)?<")


@dataclass(frozen=True)
class Counted:
    """What may occur, but not more often than it does: how it is called, how it is found, how often it may be."""

    name: str
    find: Callable[[str], Iterator[tuple[int, str]]]
    limit: int


def check_types(sources: list[Source]) -> Iterator[Violation]:
    """A type's name says which it is, wherever it is read."""
    first: dict[str, str] = {}
    for source in sources:
        for position, name in types(source.program):
            place = f"{source.path}:{line_of(source.code, position)}"
            if name in first:
                sentence = f"the type name {name} is defined at {first[name]} already"
                yield Violation(source.path, line_of(source.code, position), sentence)
            first.setdefault(name, place)


def types(code: str) -> Iterator[tuple[int, str]]:
    """The types that are defined here, without the associated ones of an `impl` or `trait`."""
    blocks = [match.end() - 1 for match in BLOCK_WITH_ITEMS.finditer(code)]
    spans = [(start, closing(code, start)) for start in blocks]
    for match in TYPE.finditer(code):
        around = [start for start, end in spans if start < match.start() < end]
        depth = sum({"{": 1, "}": -1}.get(char, 0) for char in code[max(around) : match.start()]) if around else 0
        if not (match[0].startswith("type") and depth == 1):
            yield match.start(), match[1]


def check_functions(sources: list[Source], parameter_limit: int) -> Iterator[Violation]:
    """Names and parameters of functions; in tests only the names."""
    for source in sources:
        for found in functions(source.code):
            line = line_of(source.code, found.start)
            if found.name == "of":
                sentence = "a function named `of` does not say what it does; call it new, from_… or by a verb"
                yield Violation(source.path, line, sentence)
            if source.in_tests(found.start):
                continue
            if len(found.parameters) > parameter_limit:
                sentence = f"{found.name} has {len(found.parameters)} parameters, at most {parameter_limit}"
                yield Violation(source.path, line, sentence)
            for parameter in filter(is_tuple, found.parameters):
                sentence = f"{found.name} takes a tuple ({' '.join(parameter.split())}); give its parts names"
                yield Violation(source.path, line, sentence)


def is_tuple(parameter: str) -> bool:
    """Whether the parameter's type is a tuple, or a reference to one."""
    pattern = re.sub(r"::", "  ", parameter)
    depth = 0
    for position, char in enumerate(pattern):
        depth += {"(": 1, "[": 1, "{": 1, "<": 1, ")": -1, "]": -1, "}": -1, ">": -1}.get(char, 0)
        if char == ":" and depth == 0:
            kind = re.sub(r"^(?:&|'\w+|mut\b|\s)+", "", parameter[position + 1 :])
            return kind.startswith("(") and len(split_list(kind[1 : closing(kind, 0)])) > 1
    return False


def named_closures(code: str) -> Iterator[tuple[int, str]]:
    """`let name = |…| …`: a closure that gets a name becomes a function."""
    for match in NAMED_CLOSURE.finditer(code):
        yield match.start(), f"the closure {match[1]} has a name; make it a function"


def results(code: str) -> Iterator[tuple[int, list[str]]]:
    """Each `Result<…>` with its arguments."""
    for match in RESULT.finditer(code):
        opening = match.end() - 1
        yield match.start(), split_list(code[opening + 1 : closing(code, opening)])


def string_errors(code: str) -> Iterator[tuple[int, str]]:
    """`Result<…, String>`: what failed is then text that nothing can branch on."""
    for position, arguments in results(code):
        if len(arguments) == 2 and arguments[1] == "String":
            yield position, "Result<…, String>: give the error a type"


def nested_results(code: str) -> Iterator[tuple[int, str]]:
    """`Result<Result<…>>`: two errors for one call."""
    for position, arguments in results(code):
        if arguments and re.match(r"(?:\w+\s*::\s*)*Result\s*<", arguments[0]):
            yield position, "Result<Result<…>>: give the call one error"


def downcasts(code: str) -> Iterator[tuple[int, str]]:
    """`error.downcast_ref::<T>()`: the type of the error should say it."""
    for match in re.finditer(r"\bdowncast\w*", code):
        yield match.start(), f"{match[0]}: use a typed error where the program branches on it"


def check_counted(sources: list[Source], counted: list[Counted], list_all: bool) -> Iterator[Violation]:
    """What is counted, outside tests, against its limit."""
    for rule in counted:
        places = [
            Violation(source.path, line_of(source.code, position), sentence)
            for source in sources
            for position, sentence in rule.find(source.program)
        ]
        note = "; the limit can be lowered" if len(places) < rule.limit else ""
        print(f"{rule.name}: {len(places)}, at most {rule.limit}{note}")
        if list_all:
            print("".join(f"  {place}\n" for place in places), end="")
        if len(places) > rule.limit:
            yield Violation("src", 1, f"{rule.name}: {len(places)}, at most {rule.limit} (--list shows where)")
