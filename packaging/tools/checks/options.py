"""The command line in two places that must agree: what the program's help prints, and rbdmap(8)."""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from . import Violation, man_page

PAGE = "packaging/man/rbdmap.8"
GENERAL = {"-h", "--help", "-V", "--version"}

OPTION = re.compile(r"(?<![\w-])(?:--[a-z][\w-]*|-[A-Za-z])(?![\w-])")
HELP_VERB = re.compile(r"^  ([a-z][a-z-]*)(?:$|  )", re.MULTILINE)
HELP_OPTION = re.compile(r"^ {2,6}(?:(-\w), |    )?(--[\w-]+)", re.MULTILINE)


def run(program: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=30, check=False)


Options = dict[str, str]
"""Each long option with its short form, or with nothing."""


def help_options(program: Path) -> dict[str, Options]:
    """For each verb that the help shows the options that its own help shows, without the general ones."""
    commands = run(program, "--help").stdout.partition("Commands:")[2].partition("Options:")[0]
    verbs = [verb for verb in HELP_VERB.findall(commands) if verb != "help"]
    found = {}
    for verb in verbs:
        pairs = HELP_OPTION.findall(run(program, verb, "--help").stdout)
        found[verb] = {long: short for short, long in pairs if long not in GENERAL}
    return found


def accepts(program: Path, verb: str, option: str) -> bool:
    """Whether the verb knows the option. The second one is unknown to every verb, so nothing is ever carried out."""
    return f"'{option}'" not in run(program, verb, option, "--no-such-option").stderr


@dataclass
class Synopsis:
    """What the synopsis says of one verb. It is open if it ends with `[OPTION...]`."""

    line: int
    options: set[str] = field(default_factory=set)
    is_open: bool = False


def synopses(page: Path) -> dict[str, Synopsis]:
    """The blocks from `.SY` to `.YS`; the first word in bold is the verb."""
    found: dict[str, Synopsis] = {}
    verb: str | None = None
    for line in man_page.lines(page):
        if line.request in ("SY", "YS"):
            verb = "" if line.request == "SY" else None
        elif verb == "" and line.text:
            verb = line.text.split()[0]
            found.setdefault(verb, Synopsis(line.number))
        if verb:
            found[verb].options.update(OPTION.findall(line.text))
            found[verb].is_open |= "[OPTION..." in line.text
    return found


def check_synopses(page: Path, verbs: dict[str, Options]) -> Iterator[Violation]:
    """The synopsis has every verb with its options."""
    found = synopses(page)
    for verb in sorted(verbs.keys() - found.keys()):
        yield Violation(PAGE, 1, f"the synopsis lacks the verb {verb}, which `rbdmap --help` shows")
    for verb, synopsis in found.items():
        if verb not in verbs:
            yield Violation(PAGE, synopsis.line, f"`rbdmap --help` shows no verb {verb}")
            continue
        for option in sorted(synopsis.options - {*verbs[verb], *verbs[verb].values()}):
            yield Violation(PAGE, synopsis.line, f"`rbdmap {verb} --help` does not show {option} of the synopsis")
        for option, short in verbs[verb].items():
            if not synopsis.is_open and not {option, short} & synopsis.options:
                yield Violation(PAGE, synopsis.line, f"the synopsis of {verb} lacks {option}")


def check_descriptions(page: Path, program: Path, verbs: dict[str, Options]) -> Iterator[Violation]:
    """Every option of the help has an item of its own; what the page names, the program accepts."""
    every = {name for options in verbs.values() for pair in options.items() for name in pair if name}
    described: dict[str, int] = {}
    for item in man_page.items(page):
        for option in OPTION.findall(item.tag):
            described.setdefault(option, item.line)
    for option in sorted(every - described.keys()):
        yield Violation(PAGE, 1, f"{option} has no description; the program's help shows it")
    for option in sorted(described.keys() - every - GENERAL):
        yield Violation(PAGE, described[option], f"no command's help shows {option}")
    mentioned: dict[str, int] = {}
    for line in man_page.lines(page):
        # Text in bold that begins with an option means one of ours; others stand behind their command.
        if line.request.startswith("B") and line.text.startswith("-"):
            for option in OPTION.findall(line.text):
                mentioned.setdefault(option, line.number)
    for option in sorted(mentioned.keys() - every - GENERAL):
        if not any(accepts(program, verb, option) for verb in verbs):
            yield Violation(PAGE, mentioned[option], f"no command of the program accepts {option}")


def check(root: Path, program: Path) -> Iterator[Violation]:
    """The built program against the page."""
    verbs = help_options(program)
    if not verbs:
        yield Violation(PAGE, 1, f"`{program} --help` shows no commands; is this rbdmap?")
        return
    page = root / PAGE
    print(f"options: {len(set().union(*verbs.values()))} in the help of {len(verbs)} commands")
    yield from check_synopses(page, verbs)
    yield from check_descriptions(page, program, verbs)
