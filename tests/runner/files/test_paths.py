"""A version that comes from a ledger, a file or a machine is checked before it becomes a path."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.runner.errors import FilesError, RefusedError
from tasks.runner.files.checkout import Migrations
from tasks.runner.files.versions import path_of
from tasks.runner.ledger.renames import read_renames, read_targets
from tests.kit.projects import REPOSITORY
from tests.runner.operating import A

WRONG = [
    "../../x",
    "..",
    "",
    "/etc/passwd",
    f"../{A}",
    f"{A}/../../x",
    f"{A}\0",
    f"{A}\n",
    "20250101000000_a b",
    "20251301000000_x",
]
JOINS = {"Path", "PurePath", "join", "joinpath", "with_name", "with_stem", "with_suffix"}
CHECKED = {
    "tasks/runner/files/versions.py path_of",  # the one place for versions
    "tasks/checkout/writing.py _create_temporary",  # a digest of the name and a random number
    "tasks/checks/environment.py check_files",  # the name of an environment
    "tasks/commands/shell/completion.py _read_script",  # the name of one of three shells
    "tasks/commands/shell/completion.py find_entry",  # a name from the command line of our own script
    "tasks/commands/shell/definitions.py _list_imports",  # the names of modules in our own files
    "tasks/commands/shell/definitions.py read_commands",  # the names of modules in our own files
    "tasks/config/files.py read_environment_file",  # the name of an environment, which must be that of a file in the folder
    "tasks/console/sql_files.py _replace",  # a random number
    "tasks/legacy/apply.py _plan_moves",  # the names of files and folders as the folder lists them
    "tasks/legacy/reading/sources.py _list_strange_ups",  # the names of files as the folder lists them
    "tasks/postgres/server/cluster.py socket",  # a number
    "tasks/postgres/server/cluster.py socket_folder",  # two numbers of the file system
    "tasks/postgres/server/cluster.py url",  # a constant
    "tasks/postgres/server/control.py _link_usual_socket",  # a constant
    "tasks/postgres/server/control.py create",  # a constant
    "tasks/postgres/server/tcp.py _write",  # a constant
    "tasks/rehearsal/kept/schemas.py _find_path",  # a digest
    "tasks/testing.py _fail",  # a digest
}
"""The functions that make a path of a text in which something is inserted, each with what that is."""


@pytest.mark.parametrize("version", WRONG)
def test_a_text_that_is_not_a_version_does_not_become_a_path(version: str) -> None:
    with pytest.raises(RefusedError, match="is not the name of a migration"):
        path_of(Path("up"), version)
    with pytest.raises(RefusedError, match="is not the name of a migration"):
        Migrations(Path("m"), False, {}, frozenset()).down_path(version)
    assert not Migrations(Path("m"), False, {version: "1"}, frozenset()).matches(version, "2")


SQUASHED = f'[renames]\n\n[squashed."{A}"]\nchecksum = "1"\nversions = [\n    "../../victim/precious",\n]\n'


@pytest.mark.parametrize(
    ("text", "line", "name"),
    [
        (SQUASHED, 6, "../../victim/precious"),
        (SQUASHED.replace('"../../victim/precious"', "'../../victim/precious'"), 6, "../../victim/precious"),
        (SQUASHED.replace('"../../victim/precious"', '"\\u002e./victim/precious"'), 6, "../victim/precious"),
        ('[squashed."../../x"]\nchecksum = "1"\nversions = []\n', 1, "../../x"),
        ('[renames]\n"003_old" = "../../x"\n', 2, "../../x"),
    ],
)
def test_a_name_in_renames_toml_that_is_not_a_version_is_refused_with_file_and_line(
    tmp_path: Path, text: str, line: int, name: str
) -> None:
    path = tmp_path / "renames.toml"
    path.write_text(text)
    with pytest.raises(FilesError) as refused:
        read_renames(tmp_path, read_targets(tmp_path))
    assert f"{path}:{line}: {name!r} is not the name of a migration: no timestamp" in str(refused.value)


@pytest.mark.parametrize(
    "text", ["squashed = 1\n", "renames = 1\n", '[squashed]\n"x" = 1\n', f'[squashed."{A}"]\nversions = [[]]\n']
)
def test_a_malformed_renames_toml_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "renames.toml").write_text(text)
    with pytest.raises(FilesError):
        read_renames(tmp_path, read_targets(tmp_path))


def test_no_other_function_makes_a_path_of_a_text_in_which_something_is_inserted() -> None:
    assert set(find_joins(REPOSITORY / "tasks")) == CHECKED


def test_the_search_finds_joined_texts(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(
        'def f(d, v):\n    return d / f"{v}.sql"\n'
        'def g(d, v):\n    name = f"{v}.sql"\n    return d / "up" / name\n'
        'def h(d, v):\n    return Path(d, "{}.sql".format(v))\n'
        'def i(d, v):\n    return d.joinpath(v + ".sql")\n'
        'def j(d, v):\n    return d / (v + ".sql")\n'
        'def l(d, v):\n    return d / ("%s.sql" % v if v else v)\n'
        'def k(d, v):\n    return d / "up.sql", f"{v}.sql", 1 / 2\n'
    )
    assert set(find_joins(tmp_path)) == {f"{tmp_path.name}/a.py {name}" for name in "fghijl"}


def find_joins(folder: Path) -> Iterator[str]:
    """Yield the functions that join a path with a composed text, directly or through a variable."""
    for path in sorted(folder.rglob("*.py")):
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(function, ast.FunctionDef) and _joins(function):
                yield f"{path.relative_to(folder.parent)} {function.name}"


def _joins(function: ast.FunctionDef) -> bool:
    assigned = {
        target.id
        for node in ast.walk(function)
        if isinstance(node, ast.Assign) and _is_composed(node.value, set())
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    return any(_is_composed(part, assigned) for node in ast.walk(function) for part in _list_parts(node))


def _list_parts(node: ast.AST) -> list[ast.expr]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        return [node.right]
    if isinstance(node, ast.Call) and _name(node.func) in JOINS and not _is_text(node.func):
        return node.args
    return []


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else function.id if isinstance(function, ast.Name) else ""


def _is_text(function: ast.expr) -> bool:
    """Return True for the method join of a literal text."""
    return isinstance(function, ast.Attribute) and isinstance(function.value, ast.Constant | ast.JoinedStr)


def _is_composed(node: ast.expr, assigned: set[str]) -> bool:
    if isinstance(node, ast.JoinedStr):
        return any(isinstance(part, ast.FormattedValue) for part in node.values)
    if isinstance(node, ast.IfExp):
        return _is_composed(node.body, assigned) or _is_composed(node.orelse, assigned)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Mod):
        return any(isinstance(side, ast.Constant) and isinstance(side.value, str) for side in (node.left, node.right))
    if isinstance(node, ast.Call) and _name(node.func) == "format":
        return True
    return isinstance(node, ast.Name) and node.id in assigned
