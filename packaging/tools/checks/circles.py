"""Circles of imports between files and between top-level directories, and imports that run upward."""

from collections import deque
from collections.abc import Hashable, Iterator
from typing import TypeVar

from . import Violation
from .imports import Import, Module

Node = TypeVar("Node", bound=Hashable)
Graph = dict[Node, dict[Node, Import]]


def top_entry(module: Module) -> str:
    """The entry of src/ that the module is in: a directory, or a file without its `.rs`."""
    return module[0] if module else "main"


def graph(edges: list[tuple[Node, Node, Import]]) -> Graph[Node]:
    """For each node the nodes that it imports, each with the first import that does so."""
    found: Graph[Node] = {}
    for source, target, example in edges:
        if source != target:
            found.setdefault(source, {}).setdefault(target, example)
            found.setdefault(target, {})
    return found


def back_edges(imports: Graph[Node], order: list[Node]) -> Iterator[tuple[Node, Node]]:
    """Without these edges there is no circle. The search begins with the first of `order`, and follows its edges."""
    state: dict[Node, str] = {}
    rank = {node: index for index, node in enumerate(order)}
    for start in order:
        if start in state:
            continue
        state[start] = "open"
        stack = [(start, iter(sorted(imports[start], key=rank.__getitem__)))]
        while stack:
            node, targets = stack[-1]
            target = next(targets, None)
            if target is None:
                state[node] = "done"
                stack.pop()
            elif state.get(target) == "open":
                yield node, target
            elif target not in state:
                state[target] = "open"
                stack.append((target, iter(sorted(imports[target], key=rank.__getitem__))))


def shortest_way(imports: Graph[Node], start: Node, goal: Node) -> list[Node]:
    """The nodes from `start` to `goal`; there is a way."""
    before: dict[Node, Node] = {}
    queue = deque([start])
    while queue and goal not in before:
        node = queue.popleft()
        for target in imports[node]:
            if target not in before and target != start:
                before[target] = node
                queue.append(target)
    way = [goal]
    while way[-1] != start:
        way.append(before[way[-1]])
    return way[::-1]


def find(imports: Graph[Node], order: list[Node], kind: str, name: dict[Node, str]) -> Iterator[Violation]:
    """One violation for each circle, at the import that closes it."""
    for source, target in back_edges(imports, order):
        way = shortest_way(imports, target, source)
        example = imports[source][target]
        closing = [
            f"{name[node]} (imported at {imports[before][node].path}:{imports[before][node].line})"
            for before, node in zip(way, way[1:], strict=False)
        ]
        chain = " -> ".join([name[target], *closing])
        yield Violation(example.path, example.line, f"circle of {kind}: {chain} -> {name[target]}")


def check(imports: list[Import], files: dict[Module, str], layers: list[list[str]]) -> Iterator[Violation]:
    """Circles of files, circles of directories, imports that run upward, and entries of src/ that are in no layer."""
    rank = {name: index for index, tier in enumerate(layers) for name in tier}
    unknown: set[str] = set()
    for module, path in sorted(files.items()):
        if top_entry(module) not in rank and top_entry(module) not in unknown:
            unknown.add(top_entry(module))
            yield Violation(
                path, 1, f"{top_entry(module)} is in no layer; give it a place in LAYERS of check-structure"
            )
    for found in imports:
        above, below = top_entry(found.source), top_entry(found.target)
        if rank.get(below, len(layers)) < rank.get(above, -1):
            yield Violation(found.path, found.line, f"{above} imports {below}, which is a layer above it")
    modules = sorted(files, key=lambda module: (rank.get(top_entry(module), len(layers)), module))
    between_files = graph([(found.source, found.target, found) for found in imports])
    yield from find(between_files, [module for module in modules if module in between_files], "files", files)
    between_entries = graph([(top_entry(found.source), top_entry(found.target), found) for found in imports])
    entries = sorted(between_entries, key=lambda name: (rank.get(name, len(layers)), name))
    yield from find(between_entries, entries, "directories", {name: name for name in entries})
