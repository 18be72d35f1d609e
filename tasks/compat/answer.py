"""From the queries and the migrations to events: the question of db.compat and its answer."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tasks.compat.blaming import NOT_FOUND, Culprit, find_culprits
from tasks.compat.checking import Findings, Route, check_queries, summarize_left_out
from tasks.compat.events import CompatChecked, CompatStarted, QueryBroken, QueryChanged
from tasks.compat.model import CheckedQuery, QueryBreak, QueryChange
from tasks.compat.proposals import propose
from tasks.compat.row_rules import read_targets
from tasks.postgres.masking import mask_secrets
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.rehearsal.selection import Selection
from tasks.runner.errors import describe_error
from tasks.runner.events import Event, LeftOutQueries, QueriesRead
from tasks.runner.parsing.plain_queries import read_query

PG_STAT_STATEMENTS = "pg_stat_statements"
_MOST_SEARCHED = 20
"""In how many files the statement that breaks a query is sought: each search replays a part of the file several times."""
_MOST_CALLS = 3
"""A statement of a migration is called no more often than that in one database: it failed, was retried, or rolled back."""


@dataclass(frozen=True, slots=True)
class CompatQuestion:
    """The queries, where they come from, and what is known to be missing among them."""

    environment: str
    queries: tuple[CheckedQuery, ...]
    source: str = PG_STAT_STATEMENTS
    left_out: tuple[LeftOutQueries, ...] = ()
    not_known: tuple[str, ...] = ()


def build_question(read: QueriesRead, environment: str) -> CompatQuestion:
    """Return the question for the queries of a database, which are input: each is read again."""
    queries: list[CheckedQuery] = []
    refused = 0
    for each in read.queries:
        query = read_query(each.text)
        if query.reason:
            refused += 1
            continue
        targets = read_targets(query)
        queries.append(CheckedQuery(query.text, None, each.calls, each.calls_per_hour, each.role, each.search_path, targets))
    more = (LeftOutQueries("that are not one plain query", refused),) if refused else ()
    return CompatQuestion(environment, tuple(queries), PG_STAT_STATEMENTS, (*read.left_out, *more), read.not_known)


def build_route(selection: Selection, applied: Sequence[RehearsedMigration], *, pending: bool) -> Route:
    """Return the route of a check: what is pending after the applied ones, or the chosen files in their order.

    Files marked after-deploy run after the others that are pending, as in a deployment.
    """
    chosen = selection.list_chosen()
    if pending:
        following = sorted(chosen, key=lambda migration: migration.after_deploy)
        return Route(tuple(applied), tuple(following), frozenset(selection.chosen))
    first, last = min(selection.chosen, default=""), max(selection.chosen, default="")
    following = [migration for migration in selection.migrations if first <= migration.name <= last]
    only_running = first != (selection.migrations[0].name if selection.migrations else "")
    return Route(tuple(selection.list_before(first)), tuple(following), frozenset(selection.chosen), only_running=only_running)


def exclude_migrations(question: CompatQuestion, migrations: Sequence[RehearsedMigration]) -> CompatQuestion:
    """Return the question without the queries that are statements of applied migrations, which ran once."""
    if question.source != PG_STAT_STATEMENTS:
        return question
    known = set(_list_fingerprints(migrations))
    kept = tuple(query for query in question.queries if query.calls > _MOST_CALLS or _fingerprint(query.text) not in known)
    gone = len(question.queries) - len(kept)
    more = (LeftOutQueries("of applied migrations", gone),) if gone else ()
    return CompatQuestion(question.environment, kept, question.source, (*question.left_out, *more), question.not_known)


def answer_without_migrations(question: CompatQuestion, reason: str) -> Iterator[Event]:
    """Yield the answer where no migration is to be checked, for which no scratch server is needed."""
    yield CompatStarted(question.environment, len(question.queries), question.source, 0, reason, 0)
    yield CompatChecked(question.environment, 0, 0, 0, 0, question.left_out, question.not_known, (), 0)


def answer(
    server: ScratchServer,
    question: CompatQuestion,
    route: Route,
    *,
    reason: str = "",
    timeout_s: float | None = None,
) -> Iterator[Event]:
    """Yield what breaks, the worst first, then what changes, and at the end CompatChecked."""
    start = time.monotonic()
    count, checked = len(question.queries), len(route.checked)
    yield CompatStarted(question.environment, count, question.source, checked, reason, server.version)
    findings = check_queries(server, route, question.queries, timeout_s=timeout_s)
    culprits = _find_all_culprits(server, route, findings, timeout_s)
    broken = [_describe_break(each, route, culprits.get((each.version, each.query), NOT_FOUND)) for each in findings.breaks]
    yield from _sort_breaks(broken)
    changes = sorted(findings.changes, key=lambda each: (-each.query.calls, each.version))
    yield from map(_describe_change, changes)
    marked = {each.name for each in route.following if each.after_deploy}
    really = {each.query for each in findings.breaks if each.version not in marked}
    failed_version, failed = ("", None)
    if findings.failed is not None:
        failed_version, failed = findings.failed[0].name, describe_error(findings.failed[1], server.url)
    yield CompatChecked(
        question.environment,
        count - len(findings.left_out),
        len(really),
        len({each.query for each in findings.breaks} - really),
        len({each.query for each in changes}),
        summarize_left_out(list(findings.left_out.values()), question.left_out),
        question.not_known,
        tuple(findings.unchecked),
        round((time.monotonic() - start) * 1000),
        failed_version,
        failed,
        checked,
    )


def _sort_breaks(broken: Sequence[QueryBroken]) -> list[QueryBroken]:
    """Return the worst first: what a statement of a migration breaks is together, and its place is that of its worst query."""
    worst: dict[tuple[str, int], tuple[float, int]] = {}
    for each in broken:
        place, weight = (each.version, each.line), (each.calls_per_hour or 0, each.calls)
        worst[place] = max(worst.get(place, weight), weight)

    def weigh(each: QueryBroken) -> tuple[object, ...]:
        rate, calls = worst[each.version, each.line]
        return each.after_deploy, -rate, -calls, each.version, each.line, -(each.calls_per_hour or 0), -each.calls

    return sorted(broken, key=weigh)


def _find_all_culprits(
    server: ScratchServer, route: Route, findings: Findings, timeout_s: float | None
) -> dict[tuple[str, CheckedQuery], Culprit]:
    found: dict[tuple[str, CheckedQuery], Culprit] = {}
    searched = list(dict.fromkeys(each.version for each in findings.breaks))[:_MOST_SEARCHED]
    for place, migration in enumerate(route.following):
        queries = [each.query for each in findings.breaks if each.version == migration.name]
        if queries and migration.name in searched:
            before = (*route.before, *route.following[:place])
            culprits = find_culprits(server, before, migration, queries, findings.types, timeout_s=timeout_s)
            found |= {(migration.name, query): culprit for query, culprit in culprits.items()}
    return found


def _describe_break(found: QueryBreak, route: Route, culprit: Culprit) -> QueryBroken:
    query = found.query
    migration = next(each for each in route.following if each.name == found.version)
    alone = len(migration.make_step("up").script.statements) == 1
    marked = migration.after_deploy
    return QueryBroken(
        found.version,
        culprit.line,
        culprit.text,
        mask_secrets(query.text),
        str(query.place or ""),
        query.calls,
        query.calls_per_hour,
        query.role,
        found.problem.sqlstate,
        found.problem.message,
        found.works_again,
        marked,
        "" if marked else propose(found, culprit, alone=alone),
    )


def _describe_change(found: QueryChange) -> QueryChanged:
    query = found.query
    place = str(query.place or "")
    return QueryChanged(found.version, mask_secrets(query.text), place, query.calls, query.calls_per_hour, found.changes)


def _list_fingerprints(migrations: Sequence[RehearsedMigration]) -> Iterator[str]:
    for migration in migrations:
        for text in (migration.up, migration.down or ""):
            yield from _fingerprint_script(text)


def _fingerprint_script(text: str) -> Iterator[str]:
    from pglast.parser import ParseError, split

    try:
        pieces = split(text)
    except (ParseError, RecursionError, UnicodeError, ValueError):
        return
    for piece in pieces:
        query = read_query(piece)
        if not query.reason:
            yield _fingerprint(query.text)


def _fingerprint(text: str) -> str:
    """Return what two queries share that differ only in their constants."""
    from pglast.parser import ParseError, fingerprint

    try:
        return str(fingerprint(text))
    except (ParseError, RecursionError, UnicodeError, ValueError):
        return text
