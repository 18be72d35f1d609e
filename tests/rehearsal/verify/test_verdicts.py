"""A verdict is used again exactly if nothing that it rests on has changed."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from psycopg import sql

from tasks.rehearsal.events import MigrationVerified
from tasks.rehearsal.kept.code import sum_code
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.scratch.description import describe_server
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.rehearsal.selection import Selection
from tasks.rehearsal.verify.verdicts import keys
from tasks.rehearsal.verify.verdicts.known import open_known
from tasks.rehearsal.verify.verdicts.store import find_file
from tasks.rehearsal.verify.verify import VerifyOptions, verify
from tests.kit.own_servers import OwnServer
from tests.rehearsal.verifying import VERSIONS, list_found, make_migrations

A = ("CREATE TABLE a (id int);", "DROP TABLE a;")
B = ("CREATE TABLE b (id int); CREATE VIEW v AS SELECT 1 AS one;", "DROP TABLE b;")
C = ("CREATE TABLE c (id int);", "DROP TABLE c;")
BROKEN = ("SELECT 1;\nSELECT 1 / 0;", "SELECT 1;")
HISTORY = make_migrations(A, B, BROKEN, C)
PLAIN = VerifyOptions()
FOUND = [[], ["not_restored", "up_again_fails"], ["up_fails"], []]


@pytest.fixture
def environ(tmp_path: Path) -> Mapping[str, str]:
    """Return an environment with a cache folder of its own."""
    return {"XDG_CACHE_HOME": str(tmp_path)}


def run(
    server: ScratchServer,
    environ: Mapping[str, str],
    migrations: tuple[RehearsedMigration, ...] = HISTORY,
    options: VerifyOptions = PLAIN,
    applied: frozenset[str] = frozenset(),
) -> list[MigrationVerified]:
    """Verify migrations with the verdicts of a cache folder."""
    chosen = tuple(migration.name for migration in migrations if migration.name not in applied)
    selection = Selection(migrations, chosen, "chosen", applied)
    events = list(verify(server, selection, options, known=open_known(server, options, environ)))
    return [event for event in events if isinstance(event, MigrationVerified)]


def list_reused(results: list[MigrationVerified]) -> list[int]:
    """Return the places of the results that are those of an earlier verification."""
    return [place for place, result in enumerate(results) if result.reused]


def test_the_results_are_used_again_with_their_findings(scratch: ScratchServer, environ: Mapping[str, str]) -> None:
    first = run(scratch, environ)
    second = run(scratch, environ)
    assert [list_found(each) for each in first] == FOUND
    assert (list_reused(first), list_reused(second)) == ([], [0, 1, 2, 3])
    assert [replace(each, reused=False) for each in second] == first


CHANGES = {
    "an up": (replace(HISTORY[1], up=f"{B[0]} -- changed"), [0]),
    "a down": (replace(HISTORY[1], down=f"{B[1]} -- changed"), [0, 2, 3]),
    "no down any more": (replace(HISTORY[1], down=None), [0, 2, 3]),
    "the place of a file": (replace(HISTORY[1], shown="elsewhere.sql"), [0]),
    "an up that failed": (replace(HISTORY[2], up="SELECT 2;"), [0, 1]),
}


@pytest.mark.parametrize(("changed", "reused"), CHANGES.values(), ids=CHANGES.keys())
def test_what_a_changed_file_does_not_affect_is_used_again(
    scratch: ScratchServer, environ: Mapping[str, str], changed: RehearsedMigration, reused: list[int]
) -> None:
    run(scratch, environ)
    migrations = tuple(changed if each.name == changed.name else each for each in HISTORY)
    assert list_reused(run(scratch, environ, migrations)) == reused


def test_new_files_do_not_affect_those_before_them(scratch: ScratchServer, environ: Mapping[str, str]) -> None:
    run(scratch, environ, HISTORY[:2])
    assert list_reused(run(scratch, environ)) == [0, 1]


def test_a_late_migration_is_verified_again_when_others_are_applied(scratch: ScratchServer, environ: Mapping[str, str]) -> None:
    migrations = make_migrations(A, C, ("SELECT 1;", "SELECT 1;"))
    late = [frozenset({VERSIONS[0], VERSIONS[2]}), frozenset({VERSIONS[0]}), frozenset({VERSIONS[0], VERSIONS[2]})]
    results = [run(scratch, environ, migrations, applied=applied)[0] for applied in late]
    assert [(each.late, each.reused) for each in results] == [("safe", False), ("", False), ("safe", True)]


def test_other_options_are_another_verification(scratch: ScratchServer, environ: Mapping[str, str]) -> None:
    run(scratch, environ)
    for options in (VerifyOptions(with_data=True), VerifyOptions(timeout_s=60)):
        assert list_reused(run(scratch, environ, options=options)) == []


def test_an_error_of_the_moment_is_not_kept(scratch: ScratchServer, environ: Mapping[str, str]) -> None:
    for sqlstate in ("53200", "57014", "40P01", "58030"):
        up = f"DO $$ BEGIN RAISE SQLSTATE '{sqlstate}'; END $$;"
        for _ in range(2):
            (result,) = run(scratch, environ, make_migrations((up, "SELECT 1;")))
            assert (list_found(result), result.reused) == (["up_fails"], False)
    slow = make_migrations(("SELECT pg_sleep(600);", ""))
    for _ in range(2):
        (result,) = run(scratch, environ, slow, VerifyOptions(timeout_s=0.2))
        assert (list_found(result), result.reused) == (["up_fails"], False)


def test_another_code_of_the_tool_is_another_verification(
    scratch: ScratchServer, environ: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(scratch, environ)
    monkeypatch.setattr(keys, "sum_code", lambda _: "another")
    assert list_reused(run(scratch, environ)) == []


def test_the_sum_of_the_code_follows_from_each_file(tmp_path: Path) -> None:
    (tmp_path / "runner/deep").mkdir(parents=True)
    source = tmp_path / "runner/deep/module.py"
    sums = []
    for text in ("one", "two", "one"):
        source.write_text(text)
        sum_code.cache_clear()
        sums.append(sum_code(tmp_path))
    source.rename(source.with_name("other.py"))
    sum_code.cache_clear()
    assert sums[0] == sums[2] != sums[1]
    assert sum_code(tmp_path) not in sums


def test_another_server_is_another_verification(
    scratch: ScratchServer, environ: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(scratch, environ)
    monkeypatch.setattr(keys, "describe_server", lambda _: "another")
    assert list_reused(run(scratch, environ)) == []


def test_a_server_is_described_by_what_statements_depend_on(running: OwnServer, scratch: ScratchServer) -> None:
    first = describe_server(scratch)
    with ScratchServer(running.url()) as same, ScratchServer(running.url(), without=["vector"]) as other:
        assert describe_server(same) == first
        assert describe_server(other) != first
        for target, differs in ((same.version, False), (150000, True)):
            same.target_version = target
            assert (describe_server(same) != first) == differs
    with ScratchServer(running.url(), as_superuser=True) as other:
        assert describe_server(other) != first
    statements = [
        ("CREATE ROLE described_role", "DROP ROLE described_role"),
        ("ALTER DATABASE postgres SET bytea_output = 'escape'", "ALTER DATABASE postgres RESET bytea_output"),
    ]
    for change, revert in statements:
        for statement, differs in ((change, True), (revert, False)):
            running.administer(sql.SQL(statement).format())
            with ScratchServer(running.url()) as changed:
                assert (describe_server(changed) != first) == differs


def flip(text: str) -> str:
    """Return the text of the file with another verdict in the entry of the broken migration."""
    entries = json.loads(text)
    for entry in entries.values():
        entry[0] = entry[0].replace("division by zero", "nothing of note")
    return json.dumps(entries)


def swap(text: str) -> str:
    """Return the text of the file with the entries under each other's names."""
    entries = json.loads(text)
    return json.dumps(dict(zip(entries, reversed(entries.values()), strict=True)))


DAMAGED: dict[str, tuple[Callable[[str], str], list[int]]] = {
    "empty": (lambda _: "", []),
    "half": (lambda text: text[: len(text) // 2], []),
    "a list": (lambda text: f"[{text}]", []),
    "deep": (lambda _: "[" * 100_000, []),
    "other entries": (lambda text: json.dumps({name: [1, 2, 3] for name in json.loads(text)}), []),
    "one entry": (flip, [0, 1, 3]),
    "swapped entries": (swap, []),
}


@pytest.mark.parametrize(("damage", "reused"), DAMAGED.values(), ids=DAMAGED.keys())
def test_a_damaged_file_is_ignored_and_written_again(
    scratch: ScratchServer, environ: Mapping[str, str], damage: Callable[[str], str], reused: list[int]
) -> None:
    path = find_file(environ)
    assert path is not None
    first = run(scratch, environ)
    path.write_text(damage(path.read_text()))
    results = run(scratch, environ)
    assert list_reused(results) == reused
    assert [list_found(each) for each in results] == FOUND
    assert [replace(each, reused=False, duration_ms=0) for each in results] == [replace(each, duration_ms=0) for each in first]
    assert list_reused(run(scratch, environ)) == [0, 1, 2, 3]


def test_a_file_that_others_can_write_is_ignored(scratch: ScratchServer, environ: Mapping[str, str], tmp_path: Path) -> None:
    path = find_file(environ)
    assert path is not None
    run(scratch, environ)
    path.chmod(0o666)
    assert list_reused(run(scratch, environ)) == []
    path.parent.chmod(0o777)
    assert list_reused(run(scratch, environ)) == []
    path.rename(tmp_path / "elsewhere.json")
    path.symlink_to(tmp_path / "elsewhere.json")
    assert list_reused(run(scratch, environ)) == []
    assert list_reused(run(scratch, environ)) == [0, 1, 2, 3]
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_a_file_that_cannot_be_written_costs_nothing_but_time(scratch: ScratchServer, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert [list_found(each) for each in run(scratch, {"XDG_CACHE_HOME": str(tmp_path / "file")})] == FOUND


@pytest.mark.parametrize(
    ("environ", "path"),
    [
        ({"XDG_CACHE_HOME": "/c", "HOME": "/h"}, "/c/gaia-migrations/verified/verdicts.json"),
        ({"HOME": "/h"}, "/h/.cache/gaia-migrations/verified/verdicts.json"),
        ({"XDG_CACHE_HOME": "in/the/checkout", "HOME": "/h"}, None),
        ({"XDG_CACHE_HOME": "", "HOME": ""}, None),
    ],
)
def test_the_file_is_in_the_cache_folder_of_the_account(environ: dict[str, str], path: str | None) -> None:
    assert find_file(environ) == (Path(path) if path else None)
