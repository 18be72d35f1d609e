"""Attempts that committed only a part of their file: the part is replayed too, because it is no drift."""

from __future__ import annotations

from collections.abc import Iterable

from tasks.catalog import Difference
from tasks.rehearsal.model import RehearsedMigration
from tasks.runner.errors import RefusedError, RunnerError
from tasks.runner.events import StoredScript, UnfinishedAttempt
from tasks.runner.files.checkout import Migrations, read_source
from tasks.runner.parsing import Script, read_script
from tasks.runner.planning.plan import count_done

_STATE = "Nothing was changed."


def describe_unfinished(attempt: UnfinishedAttempt) -> str:
    """Return how much of a migration an attempt committed."""
    what = "rolled back" if attempt.action == "rollback" else "applied"
    return f"{attempt.version} is partly {what}: {attempt.done} of {attempt.total} segments"


def refuse_unfinished(unfinished: tuple[UnfinishedAttempt, ...]) -> None:
    """Raise RefusedError if a migration is partly applied: one that is written from the schema now would contain its part."""
    if unfinished:
        command = "inv db.rollback" if unfinished[0].action == "rollback" else "inv db.migrate"
        raise RefusedError(
            "\n".join(map(describe_unfinished, unfinished)),
            hint=f"Finish it first: {command}",
            state=_STATE,
        )


class PartialScript:
    """The script of an attempt that is not finished: the text that it committed, and what it may have left."""

    def __init__(self, attempt: UnfinishedAttempt, text: str) -> None:
        self._attempt = attempt
        self._text = text
        self._script = read_script(text, file=attempt.version, version=attempt.version)
        self._done = count_done(self._script, attempt.done, attempt.checksum)

    @property
    def is_the_same(self) -> bool:
        """Return True if the text begins with the segments that were committed."""
        return self._done is not None

    def build(self) -> RehearsedMigration:
        """Return the committed part as a migration of its own."""
        name = f"{self._attempt.version} (in part)"
        return RehearsedMigration(name, _cut(self._text, self._script, self._done or 0), shown=name)

    def is_leftover(self, name: str) -> bool:
        """Return True for the name of an index that the next statement builds: it may exist before that is recorded."""
        done = self._done or 0
        following = self._script.segments[done : done + 1]
        targets = (statement.target for segment in following for statement in segment.statements)
        return any(target is not None and target.name and name.rpartition(".")[2].strip('"') == target.name for target in targets)


def read_partial(attempt: UnfinishedAttempt, scripts: Iterable[StoredScript], files: Migrations | None) -> PartialScript:
    """Return the script of an attempt, from this checkout or from the ledger.

    Raises RefusedError if neither begins with the segments that were committed.
    """
    for text in _list_texts(attempt, scripts, files):
        try:
            partial = PartialScript(attempt, text)
        except RunnerError:
            continue
        if partial.is_the_same:
            return partial
    raise RefusedError(
        f"{describe_unfinished(attempt)}, and this checkout has no file that begins with them",
        hint="Check out the revision that was deployed, or finish the migration first.",
        state=_STATE,
    )


def exclude_leftovers(changes: Difference, partial: Iterable[PartialScript]) -> Difference:
    """Return a difference without the indexes that the interrupted statements may have left."""
    scripts = tuple(partial)
    kept = (change for change in changes.changes if not any(script.is_leftover(change.key.name) for script in scripts))
    return Difference(tuple(kept))


def _list_texts(attempt: UnfinishedAttempt, scripts: Iterable[StoredScript], files: Migrations | None) -> Iterable[str]:
    if attempt.action == "rollback":
        if files is not None and attempt.version in files.downs:
            yield read_source(files.down_path(attempt.version)).text
        usable = (script for script in scripts if script.version == attempt.version and script.vouched)
        yield from (script.down_text for script in usable if script.down_text)
    elif files is not None and attempt.version in files.checksums:
        yield read_source(files.up_path(attempt.version)).text


def _cut(text: str, script: Script, done: int) -> str:
    """Return the text up to the first statement that is not committed, with the end of a transaction that it began there."""
    if done >= len(script.segments):
        return text
    following = script.segments[done]
    part = text[: following.statements[0].offset]
    try:
        read_script(part, file="", version="")
    except RunnerError:
        return f"{part}\nCOMMIT;"
    return part
