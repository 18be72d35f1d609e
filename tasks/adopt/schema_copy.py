"""A copy of the live schema on scratch, restored from a dump without rows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import psycopg

from tasks.rehearsal.replay.extensions import handles_extension
from tasks.rehearsal.scratch.dump import load_dump
from tasks.rehearsal.scratch.server import ScratchDatabase, ScratchServer
from tasks.runner.errors import RunnerError
from tasks.runner.planning.server_texts import describe_text
from tasks.runner.redaction import redact

_MISSING_ROLE = re.compile(r'role "(.+)" does not exist')
_UNDEFINED = "42704"
_HELP = {
    "0A000": "set SCRATCH_DATABASE_URL to a server that has it",
    "58P01": "set SCRATCH_DATABASE_URL to a server that has it",
    "42501": "if you trust this schema, use --as-superuser",
}
"""What helps if the scratch server cannot restore a schema, by SQLSTATE."""


class NotRehearsedError(RunnerError):
    """The live schema cannot be copied, so that nothing can be rehearsed on it; the message is the reason."""


@contextmanager
def copy_schema(server: ScratchServer, text: str) -> Iterator[ScratchDatabase]:
    """Yield a scratch database with the schema of a dump; raises NotRehearsedError if it cannot be restored there.

    Roles that the scratch server lacks are created without rights, and excluded extensions are left out.
    """
    roles: set[str] = set()
    text = "\n".join(line for line in text.split("\n") if not _is_excluded(line, server.without))
    with ExitStack() as stack:
        database = stack.enter_context(server.make())
        while role := _load(database, text, roles):
            roles.add(role)
            stack.close()
            database = stack.enter_context(server.make())
            server.make_roles(roles)
        yield database


def _is_excluded(line: str, without: Sequence[str]) -> bool:
    return line.startswith(("CREATE EXTENSION", "COMMENT ON EXTENSION")) and handles_extension(line, without)


def _load(database: ScratchDatabase, text: str, roles: set[str]) -> str:
    """Restore a dump; return "" or the role that has to be created first."""
    try:
        load_dump(database, text)
    except psycopg.Error as error:
        reason = redact(describe_text(error), database.url, statement=text).partition("\n")[0]
        role = _MISSING_ROLE.search(reason) if error.sqlstate == _UNDEFINED else None
        if role and role[1] not in roles:
            return role[1]
        raise _explain(reason, error.sqlstate or "") from error
    except RunnerError as error:
        raise _explain(error.message.partition("\n")[0], error.sqlstate) from error
    return ""


def _explain(reason: str, sqlstate: str) -> NotRehearsedError:
    help_text = f"; {_HELP[sqlstate]}" if sqlstate in _HELP else ""
    return NotRehearsedError(f"the scratch server cannot restore this schema: {reason}{help_text}")
