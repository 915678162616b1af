"""Each check fails on a bad example, and is silent on a good one. Run by packaging/tools/lint."""

import contextlib
import io
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from .. import Violation
from ..rust_source import Source, crate_sources

TOOLS = Path(__file__).resolve().parents[2]
MANIFEST = '[workspace]\nmembers = ["src/libmount"]\n'


@contextlib.contextmanager
def tree(files: dict[str, str]) -> Iterator[Path]:
    """A git repository with these files."""
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        for name, text in {"Cargo.toml": MANIFEST, **files}.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        subprocess.run(["git", "init", "-q", root], check=True)
        yield root


def sources(files: dict[str, str]) -> list[Source]:
    """The crate that these files below src/ are."""
    with tree({f"src/{name}": text for name, text in files.items()}) as root:
        return crate_sources(root)


def printed(violations: Iterable[Violation]) -> list[str]:
    """The violations as they are printed; the figures that go with them are not shown."""
    with contextlib.redirect_stdout(io.StringIO()):
        return [str(violation) for violation in violations]


def run(check: str, root: Path, *arguments: str) -> tuple[int, list[str]]:
    """The exit status of a whole check over another repository, and what it prints."""
    command = [sys.executable, "-B", str(TOOLS / check), "--root", str(root), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, (done.stdout + done.stderr).splitlines()
