"""Constraints and indexes that replace one of the same name, without a time in which there is neither."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from tasks.generation.dividing.units import Unit, write_units
from tasks.lint.files import read_file
from tasks.lint.rewriting.names import NamesInUse
from tasks.lint.rewriting.steps import SafeStep
from tasks.postgres.quoting import quote_identifier
from tasks.rehearsal.model import RehearsedMigration


def replace_object(old: Unit, new: Unit, steps: Sequence[SafeStep], names: NamesInUse) -> list[SafeStep]:
    """Return the steps that create `new`, with the drop of `old` where it leaves no gap."""
    name, dropped = quote_identifier(new.created), write_units([old])
    another = quote_identifier(names.choose(new.created, (), "new"))
    build = re.compile(rf"INDEX CONCURRENTLY {re.escape(name)} ON ")
    step, others = steps[-1], list(steps[:-1])
    if len(build.findall(step.up)) == 1 and step.up.count("CONCURRENTLY") == 1:
        built = build.sub(f"INDEX CONCURRENTLY {another.replace(chr(92), chr(92) * 2)} ON ", step.up)
        if new.statement.kind == "IndexStmt":
            gone = dropped.replace("DROP INDEX ", "DROP INDEX CONCURRENTLY ", 1)
            place = new.existing[0].rpartition(".")[0]
            rename = f"ALTER INDEX {place}.{another} RENAME TO {name};\n"
            return [*others, replace(step, up=f"{built}{gone}{rename}", down=None)]
        using = f"USING INDEX {name}"
        if using in built:
            create, _, attach = built.partition(";\n")
            return [
                *others,
                replace(step, up=f"{create};\n{dropped}{attach.replace(using, f'USING INDEX {another}')}", down=None),
            ]
    first = steps[0]
    if len(read_file(RehearsedMigration("step", first.up)).statements) == 1 and "CONCURRENTLY" not in first.up:
        return [replace(first, up=dropped + first.up, down=None), *steps[1:]]
    if old.rewritten:
        dropped = dropped.replace("DROP INDEX ", "DROP INDEX CONCURRENTLY ", 1)
    return [SafeStep(f"drop {new.created}", dropped), *steps]
