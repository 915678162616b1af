"""What documents refer to: files of this repository, other documents, scenarios of the lab. It must exist."""

import re
from collections.abc import Iterator
from pathlib import Path

from . import Violation, git_files, man_page, markdown, relative
from .rust_source import blank

SCENARIOS = "tests/lab/scenarios"
TOP_DIRECTORIES = ("src", "tests", "docs", "packaging", "etc", "units")

LINK = re.compile(r"\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)|^\[[^\]]+\]:\s*(\S+)")
PATH = re.compile(rf"(?<![\w./@…-])(?:\./)?((?:{'|'.join(TOP_DIRECTORIES)})/[\w./@*{{}},+%-]*)")
# Stands for any name, as in NN-NAME.sh.
PLACEHOLDER = re.compile(r"(?<![A-Za-z])(?:NN|N|NAME|GUEST|SCENARIO|VERB)(?![A-Za-z])")
WORD = r"[a-z][a-z0-9-]*"
SCENARIO = re.compile(
    rf"\blab run (?P<run>{WORD}(?: {WORD})*)"
    rf"|\bSCENARIO=(?P<one>{WORD}|\"[^\"]*\")"
    rf"|\bscenarios? (?P<spans>`{WORD}`(?:(?:, and |, | and )`{WORD}`)*)"
)


def expand_braces(path: str) -> list[str]:
    """`a/{b,c}` as `a/b` and `a/c`."""
    match = re.search(r"\{([^{}]*)\}", path)
    if not match:
        return [path]
    return [
        whole
        for part in match[1].split(",")
        for whole in expand_braces(path[: match.start()] + part + path[match.end() :])
    ]


def exists(root: Path, path: str) -> bool:
    """Whether there is such a file; `*`, and a word that stands for a name, match any."""
    pattern = PLACEHOLDER.sub("*", path).rstrip("/")
    return any(root.glob(pattern)) if "*" in pattern else (root / pattern).exists()


def check_paths(root: Path, document: Path, text: str) -> Iterator[Violation]:
    """Files named in code. Those that the build makes, in target/, are not looked for."""
    for code in markdown.code(text):
        for match in PATH.finditer(code.text):
            for path in expand_braces(match[1].rstrip(".,:;")):
                if not exists(root, path):
                    yield Violation(relative(document, root), code.line, f"there is no {path}")


def anchors(document: Path) -> set[str]:
    """The anchors that headings get."""
    headings = re.findall(r"^#+\s+(.+?)\s*#*$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def check_links(root: Path, document: Path, text: str) -> Iterator[Violation]:
    """Links to files beside the document, and to headings."""
    prose = blank(text, markdown.code_spans(text))
    for number, line in enumerate(markdown.without_fenced_blocks(prose).splitlines(), 1):
        for match in LINK.finditer(line):
            target = match[1] or match[2]
            if re.match(r"[a-z][a-z0-9+.-]*:", target):
                continue
            path, _, anchor = target.partition("#")
            file = document.parent / path if path else document
            if not file.exists():
                yield Violation(relative(document, root), number, f"the link to {target} leads to no file")
            elif anchor and file.suffix == ".md" and anchor not in anchors(file):
                yield Violation(relative(document, root), number, f"the link to {target} leads to no heading")


def scenarios(root: Path) -> set[str]:
    """The names of the lab's scenarios."""
    return {path.stem.partition("-")[2] for path in (root / SCENARIOS).glob("*.sh")}


def check_scenarios(root: Path, path: Path, lines: list[tuple[int, str]], known: set[str]) -> Iterator[Violation]:
    """Scenarios as arguments of `lab run`, in `SCENARIO=…`, and after the word: scenario `guide`."""
    for number, line in lines:
        for match in SCENARIO.finditer(line):
            names = re.findall(WORD, match["run"] or match["one"] or "")
            for name in names or re.findall(rf"`({WORD})`", match["spans"]):
                if name not in known:
                    yield Violation(relative(path, root), number, f"there is no scenario {name} in {SCENARIOS}")


def check(root: Path) -> Iterator[Violation]:
    """All documents; in manual pages only the scenarios."""
    known = scenarios(root)
    found = [root / name for name in git_files(root, "*.md")]
    print(f"references: {len(found)} documents, {len(known)} scenarios")
    for document in found:
        text = document.read_text()
        yield from check_paths(root, document, text)
        yield from check_links(root, document, text)
        yield from check_scenarios(root, document, list(enumerate(text.splitlines(), 1)), known)
    for page in sorted((root / "packaging/man").iterdir()):
        lines = [(line.number, line.text) for line in man_page.lines(page)]
        yield from check_scenarios(root, page, lines, known)
