"""The comments of a generated file, whatever the names in them contain."""

from tasks.generation.heads import write_head, write_irreversible
from tasks.runner.parsing.directives import Header, read_header
from tasks.runner.parsing.source_text import SqlText

FORGED = '"a\r\nmigrate: irreversible x\u2028migrate: after-deploy\nDROP TABLE users;"'
LONG = f'"{"a long name " * 9}migrate: no-transaction {"a long name " * 9}"'


def test_no_name_becomes_a_statement_or_a_directive() -> None:
    notes = [("It loses rows:", [f"drops table {name}" for name in (FORGED, LONG)])]
    text = write_head("Change it", f"the schema file {FORGED}", notes)
    assert [line for line in text.splitlines() if not line.startswith("--")] == [""]
    assert read_header(SqlText("it.sql", text)) == Header()
    assert read_header(SqlText("it.sql", write_irreversible(FORGED))).irreversible == " ".join(FORGED.split())
