"""How often the evidence is right: random histories, of which a random part was applied.

`python -m benchmarks.adoptions --histories 150` prints the table.
"""

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

RIGHT, WRONG, MOOT, DOUBT, CONFIRMED = "right", "wrong", "superseded, whether it ran or not", "cannot tell", "of these, shown"
"""The last: the replay of another answer gave the same schema."""


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.adoptions", description=__doc__)
    parser.add_argument("--histories", type=int, default=150, help="how many histories (150)")
    parser.add_argument("--confirm", type=int, default=100, help="how many of the doubts to confirm by another replay (100)")
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp"), help="where the server keeps its data (/var/tmp)")
    options = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="adoptions-", dir=options.folder))
    home.chmod(0o711)
    try:
        embedded.start(home)
        cluster = embedded.find_server(home)
        try:
            with ScratchServer(cluster.url("postgres")) as server:
                counts: Counter[str] = Counter()
                try:
                    measure(server, options.histories, options.confirm, counts)
                except KeyboardInterrupt:
                    print("stopped early; so far:")
                _print(counts)
        finally:
            control.stop(cluster)
    finally:
        shutil.rmtree(home)


def measure(server: ScratchServer, histories: int, confirm: int, counts: Counter[str]) -> None:
    """Count the answers over so many histories."""

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
        history = make_history(server, sketch)
        if not history.applied:
            return
        start = time.monotonic()
        finding = investigate(server, history.pieces, history.live)
        counts["milliseconds"] += round((time.monotonic() - start) * 1000)
        counts["histories"] += 1
        counts["files"] += len(history.pieces)
        counts["applied"] += len(history.applied)
        counts["tried"] += finding.tried
        counts["proved"] += finding.proved
        answers = grade(history, finding)
        counts.update(answers.values())
        doubts = [version for version, answer in answers.items() if answer == DOUBT]
        room = max(confirm - counts["asked"], 0)
        counts["asked"] += len(doubts[:room])
        counts[CONFIRMED] += sum(has_other_answer(server, history, version) for version in doubts[:room])
        if WRONG in answers.values():
            print_wrong(history, finding, answers)

    judge()


def grade(history: History, finding: SearchResult) -> dict[str, str]:
    """Hold each verdict against what is true."""
    return {
        verdict.version: _grade(verdict.kind, verdict.sure, verdict.version in history.applied) for verdict in finding.verdicts
    }


def has_other_answer(server: ScratchServer, history: History, version: str) -> bool:
    """Tell whether the schema is the same with another answer about a version, by replaying that."""
    other = investigate(server, history.pieces, history.live, forced={version: version not in history.applied})
    return other.proved and not other.contradicted


def print_wrong(history: History, finding: SearchResult, answers: dict[str, str]) -> None:
    """Print a history about which the evidence was wrong."""
    print(f"\nwrong: {finding}")
    for piece in history.pieces:
        print(f"  {piece.name} {'applied' if piece.name in history.applied else ''} ({answers[piece.name]}): {piece.up!r}")


def _grade(kind: str, sure: bool, applied: bool) -> str:
    if kind == "cannot tell":
        return DOUBT
    if kind == "superseded" and not sure:
        return MOOT
    return RIGHT if applied == (kind in ("present", "superseded")) and kind != "partial" else WRONG


def _print(counts: Counter[str]) -> None:
    files, histories = counts["files"], counts["histories"]
    print(f"{histories} histories, {files} files, {counts['applied']} of them applied")
    print(f"schema proved by a replay: {counts['proved']} of {histories}")
    print(f"tried on scratch: {counts['tried'] / files:.1f} times a file; {counts['milliseconds'] / histories:.0f} ms a history")
    for name in (RIGHT, WRONG, MOOT, DOUBT):
        print(f"  {name:<36} {counts[name]:>6} {100 * counts[name] / files:>6.1f} %")
    print(f"  doubts that another replay confirmed {counts[CONFIRMED]:>6} of {counts['asked']} asked about")


if __name__ == "__main__":
    main()
