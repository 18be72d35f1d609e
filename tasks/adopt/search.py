"""All subsets of the migrations that lead to a schema: a graph with one layer for each migration. Only `attempt` has effects.

Each migration was applied or was not, so that from every schema before it two edges lead on. An object that no later migration
may touch has to be as it is in the live schema by then; what differs costs, and a way that costs more than the best is given up.
The ways that cost least are the explanations; what all of them agree on is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tasks.adopt.references import References, list_mentions, list_names
from tasks.catalog import COLUMN_ORDER, Catalog, Key

State = Mapping[Key, str]
Effect = Mapping[Key, str | None]
"""What a migration changed: the new definition of each object, None if it was dropped."""
Attempt = Callable[[int, "Node"], "Effect | None"]
"""Run a migration at a node and return its effect, None if it fails. Raises SearchLimit after too many trials."""

WHOLE, SLIGHT = 100, 1
"""The cost of an object that differs from the live one, and of a different column order."""
_NODES = 64
_PASSES = 60


class SearchLimit(Exception):  # noqa: N818 - it is a bound that is met, not a fault
    """The limit of trials is reached."""


@dataclass(slots=True)
class Node:
    """A schema after some of the first migrations, one path to it, and the cost of what differs permanently."""

    state: State
    mark: int
    path: tuple[int, ...]
    cost: int = 0


@dataclass(frozen=True, slots=True)
class Edge:
    """A step from a schema to the next by a migration that was applied, or was not."""

    start: int
    end: int
    applied: bool
    effect: Effect | None = None


@dataclass(slots=True)
class Graph:
    """The layers of schemas and the edges between them; `cut` is True if good paths may have been left out."""

    layers: list[dict[int, Node]]
    edges: list[list[Edge]] = field(default_factory=list)
    cut: list[Node] = field(default_factory=list)
    over: list[int] = field(default_factory=list)
    """The cost of the paths that were left out."""


class Search:
    """The search for the paths from an empty database to a live schema."""

    def __init__(self, reaches: Sequence[References], empty: State, live: State, attempt: Attempt) -> None:
        self._reaches = reaches
        self._empty = empty
        self.live = live
        self._attempt = attempt
        self._memo: dict[tuple[int, frozenset[tuple[Key, str]]], Effect | None] = {}
        self._seen: dict[Key, set[str]] = {}
        self._last: dict[Key, int] = {}
        self._names: frozenset[str] = frozenset()
        self._news = True
        self.observe(empty.items())
        self.observe(live.items())

    def observe(self, objects: Iterable[tuple[Key, str]]) -> None:
        """Record definitions that objects may have."""
        for key, definition in objects:
            known = self._seen.setdefault(key, set())
            if definition not in known:
                known.add(definition)
                self._news = True

    def learn(self, index: int, effect: Effect) -> None:
        """Record the effect of a migration."""
        for key, definition in effect.items():
            self._news |= self._reaches[index].record(key)
            if definition is not None:
                self.observe([(key, definition)])

    def prime(self, index: int, before: State, effect: Effect | None) -> None:
        """Record the effect of a migration in a schema, which saves a trial there; after all effects were learnt."""
        self._names = self._names or list_names(self._seen)
        self._memo[index, self._read_dependencies(index, before)] = effect

    def run(self) -> tuple[Graph, int]:
        """Return the graph with every cheapest path, and the cost of such a path."""
        budget = passes = 0
        while True:
            passes += 1
            self._date()
            self._news = False
            graph = self._walk(budget)
            if self._news and passes < _PASSES:
                continue
            ends = [node.cost for node in graph.layers[-1].values()] if len(graph.layers) == len(self._reaches) + 1 else []
            if ends:
                best = min(ends)
                return _leave_worse(graph, best), best
            budget = min(graph.over, default=budget * 2 + WHOLE)
            if passes > _PASSES:
                budget *= 2

    def effect_at(self, index: int, node: Node) -> Effect | None:
        """Return the effect of a migration at a node; a known one if everything that it depends on is the same."""
        read_set = self._read_dependencies(index, node.state)
        if (index, read_set) not in self._memo:
            effect = self._attempt(index, node)
            if effect is not None:
                self.learn(index, effect)
            self._memo[index, read_set] = effect
            # The effect may add objects that the migration depends on.
            self.prime(index, node.state, effect)
        return self._memo[index, read_set]

    def _read_dependencies(self, index: int, state: State) -> frozenset[tuple[Key, str]]:
        reach, names = self._reaches[index], self._names
        return frozenset((key, text) for key, text in state.items() if reach.depends_on(key, text, names))

    def _date(self) -> None:
        """Find for each object the last migration that may touch it; objects that none touches are ignored."""
        self._names = list_names(self._seen)
        mentions = list_mentions(self._seen, self._names)
        self._last = {}
        for key, mentioned in mentions.items():
            for index in range(len(self._reaches) - 1, -1, -1):
                if self._reaches[index].touches(key, mentioned):
                    self._last[key] = index
                    break
        self._dying: list[list[Key]] = [[] for _ in self._reaches]
        for key, index in self._last.items():
            self._dying[index].append(key)

    def _walk(self, budget: int) -> Graph:
        first = Node(self._empty, _mark(self._empty), ())
        graph = Graph([{first.mark: first}])
        for index in range(len(self._reaches)):
            following: dict[int, Node] = {}
            edges: list[Edge] = []
            for node in graph.layers[-1].values():
                try:
                    effect = self.effect_at(index, node)
                except SearchLimit:
                    graph.cut.append(node)
                    effect = None
                edges += self._step(index, node, effect, following, graph, budget)
            graph.edges.append(edges)
            graph.layers.append(_keep_best(following, graph))
            if not following:
                break
        return graph

    def _step(
        self, index: int, node: Node, effect: Effect | None, following: dict[int, Node], graph: Graph, budget: int
    ) -> list[Edge]:
        edges = []
        ends = [(False, node.state, node.path)]
        if effect is not None:
            after = change(node.state, effect)
            # Of two paths to one schema, the one with the rows: a later migration may need them.
            ends.insert(0 if after is node.state else 1, (True, after, (*node.path, index)))
        for applied, state, path in ends:
            cost = node.cost + self._price(self._dying[index], state)
            if cost > budget:
                graph.over.append(cost)
                continue
            mark = node.mark if state is node.state else _mark(state)
            following.setdefault(mark, Node(state, mark, path, cost))
            edges.append(Edge(node.mark, mark, applied, effect))
        return edges

    def _price(self, keys: Iterable[Key], state: State) -> int:
        return sum(price(key) for key in keys if state.get(key) != self.live.get(key))


def price(key: Key) -> int:
    """Return the cost of an object that differs from the live one."""
    return SLIGHT if key.kind == COLUMN_ORDER else WHOLE


def change(state: State, effect: Effect) -> State:
    """Return the schema after an effect, or the same one without an effect."""
    if not effect:
        return state
    merged = {**state, **{key: text for key, text in effect.items() if text is not None}}
    for key, text in effect.items():
        if text is None:
            merged.pop(key, None)
    return merged if merged != state else state


def find_effect(before: Catalog, after: Catalog) -> Effect:
    """Return what changed between two schemas."""
    keys = before.objects.keys() | after.objects.keys()
    pairs = ((key, before.objects.get(key), after.objects.get(key)) for key in keys)
    return {key: new for key, old, new in pairs if old != new}


def _mark(state: State) -> int:
    return hash(frozenset(state.items()))


def _keep_best(following: dict[int, Node], graph: Graph) -> dict[int, Node]:
    if len(following) <= _NODES:
        return following
    ranked = sorted(following.values(), key=lambda node: node.cost)
    graph.cut += ranked[_NODES:]
    return {node.mark: node for node in ranked[:_NODES]}


def _leave_worse(graph: Graph, best: int) -> Graph:
    """Keep the cheapest final schemas, and ignore the paths left out that cannot be as cheap."""
    graph.layers[-1] = {mark: node for mark, node in graph.layers[-1].items() if node.cost == best}
    graph.cut = [node for node in graph.cut if node.cost <= best]
    return graph


@dataclass(frozen=True, slots=True)
class Solution:
    """For each migration the edges of the cheapest paths, and one such path with its schemas."""

    choices: tuple[frozenset[bool], ...]
    effective: tuple[bool, ...]
    """Whether a migration changes the schema in any of these paths."""
    edges: tuple[Edge, ...]
    states: tuple[State, ...]


def solve(graph: Graph, forced: Mapping[int, bool]) -> Solution | None:
    """Return the solution of all paths that agree with the claims about some migrations, None if there is none."""
    usable = _find_usable(graph, forced)
    if usable is None:
        return None
    mark = next(iter(graph.layers[0]))
    chosen: list[Edge] = []
    states = [graph.layers[0][mark].state]
    for index, edges in enumerate(usable):
        # Prefer applied, so that the evidence describes what the migration did.
        edge = max((edge for edge in edges if edge.start == mark), key=lambda each: each.applied)
        chosen.append(edge)
        mark = edge.end
        states.append(graph.layers[index + 1][mark].state)
    choices = tuple(frozenset(edge.applied for edge in edges) for edges in usable)
    if graph.cut:
        both = frozenset({True, False})
        choices = tuple(frozenset({forced[index]}) if index in forced else both for index in range(len(choices)))
    effective = tuple(any(edge.applied and edge.effect for edge in edges) for edges in usable)
    return Solution(choices, effective, tuple(chosen), tuple(states))


def _find_usable(graph: Graph, forced: Mapping[int, bool]) -> list[list[Edge]] | None:
    reached = [set(graph.layers[0])]
    for index, edges in enumerate(graph.edges):
        wanted = forced.get(index)
        fit = {edge.end for edge in edges if edge.start in reached[-1] and wanted in (None, edge.applied)}
        reached.append(fit & graph.layers[index + 1].keys())
    if not reached[-1]:
        return None
    usable: list[list[Edge]] = []
    ends = reached[-1]
    for index in range(len(graph.edges) - 1, -1, -1):
        wanted = forced.get(index)
        fits = [
            edge
            for edge in graph.edges[index]
            if edge.end in ends and edge.start in reached[index] and wanted in (None, edge.applied)
        ]
        usable.insert(0, fits)
        ends = {edge.start for edge in fits}
    return usable
