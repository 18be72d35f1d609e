"""The packages of an image, found among the packages that are installed on this computer."""

import importlib.util
from pathlib import Path

RUNNER_PACKAGES = ("psycopg", "psycopg_binary", "pglast", "typing_extensions")
"""The packages that the runner needs on a machine: not Invoke, Fabric or rich."""


def find_packages(names: tuple[str, ...]) -> tuple[Path, ...]:
    """Return the files of packages in site-packages."""
    return tuple(path for name in names for path in _find_package(name))


def _find_package(name: str) -> list[Path]:
    """Return the code, the metadata and the libraries of a package in site-packages."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        return []
    code = Path(spec.origin).parent if spec.submodule_search_locations else Path(spec.origin)
    return [code, *code.parent.glob(f"{name}-*.dist-info"), *code.parent.glob(f"{name}.libs")]
