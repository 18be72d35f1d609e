"""The tool that a program brings along: the modules of it that the server has imported, if they are of the same text."""

import sys
from pathlib import Path
from types import ModuleType

MOVABLE_ROOMS = ("tasks.console", "tasks.runner", "tasks.catalog", "tasks.postgres")
"""What runs on machines. Its modules do not know from their import on where they are, but for one."""
READS_ITS_PLACE = "tasks.console.script"


def take_tool(own: Path) -> None:
    """Make imported modules of the tool the ones of the folder `own`, or forget them all.

    They are forgotten where a file there is another, or where some are imported that cannot be moved. A file is the same by its
    size and its time, to the second: an archive keeps no more of that.
    """
    imported = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "tasks"}
    ours = Path(sys.modules["tasks"].__file__ or "").parent.parent
    places = {name: Path(module.__file__ or "").relative_to(ours) for name, module in imported.items()}
    movable = all(name == "tasks" or name.startswith(MOVABLE_ROOMS) for name in imported)
    if movable and all(_describe(own / place) == _describe(ours / place) for place in places.values()):
        for name, module in imported.items():
            _move(module, own / places[name])
        return
    for name in [name for name in sys.modules if name.partition(".")[0] in ("tasks", "tests")]:
        del sys.modules[name]


def _describe(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, int(status.st_mtime)


def _move(module: ModuleType, path: Path) -> None:
    """Let a module say that it is at another place, and look there for what it imports late."""
    module.__file__ = str(path)
    if hasattr(module, "__path__"):
        module.__path__ = [str(path.parent)]
