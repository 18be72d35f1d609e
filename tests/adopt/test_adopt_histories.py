"""Random histories of which a random part was applied: no verdict is wrong."""

from hypothesis import HealthCheck, Phase, given, settings

from tasks.adopt.investigate import investigate
from tasks.rehearsal.scratch.server import ScratchServer
from tests.adopt.random_histories import Sketch, make_history, sketches


@settings(
    max_examples=6,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(sketches(least=6, most=10))
def test_no_verdict_on_a_random_history_is_wrong_and_the_answer_is_proved(scratch: ScratchServer, sketch: Sketch) -> None:
    history = make_history(scratch, sketch)
    found = investigate(scratch, history.migrations, history.live)
    sure = [verdict for verdict in found.verdicts if verdict.kind != "cannot tell" and verdict.sure]
    wrong = [each for each in sure if (each.kind in ("present", "superseded")) != (each.version in history.applied)]
    assert wrong == []
    assert found.proved
    assert found.strangers == found.lacking == ()
