"""Each rule of check-structure fails on a bad example."""

import unittest

from .. import circles, shapes, sizes
from ..imports import crate_imports
from . import printed, run, sources, tree

LAYERS = [["main"], ["high"], ["low", "other"]]
LIMITS = sizes.Limits(
    top_entries=2,
    file_lines=8,
    long_file_lines=5,
    long_files=1,
    function_lines=4,
    function_lines_90=3,
    comments_per_100=10.0,
)

NO_IMPORTS = """
// use crate::low;
/// [`crate::low::x`]
const S: &str = "crate::low::x";
#[cfg(test)]
mod tests { use crate::low; }
"""
TYPES = """struct A;
impl T for A { type Item = u8; }
trait T { type Item; }
#[cfg(test)]
mod tests { struct B; }
"""
FUNCTIONS = """fn of() {}
fn g(&self, a: u8, b: u8, c: u8) {}
fn h((a, b): &'a mut (A, B), c: (), d: X<(u8, u8)>) {}
"""
COUNTED = """
fn f() {
    let g = |x| x;
    let h: Box<F> = move || 1;
    let i = a || b;
    map(|x| x);
    error.downcast_ref();
}
fn a() -> Result<(u8, u8), String> {}
fn b() -> io::Result<Result<u8>> {}
fn c() -> Result<String> {}
"""


def arrows(files: dict[str, str]) -> set[tuple[str, str]]:
    """Who imports whom, with `::` between the parts of a module."""
    return {("::".join(found.source), "::".join(found.target)) for found in crate_imports(sources(files))}


def circles_in(files: dict[str, str]) -> list[str]:
    crate = sources(files)
    return printed(circles.check(crate_imports(crate), {source.module: source.path for source in crate}, LAYERS))


class Imports(unittest.TestCase):
    def test_use_trees(self) -> None:
        tree_of_uses = (
            "use crate::{\n    low::{self, one::{A, B as C}},\n    other as o,\n};\nfn f() { o::g(); low::two::h() }"
        )
        files = {"high.rs": tree_of_uses, "low/mod.rs": "", "low/one.rs": "", "low/two.rs": "", "other.rs": ""}
        targets = {"low", "low::one", "low::two", "other"}
        self.assertEqual(arrows(files), {("high", target) for target in targets})

    def test_relative_paths_and_children(self) -> None:
        files = {
            "a/mod.rs": "mod b;\nfn f() { b::g() }\nmod inside { use super::b::X; use super::super::c; }",
            "a/b.rs": "use super::d::Y;\nuse super::Z;",
            "a/d.rs": "fn f(x: self::e::T) {}",
            "a/d/e.rs": "use super::super::b;",
            "c.rs": "use std::a::b;\npub(in crate::a) fn f() {}",
        }
        expected = {
            ("a", "a::b"),
            ("a", "c"),
            ("a::b", "a::d"),
            ("a::b", "a"),
            ("a::d", "a::d::e"),
            ("a::d::e", "a::b"),
        }
        self.assertEqual(arrows(files), expected)

    def test_comments_strings_and_tests_import_nothing(self) -> None:
        self.assertEqual(arrows({"high.rs": NO_IMPORTS, "low.rs": ""}), set())


class Circles(unittest.TestCase):
    def test_a_circle_of_files_names_its_imports(self) -> None:
        found = circles_in({"low/mod.rs": "mod a;\nuse a::A;", "low/a.rs": "use super::B;"})
        chain = "src/low/mod.rs -> src/low/a.rs (imported at src/low/mod.rs:2) -> src/low/mod.rs"
        self.assertEqual(found, [f"src/low/a.rs:1: circle of files: {chain}"])

    def test_a_circle_of_directories_need_not_be_one_of_files(self) -> None:
        found = circles_in(
            {"low/a.rs": "use crate::other::a;", "low/b.rs": "", "other/a.rs": "", "other/b.rs": "use crate::low::b;"}
        )
        self.assertEqual(len(found), 1, found)
        self.assertIn("circle of directories: low -> other", found[0])

    def test_an_import_upward_and_a_directory_without_a_layer(self) -> None:
        found = circles_in(
            {"main.rs": "use crate::high::A;", "high.rs": "", "low.rs": "\nuse crate::high::A;", "new.rs": ""}
        )
        self.assertIn("src/low.rs:2: low imports high, which is a layer above it", found)
        self.assertIn("src/new.rs:1: new is in no layer; give it a place in LAYERS of check-structure", found)
        self.assertEqual(len(found), 2, found)


class Sizes(unittest.TestCase):
    def test_each_limit(self) -> None:
        long_function = "fn f() {\n1;\n2;\n3;\n}\n"
        files = {
            "src/a.rs": long_function + "\n" * 4,
            "src/b.rs": "// why\n" * 6,
            "src/c.rs": "#[cfg(test)]\nmod t {\n// why\n}\n",
        }
        with tree(files) as root:
            crate = [*sources({name.removeprefix("src/"): text for name, text in files.items()})]
            found = printed(sizes.check(root, crate, LIMITS))
            self.assertEqual(
                found[:4],
                [
                    "src:1: 3 entries at the top of src/, at most 2",
                    "src/a.rs:9: the file has 9 lines, at most 8",
                    "src/a.rs:6: one of 2 files over 5 lines (9), at most 1",
                    "src/b.rs:6: one of 2 files over 5 lines (6), at most 1",
                ],
            )
            self.assertEqual(
                found[4:],
                [
                    "src/a.rs:1: f has 5 lines, at most 4",
                    "src:1: 90 % of the functions have at most 5 lines; this may be 3",
                ],
            )

    def test_comments_in_tests_do_not_count(self) -> None:
        crate = sources({"a.rs": "/// Doc.\nfn f() {}\n", "b.rs": "#[cfg(test)]\nmod t {\n// why\n}\n"})
        self.assertEqual(
            printed(sizes.check_comments(crate, LIMITS)),
            ["src:1: 0.00 lines of // comments in a hundred lines of code, at least 10.0"],
        )


class Shapes(unittest.TestCase):
    def test_type_names(self) -> None:
        crate = sources(
            {
                "a.rs": TYPES,
                "b.rs": "fn f() { struct B; }\ntype A = u8;",
            }
        )
        self.assertEqual(
            printed(shapes.check_types(crate)), ["src/b.rs:2: the type name A is defined at src/a.rs:1 already"]
        )

    def test_functions(self) -> None:
        crate = sources({"a.rs": FUNCTIONS})
        self.assertEqual(
            printed(shapes.check_functions(crate, 2)),
            [
                "src/a.rs:1: a function named `of` does not say what it does; call it new, from_… or by a verb",
                "src/a.rs:2: g has 3 parameters, at most 2",
                "src/a.rs:3: h has 3 parameters, at most 2",
                "src/a.rs:3: h takes a tuple ((a, b): &'a mut (A, B)); give its parts names",
            ],
        )

    def test_what_is_counted(self) -> None:
        crate = sources({"a.rs": COUNTED})
        finders = [shapes.named_closures, shapes.string_errors, shapes.nested_results, shapes.downcasts]
        counts = [len(list(find(crate[0].program))) for find in finders]
        self.assertEqual(counts, [2, 1, 1, 1])
        rule = shapes.Counted("closures with names", shapes.named_closures, 1)
        self.assertEqual(
            printed(shapes.check_counted(crate, [rule], False)),
            ["src:1: closures with names: 2, at most 1 (--list shows where)"],
        )


class Whole(unittest.TestCase):
    def test_a_bad_tree_fails_and_a_good_one_passes(self) -> None:
        good = {
            "src/main.rs": "mod cli;\n// Why it exists.\nfn main() { cli::run() }\n",
            "src/cli.rs": "pub fn run() {}\n",
        }
        with tree(good) as root:
            status, lines = run("check-structure", root)
            self.assertEqual(status, 0, lines)
        with tree({**good, "src/cli.rs": "pub fn of() {}\nuse crate::X;\n"}) as root:
            status, lines = run("check-structure", root)
            self.assertEqual(status, 1, lines)
            self.assertIn("src/cli.rs:2: cli imports main, which is a layer above it", lines)
            self.assertEqual(lines[-1], "check-structure: 4 violations")
