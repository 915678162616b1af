"""The settings in three places that must agree: the program's structs, the manual page, the commented sample."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from . import Violation, man_page
from .rust_source import Source, blank, closing, split_list

PAGE = "packaging/man/rbdmap.toml.5"
SAMPLE = "etc/rbdmap.toml"
STRUCTS = "src/config/settings"

TABLE = re.compile(r"\[+([a-z_.]+)\]+")
DEFAULT = re.compile(r"(?:Default:|default is|efaults to) (.*?)\.(?:\s|$)")
STRUCT = re.compile(r"\bDeserialize\b[^)]*\)\](?:\s*#\[[^\]]*\])*\s*(?:pub\b(?:\([^)]*\))?\s*)?struct\s+(\w+)\s*\{")
FIELD = re.compile(r"(?:#\[[^\]]*\]\s*)*(?:pub(?:\([^)]*\))?\s+)?(?:r#)?(\w+)\s*:\s*(.*)", re.DOTALL)
SAMPLE_HEADING = re.compile(r"(?:# ?)?\[+([\w.]+)\]+")
SAMPLE_KEY = re.compile(r"#?([a-z_]+) = (.*)")
SAMPLE_ROW = re.compile(r"# {2,6}([a-z_]+)  +(\S.*)")


@dataclass
class Keys:
    """The keys of one table, each with the line it is on and its default in words."""

    defaults: dict[str, str] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    aliases: set[str] = field(default_factory=set)

    def add(self, key: str, line: int, default: str) -> None:
        self.lines.setdefault(key, line)
        if not self.defaults.get(key):
            self.defaults[key] = default


Tables = dict[str, Keys]


def page_tables(path: Path) -> Tables:
    """Sections named after a table have its keys; before them, the items with a default are the top-level keys."""
    tables: Tables = {"": Keys()}
    table: str | None = ""
    section = ""
    for item in man_page.items(path):
        if item.section != section:
            section = item.section
            heading = TABLE.search(section)
            table = heading[1] if heading else None if table else table
        default = DEFAULT.search(item.text)
        names = [name for name in re.findall(r"[a-z][a-z_]*", item.tag) if name != "or"]
        if table is not None and names and (table or default):
            keys = tables.setdefault(table, Keys())
            keys.add(names[0], item.line, default[1] if default else "")
            keys.aliases.update(names[1:])
    return tables


def sample_tables(path: Path) -> Tables:
    """Keys are `#key = value`, or rows `#   key   what it is   default` of the comment about a table."""
    tables: Tables = {"": Keys()}
    table = ""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if heading := SAMPLE_HEADING.match(line):
            table = heading[1]
        elif key := SAMPLE_KEY.fullmatch(line):
            # Below a table's heading these are examples.
            default = "" if table else key[2].strip('"') or "none"
            tables.setdefault(table, Keys()).add(key[1], number, default)
        elif row := SAMPLE_ROW.match(line):
            columns = re.split(r"  +", row[2].strip())
            if columns[-1] == "default":
                continue
            # The rows of the first table come before any heading.
            tables.setdefault(table or "image", Keys()).add(row[1], number, columns[1] if len(columns) > 1 else "")
    return tables


def struct_tables(sources: list[Source]) -> Tables:
    """The fields that serde reads. The struct that no other one has in a field is the file itself."""
    structs: dict[str, Keys] = {}
    types: dict[str, dict[str, str]] = {}
    for source in sources:
        comments = [(token.start, token.end) for token in source.tokens if token.kind in ("comment", "doc")]
        text = blank(blank(source.text, comments), source.test_spans)
        for match in STRUCT.finditer(source.program):
            name, opening = match[1], match.end() - 1
            structs[name], types[name] = Keys(), {}
            for part in split_list(text[opening + 1 : closing(source.program, opening)]):
                if found := FIELD.fullmatch(part):
                    renamed = re.search(r'rename\s*=\s*"(\w+)"', part)
                    key = renamed[1] if renamed else found[1]
                    structs[name].add(key, 1, "")
                    structs[name].aliases.update(re.findall(r'alias\s*=\s*"(\w+)"', part))
                    types[name][key] = found[2]
    return {table: structs[name] for name, table in table_names(types).items()}


def table_names(types: dict[str, dict[str, str]]) -> dict[str, str]:
    """For each struct the path of its table, such as `image.mount`, found by the types of fields."""
    inside = {
        name: (outer, key)
        for name in types
        for outer, fields in types.items()
        for key, kind in fields.items()
        if re.search(rf"\b{name}\b", kind)
    }
    names = {}
    for name in types:
        path: list[str] = []
        outermost = name
        while outermost in inside:
            outermost, key = inside[outermost]
            path.insert(0, key)
        if path or any(outer == name for outer, _ in inside.values()):
            names[name] = ".".join(path)
    return names


def title(table: str) -> str:
    return f"table {table}" if table else "top-level keys"


def compare(page: Tables, sample: Tables, structs: Tables) -> Iterator[Violation]:
    """Every key is in all three places. Page and sample agree on the defaults, unless these are prose."""
    if not structs.get("", Keys()).defaults:
        yield Violation(STRUCTS, 1, "no struct that derives Deserialize has the settings' keys; has it moved?")
    nested = {table.rpartition(".") for table in structs if table}
    for table in sorted({*page, *sample, *structs}):
        in_page, in_sample, in_structs = (tables.get(table, Keys()) for tables in (page, sample, structs))
        tables_inside = {name for outer, _, name in nested if outer == table}
        known = {*in_structs.defaults} - tables_inside
        for path, keys in ((PAGE, in_page), (SAMPLE, in_sample)):
            for key in sorted(known - {*keys.defaults}):
                yield Violation(path, 1, f"the key {key} ({title(table)}) is missing; the program reads it")
            for key in sorted({*keys.defaults} - known):
                yield Violation(path, keys.lines[key], f"the program reads no key {key} ({title(table)})")
        for alias in sorted(in_page.aliases ^ in_structs.aliases):
            where = "the page" if alias in in_page.aliases else "the program"
            yield Violation(PAGE, 1, f"the second name {alias} of a key ({title(table)}) is known to {where} only")
        yield from compare_defaults(table, in_page, in_sample)


def compare_defaults(table: str, page: Keys, sample: Keys) -> Iterator[Violation]:
    for key, default in sample.defaults.items():
        other = page.defaults.get(key, default)
        if re.match(r"\d", other):
            other = re.split(r"\s", other)[0]
        other = "none" if other == "empty" else other
        is_literal = default and other and " " not in default + other
        if default != other and (is_literal or not table):
            sentence = f"the default of {key} ({title(table)}) is {default}, but {other} in {PAGE}"
            yield Violation(SAMPLE, sample.lines[key], sentence)


def check(root: Path, sources: list[Source]) -> Iterator[Violation]:
    """The three places of one repository."""
    structs = struct_tables([source for source in sources if source.path.startswith(f"{STRUCTS}/")])
    page, sample = page_tables(root / PAGE), sample_tables(root / SAMPLE)
    counts = [sum(len(keys.defaults) for keys in tables.values()) for tables in (structs, page, sample)]
    keys = counts[0] - len(structs) + 1
    print(f"settings: {keys} keys in {len(structs)} tables; {counts[1]} in the page, {counts[2]} in the sample")
    yield from compare(page, sample, structs)
