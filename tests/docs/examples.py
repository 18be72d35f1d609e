"""Running a page: each example's real output beside the one that the page shows."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.docs.normalising import is_same
from tests.docs.pages import PROMPT, Example, read_steps
from tests.docs.sandbox import Sandbox

PAGES = ("README.md", "docs/getting-started.md")
"""The pages whose commands are run."""


@dataclass(frozen=True)
class PageResult:
    """What the examples of a page printed; `diff` is empty if that is what the page shows."""

    outputs: tuple[tuple[Example, Sequence[str]], ...]
    diff: str


def run_page(path: Path, sandbox: Sandbox) -> PageResult:
    """Take all steps of a page, and compare the outputs."""
    outputs: list[tuple[Example, Sequence[str]]] = []
    diffs: list[str] = []
    for step in read_steps(path.read_text(encoding="utf-8")):
        output = sandbox.run(step)
        if isinstance(step, Example):
            same = is_same(step.output, output)
            outputs.append((step, step.output if same else output))
            if not same:
                diffs += _compare(path, step, output)
    return PageResult(tuple(outputs), "\n".join(diffs))


def _compare(path: Path, example: Example, output: Sequence[str]) -> list[str]:
    head = f"{path.name}:{example.number}: {PROMPT}{example.command}"
    return [head, *difflib.unified_diff(example.output, output, "shown", "real", lineterm="", n=50)]
