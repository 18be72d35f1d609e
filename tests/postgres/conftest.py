"""Directories for the embedded server."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tasks.postgres.server import cluster
from tasks.postgres.server.embedded import stop
from tests.kit.own_servers import copy_cluster


@pytest.fixture
def new_directory(template: cluster.Cluster, short_path: Path) -> Iterator[Callable[..., Path]]:
    """Return a function that returns the directory of a server which is created, but not started."""
    made: list[Path] = []

    def make(place: str = "project") -> Path:
        directory = short_path / place / ".postgres"
        copy_cluster(template, directory)
        made.append(directory)
        return directory

    yield make
    for directory in made:
        stop(directory)


@pytest.fixture
def directory(new_directory: Callable[..., Path]) -> Path:
    """Return the directory of a server which is created, but not started."""
    return new_directory()


@pytest.fixture
def empty(short_path: Path) -> Iterator[Path]:
    """Return the path of a directory that does not exist."""
    directory = short_path / "project" / ".postgres"
    yield directory
    stop(directory)
