"""The parts of the checks that `make lint` runs; this file has what all of them use."""

import signal
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple


class Violation(NamedTuple):
    """One sentence about one line of a file."""

    path: str
    line: int
    sentence: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.sentence}"


def line_of(text: str, position: int) -> int:
    """The number of the line that holds this character, from 1."""
    return text.count("\n", 0, position) + 1


def report(check: str, violations: Iterable[Violation]) -> int:
    """Prints violations in the order of files and lines, and returns the exit status."""
    # A reader that has seen enough, such as head, is no error.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    lines = [str(violation) for violation in sorted(set(violations))]
    for line in lines:
        print(line)
    if lines:
        print(f"{check}: {len(lines)} violation{'s' if len(lines) > 1 else ''}")
    return 1 if lines else 0


def git_files(root: Path, *patterns: str) -> list[str]:
    """The files of the repository that match, those too that are not yet committed. `*` also matches slashes."""
    command = ["git", "-C", str(root), "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns]
    names = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return [name for name in sorted(set(names)) if (root / name).is_file() and not (root / name).is_symlink()]


def relative(path: Path, root: Path) -> str:
    """The path as messages show it: from the top of the repository."""
    return path.relative_to(root).as_posix()
