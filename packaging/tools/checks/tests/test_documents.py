"""Each rule of check-documents fails on a bad example."""

import unittest
from pathlib import Path

from .. import man_page, options, references, settings
from ..rust_source import crate_sources
from . import printed, run, tree

STRUCTS = """
/// The file.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Fragment {
    pub parallel: Option<Between<1, 256>>,
    pub image: Vec<Spanned<ImageFragment>>,
}
#[derive(Deserialize)]
struct ImageFragment {
    #[serde(alias = "id")]
    user: Option<Word>,
    #[serde(rename = "type")]
    fstype: Option<Word>,
}
#[derive(Deserialize)]
struct Word(String);
"""
PAGE = r"""
.SH TOP
.TP
.B parallel
Number.
Default: 16.
.SH "[[image]]"
.TP
.BR user ", or " id
Text.
Default:
.BR admin .
.TP
.B type
Default: auto.
.SH EXAMPLES
.TP
.B nothing
"""
SAMPLE = """
#parallel = 16
# Its keys:
#   user    the user; also id     admin
#   type    of the file system    auto
#[[image]]
#user = "boot"
"""

HELP = """Usage: rbdmap <COMMAND>

Commands:
  map   Map
  help  Print this message

Options:
  -h, --help  Print help
"""
MAP_HELP = """Usage: rbdmap map [OPTIONS]

Options:
      --no-mount     Map only, see --nothing
  -o, --options <X>  Options
  -h, --help         Print help
"""
# Accepts --user as well, which its help does not show.
PROGRAM = f"""#!/bin/sh
case "$*" in
--help) cat <<'END'
{HELP}END
;;
"map --help") cat <<'END'
{MAP_HELP}END
;;
"map --user "*) echo "error: a value is required for '--id'" >&2; exit 2 ;;
*) echo "error: unexpected argument '$2' found" >&2; exit 2 ;;
esac
"""
MANUAL = r"""
.SY rbdmap
.B map
.RB [ \-\-no\-mount ]
.RB [ \-o
.IR X ]
.YS
.TP
.B \-\-no\-mount
As
.B systemctl \-\-foreign
does;
.B \-\-user
is the same.
.TP
\fB\-o\fP, \fB\-\-options\fP \fIX\fP
.TP
\fB\-h\fP, \fB\-\-help\fP
"""


def settings_violations(page: str = PAGE, sample: str = SAMPLE, structs: str = STRUCTS) -> list[str]:
    files = {settings.PAGE: page, settings.SAMPLE: sample, f"{settings.STRUCTS}/fragment.rs": structs}
    with tree(files) as root:
        return printed(settings.check(root, crate_sources(root)))


def program_in(root: Path) -> Path:
    program = root / "rbdmap"
    program.write_text(PROGRAM)
    program.chmod(0o755)
    return program


def options_violations(manual: str = MANUAL) -> list[str]:
    with tree({options.PAGE: manual}) as root:
        return printed(options.check(root, program_in(root)))


def reference_violations(text: str) -> list[str]:
    files = {
        "docs/a.md": text,
        "docs/b.md": "# One `b`\n",
        "tests/lab/scenarios/10-guide.sh": "",
        "packaging/man/x.8": "",
    }
    with tree(files) as root:
        return sorted(printed(references.check(root)))


class Settings(unittest.TestCase):
    def test_three_places_that_agree(self) -> None:
        self.assertEqual(settings_violations(), [])

    def test_a_key_that_one_place_lacks(self) -> None:
        found = settings_violations(page=PAGE.replace(".B type", ".B kind"))
        self.assertEqual(
            found,
            [
                f"{settings.PAGE}:1: the key type (table image) is missing; the program reads it",
                f"{settings.PAGE}:14: the program reads no key kind (table image)",
            ],
        )
        found = settings_violations(sample=SAMPLE.replace("#parallel", "#paralel"))
        self.assertEqual(
            found,
            [
                f"{settings.SAMPLE}:1: the key parallel (top-level keys) is missing; the program reads it",
                f"{settings.SAMPLE}:2: the program reads no key paralel (top-level keys)",
            ],
        )
        self.assertEqual(len(settings_violations(structs=STRUCTS.replace("parallel", "serial"))), 4)

    def test_second_names(self) -> None:
        found = settings_violations(page=PAGE.replace(', or " id', '"'))
        self.assertEqual(
            found, [f"{settings.PAGE}:1: the second name id of a key (table image) is known to the program only"]
        )

    def test_defaults(self) -> None:
        found = settings_violations(page=PAGE.replace("16", "32").replace(".BR admin", ".BR root"))
        self.assertEqual(
            found,
            [
                f"{settings.SAMPLE}:2: the default of parallel (top-level keys) is 16, but 32 in {settings.PAGE}",
                f"{settings.SAMPLE}:4: the default of user (table image) is admin, but root in {settings.PAGE}",
            ],
        )

    def test_the_default_may_be_worded_freely(self) -> None:
        page = PAGE.replace("Default: 16.", "The default is 16 images.").replace(
            "Default: auto.", "The default is auto."
        )
        self.assertEqual(
            settings_violations(page, SAMPLE.replace("#   user", "#   key   meaning   default\n#   user")), []
        )

    def test_structs_that_have_moved(self) -> None:
        self.assertIn("has it moved?", settings_violations(structs="")[0])


class Options(unittest.TestCase):
    def test_a_page_that_agrees(self) -> None:
        self.assertEqual(options_violations(), [])

    def test_another_program(self) -> None:
        with tree({options.PAGE: MANUAL}) as root:
            found = printed(options.check(root, Path("/bin/true")))
        self.assertEqual(found, [f"{options.PAGE}:1: `/bin/true --help` shows no commands; is this rbdmap?"])

    def test_an_option_that_the_page_lacks(self) -> None:
        found = options_violations(MANUAL.replace(r"\-\-no\-mount", r"\-\-no\-map"))
        self.assertEqual(
            found,
            [
                f"{options.PAGE}:3: `rbdmap map --help` does not show --no-map of the synopsis",
                f"{options.PAGE}:3: the synopsis of map lacks --no-mount",
                f"{options.PAGE}:1: --no-mount has no description; the program's help shows it",
                f"{options.PAGE}:9: no command's help shows --no-map",
                f"{options.PAGE}:9: no command of the program accepts --no-map",
            ],
        )

    def test_an_option_that_is_only_mentioned(self) -> None:
        found = options_violations(MANUAL.replace(r"\-\-user", r"\-\-owner"))
        self.assertEqual(found, [f"{options.PAGE}:13: no command of the program accepts --owner"])

    def test_a_verb_that_one_place_lacks(self) -> None:
        found = options_violations(MANUAL.replace(".B map", ".B unmap"))
        self.assertEqual(
            found,
            [
                f"{options.PAGE}:1: the synopsis lacks the verb map, which `rbdmap --help` shows",
                f"{options.PAGE}:3: `rbdmap --help` shows no verb unmap",
            ],
        )


class References(unittest.TestCase):
    def test_what_exists(self) -> None:
        text = "[b](b.md#one-b) `docs/{a,b}.md` `tests/lab/scenarios/NN-NAME.sh` `lab run guide` https://x/src/none"
        self.assertEqual(reference_violations(text), [])

    def test_files(self) -> None:
        found = reference_violations(
            "src/prose\n`src/none.rs`, `/usr/src/x`\n\n    docs/{a,c}.md  what it is\n```\ntests/none/\n```\n"
        )
        self.assertEqual(
            found,
            [
                f"docs/a.md:{line}: there is no {path}"
                for line, path in [(2, "src/none.rs"), (4, "docs/c.md"), (6, "tests/none/")]
            ],
        )

    def test_code_spans_across_lines(self) -> None:
        found = reference_violations("`one\ntwo` src/a.rs `src/b.rs\nsrc/c.rs`\n\nan odd ` here\n\n`src/d.rs`\n")
        self.assertEqual(
            found, [f"docs/a.md:{line}: there is no src/{name}.rs" for line, name in [(2, "b"), (2, "c"), (7, "d")]]
        )

    def test_links(self) -> None:
        found = reference_violations("[x](none.md) [y](https://x/none)\n`[z](none.md)`\n[b](b.md#two)\n[c]: gone.md\n")
        self.assertEqual(
            found,
            [
                "docs/a.md:1: the link to none.md leads to no file",
                "docs/a.md:3: the link to b.md#two leads to no heading",
                "docs/a.md:4: the link to gone.md leads to no file",
            ],
        )

    def test_scenarios(self) -> None:
        found = reference_violations(
            '`lab run guide one`\n`make lab SCENARIO="two guide"`\nscenarios `guide` and `three`\n    lab run   all\n'
        )
        names = [(1, "one"), (2, "two"), (3, "three")]
        self.assertEqual(
            found, [f"docs/a.md:{line}: there is no scenario {name} in tests/lab/scenarios" for line, name in names]
        )


class Whole(unittest.TestCase):
    def test_it_fails_with_one_violation(self) -> None:
        structs = {f"{settings.STRUCTS}/fragment.rs": STRUCTS}
        pages = {settings.PAGE: PAGE, settings.SAMPLE: SAMPLE, options.PAGE: MANUAL}
        with tree({**structs, **pages, "README.md": "`src/none.rs`"}) as root:
            status, lines = run("check-documents", root, "--program", str(program_in(root)))
            self.assertEqual(
                (status, lines[-2:]), (1, ["README.md:1: there is no src/none.rs", "check-documents: 1 violation"])
            )
            (root / "README.md").write_text("")
            self.assertEqual(run("check-documents", root, "--program", str(root / "rbdmap"))[0], 0)
            self.assertEqual(run("check-documents", root)[0], 2)


class ManPage(unittest.TestCase):
    def test_tags_and_text(self) -> None:
        page = '.SH "A B"\n.TP\n.BR a ", or " b\n.TQ\n\\fBc\\fP\nText \\-\\-x\\&.\n.IR d .\n.PP\nelsewhere\n'
        with tree({"x.5": page}) as root:
            self.assertEqual(man_page.items(root / "x.5"), [man_page.Item("A B", 3, "a, or b, c", " Text --x. d.")])
