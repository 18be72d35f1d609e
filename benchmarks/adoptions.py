"""Measure how often adopt is right about random histories of which a random part was applied."""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings

from tasks.adopt.investigate import SearchResult, investigate
from tasks.postgres.server import control, embedded
from tasks.rehearsal.scratch.server import ScratchServer
from tests.adopt.random_histories import History, Sketch, make_history, sketches

RIGHT, WRONG, SUPERSEDED, UNDECIDED = "right", "wrong", "superseded, applied or not", "cannot tell"
CONFIRMED = "confirmed"
"""Undecided, and a replay with the opposite answer produced the same schema."""


def main() -> None:
    """Judge random histories and print how many answers are right."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.adoptions", description=__doc__)
    parser.add_argument("--histories", type=int, default=150, help="number of histories (default: 150)")
    parser.add_argument(
        "--confirm", type=int, default=100, help="number of undecided answers to check by a second replay (default: 100)"
    )
    parser.add_argument(
        "--folder", type=Path, default=Path("/var/tmp"), help="parent of the server's data folder (default: /var/tmp)"
    )
    parser.add_argument(
        "--live", metavar="URL", default="", help="server of the schemas to adopt, of any version (default: the embedded one)"
    )
    options = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="adoptions-", dir=options.folder))
    home.chmod(0o711)
    try:
        embedded.start(home)
        cluster = embedded.find_server(home)
        try:
            url = cluster.url("postgres")
            with ScratchServer(url) as server, ScratchServer(options.live or url) as live:
                counts: Counter[str] = Counter()
                try:
                    measure(server, options.histories, options.confirm, counts, live)
                except KeyboardInterrupt:
                    print("interrupted; results so far:")
                _print(counts)
        finally:
            control.stop(cluster)
    finally:
        shutil.rmtree(home)


def measure(server: ScratchServer, histories: int, confirm: int, counts: Counter[str], live: ScratchServer | None = None) -> None:
    """Judge `histories` random histories, applied on the server `live`, and add the results to `counts`."""

    @settings(
        max_examples=histories,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(sketches())
    def judge(sketch: Sketch) -> None:
        history = make_history(live or server, sketch)
        if not history.applied:
            return
        start = time.monotonic()
        finding = investigate(server, history.migrations, history.live)
        counts["milliseconds"] += round((time.monotonic() - start) * 1000)
        counts["histories"] += 1
        counts["files"] += len(history.migrations)
        counts["applied"] += len(history.applied)
        counts["tried"] += finding.tried
        counts["proved"] += finding.proved
        answers = grade(history, finding)
        counts.update(answers.values())
        undecided = [version for version, answer in answers.items() if answer == UNDECIDED]
        to_check = undecided[: max(confirm - counts["checked"], 0)]
        counts["checked"] += len(to_check)
        counts[CONFIRMED] += sum(is_ambiguous(server, history, version) for version in to_check)
        if WRONG in answers.values():
            print_wrong(history, finding, answers)

    judge()


def grade(history: History, finding: SearchResult) -> dict[str, str]:
    """Compare each verdict with the migrations that were applied."""
    return {
        verdict.version: _grade(verdict.kind, verdict.sure, verdict.version in history.applied) for verdict in finding.verdicts
    }


def is_ambiguous(server: ScratchServer, history: History, version: str) -> bool:
    """Return True if a replay with the opposite answer about a version produces the same schema."""
    other = investigate(server, history.migrations, history.live, forced={version: version not in history.applied})
    return other.proved and not other.contradicted


def print_wrong(history: History, finding: SearchResult, answers: dict[str, str]) -> None:
    """Print a history with a wrong verdict."""
    print(f"\nwrong: {finding}")
    for migration in history.migrations:
        state = "applied" if migration.name in history.applied else ""
        print(f"  {migration.name} {state} ({answers[migration.name]}): {migration.up!r}")


def _grade(kind: str, sure: bool, applied: bool) -> str:
    if kind == "cannot tell":
        return UNDECIDED
    if kind == "superseded" and not sure:
        return SUPERSEDED
    return RIGHT if applied == (kind in ("present", "superseded")) and kind != "partial" else WRONG


def _print(counts: Counter[str]) -> None:
    files, histories = counts["files"], counts["histories"]
    print(f"{histories} histories, {files} files, {counts['applied']} of them applied")
    print(f"schema confirmed by a replay: {counts['proved']} of {histories}")
    print(f"trials on scratch databases: {counts['tried'] / files:.1f} per file")
    print(f"time: {counts['milliseconds'] / histories:.0f} ms per history")
    for name in (RIGHT, WRONG, SUPERSEDED, UNDECIDED):
        print(f"  {name:<36} {counts[name]:>6} {100 * counts[name] / files:>6.1f} %")
    print(f"  undecided, confirmed by a replay     {counts[CONFIRMED]:>6} of {counts['checked']} checked")


if __name__ == "__main__":
    main()
