"""One place runs our SQL: nothing past it opens a session, sends a statement, or depends on a search_path."""

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pglast
import pytest

from tasks.runner.database import names, session_settings, setting_sources
from tasks.runner.execution import nontransactional_run

TASKS = Path(__file__).parents[3] / "tasks"
ALLOWED = {
    # The three sessions: that of the runner, the limited one, and that of the embedded server while it is created.
    "connect": {"runner/database/session.py", "postgres/server/embedded.py"},
    "connect_start": {
        "runner/database/limited_session.py",
        # They read what libpq makes of a URL, and why a connection fails; nothing is sent after the start.
        "runner/database/addresses.py",
        "runner/database/connect_failures.py",
    },
    # The catalog sends queries of its own, whose settings it sets itself, and reads each answer while the server works.
    "send_query": {
        "catalog/reading.py",
        "runner/database/session.py",
        "runner/database/limited_session.py",
        "runner/database/run_lock.py",
    },
    "exec_": {"runner/database/session.py"},
    # The pipeline of the files: their statements, and between them our own, each after what puts our settings in force.
    "send_query_params": {"runner/database/pipeline.py"},
    "send_query_prepared": {"runner/database/pipeline.py"},
    "send_prepare": {"runner/database/pipeline.py"},
    "Pipeline": {"runner/execution/pipeline_run.py"},
    # A text of several statements, which the server refuses to prepare; the record of a step, after our own settings; and the
    # queries of an application on scratch, under the search_path that they have in their database.
    "prepare": {"runner/planning/sources.py", "runner/ledger/writing.py", "compat/preparing.py"},
    # What runs the statements of files; in rehearsals also what asks a DO block what it would do.
    "Execution": {
        "rehearsal/replay/scratch_run.py",
        "runner/database/session.py",
        "runner/execution/statement_run.py",
        "runner/execution/segment_run.py",
        "runner/operations/load.py",
    },
    # Queries that see what a file sees: their texts are below.
    "read_as_file": {"runner/database/names.py", "runner/database/setting_sources.py"},
    "qualify_target": {"runner/execution/nontransactional_run.py"},
    # A cursor of a connection of ours is an OwnCursor; the guard of the ledger only composes texts with one,
    # and the snapshot begins a transaction, before which no setting of ours applies.
    "Cursor": set(),
    "ClientCursor": {
        "runner/database/own_connection.py",
        "runner/database/names.py",
        "runner/ledger/guard.py",
        "runner/ledger/snapshot.py",
    },
}
"""By what opens a session or sends a statement: the modules that may call it."""
FORBIDDEN = ("exec_params", "exec_prepared", "ServerCursor")
_OWNERS = {"connect": ("psycopg", "Connection", "OwnConnection"), "prepare": ("pgconn",)}
UNPINNED = {
    "opening": session_settings.compose_opening("", session_settings.list_start_settings(180000, runs_files=False), -1),
    "discarding": session_settings._DISCARD,
    "settings before a record": session_settings.SessionState("", False, 180000, 0).list_before_ledger(prepares=False)[4],
    "schemas": f"SELECT {names._SCHEMA}",
    "relations": names.compose_relations(["a", "b.c"]),
    "timeouts": f"SELECT {nontransactional_run._SWAP_TIMEOUTS}",
    "sources of settings": setting_sources._QUERY,
    "ledger": (TASKS / "runner/ledger/ledger.sql").read_text(encoding="utf-8").replace(':"schema"', "public"),
}
"""The SQL that runs under the role's search_path, or whose names are stored."""


def list_calls() -> Iterator[tuple[str, str]]:
    """Yield module and name of each call in tasks/, without those of other objects' methods."""
    for path in TASKS.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                owner, _, name = ast.unparse(node.func).rpartition(".")
                if name in _OWNERS and owner.rpartition(".")[2] not in _OWNERS[name]:
                    continue
                yield path.relative_to(TASKS).as_posix(), name


def test_only_the_sessions_of_the_runner_send_sql() -> None:
    calls = {(module, name) for module, name in list_calls() if name in ALLOWED or name in FORBIDDEN}
    assert calls == {(module, name) for name, modules in ALLOWED.items() for module in modules}


def find_unqualified(node: Any) -> Iterator[str]:
    """Yield what a statement names without a schema."""
    if isinstance(node, list):
        for each in node:
            yield from find_unqualified(each)
    if not isinstance(node, dict):
        return
    for key, name in (("FuncCall", "funcname"), ("A_Expr", "name"), ("TypeName", "names"), ("typeName", "names")):
        parts = [part["String"]["sval"] for part in node.get(key, {}).get(name, ())]
        if parts and (len(parts) < 2 or parts[0] != "pg_catalog"):
            yield f"{key} {'.'.join(parts)}"
    table = node.get("RangeVar") or node.get("relation") or {}
    if "relname" in table and "schemaname" not in table and table["relname"] != "role":
        yield table["relname"]
    for each in node.values():
        yield from find_unqualified(each)


@pytest.mark.parametrize("what", UNPINNED)
def test_sql_that_may_run_under_another_search_path_names_every_schema(what: str) -> None:
    text = UNPINNED[what].replace("%s", "NULL")
    assert list(find_unqualified(json.loads(pglast.parser.parse_sql_json(text)))) == []


def test_a_name_without_a_schema_is_found() -> None:
    text = "SELECT a = b, f(a), a::text FROM t WHERE a IN (1)"
    found = list(find_unqualified(json.loads(pglast.parser.parse_sql_json(text))))
    assert found == ["A_Expr =", "FuncCall f", "typeName text", "t", "A_Expr ="]
