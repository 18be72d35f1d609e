"""Verifying pieces as the task does, on a scratch server of the tests."""

from collections.abc import Iterable

from tasks.rehearsal.events import MigrationVerified, VerifyFinished
from tasks.rehearsal.model import Piece
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.rehearsal.selection import Selection
from tasks.rehearsal.verify.verify import VerifyOptions, verify

VERSIONS = [f"2025010{number}000000_v{number}" for number in range(1, 9)]


def make_pieces(*texts: tuple[str, str | None]) -> tuple[Piece, ...]:
    """Give a piece for each pair of up and down, named by the versions in turn."""
    return tuple(
        Piece(version, up, down, f"up/{version}.sql", f"down/{version}.sql")
        for version, (up, down) in zip(VERSIONS, texts, strict=False)
    )


def verify_pieces(
    server: ScratchServer,
    pieces: tuple[Piece, ...],
    *,
    chosen: Iterable[str] = (),
    applied: Iterable[str] = (),
    with_data: bool = False,
    timeout_s: float | None = None,
) -> list[MigrationVerified]:
    """Verify pieces, the last one unless others are chosen, and give what came of each; checks the sum."""
    selection = Selection(pieces, tuple(chosen) or (pieces[-1].name,), "chosen", frozenset(applied))
    _, *verified, finished = verify(server, selection, VerifyOptions(with_data, timeout_s))
    answers = [answer for answer in verified if isinstance(answer, MigrationVerified)]
    assert isinstance(finished, VerifyFinished)
    assert finished.count == len(answers)
    assert finished.found == sum(any(not each.mild for each in answer.findings) for answer in answers)
    return answers


def verify_last(
    server: ScratchServer, *texts: tuple[str, str | None], with_data: bool = False, timeout_s: float | None = None
) -> MigrationVerified:
    """Verify the last of some pairs of up and down."""
    (verified,) = verify_pieces(server, make_pieces(*texts), with_data=with_data, timeout_s=timeout_s)
    return verified


def list_found(verified: MigrationVerified) -> list[str]:
    """List what was found, in order."""
    return [each.what for each in verified.findings]
