"""Run a program of Python by its path, and end it with the process that started it; `child_process.py` runs this one.

The arguments are the descriptor of a pipe whose other end the caller has, the path of the program, and its arguments. It is not
imported, and imports nothing of this project: the program may import an application, whose packages may have any name.
"""

import os
import runpy
import signal
import sys
import threading
from pathlib import Path


def main() -> None:
    """Run the program as if it had been started itself, but without its folder on the path of modules."""
    pipe, program = int(sys.argv[1]), sys.argv[2]
    threading.Thread(target=end_with_caller, args=(pipe,), daemon=True).start()
    del sys.argv[:2]
    own = Path(__file__).parent
    sys.path[:] = [place for place in sys.path if Path(place) != own]
    runpy.run_path(program, run_name="__main__")


def end_with_caller(pipe: int) -> None:
    """End all processes of this one's group once the other end of a pipe is closed, because the caller has ended."""
    os.read(pipe, 1)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
