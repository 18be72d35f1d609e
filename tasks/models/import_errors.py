"""The messages for models that cannot be imported or written as DDL."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tasks.runner.errors import Place, RefusedError, RunnerError, UsageError
from tasks.runner.files.checkout import show_path

_STATE = "Nothing was changed."
_MOST_LINES = 12
_INSTALL = "Install it beside this tool: pip install 'sqlalchemy>=2'"
_SAME_PYTHON = (
    "The models are imported with the Python of this tool, so what they import must be installed there\n"
    "(for example pip install -r requirements.txt), or be in a folder of PYTHONPATH."
)
_NO_CONNECTION = "A module that is imported must not connect: the models need no database. Connect in a function."
_ANY_VALUE = "The models need no database, so any value will do"
_UNUSED = "postgresql://localhost/unused"
_WHERE = "Modules are imported from the current directory and PYTHONPATH."


class ModelsError(RunnerError):
    """The models of the application cannot be used."""


def describe_fault(found: Mapping[str, Any], output: str) -> RunnerError:
    """Return the error for an answer of the program that imports the models."""
    return _FAULTS[found["error"]](found, output)


def describe_timeout(references: Sequence[str], limit_s: float, output: str) -> RunnerError:
    """Return the error for an import that does not end."""
    return ModelsError(
        f"the import of {', '.join(references)} did not end within {limit_s:g} s and was stopped{_show(output)}",
        hint="A module that is imported must not wait, for example for a database or for input.",
        state=_STATE,
    )


def describe_end(references: Sequence[str], code: int | None, output: str) -> RunnerError:
    """Return the error for a process that ended without an answer."""
    how = f"ended with exit code {code}" if code is None or code >= 0 else f"was ended by {_name_signal(-code)}"
    return ModelsError(
        f"the process that imports {', '.join(references)} {how}, before the models were known{_show(output)}",
        hint="Import the modules yourself to find the cause: python -c 'import "
        + ", ".join(dict.fromkeys(reference.partition(":")[0] for reference in references))
        + "'",
        state=_STATE,
    )


def _name_signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _show(output: str) -> str:
    """Return the last lines that the modules printed, for the end of a message."""
    lines = output.splitlines()[-_MOST_LINES:]
    return "".join(f"\n  {line}" for line in ("It printed:", *lines)) if lines else ""


def _place(found: Mapping[str, Any]) -> Place | None:
    return Place(show_path(Path(found["file"])), found["line"], source=found["source"]) if found["file"] else None


def _list(names: Sequence[str]) -> str:
    return " or ".join(names)


def _no_sqlalchemy(found: Mapping[str, Any], _output: str) -> RunnerError:
    return RefusedError(f"models need SQLAlchemy, which is not installed here ({found['reason']})", hint=_INSTALL, state=_STATE)


def _old_sqlalchemy(found: Mapping[str, Any], _output: str) -> RunnerError:
    return RefusedError(f"SQLAlchemy {found['version']} is too old: models need 1.4 or later", hint=_INSTALL, state=_STATE)


def _no_module(found: Mapping[str, Any], _output: str) -> RunnerError:
    close = f"Did you mean {_list(found['close'])}? " if found["close"] else ""
    return ModelsError(
        f"{found['reference']}: there is no module {found['name']} in {found['folder']} or on PYTHONPATH",
        hint=f"{close}{_WHERE}",
        state=_STATE,
    )


def _no_attribute(found: Mapping[str, Any], _output: str) -> RunnerError:
    module = found["reference"].partition(":")[0]
    names = [f"{module}:{name}" for name in found["models"]] or found["close"]
    return ModelsError(
        f"{found['reference']}: {found['owner']} has no {found['name']}",
        hint=f"Did you mean {_list(names)}?" if names else "Name a MetaData, a declarative Base, or a function that returns one.",
        state=_STATE,
    )


def _no_tables(found: Mapping[str, Any], _output: str) -> RunnerError:
    return ModelsError(
        f"{found['reference']} has no tables",
        hint="Only modules that are imported add their tables to a Base. Name a module that imports all models,\n"
        "or a function that imports them and returns the Base.",
        state=_STATE,
    )


def _wrong_type(found: Mapping[str, Any], _output: str) -> RunnerError:
    module = found["reference"].partition(":")[0]
    names = [f"{module}:{name}" for name in found["models"]]
    verb = "returns" if found["called"] else "is"
    return ModelsError(
        f"{found['reference']} {verb} no models, but {found['type']}",
        hint=f"Did you mean {_list(names)}?" if names else "Name a MetaData, a declarative Base, or a function that returns one.",
        state=_STATE,
    )


def _import_failed(found: Mapping[str, Any], output: str) -> RunnerError:
    causes = {"package": _SAME_PYTHON, "database": _NO_CONNECTION, "variables": _name_variables(found.get("variables", ()))}
    return ModelsError(
        f"{found['reference']} cannot be imported: {found['last']}{_show(output)}",
        hint=causes.get(found.get("cause", ""), f"Correct the module.\n{_WHERE}"),
        state=_STATE,
        place=_place(found),
    )


def _name_variables(names: Sequence[str]) -> str:
    """Return the hint for settings of the application that have no value."""
    if not names:
        return f"The module reads the URL of a database from its settings. {_ANY_VALUE}:\n  DATABASE_URL={_UNUSED}"
    if len(names) == 1 and names[0].isupper() and names[0].endswith(("URL", "URI", "DSN")):
        return f"The module reads {names[0]} from the environment. {_ANY_VALUE}:\n  {names[0]}={_UNUSED} inv db.check-models"
    return f"The module reads settings that are not there: {', '.join(names)}. {_ANY_VALUE}."


def _exited(found: Mapping[str, Any], output: str) -> RunnerError:
    return ModelsError(
        f"{found['reference']} cannot be imported: the module exits when it is imported ({found['last']}){_show(output)}",
        hint='Put what runs as a program under: if __name__ == "__main__":',
        state=_STATE,
        place=_place(found),
    )


def _failed(what: str, hint: str) -> Callable[[Mapping[str, Any], str], RunnerError]:
    def describe(found: Mapping[str, Any], output: str) -> RunnerError:
        name = found.get("reference", "the models")
        message = f"{name}: {what}: {found['last']}{_show(output)}"
        return ModelsError(message, hint=hint, state=_STATE, place=_place(found))

    return describe


def _listener_reads(found: Mapping[str, Any], output: str) -> RunnerError:
    return ModelsError(
        f"a listener of DDL events uses the database ({found['name']}), and the models are written without one{_show(output)}",
        hint='Use DDL("…") or connection.execute(text("…")) in listeners, and leave the rest to a migration.',
        state=_STATE,
        place=_place(found),
    )


def _two_tables(found: Mapping[str, Any], _output: str) -> RunnerError:
    first, second = found["places"]
    return RefusedError(
        f"the models have two different tables {found['table']}:\n  {first}\n  {second}",
        hint="A database has one table of a name. Check the models of each application with its own migrations, or exclude the\n"
        f"table: --exclude {found['table']}",
        state=_STATE,
    )


def _two_enums(found: Mapping[str, Any], _output: str) -> RunnerError:
    lines = [f"  {place}: {', '.join(labels)}" for place, labels in zip(found["places"], found["labels"], strict=True)]
    return RefusedError(
        "\n".join((f"the models have two different enums {found['name']}:", *lines)),
        hint="A database has one type of a name. Set another name in one of them: Enum(…, name=…)",
        state=_STATE,
    )


def _bad_types(found: Mapping[str, Any], _output: str) -> RunnerError:
    lines = [f"  {column}: {kind}{': ' if reason else ''}{reason}" for column, kind, reason in found["columns"]]
    hint = (
        "Use types of sqlalchemy or of sqlalchemy.dialects.postgresql. Where the models serve other databases too:\n"
        '  Integer().with_variant(mysql.TINYINT(), "mysql")'
    )
    if all("requires a name" in reason for _, _, reason in found["columns"]):
        hint = 'PostgreSQL creates a type for an enum: set its name, Enum(…, name="status"), or native_enum=False.'
    if any(kind.endswith(".NullType") for _, kind, _ in found["columns"]):
        hint = (
            'State the type of the column; only a foreign key to a table of the models implies one: Column("author", Integer, …)'
        )
    return ModelsError(
        "\n".join(("SQLAlchemy cannot write these types for PostgreSQL:", *lines)),
        hint=hint,
        state=_STATE,
    )


def _no_column(found: Mapping[str, Any], _output: str) -> RunnerError:
    return ModelsError(f"{found['place']}: {found['reason']}", hint="Correct the foreign key in the models.", state=_STATE)


def _all_excluded(_found: Mapping[str, Any], _output: str) -> RunnerError:
    return UsageError(
        "no table of the models is left: those of --exclude and the tables of the ledger are not compared",
        hint="Name fewer tables with --exclude, or other models.",
        state=_STATE,
    )


_FAULTS: Mapping[str, Callable[[Mapping[str, Any], str], RunnerError]] = {
    "no_sqlalchemy": _no_sqlalchemy,
    "old_sqlalchemy": _old_sqlalchemy,
    "no_module": _no_module,
    "no_attribute": _no_attribute,
    "attribute_failed": _failed("the attribute cannot be read", "Correct the module."),
    "no_tables": _no_tables,
    "wrong_type": _wrong_type,
    "import_failed": _import_failed,
    "exited": _exited,
    "call_failed": _failed("the call failed", "The function is called without arguments, and returns models."),
    "two_tables": _two_tables,
    "two_enums": _two_enums,
    "bad_types": _bad_types,
    "no_column": _no_column,
    "all_excluded": _all_excluded,
    "listener_reads": _listener_reads,
    "not_written": _failed(
        "SQLAlchemy cannot write the DDL", "Correct the models: metadata.create_all() fails with the same error."
    ),
}
"""The message for each error of the program."""
