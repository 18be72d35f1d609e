"""Models that cannot be imported or written as DDL: each has a message of its own, and those that can are written."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.models.importing import Models, import_models
from tasks.models.references import read_references, read_tables
from tasks.runner.errors import RunnerError, UsageError
from tests.kit.projects import REPOSITORY
from tests.kit.waiting import LIMIT_S
from tests.models.applications import BASE, POST, USER, write_module
from tests.models.fault_cases import FAULTS

HANGS = "print('connecting', flush=True)\nimport time\ntime.sleep(600)\n"


def load(folder: Path, monkeypatch: pytest.MonkeyPatch, references: str, exclude: str = "") -> Models:
    monkeypatch.chdir(folder)
    return import_models(read_references(references, ""), server_version=180000, exclude=read_tables([exclude]))


@pytest.mark.parametrize(("text", "reference", "place", "message", "hint"), FAULTS.values(), ids=FAULTS.keys())
def test_models_that_cannot_be_used_are_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, reference: str, place: str, message: str, hint: str
) -> None:
    monkeypatch.setenv("PWD", str(tmp_path))
    write_module(tmp_path, "models", text)
    with pytest.raises(RunnerError) as raised:
        load(tmp_path, monkeypatch, reference)
    error = raised.value
    assert message in error.message
    assert hint in error.hint
    assert error.state == "Nothing was changed."
    assert len(error.message) < 2000
    assert str(error.place or "") == place
    assert ("It printed:\n  seen" in error.message) == ("'seen'" in text)


SECRETS = {
    "DATABASE_URL": ("postgres:/app:sesame-open@db.example/app", "sesame-open"),
    "REPLICA": ("host=db.example password=sesame-shut", "sesame-shut"),
    "SERVICE_TOKEN": ("sesame-mute-key", "sesame-mute-key"),
    "": ("mysql://app:sesame-loud@db.example/app", "sesame-loud"),
}


@pytest.mark.parametrize("ends", [False, True])
@pytest.mark.parametrize(("variable", "value", "secret"), [(name, *each) for name, each in SECRETS.items()])
def test_what_modules_print_and_raise_has_no_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, secret: str, ends: bool
) -> None:
    if variable:
        monkeypatch.setenv(variable, value)
    read = f"os.environ[{variable!r}]" if variable else repr(value)
    last = "os._exit(3)" if ends else 'raise ValueError(f"cannot use {URL}")'
    write_module(tmp_path, "models", f"import os\nURL = {read}\nprint('url:', URL, flush=True)\n{last}\n")
    with pytest.raises(RunnerError, match=r"url: .*\*\*\*") as raised:
        load(tmp_path, monkeypatch, "models:Base")
    assert secret not in f"{raised.value.message}{raised.value.hint}{raised.value.place and raised.value.place.source}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "raise ModuleNotFoundError(\"No module named 'sqlalchemy'\")",
            "which is not installed here (No module named 'sqlalchemy')",
        ),
        ("__version__ = '1.3.24'", "SQLAlchemy 1.3.24 is too old"),
    ],
)
def test_without_a_recent_sqlalchemy_the_command_that_installs_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    write_module(tmp_path, "sqlalchemy", text)
    with pytest.raises(RunnerError) as raised:
        load(tmp_path, monkeypatch, "models:Base")
    assert message in raised.value.message
    assert "pip install 'sqlalchemy>=2'" in raised.value.hint


def test_an_import_that_does_not_end_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_module(tmp_path, "models", HANGS)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RunnerError, match="did not end within 3 s and was stopped"):
        import_models(["models:Base"], server_version=180000, limit_s=3)


def test_an_import_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        write_module(tmp_path, "models", f"import socket\nsocket.create_connection(('127.0.0.1', {port})).recv(1)\n")
        code = "from tasks.models.importing import import_models; import_models(['models:Base'], server_version=180000)"
        caller = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(REPOSITORY)})
        server.settimeout(LIMIT_S)
        connection = server.accept()[0]
        with connection:
            caller.kill()
            caller.wait()
            connection.settimeout(LIMIT_S)
            assert connection.recv(1) == b""


@pytest.mark.parametrize(
    ("reference", "meant"),
    [("app.models", "app.models:Base"), ("app/models.py:Model", "app.models:Model"), ("m:Base()", "app.models:Base")],
)
def test_a_reference_in_another_form_is_refused(reference: str, meant: str) -> None:
    with pytest.raises(UsageError) as raised:
        read_references(reference, "")
    assert f"For example {meant}:" in raised.value.hint


def test_without_a_reference_the_setting_is_named() -> None:
    assert read_references("", " a:Base, b.c:D.e,a:Base ") == ("a:Base", "b.c:D.e")
    with pytest.raises(UsageError, match="not known where the models are") as raised:
        read_references("", "", flag="--from-models")
    assert raised.value.hint.endswith("--from-models=app.models:Base")


@pytest.mark.parametrize(
    ("given", "tables"),
    [
        (["Users,audit.events"], (("public", "users"), ("audit", "events"))),
        (['"Users"', '"a.b"."c""d"'], (("public", "Users"), ("a.b", 'c"d'))),
    ],
)
def test_tables_are_named_as_in_sql(given: list[str], tables: tuple[tuple[str, str], ...]) -> None:
    assert read_tables(given) == tables
    with pytest.raises(UsageError, match="not the name of a table"):
        read_tables(["a b"])


UNENDING = """
import argparse, atexit, json, os, sys, threading, time
argparse.ArgumentParser().parse_args()
atexit.register(time.sleep, 600)
threading.Thread(target=time.sleep, args=(600,)).start()
os.fork()
json.dumps = str
sys.path.clear()
"""


def test_what_modules_start_or_change_is_no_fault_of_their_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_module(tmp_path, "models", UNENDING + BASE + USER)
    assert [table.name for table in load(tmp_path, monkeypatch, "models:Base").tables] == [("public", "users")]


def test_the_schema_public_may_be_stated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_module(tmp_path, "one", BASE + USER + POST)
    stated = (
        BASE.replace("    pass", "    metadata = MetaData(schema='public')") + USER + POST.replace("users.id", "public.users.id")
    )
    write_module(tmp_path, "two", stated)
    assert len(load(tmp_path, monkeypatch, "one:Base,two:Base").tables) == 2


def test_tables_of_several_models_are_written_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_module(tmp_path, "one", BASE + USER)
    write_module(tmp_path, "two", BASE + USER + POST)
    write_module(tmp_path, "other", BASE + USER.replace("Text", "Text, index=True"))
    models = load(tmp_path, monkeypatch, "one:Base,two:Base")
    assert [table.name[1] for table in models.tables] == ["users", "posts"]
    assert models.statements[-1].text == "ALTER TABLE posts ADD FOREIGN KEY(author) REFERENCES users (id)"
    with pytest.raises(RunnerError, match=r"two different tables public\.users:\n  one\.User\n  other\.User"):
        load(tmp_path, monkeypatch, "one:Base,other:Base")
    assert [table.name[1] for table in load(tmp_path, monkeypatch, "two:Base,other:Base", "users").tables] == ["posts"]


FORMS = """
from sqlalchemy.orm import registry
class Holder:
    metadata = Base.metadata
    inner = Base.metadata
mapping = registry(metadata=Base.metadata)
table = User.__table__
def get(): return [Base, mapping]
"""


DISTURBING = """
import os, sys
print('noise')
assert not sys.stdin.read()
sys.argv.clear()
sys.stdin.close()
os.chdir('/')
"""


def test_models_are_found_in_every_form_and_without_the_tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_module(tmp_path, "tasks.models", DISTURBING + BASE + USER + FORMS)
    names = ("Base", "Base.metadata", "Holder", "Holder.inner", "mapping", "User", "table", "get")
    models = load(tmp_path, monkeypatch, ",".join(f"tasks.models:{name}" for name in names))
    assert [table.name for table in models.tables] == [("public", "users")]


@pytest.mark.parametrize(("version", "storage"), [(170000, " STORED"), (180000, "")])
def test_the_ddl_is_that_for_the_version_of_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: int, storage: str
) -> None:
    write_module(tmp_path, "models", BASE + USER + "    twice = mapped_column(Integer, Computed('id * 2'))\n")
    monkeypatch.chdir(tmp_path)
    models = import_models(["models:Base"], server_version=version)
    assert f"twice INTEGER GENERATED ALWAYS AS (id * 2){storage}," in models.statements[0].text
    assert models.tables[0].unstored == {"twice"}


PERCENT = """
class Text(Base):
    __tablename__ = "Mixed %"
    id = mapped_column(Integer, primary_key=True)
    a = mapped_column(String(9), CheckConstraint("a LIKE '%\\\\_x'"), server_default="5%", comment="50% of \\\\ it's")
event.listen(Base.metadata, "after_create", DDL("CREATE VIEW v AS SELECT 5 %% 2 AS x"))
event.listen(Base.metadata, "after_create", DDL("SELECT mysql").execute_if(dialect="mysql"))
@event.listens_for(Base.metadata, "after_create")
def add(target, connection, **_):
    connection.execute(text("SELECT :x"), {"x": "a'b"})
"""


def test_texts_are_written_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_module(tmp_path, "models", BASE + PERCENT)
    texts = [statement.text for statement in load(tmp_path, monkeypatch, "models:Base").statements]
    assert r"""a VARCHAR(9) DEFAULT '5%' CHECK (a LIKE '%\_x')""" in texts[0]
    assert texts[1:] == [
        r"""COMMENT ON COLUMN "Mixed %".a IS '50% of \ it''s'""",
        "CREATE VIEW v AS SELECT 5 % 2 AS x",
        "SELECT 'a''b'",
    ]
