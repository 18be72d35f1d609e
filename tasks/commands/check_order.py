"""The command db.check-order."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from invoke.context import Context
from invoke.exceptions import Exit

from tasks.commands.command import command
from tasks.commands.context import exit_on_error
from tasks.commands.flags import JSON_HELP
from tasks.config.environments import LOCAL, load_environment
from tasks.runner.command_lines import compose_command, quote_words
from tasks.runner.errors import UsageError
from tasks.runner.events import CHECK_FOUND

if TYPE_CHECKING:
    from tasks.checkout.git import Repository
    from tasks.checkout.order import OrderChecked, Redating
    from tasks.report.annotations import Annotation

_TARGETS = ("GITHUB_BASE_REF", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "BITBUCKET_PR_DESTINATION_BRANCH", "CHANGE_TARGET")
"""The variables with the target branch of a pull request: GitHub, GitLab, Bitbucket, Jenkins."""
_USUAL = ("origin/HEAD", "origin/main", "origin/master", "main", "master")
_STATE = "Nothing was changed."


@command(
    name="check-order",
    help={
        "base": "the branch or commit to compare with (the pull request's target in CI, else origin/HEAD or origin/main)",
        **JSON_HELP,
    },
)
def check_order(_context: Context, base: str = "", json: bool = False) -> None:
    """Check that new migrations come after the base branch's.

    Exits with 4 if one is not. No database is read.
    """
    from tasks.report import report
    from tasks.report.annotations import print_annotations
    from tasks.report.order import register_messages

    register_messages()
    with exit_on_error(json=json):
        folder = load_environment(LOCAL).settings.migrations_dir
        checked = _check(folder, base)
        report([checked], json=json)
        print_annotations(_annotate(checked, folder))
    if checked.late:
        raise Exit(code=CHECK_FOUND)


def _check(folder: Path, base: str) -> OrderChecked:
    from tasks.checkout.git import Repository
    from tasks.checkout.order import OrderChecked, list_versions, redate
    from tasks.runner.files.checkout import read_migrations, show_path
    from tasks.runner.ledger.renames import read_renames

    migrations = read_migrations(folder)
    renames = read_renames(folder, migrations.checksums)
    repository = Repository(folder)
    if not repository.exists:
        raise UsageError(f"{show_path(folder)} is not in a git repository: there is no base branch", state=_STATE)
    name, commit = _find_base(repository, base, os.environ)
    theirs = list_versions(repository.list_committed(commit, folder))
    shared = repository.find_merge_base(commit)
    known = theirs | (list_versions(repository.list_committed(shared, folder)) if shared else frozenset())
    replaced = {version for old, version in renames.versions.items() if old in known}
    replaced |= {version for version, squash in renames.squashed.items() if not known.isdisjoint(squash.versions)}
    new = [version for version in migrations.checksums if version not in known | replaced]
    moves = redate(new, theirs, now=datetime.now(UTC))
    return OrderChecked(
        base=name,
        commit=commit,
        newest=max(theirs, default=""),
        new=tuple(new),
        late=tuple(move.version for move in moves if move.late),
        commands=tuple(_compose_move(repository, folder, move) for move in moves),
    )


def _find_base(repository: Repository, asked: str, environ: Mapping[str, str]) -> tuple[str, str]:
    """Return the name and the commit of the base; raises UsageError if there is none.

    In a pull request's job on GitHub, HEAD is the merge commit and the base branch is its first parent, which a shallow clone of
    depth 2 contains: https://docs.github.com/actions/reference/workflows-and-actions/events-that-trigger-workflows#pull_request
    """
    targets = [f"origin/{environ[name]}" for name in _TARGETS if environ.get(name)]
    merged = ["HEAD^1"] if environ.get("GITHUB_BASE_REF") and repository.find_commit("HEAD^2") else []
    names = [asked] if asked else [*merged, *targets] or list(_USUAL)
    for name in names:
        commit = repository.find_commit(name)
        if commit:
            return name, commit
    missing = f"git does not know the base {asked!r}" if asked else f"no base branch was found: {', '.join(names)}"
    branch = names[0].removeprefix("origin/") if names[0].startswith("origin/") and names[0] != "origin/HEAD" else "main"
    again = compose_command("db.check-order", f"--base=origin/{branch}")
    raise UsageError(
        missing,
        hint=f"Fetch it, then name it: git fetch origin {quote_words(f'{branch}:refs/remotes/origin/{branch}')} && {again}",
        state=_STATE,
    )


def _compose_move(repository: Repository, folder: Path, move: Redating) -> str:
    from tasks.runner.files.checkout import show_path
    from tasks.runner.files.versions import path_of

    commands = []
    for place in (folder / "up", folder / "down", folder):
        source, target = path_of(place, move.version), path_of(place, move.proposed)
        if source.exists():
            verb = "git mv" if repository.tracks(source) else "mv"
            commands.append(f"{verb} {quote_words(show_path(source), show_path(target))}")
    return " && ".join(commands)


def _annotate(checked: OrderChecked, folder: Path) -> Iterator[Annotation]:
    from tasks.report.annotations import Annotation, find_file

    for version, moving in zip(checked.late, checked.commands, strict=False):
        message = f"not newer than {checked.newest}, the newest migration of {checked.base}. Rename it: {moving}"
        yield Annotation("error", "db.check-order", message, find_file(folder, version), 1)
