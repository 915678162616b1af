"""Code, comments and strings are distinguished, and functions and tests are found."""

import unittest

from ..rust_source import blank, crate_sources, functions, scan, split_list, test_items
from . import sources, tree

TRICKY = r"""
fn one<'a>(text: &'a str) -> char { /* { /* nested { */ */ let quote = '"'; let brace = '{'; '\'' }
fn two() -> &'static str { r#"fn hidden() { "# }
fn three<F: Fn(u8) -> Vec<u8>>(f: F, list: [u8; 3]) -> [u8; 3] where F: Clone { "}\"{"; list }
trait T { fn four(&self); }
"""
WITH_TESTS = """
#[cfg(test)]
#[allow(x)]
mod tests { fn a() {} }
#[cfg(test)]
use a::{b, c};
struct S { #[cfg(test)] a: u8, b: u8 }
"""


class Scanning(unittest.TestCase):
    def test_literals_and_comments_hide_their_brackets(self) -> None:
        code = blank(TRICKY, [(token.start, token.end) for token in scan(TRICKY)])
        self.assertEqual([found.name for found in functions(code)], ["one", "two", "three"])
        self.assertEqual(code.count("\n"), TRICKY.count("\n"))
        self.assertNotIn("hidden", code)

    def test_functions_have_their_lines_and_parameters(self) -> None:
        code = "fn a(&mut self, x: HashMap<u8, (u8, u8)>, y: fn(u8) -> u8) {\n}\nfn b(self: Box<Self>) {}"
        first, second = functions(code)
        self.assertEqual(first.parameters, ("x: HashMap<u8, (u8, u8)>", "y: fn(u8) -> u8"))
        self.assertEqual((code.count("\n", first.start, first.end), second.parameters), (1, ()))

    def test_kinds_of_comments(self) -> None:
        kinds = [token.kind for token in scan("//! a\n/// b\n// c\n//// d\n/** e */ /* f */ b'x' \"// no\"")]
        self.assertEqual(kinds, ["doc", "doc", "comment", "comment", "doc", "comment", "char", "string"])

    def test_lists_are_split_outside_brackets(self) -> None:
        self.assertEqual(
            split_list("a: (u8, u8), b: X<u8, u8>, c: fn() -> u8,"), ["a: (u8, u8)", "b: X<u8, u8>", "c: fn() -> u8"]
        )


class Tests(unittest.TestCase):
    def test_items_for_tests(self) -> None:
        rest = blank(WITH_TESTS, list(test_items(WITH_TESTS)))
        self.assertEqual(rest.split(), ["struct", "S", "{", "b:", "u8", "}"])

    def test_files_for_tests(self) -> None:
        files = {
            "main.rs": "mod a;",
            "a/mod.rs": "#[cfg(test)]\nmod tests;",
            "a/tests/mod.rs": "mod more;",
            "a/tests/more.rs": "",
        }
        self.assertEqual([source.is_test for source in sources(files)], [False, True, True, False])

    def test_other_crates_are_left_out(self) -> None:
        with tree({"src/main.rs": "", "src/libmount/lib.rs": ""}) as root:
            self.assertEqual([source.path for source in crate_sources(root)], ["src/main.rs"])
