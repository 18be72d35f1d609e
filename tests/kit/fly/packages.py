"""The packages that an image has, found where they are installed here."""

import importlib.util
from pathlib import Path

RUNNER_PACKAGES = ("psycopg", "psycopg_binary", "pglast", "typing_extensions")
"""What the runner needs on a machine, and so what an image has: no Invoke, no Fabric, no rich."""


def find_packages(names: tuple[str, ...]) -> tuple[Path, ...]:
    """Return what belongs to packages in site-packages."""
    return tuple(path for name in names for path in _find_package(name))


def _find_package(name: str) -> list[Path]:
    """Return what belongs to a package in site-packages: its code, its metadata, its libraries."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        return []
    code = Path(spec.origin).parent if spec.submodule_search_locations else Path(spec.origin)
    return [code, *code.parent.glob(f"{name}-*.dist-info"), *code.parent.glob(f"{name}.libs")]
