"""What `fly` refuses, prints and delays: said in words, without its tokens, and nothing is changed."""

from collections.abc import Iterator

import pytest

from tasks.fly.flyctl import hide_tokens
from tasks.runner.events import RunStarted
from tests.fly.operating import STAGING, Far, work_far
from tests.kit.databases import Database
from tests.kit.fly.world import FlyWorld
from tests.kit.projects import Project
from tests.runner.operating import A


@pytest.fixture
def far(fly: FlyWorld, project: Project, database: Database) -> Iterator[Far]:
    with work_far(fly, project, database) as far:
        far.operator.write_tables(A)
        yield far
        assert far.operator.read_tables() in ([], ["a"])


def assert_refused(far: Far, *words: str) -> None:
    ended = far.run_request()
    for word in words:
        assert word in ended.describe()
    assert "Nothing was changed." in ended.describe()
    assert far.operator.read_tables() == []
    assert far.fly.env["FLY_ACCESS_TOKEN"] not in ended.describe()


def test_without_flyctl_it_is_said_where_to_get_it(far: Far) -> None:
    far.deploy()
    far.variables["PATH"] = "/usr/bin:/bin"
    assert_refused(far, "flyctl is not installed", "https://fly.io/docs/flyctl/install/")


def test_without_a_token_it_is_said_how_to_get_one(far: Far) -> None:
    far.deploy()
    far.variables["FLY_ACCESS_TOKEN"] = ""
    assert_refused(far, "no access token available", "fly auth login", "FLY_API_TOKEN")


def test_a_token_that_fly_does_not_know_is_refused(far: Far) -> None:
    far.deploy()
    far.variables["FLY_ACCESS_TOKEN"] = "FlyV1 fm2_gone"
    assert_refused(far, "You must be authenticated", "Fly does not accept this token")


@pytest.mark.parametrize("kind", ["deploy", "ssh", "readonly"])
def test_a_token_that_may_not_issue_certificates_is_named_as_that(far: Far, kind: str) -> None:
    far.deploy()
    far.variables["FLY_ACCESS_TOKEN"] = far.fly.add_token(kind, app="" if kind == "readonly" else STAGING)
    assert_refused(far, "fly ssh issue: Not authorized", "fly tokens create org")


def test_a_token_of_another_app_does_not_find_ours(far: Far) -> None:
    far.deploy()
    far.variables["FLY_ACCESS_TOKEN"] = far.fly.add_token("deploy", app="another")
    assert_refused(far, f'Could not find App "{STAGING}"', "FLY_APP_<ENVIRONMENT>")


def test_an_app_without_machines_wants_a_deploy(far: Far) -> None:
    far.fly.add_app(STAGING, machines=0)
    far.fly.add_release_machine(STAGING)
    assert_refused(far, f"the app {STAGING} has no machines", f"fly deploy -a {STAGING}")


def test_machines_that_are_stopped_are_listed(far: Far) -> None:
    machine = far.deploy(state="stopped")
    assert_refused(far, f"{machine.id} (stopped)", "--start")


def test_with_start_a_stopped_machine_is_started(far: Far) -> None:
    far.deploy(state="stopped").refuse(2)
    assert far.run_request(start=True).error is None
    assert far.machine.record["state"] == "started"
    assert far.operator.read_tables() == ["a"]


def test_with_start_nothing_is_started_that_need_not(far: Far) -> None:
    far.deploy()
    far.fly.add_machine(STAGING, state="stopped")
    assert far.run_request(start=True).error is None
    assert ["machine", "start"] not in [call[:2] for call in far.fly.calls]


def test_a_token_that_may_not_start_machines_is_named_as_that(far: Far) -> None:
    far.deploy(state="stopped")
    far.variables["FLY_ACCESS_TOKEN"] = far.fly.add_token("readonly")
    ended = far.run_request(start=True)
    assert "fly machine start: Not authorized" in ended.describe()


@pytest.mark.parametrize("command", ["machine list", "proxy"])
def test_a_call_that_hangs_is_given_up(far: Far, command: str) -> None:
    far.deploy()
    far.fly.hang(command)
    far.variables["FLY_CALL_TIMEOUT"] = "2.5"
    assert_refused(far, f"fly {command}", "within 2.5 s", "FLY_CALL_TIMEOUT")


@pytest.mark.parametrize("command", ["machine list", "status"])
def test_an_answer_that_is_no_json_is_no_empty_list(far: Far, command: str) -> None:
    far.deploy()
    far.fly.garble(command)
    assert_refused(far, f"fly {command}", "printed no JSON", "status.flyio.net")


def test_a_certificate_that_was_not_written_is_missed(far: Far) -> None:
    far.deploy()
    far.fly.garble("ssh issue")
    assert_refused(far, "fly ssh issue wrote no id and no id-cert.pub")


def test_noise_on_stderr_does_not_matter(far: Far) -> None:
    far.deploy()
    far.fly.add_noise()
    assert far.run_request().error is None


@pytest.mark.parametrize("command", ["machine list", "ssh issue", "proxy"])
def test_tokens_are_never_shown(far: Far, command: str) -> None:
    far.deploy()
    token = far.fly.env["FLY_ACCESS_TOKEN"]
    far.fly.fail(command, f"the token {token} is of no use\nUsage: fly {command}")
    result = far.inv("db.migrate", "--env=staging", check=1)
    assert "the token *** is of no use" in result.stderr
    assert token.split()[-1] not in result.stdout + result.stderr


def test_a_token_of_any_look_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLY_API_TOKEN", "letmein-letmein")
    assert hide_tokens("a letmein-letmein b FlyV1 fm2_lJPE/+=,fm2_x c fo1_abc-d") == "a *** b *** c ***"


def test_an_org_that_is_named_is_not_asked_for(far: Far) -> None:
    far.deploy()
    far.variables["FLY_ORG"] = "gaia"
    assert far.run_request().error is None
    assert "status" not in [call[0] for call in far.fly.calls]


def test_a_machine_that_refuses_the_certificate_is_named(far: Far) -> None:
    far.deploy()
    far.fly.limit_certificates(-10)
    assert_refused(far, f"machine {far.machine.id} of {STAGING} refuses the certificate", f"fly ssh console -a {STAGING}")


def test_a_machine_whose_ssh_is_slow_to_come_up_is_waited_for(far: Far) -> None:
    far.deploy().refuse(3)
    assert far.run_request().error is None
    assert far.machine.connections == 4


@pytest.mark.parametrize("fault", ["refuse", "silence"])
def test_a_machine_whose_ssh_does_not_come_up_is_given_up(far: Far, fault: str) -> None:
    machine = far.deploy()
    machine.refuse(1000) if fault == "refuse" else machine.fall_silent()
    far.variables["FLY_CONNECT_TIMEOUT"] = "1"
    assert_refused(far, f"no ssh connection to machine {machine.id}", f"fly machine status {machine.id}")


def test_another_host_key_does_not_matter(far: Far) -> None:
    far.deploy()
    assert far.run_request().error is None
    far.machine.change_host_key()
    assert far.run_request().error is None


def test_keys_are_private_while_they_are_there(far: Far) -> None:
    modes: dict[str, int] = {}

    def look() -> None:
        modes.update({path.name: path.stat().st_mode & 0o777 for path in far.keys.rglob("*")})

    far.deploy()
    far.run_request(deeds={RunStarted: look})
    assert modes.pop("id") == modes.pop("id-cert.pub") == 0o600
    assert list(modes.values()) == [0o700]
