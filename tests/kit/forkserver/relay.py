"""A stand-in for a forked program: `python -SE relay.py SOCKET OWN_TOOL WORD…`.

It sends its streams, folder and environment to the server, forwards signals, and ends as the forked program does; if it is
killed, the server kills the program. It imports little, because that is all that a command costs then.
"""

import json
import os
import signal
import socket
import sys

_FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_NUMBER = 4


def main(path: str, own_tool: str, words: list[str]) -> None:
    """Have a program run by the server, and end as it does."""
    answers, sent = socket.socketpair()
    request = {"words": words, "cwd": os.getcwd(), "environment": dict(os.environ), "own_tool": own_tool == "own"}  # noqa: PTH109
    text = json.dumps(request).encode()
    with socket.socket(socket.AF_UNIX) as channel:
        channel.connect(path)
        socket.send_fds(channel, [len(text).to_bytes(8, "big")], [0, 1, 2, sent.fileno()])
        channel.sendall(text)
    sent.close()
    pid = _receive(answers)
    for number in _FORWARDED:
        signal.signal(number, lambda number, _: os.kill(pid, number))
    code = os.waitstatus_to_exitcode(_receive(answers))
    if code < 0:
        if -code in _FORWARDED:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


def _receive(answers: socket.socket) -> int:
    data = answers.recv(_NUMBER)
    if not data:
        sys.exit("the server that forks has ended")
    return int.from_bytes(data, "big", signed=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
