"""The messages between a test and the server: a request with the streams of the process, then its id, then its wait status."""

import json
import socket
import struct
from dataclasses import asdict, dataclass

_LENGTH = struct.Struct("!Q")
_NUMBER = struct.Struct("!i")
STREAMS = 3
"""Standard input, output and error."""


@dataclass(frozen=True)
class ForkRequest:
    """A Python program, as the words after `python` on a command line, and its environment.

    With `own_tool` the program imports the tool from its own folder, not from this repository.
    """

    words: list[str]
    cwd: str
    environment: dict[str, str]
    new_session: bool = False
    own_tool: bool = False


def send_request(channel: socket.socket, request: ForkRequest, descriptors: list[int]) -> None:
    """Send a request with its streams and the descriptor of the socket for the answers."""
    text = json.dumps(asdict(request)).encode()
    socket.send_fds(channel, [_LENGTH.pack(len(text))], descriptors)
    channel.sendall(text)


def receive_request(channel: socket.socket) -> tuple[ForkRequest, list[int]] | None:
    """Receive the next request; return None when the channel is closed."""
    head, descriptors, _, _ = socket.recv_fds(channel, _LENGTH.size, STREAMS + 1)
    if not head:
        return None
    (length,) = _LENGTH.unpack(head)
    text = b""
    while len(text) < length:
        piece = channel.recv(length - len(text))
        if not piece:
            return None
        text += piece
    return ForkRequest(**json.loads(text)), descriptors


def send_number(channel: socket.socket, number: int) -> None:
    """Send the id of the process, or its wait status as `os.waitpid` returns it."""
    channel.sendall(_NUMBER.pack(number))


def receive_number(channel: socket.socket) -> int:
    """Receive a number; raises TimeoutError if the channel has a timeout, and EOFError if the server has ended."""
    data = channel.recv(_NUMBER.size)
    if not data:
        raise EOFError("the parent of the process has ended")
    number: int = _NUMBER.unpack(data)[0]
    return number
