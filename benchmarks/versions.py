"""False alarms over all pairs of versions: what db.drift would report of a schema that was not changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from tasks.catalog import Catalog, compare, show_difference
from tests.catalog.attribute_cases import ATTRIBUTES
from tests.catalog.cases import CASES
from tests.catalog.version_cases import SchemaCase
from tests.catalog.version_pairs import (
    ALL_SCHEMAS,
    NOT_RESTORED,
    find_alarms,
    list_common,
    make_roles,
    make_together,
    read_after,
    read_made,
    restore,
)
from tests.kit.databases import Database, fresh_database
from tests.kit.servers import find_programs, start_server

Pair = tuple[int, int]
_CELL = "{:>14}"


@dataclass
class VersionBenchmark:
    """The counts for each pair of a target and a scratch server that is not older: comparisons, false alarms, missed changes."""

    compared: Counter[Pair] = field(default_factory=Counter)
    alarms: Counter[Pair] = field(default_factory=Counter)
    changed: Counter[Pair] = field(default_factory=Counter)
    missed: Counter[Pair] = field(default_factory=Counter)
    lines: list[str] = field(default_factory=list)

    def check(self, title: str, pair: Pair, expected: Catalog, live: Catalog) -> None:
        """Count a comparison in which there must be no drift."""
        self.compared[pair] += 1
        if found := find_alarms(expected, live):
            self.alarms[pair] += 1
            self.lines += [f"false alarm, target {pair[0]}, scratch {pair[1]}: {title}", *show_difference(found)]

    def check_change(self, title: str, pair: Pair, expected: Catalog, live: Catalog, seen: tuple[str, ...]) -> None:
        """Count a comparison in which the drift must be exactly what was changed."""
        self.changed[pair] += 1
        found = tuple(f"{change.word} {change.key}" for change in compare(expected, live).changes)
        if found != seen:
            self.missed[pair] += 1
            self.lines.append(f"not exact, target {pair[0]}, scratch {pair[1]}: {title}: {', '.join(found) or 'nothing'}")


def measure(home: Path) -> VersionBenchmark:
    """Make the schemas on each version that is present, restore them on each newer one, and compare all with all."""
    result = VersionBenchmark()
    with ExitStack() as stack:
        servers = {major: start_server(home / f"pg{major}", programs) for major, programs in find_programs().items()}
        for server in servers.values():
            stack.callback(server.close)

        def make() -> dict[int, Database]:
            made = {major: stack.enter_context(fresh_database(server)) for major, server in servers.items()}
            for database in made.values():
                make_roles(database)
            return made

        empty = make()
        _compare_made(result, empty)
        _compare_changed(result, empty)
        for target in servers:
            _compare_restored(result, target, make)
        for schema in (schema for schema in ALL_SCHEMAS if schema.alone and schema.title not in NOT_RESTORED):
            _compare_restored_alone(result, schema, empty)
    return result


def _list_pairs(majors: Iterator[int] | dict[int, Database]) -> list[Pair]:
    known = sorted(majors)
    return [(target, scratch) for target in known for scratch in known if scratch >= target]


def _compare_made(result: VersionBenchmark, empty: dict[int, Database]) -> None:
    made = {major: read_made(database) for major, database in empty.items()}
    for target, scratch in _list_pairs(empty):
        for schema in ALL_SCHEMAS:
            if schema.title in made[target] and schema.title in made[scratch]:
                result.check(schema.title, (target, scratch), made[scratch][schema.title], made[target][schema.title])


def _compare_changed(result: VersionBenchmark, empty: dict[int, Database]) -> None:
    for case in (*CASES, *ATTRIBUTES):
        if not case.seen or "catalog_space" in case.change or "UPDATE pg_" in case.change:
            continue
        able = {major: database for major, database in empty.items() if major >= case.since}
        before = {major: read_after(database, case.setup) for major, database in able.items()}
        after = {major: read_after(database, case.setup, case.change) for major, database in able.items()}
        for target, scratch in _list_pairs(able):
            result.check_change(case.title, (target, scratch), before[scratch], after[target], case.seen)


def _compare_restored(result: VersionBenchmark, origin: int, make: Callable[[], dict[int, Database]]) -> None:
    """Compare what a version had after a restore on the same and on each newer one with what each makes itself."""
    sources, made = make(), make()
    common = list_common(sources[origin])
    make_together(sources[origin], common)
    restored = {}
    for major in (major for major in made if major >= origin):
        make_together(made[major], common)
        restored[major] = make()[major]
        restore(sources[origin], restored[major])
    for target, scratch in _list_pairs(restored):
        title = f"{len(common)} schemas together, restored from {origin}"
        result.check(title, (target, scratch), read_after(made[scratch]), read_after(restored[target]))


def _compare_restored_alone(result: VersionBenchmark, schema: SchemaCase, empty: dict[int, Database]) -> None:
    """Compare a schema that needs a database of its own, restored on the same and on the newest version, with what is made."""
    expected = {major: read_after(database, schema.text) for major, database in empty.items() if major >= schema.since}
    with ExitStack() as stack:
        for origin in expected:
            source = stack.enter_context(fresh_database(empty[origin].server))
            source.execute(schema.text)
            for target in {origin, max(expected)}:
                restored = stack.enter_context(fresh_database(empty[target].server))
                restore(source, restored)
                live = read_after(restored)
                for scratch in (major for major in expected if major >= target):
                    result.check(f"{schema.title}, restored from {origin}", (target, scratch), expected[scratch], live)


def print_table(result: VersionBenchmark) -> None:
    """Print false alarms of comparisons for each pair, then every line about one."""
    majors = sorted({major for pair in result.compared for major in pair})
    print("\nFalse alarms of comparisons, and changes not seen exactly of changes, by target (rows) and scratch server:")
    print(" " * 6 + "".join(_CELL.format(f"scratch {major}") for major in majors))
    for name, wrong, all_of in (("false", result.alarms, result.compared), ("missed", result.missed, result.changed)):
        for target in majors:
            cells = [
                f"{wrong[target, scratch]}/{all_of[target, scratch]}" if scratch >= target else "refused" for scratch in majors
            ]
            print(f"{target:<6}" + "".join(map(_CELL.format, cells)) + f"  {name}")
    print(f"In total: {result.alarms.total()} of {result.compared.total()}, {result.missed.total()} of {result.changed.total()}")
    print("\n".join(result.lines))
