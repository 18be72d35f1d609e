"""A schema is used again exactly if nothing that it rests on has changed."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from tasks.catalog import Catalog, Key
from tasks.generation.states import read_schema_state
from tasks.rehearsal.kept import schemas
from tasks.rehearsal.kept.schemas import KeptSchema, KeptSchemas, open_schemas
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.replay.left_out import LeftOut
from tasks.rehearsal.scratch.server import ScratchServer

BASE = (
    RehearsedMigration("1", 'CREATE TABLE a (id int PRIMARY KEY, "B" text DEFAULT \'ü "\');', shown="up/1.sql"),
    RehearsedMigration("2", "CREATE VIEW v AS SELECT id FROM a;", shown="up/2.sql"),
)
SCHEMA = KeptSchema(
    Catalog({Key("table", "a"): "", Key("column", "id", "a"): "text DEFAULT 'ü\n'"}, 180000, {Key("index", "i", "a"): "CREATE"}),
    (LeftOut("up/1.sql:1: CREATE EXTENSION x", "up/1.sql:1", "CREATE EXTENSION x"),),
    ("pgcrypto",),
)


@pytest.fixture
def environ(tmp_path: Path) -> Mapping[str, str]:
    """Return an environment with a cache folder of its own."""
    return {"XDG_CACHE_HOME": str(tmp_path)}


def list_files(environ: Mapping[str, str]) -> list[Path]:
    """Return the files of the cache folder, in the order in which they were used."""
    files = Path(environ["XDG_CACHE_HOME"]).rglob("*.json")
    return sorted(files, key=lambda path: path.stat().st_mtime_ns)


def test_a_schema_is_kept_completely(tmp_path: Path) -> None:
    kept = KeptSchemas(tmp_path / "schemas", "a server")
    assert kept.find(BASE) is None
    kept.add(BASE, SCHEMA)
    found = KeptSchemas(tmp_path / "schemas", "a server").find(BASE)
    assert found == SCHEMA
    assert (found.catalog.server_version, dict(found.catalog.derived)) == (180000, dict(SCHEMA.catalog.derived))


CHANGES = {
    "a text": (replace(BASE[0], up=f"{BASE[0].up} -- changed"), BASE[1]),
    "a name": (BASE[0], replace(BASE[1], name="3")),
    "a place": (BASE[0], replace(BASE[1], shown="elsewhere.sql")),
    "the order": (BASE[1], BASE[0]),
    "fewer files": BASE[:1],
    "more files": (*BASE, replace(BASE[1], name="3")),
    "no files": (),
}


@pytest.mark.parametrize("changed", CHANGES.values(), ids=CHANGES.keys())
def test_other_files_have_another_schema(tmp_path: Path, changed: tuple[RehearsedMigration, ...]) -> None:
    kept = KeptSchemas(tmp_path / "schemas", "a server")
    kept.add(BASE, SCHEMA)
    assert kept.find(changed) is None
    assert KeptSchemas(tmp_path / "schemas", "another server").find(BASE) is None


def test_another_server_or_code_has_another_schema(
    scratch: ScratchServer, environ: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    open_schemas(scratch, environ).add(BASE, SCHEMA)
    assert open_schemas(scratch, environ).find(BASE) == SCHEMA
    for name in ("describe_server", "sum_code"):
        with monkeypatch.context() as patch:
            patch.setattr(schemas, name, lambda _: "another")
            assert open_schemas(scratch, environ).find(BASE) is None
    with ScratchServer(scratch.url, without=["vector"]) as other:
        assert open_schemas(other, environ).find(BASE) is None


def test_a_schema_for_an_older_server_is_another_one_although_its_version_is_read_later(
    scratch: ScratchServer, environ: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = open_schemas(scratch, environ)
    kept.add(BASE, SCHEMA)
    monkeypatch.setattr(scratch, "target_version", 150000)
    assert kept.find(BASE) is None


def test_a_kept_schema_needs_no_scratch_database(
    scratch: ScratchServer, environ: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = read_schema_state(scratch, BASE, kept=open_schemas(scratch, environ))
    assert Key("view", "public.v") in first.catalog.objects
    assert read_schema_state(scratch, BASE[:1], kept=open_schemas(scratch, environ)) != first
    monkeypatch.setattr(scratch, "make", None)
    assert read_schema_state(scratch, BASE, kept=open_schemas(scratch, environ)) == first


DAMAGES = {
    "another text": lambda path: path.write_text(path.read_text().replace("text DEFAULT", "int DEFAULT")),
    "a part of it": lambda path: path.write_text(path.read_text()[:-9]),
    "nothing": lambda path: path.write_text(""),
    "bytes": lambda path: path.write_bytes(b"\xff\n"),
    "writable for others": lambda path: path.chmod(0o666),
    "in a folder that is writable for others": lambda path: path.parent.chmod(0o777),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_schema_is_made_again(environ: Mapping[str, str], damage: object) -> None:
    folder = Path(environ["XDG_CACHE_HOME"]) / "schemas"
    kept = KeptSchemas(folder, "a server")
    kept.add(BASE, SCHEMA)
    assert callable(damage)
    damage(list_files(environ)[0])
    assert kept.find(BASE) is None
    kept.add(BASE, SCHEMA)
    assert kept.find(BASE) == SCHEMA


def test_the_schemas_that_were_not_used_for_the_longest_time_are_deleted(
    environ: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schemas, "_MOST", 3)
    kept = KeptSchemas(Path(environ["XDG_CACHE_HOME"]) / "schemas", "a server")
    states = [(replace(BASE[0], name=str(number)),) for number in range(5)]
    for number, state in enumerate(states[:3]):
        kept.add(state, SCHEMA)
        path = next(each for each in list_files(environ) if each.stat().st_mtime > number + 1)
        os.utime(path, (number + 1, number + 1))
    assert kept.find(states[0]) == SCHEMA
    for state in states[3:]:
        kept.add(state, SCHEMA)
    assert [kept.find(state) is not None for state in states] == [True, False, False, True, True]
