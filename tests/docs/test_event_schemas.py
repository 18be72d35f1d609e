"""docs/reference.md has the JSON Schema of each event, and what the commands print fits it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from tasks.runner.events import EVENTS, Event, to_json
from tests.docs.event_schemas import END, PAGE, list_schemas, read_blocks, rewrite, write_section
from tests.kit.projects import Project
from tests.report.samples import SAMPLES
from tests.runner.operating import A, B, C

SEED = "001_rows"


@pytest.fixture(scope="module")
def validators() -> dict[str, Draft202012Validator]:
    """Return a validator for each kind, from the schemas that the page shows."""
    return {schema["title"]: Draft202012Validator(schema) for schema in read_blocks(PAGE.read_text(encoding="utf-8"))}


@pytest.fixture
def busy(project: Project) -> Project:
    """Return a project with migrations of which the last fails, and a seed."""
    project.write_up(A, "CREATE TABLE a (id int);\nDO $$ BEGIN RAISE NOTICE 'made'; END $$;")
    project.write_down(A, "DROP TABLE a;")
    project.write_up(B, "CREATE INDEX CONCURRENTLY b ON a (id);")
    project.write_up(C, "SELECT 1/0;")
    project.write_seed(SEED, "INSERT INTO a VALUES (1);")
    return project


def test_the_page_shows_the_schemas_of_today() -> None:
    assert rewrite(write=False), "python -m tests.docs --write writes them"


def test_each_kind_of_event_has_one_schema(validators: dict[str, Draft202012Validator]) -> None:
    shown = [schema["title"] for schema in read_blocks(PAGE.read_text(encoding="utf-8"))]
    assert shown == sorted(list_schemas())
    assert {kind for kind, cls in EVENTS.items() if cls.__module__.startswith("tasks.")} == validators.keys()


@pytest.mark.parametrize("schema", read_blocks(PAGE.read_text(encoding="utf-8")), ids=lambda schema: schema["title"])
def test_each_schema_is_valid_and_has_its_kind_as_a_constant(schema: dict[str, Any]) -> None:
    Draft202012Validator.check_schema(schema)
    assert schema["properties"]["kind"] == {"const": schema["title"]}


@pytest.mark.parametrize("event", SAMPLES, ids=lambda event: event.kind)
def test_an_event_fits_its_schema(event: Event, validators: dict[str, Draft202012Validator]) -> None:
    validators[event.kind].validate(json.loads(to_json(event)))


def test_an_event_with_a_wrong_field_does_not_fit(validators: dict[str, Draft202012Validator]) -> None:
    good = {"kind": "step_finished", "action": "migrate", "version": A, "duration_ms": 12}
    validators["step_finished"].validate(good)
    for wrong in ({"kind": "step_failed"}, {"duration_ms": "12"}):
        with pytest.raises(ValidationError):
            validators["step_finished"].validate(good | wrong)
    with pytest.raises(ValidationError):
        validators["step_finished"].validate({"kind": "step_finished"})


def run_commands(project: Project) -> Iterator[str]:
    """Yield the lines that commands print with --json, failures included."""
    for arguments in (
        ("migrate", "--dry-run"),
        ("migrate",),
        ("seed",),
        ("status",),
        ("history",),
        ("repair", "--dry-run"),
        ("rollback", "--to=0"),
        ("files",),
        ("catalog",),
        ("numbers",),
        ("probe",),
    ):
        yield from project.migrate(*arguments, "--json").stdout.splitlines()
    for words in (("db.verify", "--all"), ("db.drift",), ("db.status", "--env=all"), ("env.list",)):
        yield from project.inv(*words, "--json").stdout.splitlines()


def test_what_commands_print_fits_the_schemas(busy: Project, validators: dict[str, Draft202012Validator]) -> None:
    seen = set()
    for line in run_commands(busy):
        event = json.loads(line)
        validators[event["kind"]].validate(event)
        seen.add(event["kind"])
    expected = {"plan_made", "step_finished", "notice_raised", "error_raised", "status_read", "history_read", "catalog_read"}
    assert seen > expected | {"verify_finished", "migration_verified", "statuses_read", "environments_listed"}


def test_a_page_with_old_schemas_is_rewritten(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "before\n\n<!-- schemas of the events: python -m tests.docs --write -->\nold\n<!-- end of the schemas -->\nafter\n"
    )
    assert not rewrite(page, write=True)
    assert rewrite(page, write=False)
    assert page.read_text().startswith("before\n")
    assert page.read_text().endswith(f"{END}\nafter\n")
    assert write_section(page.read_text()) == page.read_text()
