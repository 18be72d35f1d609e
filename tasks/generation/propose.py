"""From a goal to proved files: renames, losses, statements, the safe form, and the proof on scratch."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from tasks.catalog import COLUMN_ORDER, Catalog, Change, Difference, Key, compare, divide
from tasks.generation.attaching import add_bounds
from tasks.generation.goal import Goal, WantedSchema
from tasks.generation.heads import complete, describe_order, read_description, write_head, write_irreversible
from tasks.generation.losses import find_losses, refuse_losses
from tasks.generation.newer import refuse_newer
from tasks.generation.proof.proving import ProofPlan, UnprovedError, prove, show_failure
from tasks.generation.proof.unexpected import refuse_unexpected
from tasks.generation.proposal import MigrationProposal, ProposalOptions, ProposedFile, RowProof, join_proofs
from tasks.generation.safe import Risk, SafeMigration, keep_whole, make_safe
from tasks.generation.sources.excluding import exclude_tables, find_tables
from tasks.generation.states import UNWRITTEN, read_schema_state
from tasks.lint.model import SafeFile
from tasks.postgres.masking import mask_secrets
from tasks.rehearsal.errors import ScratchError
from tasks.rehearsal.kept.schemas import KeptSchema
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.replay.left_out import exclude_left_out
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.rehearsal.sql_diff import Pair, write_pair
from tasks.rehearsal.sql_diff.answers import Renaming, settle_renames
from tasks.rehearsal.sql_diff.details.finding import divide_details, find_details
from tasks.rehearsal.sql_diff.details.null_names import keep_unstated
from tasks.rehearsal.sql_diff.reasons import refuse_by_hand
from tasks.rehearsal.sql_diff.recreation.copying import separate_copying
from tasks.rehearsal.sql_diff.renames import ObjectRename
from tasks.runner.errors import RefusedError, RunnerError
from tasks.runner.files.versions import next_timestamp, to_snake_case
from tasks.runner.parsing import read_script

_MOST_FORMS = 4
"""How often files are made: each time, the statements whose safe form is not proved stay as they are."""
_BY_HAND = "Write a migration for them by hand (inv db.new NAME), then run this command again."
_COPY_WORDS = "copy_rows"
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)


def propose(
    server: ScratchServer, base: Sequence[RehearsedMigration], goal: Goal, name: str, options: ProposalOptions
) -> MigrationProposal:
    """Return the files that lead from the schema of the migrations to that of a goal, proved on scratch; none if nothing differs.

    `base` are all migrations of the checkout in their order. Raises RefusedError for renames without an answer, for losses that
    are not allowed, and for what cannot be written or is not proved; and the error of a migration that fails on scratch.
    """
    description = to_snake_case(name)
    state = read_schema_state(server, base, timeout_s=options.timeout_s, kept=options.kept)
    narrowed = _Narrowed(goal, state, options.exclude)
    wanted = narrowed.find(state.catalog)
    found = compare(state.catalog, wanted.catalog)
    unchecked = tuple(entry.shown for entry in (*state.left_out, *goal.left_out))
    if not found and not options.answers.renamed and not find_details(state.catalog, wanted.catalog):
        orders = tuple(_describe_orders(narrowed.list_moved(state.catalog), (), state.catalog))
        return MigrationProposal(goal.label, left_out=wanted.left_out, orders=orders, unchecked=unchecked)
    renaming = _settle(server, base, state.catalog, narrowed, options)
    wanted = narrowed.find(renaming.renamed)
    losses = find_losses(renaming.renamed, wanted.catalog)
    if losses and not options.allow_loss:
        raise refuse_losses(losses, renaming.renamed, wanted.catalog, again=options.allowing)
    pair = write_pair(state.catalog, wanted.catalog, name=description, heading="", renaming=renaming, recreate=True)
    refuse_by_hand(pair.left, hint=_BY_HAND, state=UNWRITTEN)
    refuse_newer(server, pair)
    details, kept = divide_details(renaming.renamed, wanted.catalog, pair.written.kept)
    moved = narrowed.list_moved(renaming.renamed)
    if not pair.written.statements:
        orders = tuple(_describe_orders(moved, (), renaming.renamed))
        return MigrationProposal(goal.label, left_out=wanted.left_out, orders=orders, kept=kept, unchecked=unchecked)
    draft = _Draft(server, tuple(base), _choose_version(base, description), wanted.catalog, renaming, options.timeout_s)
    files, risks, rows = draft.make_apart(renaming) or draft.make(pair)
    refuse_unexpected(rows.lost, losses, renaming)
    proposal = MigrationProposal(
        goal.label,
        compare(renaming.renamed, wanted.catalog).without({COLUMN_ORDER}),
        left_out=wanted.left_out,
        orders=tuple(_describe_orders(moved, rows.orders, renaming.renamed)),
        details=details,
        kept=kept,
        renames=renaming.renames,
        losses=tuple(loss.sentence for loss in losses),
        risks=(*risks, *rows.triggers),
        rows=rows,
        unchecked=unchecked,
    )
    return replace(proposal, files=_complete(proposal, files))


@dataclass(frozen=True, slots=True)
class _Narrowed:
    """A goal, without what is no difference, or not compared: orders of columns, tables, what excluded extensions would make."""

    goal: Goal
    state: KeptSchema
    exclude: tuple[str, ...]

    def find(self, before: Catalog) -> WantedSchema:
        wanted = self.goal.narrow(before)
        tables = find_tables(self.exclude, (before, wanted.catalog))
        compared = exclude_left_out(divide(compare(before, wanted.catalog), 0)[0], (*self.state.left_out, *self.goal.left_out))
        objects = dict(before.objects)
        for change in exclude_tables(compared, tables).changes:
            objects.pop(change.key, None)
            if change.after is not None:
                objects[change.key] = change.after
        left_out = exclude_tables(Difference(wanted.left_out), tables).changes
        derived = {key: text for key, text in wanted.catalog.derived.items() if not _belongs(key, tables)}
        derived |= {key: text for key, text in before.derived.items() if _belongs(key, tables)}
        return WantedSchema(keep_unstated(before, replace(wanted.catalog, objects=objects, derived=derived)), left_out)

    def list_moved(self, before: Catalog) -> tuple[Change, ...]:
        """Return what changes only the order of a table's columns, if the source states it."""
        if not self.goal.orders_columns:
            return ()
        moved = divide(compare(before, self.goal.narrow(before).catalog), 0)[1].only({COLUMN_ORDER})
        return exclude_tables(moved, self.exclude).changes


def _describe_orders(moved: Iterable[Change], reached: Iterable[Change], before: Catalog) -> Iterator[str]:
    """Yield lines about the orders of columns: those that files leave as they are, and those that they reach."""
    orders = {change.key: change for change in moved}
    for change in reached:
        orders[change.key] = replace(change, after=orders.get(change.key, change).after)
    yield from (describe_order(change, before) for change in orders.values() if change.before != change.after)


def _belongs(key: Key, tables: Collection[str]) -> bool:
    return (key.parent or key.name) in tables


def _settle(
    server: ScratchServer,
    base: Sequence[RehearsedMigration],
    before: Catalog,
    narrowed: _Narrowed,
    options: ProposalOptions,
) -> Renaming:
    def run(renames: Sequence[ObjectRename]) -> Catalog:
        text = "".join(f"{statement};\n" for rename in renames for statement in rename.write())
        renamed = [*base, RehearsedMigration("renames", text)]
        return read_schema_state(server, renamed, timeout_s=options.timeout_s, cached=False).catalog

    return settle_renames(before, lambda current: narrowed.find(current).catalog, options.answers, run, options.ask)


@dataclass(frozen=True, slots=True)
class _Draft:
    """What the files of a proposal are made of and proved against."""

    server: ScratchServer
    base: tuple[RehearsedMigration, ...]
    version: str
    target: Catalog
    renaming: Renaming
    timeout_s: float | None

    def make_apart(self, renaming: Renaming) -> tuple[tuple[ProposedFile, ...], tuple[str, ...], RowProof] | None:
        """Return what `make` does, with a file of its own for tables that are copied, so that it locks nothing else.

        None if there is nothing else, or if the other changes are not proved without those of the tables, or wait for the
        deployment.
        """
        between = separate_copying(renaming.renamed, self.target)
        if between is None:
            return None
        name = self.version.partition("_")[2]
        pairs = (
            write_pair(renaming.renamed, between, name=name, heading="", renaming=renaming, recreate=True),
            write_pair(between, self.target, name=_COPY_WORDS, heading="", recreate=True),
        )
        if any(pair.left or not pair.written.statements for pair in pairs):
            return None
        with suppress(UnprovedError):
            first = replace(self, target=between).make(pairs[0])
            if any(_rehearse(file).after_deploy for file in first[0]):
                # What runs after the deployment cannot come before what does not.
                return None
            stamp = next_timestamp(_EARLIEST, first[0][-1].version.partition("_")[0])
            base = (*self.base, *map(_rehearse, first[0]))
            rest = replace(self, base=base, version=f"{stamp}_{_COPY_WORDS}", renaming=Renaming((), between))
            second = rest.make(pairs[1])
            return (*first[0], *second[0]), (*first[1], *second[1]), join_proofs(first[2], second[2])
        return None

    def make(self, pair: Pair) -> tuple[tuple[ProposedFile, ...], tuple[str, ...], RowProof]:
        """Return the safe files, the risks for which no safe form is known, and what was proved.

        A statement whose safe form is not proved stays as it is, in the last resort all of them, in one file; raises RefusedError
        where these are not proved either.
        """
        down = write_irreversible(pair.irreversible) if pair.irreversible else pair.undone.write()
        written = add_bounds(pair.written, self.renaming.renamed, self.target)
        proposed = RehearsedMigration(pair.name, written.write(), down, "the migration", "the migration (down)")
        keep: dict[int, str] = {}
        for _ in range(_MOST_FORMS):
            safe = self._make_safe(proposed, keep)
            files = tuple(self._name(safe.files))
            try:
                return files, tuple(map(_show_risk, safe.risks)), self.prove(files)
            except UnprovedError as error:
                if files[0].up == proposed.up and files[0].down == proposed.down:
                    raise
                problem = error.problem.partition("\n")[0].removesuffix(":").removesuffix(" (- expected, + found)")
                number = next((number for number, file in enumerate(files) if file.version == error.version), None)
                found = safe.suspect(number, error.table)
            if not found:
                break
            keep |= dict.fromkeys(found, f"its safe form is not proved: {problem}")
        reason = f"all statements are in one file, because the safe files in place of it are not proved: {problem}"
        safe = keep_whole(self.server, self.base, proposed, timeout_s=self.timeout_s)
        files = tuple(self._name(safe.files))
        return files, (reason, *map(_show_risk, safe.risks)), self.prove(files)

    def _make_safe(self, proposed: RehearsedMigration, keep: Mapping[int, str]) -> SafeMigration:
        try:
            return make_safe(self.server, self.base, proposed, keep=keep, timeout_s=self.timeout_s)
        except (RefusedError, ScratchError):
            raise
        except RunnerError as error:
            raise UnprovedError(show_failure("it fails on scratch", error)) from error

    def _name(self, safe: Sequence[SafeFile]) -> Iterator[ProposedFile]:
        stamp, _, description = self.version.partition("_")
        for number, file in enumerate(safe):
            irreversible = read_script(file.down, file=file.description, version=stamp).irreversible or ""
            name = file.description if number else description
            yield ProposedFile(f"{stamp}_{name}", file.up, file.down, irreversible)
            stamp = next_timestamp(_EARLIEST, stamp)

    def prove(self, files: Sequence[ProposedFile]) -> RowProof:
        """Prove the files; raises RefusedError."""
        made = tuple(_rehearse(file) for file in files)
        last = max((number for number, file in enumerate(files, 1) if file.irreversible), default=0)
        renaming = self.renaming
        plan = ProofPlan(made, made[last:], renaming.renamed, self.target, renaming.renames, self.timeout_s)
        return prove(self.server, self.base, plan)


def _show_risk(risk: Risk) -> str:
    return f"{risk.reason} ({risk.rule})\n{' '.join(mask_secrets(risk.statement).split())}"


def _rehearse(file: ProposedFile) -> RehearsedMigration:
    after_deploy = "-- migrate: after-deploy" in file.up
    return RehearsedMigration(
        file.version, file.up, file.down, f"{file.version} (up)", f"{file.version} (down)", after_deploy=after_deploy
    )


def _choose_version(base: Sequence[RehearsedMigration], description: str) -> str:
    newest = max((migration.name for migration in base), default=None)
    return f"{next_timestamp(datetime.now(UTC), newest)}_{description}"


def _complete(proposal: MigrationProposal, files: Sequence[ProposedFile]) -> tuple[ProposedFile, ...]:
    """Return the files with their comments: the first one has those on the whole migration."""
    notes = (
        ("It loses rows or values, which was allowed:", proposal.losses),
        ("The columns have another order, because new ones come last:", proposal.orders),
        ("No statement changes these names:", proposal.kept),
        ("It fails on rows that do not fit:", proposal.rows.conditions),
        ("It runs triggers:", proposal.rows.triggers),
    )
    made = []
    for number, file in enumerate(files):
        words = (read_description(file.up) if number else "") or file.description.replace("_", " ").capitalize()
        up = write_head(words, proposal.label, notes if number == 0 else ())
        down = write_head(f"Undo: {words[:1].lower()}{words[1:]}", proposal.label)
        made.append(replace(file, up=complete(up, file.up), down=complete(down, file.down)))
    return tuple(made)
