"""What db.new prints of a generated migration."""

from tasks.catalog import Change, Difference, Key
from tasks.console.formatters import format_event
from tasks.console.lines import Style
from tasks.generation.events import MigrationProposed
from tasks.models.events import ModelsChecked
from tasks.report import models
from tasks.report.generation import register_messages

TRIGGERS = Difference(
    tuple(Change(Key("trigger", f"update_{name}", f"public.{name}"), "x", "") for name in ("users", "posts", "tags"))
)
TABLE = Difference(
    (
        Change(Key("column", "a", "public.labels"), None, "integer"),
        Change(Key("column", "b", "public.labels"), None, "integer"),
        Change(Key("column", "c", "public.users"), None, "integer"),
        Change(Key("table", "public.labels"), None, "ordinary"),
    )
)


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


def test_what_is_left_out_is_one_line_for_each_kind() -> None:
    register_messages()
    event = MigrationProposed("the models app:Base", 1, left_out=TRIGGERS)
    printed = {width: [line.text for line in format_event(event, Style(width=width))] for width in (20, 72, 120)}
    assert printed[20][-1] == "     trigger: update_users of public.users and 2 more"
    assert printed[72][-1] == "     trigger: update_users of public.users and 2 more"
    assert printed[120][-1].endswith(": update_users of public.users, update_posts of public.posts, update_tags of public.tags")


def test_a_table_with_its_columns_is_one_difference() -> None:
    register_messages()
    models.register_messages()
    proposed = format_event(MigrationProposed("the models app:Base", 1, TABLE, ("change_it",)), Style())
    assert "2 differences (+ wanted, - in the migrations)" in [line.text for line in proposed]
    checked = format_event(ModelsChecked(("app:Base",), 2, 1, TABLE), Style())
    assert "❌ 2 differences (+ in the models only, - in the migrations only)" in [line.text for line in checked]


def test_a_failed_test_begins_with_the_number_of_differences() -> None:
    message = models.describe_difference(ModelsChecked(("app:Base",), 2, 1, TABLE, TRIGGERS))
    first, *others = message.splitlines()
    assert first == "❌ 2 differences (+ in the models only, - in the migrations only)"
    assert "Compared app:Base (2 tables) with a replay of 1 migration." in others
    assert models.describe_difference(ModelsChecked(("app:Base",), 2, 1, Difference(), TRIGGERS)) == ""
