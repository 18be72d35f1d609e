"""Which machine a run uses, depending on the output of `fly machine list --json`."""

from typing import Any

import pytest

from tasks.fly.machines import choose_machine, choose_startable, read_machines
from tasks.runner.errors import RefusedError

APP = "gaia-gateway-staging"


def describe(
    machine_id: str, *, state: str = "started", release: int | str = 1, group: str = "app", **more: Any
) -> dict[str, Any]:
    metadata = {"fly_process_group": group, "fly_release_version": str(release)}
    defaults = {"id": machine_id, "state": state, "region": "ams", "private_ip": f"fdaa::{machine_id}", "host_status": "ok"}
    return {**defaults, "config": {"metadata": metadata}, **more}


def lose_host(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "config": None, "incomplete_config": row["config"], "host_status": "unreachable"}


def choose(*rows: dict[str, Any], preferred: str = "") -> str:
    return choose_machine(read_machines(rows), app=APP, preferred=preferred).id


TEN = [describe(f"{number}", region=("ams", "fra", "sin")[number % 3], release=1 + number % 2) for number in range(10)]


@pytest.mark.parametrize(
    ("rows", "chosen"),
    [
        ([describe("1")], "1"),
        ([describe("2"), describe("1")], "1"),
        ([describe("1", release=9), describe("2", release=10)], "2"),
        ([describe("1", release="new"), describe("2")], "2"),
        ([describe("1", state="stopped", release=2), describe("2")], "2"),
        ([describe("1", state="suspended"), describe("2")], "2"),
        ([describe("1", state="replacing"), describe("2", state="failed"), describe("3")], "3"),
        ([describe("1", group="fly_app_release_command"), describe("2")], "2"),
        ([describe("1", group="fly_app_console", release=5), describe("2", group="worker")], "2"),
        ([lose_host(describe("1")), describe("2")], "2"),
        ([describe("1", config=None, incomplete_config=None), describe("2")], "2"),
        ([describe("1", config={"metadata": None}), describe("2")], "2"),
        (TEN, "1"),
        (TEN[::-1], "1"),
    ],
)
def test_the_started_machine_of_the_newest_release_is_chosen(rows: list[dict[str, Any]], chosen: str) -> None:
    assert choose(*rows) == chosen


def test_the_preferred_machine_is_chosen_while_it_is_started() -> None:
    newer = describe("2", release=2)
    assert choose(describe("1"), newer, preferred="1") == "1"
    assert choose(describe("1", state="stopped"), newer, preferred="1") == "2"


@pytest.mark.parametrize(
    ("rows", "message", "hint"),
    [
        ([], f"the app {APP} has no machines", f"fly deploy -a {APP}"),
        ([describe("1", group="fly_app_release_command"), describe("2", state="destroyed")], "has no machines", "fly deploy"),
        ([describe("1", state="stopped"), describe("2", state="suspended")], "1 (stopped), 2 (suspended)", "--start"),
        ([describe("1", state="failed")], "no started machine: 1 (failed)", f"fly machine list -a {APP}"),
        ([lose_host(describe("1"))], "1 (started, host not answering)", "fly machine list"),
    ],
)
def test_if_no_machine_is_started_the_error_lists_the_existing_ones(rows: list[dict[str, Any]], message: str, hint: str) -> None:
    with pytest.raises(RefusedError) as refused:
        choose(*rows)
    assert message in refused.value.message
    assert hint in refused.value.hint


@pytest.mark.parametrize(
    ("rows", "chosen"),
    [
        ([describe("1", state="stopped"), describe("2", state="stopped", release=2)], "2"),
        ([describe("1", state="failed"), describe("2", state="suspended")], "2"),
        ([lose_host(describe("1", state="stopped")), describe("2", state="created")], "2"),
    ],
)
def test_the_stopped_machine_of_the_newest_release_is_chosen_to_start(rows: list[dict[str, Any]], chosen: str) -> None:
    assert choose_startable(read_machines(rows), app=APP).id == chosen


def test_a_machine_that_failed_cannot_be_started() -> None:
    with pytest.raises(RefusedError, match="no machine that can be started"):
        choose_startable(read_machines([describe("1", state="failed")]), app=APP)
