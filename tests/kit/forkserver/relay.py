"""A program that stands for a forked one: `python -SE relay.py SOCKET OWN_TOOL PYTHON_WORD…`.

It hands its streams, place and environment to the server, passes on the signals that it gets, and ends as the other does; if it
is killed, the server kills the other. It imports no more than built-in modules: starting it is all that a command costs then.
"""

import _json
import _signal  # type: ignore[import-not-found]
import _socket
import os
import sys

_PASSED_ON = (_signal.SIGTERM, _signal.SIGINT, _signal.SIGHUP)
_NUMBER = 4


def main(path: str, own_tool: str, words: list[str]) -> None:
    """Have a program run and end as it does."""
    channel = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    channel.connect(path)
    text = _write_request(words, own_tool).encode()
    streams = b"".join(number.to_bytes(_NUMBER, sys.byteorder) for number in range(3))
    channel.sendmsg([len(text).to_bytes(8, "big")], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, streams)])
    channel.sendall(text)
    pid = _receive(channel)
    for number in _PASSED_ON:
        _signal.signal(number, lambda number, _: os.kill(pid, number))
    code = os.waitstatus_to_exitcode(_receive(channel))
    if code < 0:
        if -code in _PASSED_ON:
            _signal.signal(-code, _signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


def _write_request(words: list[str], own_tool: str) -> str:
    quote = _json.encode_basestring_ascii
    environment = ", ".join(f"{quote(name)}: {quote(value)}" for name, value in os.environ.items())
    listed = ", ".join(map(quote, words))
    place = quote(os.getcwd())  # noqa: PTH109 - pathlib takes longer to import than all the rest
    return f'{{"words": [{listed}], "cwd": {place}, "environment": {{{environment}}}, "own_tool": {own_tool}}}'


def _receive(channel: "_socket.socket") -> int:
    data = channel.recv(_NUMBER)
    if not data:
        sys.exit("the server that forks is gone")
    return int.from_bytes(data, "big", signed=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
