"""What travels between a test and the server: a request with the streams of the process, then its id, then how it ended."""

import json
import os
import socket
import struct
from dataclasses import asdict, dataclass

_LENGTH = struct.Struct("!Q")
_NUMBER = struct.Struct("!i")
STREAMS = 3
"""Standard input, output and error."""


@dataclass(frozen=True)
class Request:
    """A program of Python, by the words that follow `python` on a command line, and where it runs.

    With `own_tool` it runs the tool of its own folder, not this repository's.
    """

    words: list[str]
    cwd: str
    environment: dict[str, str]
    new_session: bool = False
    own_tool: bool = False


def send_request(channel: socket.socket, request: Request, descriptors: list[int]) -> None:
    """Send a request with its streams and the descriptor for the answers."""
    text = json.dumps(asdict(request)).encode()
    socket.send_fds(channel, [_LENGTH.pack(len(text))], descriptors)
    channel.sendall(text)


def receive_request(channel: socket.socket) -> tuple[Request, list[int]] | None:
    """Receive the next request; None when there will be no more, or when who sent it ended meanwhile."""
    head, descriptors, _, _ = socket.recv_fds(channel, _LENGTH.size, STREAMS + 1)
    if not head:
        return None
    (length,) = _LENGTH.unpack(head)
    text = b""
    while len(text) < length:
        piece = channel.recv(length - len(text))
        if not piece:
            for descriptor in descriptors:
                os.close(descriptor)
            return None
        text += piece
    return Request(**json.loads(text)), descriptors


def send_number(channel: socket.socket, number: int) -> None:
    """Send the process's id, or how it ended as `os.waitpid` says it."""
    channel.sendall(_NUMBER.pack(number))


def receive_number(channel: socket.socket) -> int:
    """Receive what `send_number` sent; raises TimeoutError where the channel has a timeout, EOFError if the server is gone."""
    data = channel.recv(_NUMBER.size)
    if not data:
        raise EOFError("the process's parent is gone")
    number: int = _NUMBER.unpack(data)[0]
    return number
