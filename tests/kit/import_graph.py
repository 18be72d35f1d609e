"""The import graph of tasks/, read from the syntax of its files, and the order of its packages."""

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ORDER = (
    "tasks.db",
    "tasks.env",
    "tasks.alerts",
    "tasks.testing",
    "tasks.commands.history",
    "tasks.commands.dumps",
    "tasks.commands.local",
    "tasks.commands.rehearse",
    "tasks.commands.generate",
    "tasks.commands.shell.program",
    "tasks.commands",
    "tasks.commands.shell",
    "tasks.checks",
    "tasks.fly",
    "tasks.alerting",
    "tasks.report",
    "tasks.config",
    "tasks.options",
    "tasks.squash",
    "tasks.legacy",
    "tasks.legacy.reading",
    "tasks.models",
    "tasks.generation",
    "tasks.adopt",
    "tasks.alembic_import",
    "tasks.lint",
    "tasks.forecast",
    "tasks.compat",
    "tasks.installation",
    "tasks.diagram",
    "tasks.checkout",
    "tasks.templates",
    "tasks.rehearsal.crash_test",
    "tasks.rehearsal.verify",
    "tasks.rehearsal.drift",
    "tasks.rehearsal.sql_diff",
    "tasks.rehearsal.copies",
    "tasks.rehearsal.kept",
    "tasks.rehearsal.replay",
    "tasks.rehearsal.rows",
    "tasks.rehearsal.scratch",
    "tasks.rehearsal",
    "tasks.programs",
    "tasks.console",
    "tasks.runner.__init__",
    "tasks.runner.operations",
    "tasks.runner.sql_script",
    "tasks.runner.execution",
    "tasks.runner.planning",
    "tasks.runner.ledger",
    "tasks.runner.files",
    "tasks.runner.parsing",
    "tasks.runner.database",
    "tasks.runner",
    "tasks.runner.events",
    "tasks.catalog.__init__",
    "tasks.catalog.marks",
    "tasks.catalog.reading",
    "tasks.catalog.classes",
    "tasks.catalog",
    "tasks.postgres.server",
    "tasks.postgres",
    "tasks.__init__",
)
"""The packages and modules of tasks/ from top to bottom: each imports only what comes after it, and its own package.

The longest name that fits counts. An `__init__` stands for a package's public names, which come from its submodules.
"""

SERVER_PACKAGES = ("tasks.console", "tasks.runner", "tasks.catalog", "tasks.postgres")
"""What runs on servers, where only psycopg and pglast are installed."""
LAPTOP_PACKAGE = "tasks.postgres.server"
"""The part of these that is never sent there."""


@cache
def read_imports(folder: Path) -> dict[str, set[str]]:
    """Return what each module of a package imports, in functions and for types only included; other packages by their names."""
    paths = {_name_module(path, folder): path for path in sorted(folder.rglob("*.py"))}
    return {module: set(_read_module(module, path, paths)) - {module} for module, path in paths.items()}


def find_upward_imports(imports: Mapping[str, set[str]]) -> list[tuple[str, str]]:
    """Return the imports of a module by one that comes after it in the order; raises LookupError for a module without a place."""
    places = {module: _find_place(module) for module in imports}
    return sorted(
        (module, imported)
        for module, names in imports.items()
        for imported in names & places.keys()
        if places[imported] < places[module]
    )


def find_cycles(imports: Mapping[str, set[str]]) -> list[set[str]]:
    """Return the modules that import each other, or nothing if there are none."""
    try:
        TopologicalSorter({module: names & imports.keys() for module, names in imports.items()}).prepare()
    except CycleError as error:
        return [set(error.args[1])]
    return []


def _name_module(path: Path, folder: Path) -> str:
    return ".".join((folder.name, *path.relative_to(folder).with_suffix("").parts))


def _read_module(module: str, path: Path, paths: Mapping[str, Path]) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name if alias.name in paths else _resolve(alias.name, paths)
        elif isinstance(node, ast.ImportFrom):
            base = module.split(".")[: -node.level] if node.level else []
            package = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                name = f"{package}.{alias.name}"
                yield name if name in paths else _resolve(name if f"{name}.__init__" in paths else package, paths)


def _resolve(name: str, paths: Mapping[str, Path]) -> str:
    package = f"{name}.__init__"
    return package if package in paths else name


def _find_place(module: str) -> int:
    fitting = [place for place in ORDER if module == place or module.startswith(f"{place}.")]
    if not fitting:
        raise LookupError(f"{module} has no place in the order of packages")
    return ORDER.index(max(fitting, key=len))
