"""Import models and write the DDL that creates them; a program of its own, which is run by its path.

It imports the modules of an application, whose packages may have any name, so it imports nothing of this project by the name of a
package: only the standard library, SQLAlchemy (1.4 or later), and the files beside it, under a name of their own. The question is
a line of JSON on standard input, and the version of the server a second one, which comes when the modules may be imported
already. The answer is JSON in the file that the argument names, because modules may print anything.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import sys
from contextlib import suppress
from difflib import get_close_matches
from json import dumps, loads  # The modules may replace the functions of a library, and change sys.path and sys.argv.
from pathlib import Path
from typing import IO, Any

_PACKAGE = "_migrate_models_worker"
_MOST_NAMED = 5
_OLDEST = (1, 4)
_NOT_CONNECTED = frozenset({"OperationalError", "InterfaceError", "gaierror"})
"""The classes of errors of drivers and of the name service."""


def _name_folder() -> None:
    """Make the folder of this file a package whose name no application has."""
    spec = importlib.util.spec_from_file_location(_PACKAGE, Path(__file__).with_name("__init__.py"))
    assert spec is not None
    sys.modules[_PACKAGE] = importlib.util.module_from_spec(spec)


_name_folder()
errors: Any = importlib.import_module(f"{_PACKAGE}.errors")
WorkerError = errors.WorkerError


def main() -> None:
    """Answer the question on standard input, which is empty for the modules, and end the process.

    Modules may have started threads, forked processes that run on here, and functions that run at the exit: none is waited for.
    """
    lines = os.fdopen(os.dup(0), encoding="utf-8")
    with Path(os.devnull).open("rb") as empty:
        os.dup2(empty.fileno(), 0)
    question, path, process = loads(lines.readline()), Path(sys.argv[1]), os.getpid()
    sys.path[:0] = [str(Path.cwd()), *question["paths"]]
    # A module that reads the arguments of a program finds none.
    del sys.argv[1:]
    try:
        answer = _answer(question, lines)
    except WorkerError as error:
        answer = error.answer
    except Exception as error:
        answer = errors.describe("not_written", error).answer
    if os.getpid() == process:
        path.write_text(dumps(answer), encoding="utf-8")
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
    os._exit(0)


def _answer(question: dict[str, Any], lines: IO[str]) -> dict[str, Any]:
    try:
        import sqlalchemy
    except ModuleNotFoundError as error:
        raise WorkerError("no_sqlalchemy", reason=str(error)) from error
    version = sqlalchemy.__version__
    if tuple(int(part) for part in version.split(".")[:2]) < _OLDEST:
        raise WorkerError("old_sqlalchemy", version=version)

    # Before the modules are imported, which may change sys.path.
    ddl: Any = importlib.import_module(f"{_PACKAGE}.ddl")
    found: dict[int, Any] = {}
    for reference in question["references"]:
        for metadata in _load(reference):
            found[id(metadata)] = metadata
    exclude: set[tuple[str, str]] = {(each[0], each[1]) for each in question["exclude"]}
    return {"version": version, **ddl.write(list(found.values()), exclude, loads(lines.readline()))}


def _load(reference: str) -> list[Any]:
    """Return the MetaData objects that a reference leads to."""
    name, _, path = reference.partition(":")
    found: Any = _import(reference, name)
    owner = name
    for part in path.split("."):
        try:
            found = getattr(found, part)
        except AttributeError as error:
            close = get_close_matches(part, dir(found), _MOST_NAMED, 0.5)
            models = _list_models(found) if inspect.ismodule(found) else []
            raise WorkerError("no_attribute", reference=reference, owner=owner, name=part, close=close, models=models) from error
        except Exception as error:
            raise errors.describe("attribute_failed", error, reference=reference) from error
        owner = f"{owner}{':' if owner == name else '.'}{part}"
    metadatas = _find_metadata(found, reference)
    if not any(metadata.tables for metadata in metadatas):
        raise WorkerError("no_tables", reference=reference)
    return metadatas


def _import(reference: str, name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            parent = sys.modules.get(error.name.rpartition(".")[0])
            close = _list_close(error.name, parent)
            raise WorkerError("no_module", reference=reference, name=error.name, close=close, folder=str(Path.cwd())) from error
        raise errors.describe("import_failed", error, reference=reference, cause="package") from error
    except SystemExit as error:
        raise errors.describe("exited", error, reference=reference, code=str(error.code)) from error
    except BaseException as error:
        raise errors.describe("import_failed", error, reference=reference, **_find_cause(error)) from error


def _find_cause(error: BaseException) -> dict[str, Any]:
    """Return what an import needs that is not there, where the error shows it: a package, variables, or a database."""
    from sqlalchemy.exc import ArgumentError

    if isinstance(error, ImportError) and "install" in str(error):
        return {"cause": "package"}
    if isinstance(error, KeyError) and error.args and isinstance(error.args[0], str) and error.args[0].isupper():
        return {"cause": "variables", "variables": [error.args[0]]}
    if type(error).__module__.startswith("pydantic") and callable(errors := getattr(error, "errors", None)):
        return {"cause": "variables", "variables": [".".join(map(str, each["loc"])) for each in errors()]}
    if isinstance(error, ArgumentError) and "URL" in str(error):
        return {"cause": "variables", "variables": []}
    if isinstance(error, ConnectionError | TimeoutError) or type(error).__name__ in _NOT_CONNECTED:
        return {"cause": "database"}
    return {}


def _list_close(name: str, parent: Any) -> list[str]:
    """Return the modules beside a missing one whose names are like its name."""
    import pkgutil

    package, _, last = name.rpartition(".")
    paths = getattr(parent, "__path__", None) if package else [str(Path.cwd())]
    names = [each.name for each in pkgutil.iter_modules(paths)] if paths is not None else []
    return [f"{package}.{each}" if package else each for each in get_close_matches(last, names, _MOST_NAMED, 0.5)]


def _find_metadata(found: Any, reference: str, *, called: bool = False) -> list[Any]:
    from sqlalchemy import MetaData

    if isinstance(found, MetaData):
        return [found]
    if isinstance(getattr(found, "metadata", None), MetaData):
        return [found.metadata]
    if isinstance(found, list | tuple | set | frozenset) and found:
        return [metadata for each in found for metadata in _find_metadata(each, reference, called=called)]
    if callable(found) and not inspect.isclass(found) and not inspect.iscoroutinefunction(found) and not called:
        try:
            result = found()
        except (Exception, SystemExit) as error:
            raise errors.describe("call_failed", error, reference=reference) from error
        return _find_metadata(result, reference, called=True)
    kind = f"{type(found).__module__}.{type(found).__qualname__}".removeprefix("builtins.")
    kind = "None" if found is None else kind
    if inspect.iscoroutinefunction(found) or inspect.iscoroutine(found):
        kind = "a coroutine"
        if inspect.iscoroutine(found):
            found.close()
    module = sys.modules.get(reference.partition(":")[0])
    raise WorkerError("wrong_type", reference=reference, type=kind, called=called, models=_list_models(module))


def _list_models(module: Any) -> list[str]:
    """Return the names in a module that are a MetaData, or the base of models."""
    from sqlalchemy import MetaData

    names = [
        name
        for name, value in sorted(vars(module).items())
        if not name.startswith("_")
        and (isinstance(value, MetaData) or isinstance(getattr(value, "metadata", None), MetaData))
        and not hasattr(value, "__table__")
        and not hasattr(value, "columns")
    ]
    return names[:_MOST_NAMED]


if __name__ == "__main__":
    main()
