"""check-words reads English and nothing else."""

import unittest
from pathlib import Path

from .. import prose
from . import run, tree

RUST = """//! In the
//! place of it.
fn folder(folder: u8) {
    // `folder` is code.
    println!("folder {folder}\\nfolders, at a \\
        time");
}
/* mend
 * it */
"""


class Prose(unittest.TestCase):
    def test_positions_stay(self) -> None:
        for name in ("a.rs", "a.md", "a.8", "a.sh"):
            text = prose.english(Path(name), RUST)
            self.assertEqual([len(line) for line in text.split("\n")], [len(line) for line in RUST.split("\n")], name)

    def test_phrases_do_not_reach_across_code(self) -> None:
        self.assertNotRegex(prose.rust('f("at"); g("a time")'), r"at\s+a\s+time")


class Words(unittest.TestCase):
    def test_each_kind_of_file(self) -> None:
        files = {
            "src/a.rs": RUST,
            "README.md": "A folder, no `folder\nfolder` mend `x`.\n",
            "packaging/man/a.8": "Nothing at\n.B a\ntime; no menders.\n",
            "tests/lab/a.sh": "# Is the cluster\n# there?\n",
            "other/a.txt": "folder",
        }
        with tree(files) as root:
            status, lines = run("check-words", root)
        places = [line.partition("; write")[0] for line in lines]
        self.assertEqual(
            places,
            [
                "README.md:1: “folder”",
                "README.md:2: “mend”",
                "packaging/man/a.8:1: “at a time”",
                "src/a.rs:1: “In the place of”",
                "src/a.rs:5: “at a time”",
                "src/a.rs:5: “folders”",
                "src/a.rs:5: “folder”",
                "src/a.rs:8: “mend”",
                "tests/lab/a.sh:1: “Is the cluster there”",
                "check-words: 9 violations",
            ],
        )
        self.assertEqual(status, 1)

    def test_good_files_pass(self) -> None:
        with tree({"README.md": "A directory.\n"}) as root:
            self.assertEqual(run("check-words", root), (0, []))
