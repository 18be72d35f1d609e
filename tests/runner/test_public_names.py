"""The public names of tasks.runner: all can be imported, and no error or event is missing."""

import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import is_dataclass
from types import ModuleType

import pytest

import tasks.runner
from tasks.runner import errors, events
from tasks.runner.identity import TOOL_VERSION


def list_classes(*modules: ModuleType) -> Iterator[type]:
    """Yield the classes that these modules define."""
    for module in modules:
        yield from (value for value in vars(module).values() if isinstance(value, type) and value.__module__ == module.__name__)


def import_submodules(package: ModuleType) -> list[ModuleType]:
    """Import the modules of a package and return them."""
    return [importlib.import_module(module.name) for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}.")]


@pytest.mark.parametrize("name", tasks.runner.__all__)
def test_each_public_name_can_be_imported(name: str) -> None:
    namespace: dict[str, object] = {}
    exec(f"from tasks.runner import {name}", namespace)
    assert namespace[name] is getattr(tasks.runner, name)


def test_the_errors_are_complete() -> None:
    found = {cls.__name__ for cls in list_classes(errors) if issubclass(cls, errors.RunnerError)}
    assert "RunnerError" in found
    assert found - set(tasks.runner.__all__) == set()


def test_the_events_and_their_values_are_complete() -> None:
    found = {cls.__name__ for cls in list_classes(*import_submodules(events)) if is_dataclass(cls)}
    assert {"RunStarted", "StatusRow"} <= found
    assert found - set(tasks.runner.__all__) == set()


def test_the_version_is_the_one_that_the_ledger_records() -> None:
    assert tasks.runner.__version__ == TOOL_VERSION


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Migrator'"):
        tasks.runner.Migrator  # noqa: B018
