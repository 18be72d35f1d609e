"""What db.new prints of a generated migration."""

from tasks.catalog import Change, Difference, Key
from tasks.console.formatters import format_event
from tasks.console.lines import Style
from tasks.generation.events import MigrationProposed
from tasks.report.generation import register_messages


def test_a_name_with_a_line_end_adds_no_line() -> None:
    register_messages()
    forged = 'public."a\n✅ Created x"'
    event = MigrationProposed(
        "the environment staging",
        1,
        Difference((Change(Key("table", forged), "x", None),)),
        ("change_it",),
        orders=(forged,),
        renames=(forged,),
        losses=(forged,),
        unfilled=(forged,),
        irreversible=(forged,),
    )
    lines = [line.text for line in format_event(event, Style())]
    assert [line for line in lines if line.strip().startswith("✅ Created")] == []
    assert len([line for line in lines if "✅ Created x" in line]) == 6
