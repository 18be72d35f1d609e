"""The files of a safe migration: the statements of a pending file, of which some are replaced, divided by what they need."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from tasks.lint.model import LintContext, LintedFile, LintedStatement, LintFinding, SafeFile
from tasks.lint.rewriting.choosing import WantedChanges, collect_changes
from tasks.lint.rewriting.downs import AuthorsDown, divide_down, read_down
from tasks.lint.rewriting.names import NamesInUse
from tasks.lint.rewriting.statements import add_comments, keep, rewrite_statement
from tasks.lint.rewriting.steps import NotRewritableError, SafeStep
from tasks.lint.rewriting.texts import cut_file
from tasks.lint.schema import SchemaFacts
from tasks.lint.trees import list_targets
from tasks.postgres.tokens import COMMENTS, tokenize
from tasks.runner.errors import UsageError
from tasks.runner.files.versions import to_snake_case

_AFTER_DEPLOY = "-- migrate: after-deploy\n"
_NO_TRANSACTION = "-- migrate: no-transaction\n"
_DIRECTIVE = re.compile(r"^--\s*migrate\s*:\s*(?P<name>[\w-]+)[^\r\n]*(?:\r?\n|\Z)", re.IGNORECASE | re.MULTILINE)
_REPEATED = ("lock-timeout", "after-deploy")
"""The directives that apply to each of the files."""
_TIMEOUT = re.compile(r"_timeout\b", re.IGNORECASE)
_LOCAL = re.compile(r"^(SET )LOCAL (?=search_path\b|role\b)", re.IGNORECASE | re.MULTILINE)
_LONGEST = 100
_NOTHING = "-- Nothing to undo: the files before it undo what it changed.\n"
NOT_WRITTEN = "-- NOT WRITTEN YET: the statements that undo the up file\n"


def rewrite_file(context: LintContext, findings: Iterable[LintFinding]) -> tuple[SafeFile, ...]:
    """Return the files that replace a pending file, of which the first keeps its version; nothing if nothing is replaced.

    Raises NotRewritableError with the reason if there is no safe migration that can be written automatically.
    """
    file = context.file
    try:
        wanted = collect_changes(context, findings)
        if not wanted or not file.statements:
            return ()
        if any(not statement.kind for statement in file.statements):
            raise NotRewritableError("the file cannot be parsed")
        header, steps, rest = _list_steps(context, wanted)
        groups = list(_divide(steps))
        down = read_down(file.down, file.shown_down or file.shown, file.version) if file.down is not None else None
        made = tuple(_compose(file, header, groups, rest, down))
    except (LookupError, ValueError, StopIteration) as error:
        raise NotRewritableError("it has a form that is not known") from error
    if len(made) == 1 and made[0].up == file.text and file.down is not None:
        raise NotRewritableError("no other form of it is known to be safe")
    return made


def _compose(
    file: LintedFile, header: str, groups: Sequence[Sequence[SafeStep]], rest: str, down: AuthorsDown | None
) -> Iterator[SafeFile]:
    """Yield the files, each with the settings of the author before it."""
    directives = _read_directives(header)
    settings = ""
    for number, (group, undo) in enumerate(zip(groups, divide_down(down, groups), strict=True)):
        body = "".join(step.up for step in group) + (rest if number + 1 == len(groups) else "")
        words = file.version.partition("_")[2].replace("_", " ") if number == 0 else _choose_words(group)
        head = _complete_header(header, group) if number == 0 else _write_header(words, group, directives)
        text = head + _widen(f"{settings}{body}".lstrip("\r\n"))
        if len(groups) == 1 and all(step.original for step in group) and not any(step.after_deploy for step in group):
            text = file.text
        yield SafeFile(
            to_description(words) if number else file.version.partition("_")[2],
            _adapt(text, file.text),
            _adapt(_write_down(down, words, group, undo, first=number == 0), file.down or file.text),
        )
        settings += "".join(step.setting for step in group)


def _widen(text: str) -> str:
    """Return a text in which a SET LOCAL applies to statements outside of a transaction too."""
    alone = "CONCURRENTLY" in text or "COMMIT;" in text
    return _LOCAL.sub(r"\1", text) if alone and _LOCAL.search(text) else text


def _list_steps(context: LintContext, wanted: WantedChanges) -> tuple[str, list[SafeStep], str]:
    """Return the comments at the top of the file, its steps, and the comments at its end."""
    file = context.file
    cut = cut_file(file.text, file.statements)
    names = NamesInUse(context.schema or SchemaFacts())
    steps: list[SafeStep] = []
    segment, before = 0, None
    for statement, piece, leading in zip(file.statements, cut.pieces, cut.leading, strict=True):
        divided = statement.segment in wanted.by_table
        group = (statement.segment, list_targets(statement, context.schema)[:1] if divided else ())
        segment, before = segment + (group != before), group
        if statement.number in wanted.replaced:
            made = rewrite_statement(context, statement, piece, wanted.replaced[statement.number], names)
            made = add_comments(made, leading + _find_trailing(piece))
        else:
            made = [_keep(statement, piece, alone=statement.number in wanted.alone)]
        steps += [replace(step, segment=segment) for step in made]
    return cut.header, steps, cut.rest


def _keep(statement: LintedStatement, piece: str, *, alone: bool) -> SafeStep:
    step = keep(statement, piece, alone=alone)
    if statement.kind != "VariableSetStmt":
        return step
    return replace(step, setting="" if _TIMEOUT.search(statement.text) else f"{statement.text};\n", down="")


def _find_trailing(piece: str) -> str:
    """Return the comment that follows a statement on its line."""
    tokens = list(tokenize(piece))
    last = max((place for place, token in enumerate(tokens) if token.text == ";"), default=len(tokens))
    return "".join(f"{token.text}\n" for token in tokens[last:] if token.kind in COMMENTS)


def _divide(steps: Sequence[SafeStep]) -> Iterator[list[SafeStep]]:
    """Yield the steps of each file: steps that need none of their own stay together."""
    group: list[SafeStep] = []
    for step in steps:
        joins = bool(group) and not step.alone and not group[-1].alone and step.segment == group[-1].segment
        joins = joins or (bool(group) and all(each.setting for each in group))
        if group and not joins:
            yield group
            group = []
        group.append(step)
    if group:
        yield group


def _choose_words(group: Sequence[SafeStep]) -> str:
    """Return the words of the first step of a file that has some, in one line: names may contain line ends."""
    return " ".join(next((step.words for step in group if step.words and not step.setting), "continue").split())


def to_description(words: str) -> str:
    """Return words as the part of a file's name after the timestamp."""
    try:
        return to_snake_case(words)[:_LONGEST].rstrip("_")
    except UsageError:
        return "continue"


def _read_directives(header: str) -> str:
    return "".join(f"{match[0].rstrip()}\n" for match in _DIRECTIVE.finditer(header) if match["name"].lower() in _REPEATED)


def _complete_header(header: str, group: Sequence[SafeStep]) -> str:
    """Return the header of the first file, with the directive that its statements need and without one that they do not."""
    if not any(step.original for step in group):
        header = _DIRECTIVE.sub(lambda match: "" if match["name"].lower() == "no-transaction" else match[0], header)
    if any(step.after_deploy for step in group) and "after-deploy" not in _read_directives(header):
        blank = "" if header.strip() else "\n"
        at = len(header.rstrip()) + 1 if header.strip() else 0
        return f"{header[:at]}{_AFTER_DEPLOY}{header[at:]}{blank}"
    return header


def _write_header(words: str, group: Sequence[SafeStep], directives: str) -> str:
    needed = _AFTER_DEPLOY if any(step.after_deploy for step in group) and "after-deploy" not in directives else ""
    return f"-- Description: {words[:1].upper()}{words[1:]}\n{directives}{needed}\n"


def _write_down(down: AuthorsDown | None, words: str, group: Sequence[SafeStep], undo: str, *, first: bool) -> str:
    """Return the text of a down file; that of the author stays as it is if it is irreversible and undoes what is kept."""
    kept = any(step.down is None for step in group)
    if down is not None and down.irreversible and kept:
        return down.header
    body = _widen(undo.lstrip("\r\n "))
    if not body.strip():
        body = NOT_WRITTEN if kept and down is None else _NOTHING
    directive = _NO_TRANSACTION if any(step.alone_down for step in group) else ""
    if first and down is not None and not down.irreversible:
        return f"{down.header.rstrip()}\n{directive}\n{body}" if down.header.strip() else f"{directive}{body}"
    return f"-- Description: Undo: {words}\n{directive}\n{body}"


def _adapt(text: str, like: str) -> str:
    """Return a text with the line ends of another one."""
    plain = text.replace("\r\n", "\n")
    plain = plain if plain.endswith("\n") else f"{plain}\n"
    return plain.replace("\n", "\r\n") if "\r\n" in like else plain
