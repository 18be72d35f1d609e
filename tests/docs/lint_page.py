"""The rules of db.lint as docs/lint.md shows them, made from the table of rules."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from tasks.lint.ignoring import IGNORE_RULES
from tasks.lint.model import LintExample, LintRule
from tasks.lint.rules import OFF, RULES
from tests.kit.projects import REPOSITORY

PAGE = REPOSITORY / "docs" / "lint.md"
BEGIN, END = "<!-- rules: python -m tests.docs --write -->", "<!-- end of the rules -->"
_SECTION = re.compile(f"{re.escape(BEGIN)}\n(.*?){re.escape(END)}", re.DOTALL)


def rewrite(path: Path = PAGE, *, write: bool) -> bool:
    """Return True if the page shows the current rules; otherwise change it, if it is to be written."""
    shown = path.read_text(encoding="utf-8")
    current = _SECTION.sub(lambda _: f"{BEGIN}\n{''.join(_compose_rules())}{END}", shown)
    if write and current != shown:
        path.write_text(current, encoding="utf-8")
    return current == shown


def _compose_rules() -> Iterator[str]:
    names = [rule.name for rule in RULES]
    yield "\n## Rules\n\n" + ", ".join(f"[{name}](#{name})" for name in (*names, *IGNORE_RULES)) + "\n"
    for rule in RULES:
        yield _compose_rule(rule)
    yield "\n## Comments that ignore a rule\n"
    for name, why in IGNORE_RULES.items():
        yield f"\n### {name}\n\n{why}\n"
    yield "\n## Rules of squawk that are off\n\n| rule | why |\n|---|---|\n"
    yield from _compose_off(OFF)
    yield "\n"


def _compose_rule(rule: LintRule) -> str:
    """Return the entry of a rule: why, the source, what is no finding, and the examples."""
    moot = [
        "new tables" if not rule.small else "new, small and empty tables",
        *(["files with `-- migrate: after-deploy`"] if rule.after_deploy else []),
        *(["tables that the file has locked with LOCK TABLE"] if rule.lock else []),
    ]
    no_finding = f" No finding: {', '.join(moot)}." if rule.lock or rule.small or rule.after_deploy else ""
    good = "".join(_compose_example(each, f"good, file {number}" if len(rule.good) > 1 else "good")
                   for number, each in enumerate(rule.good, 1))  # fmt: skip
    return (
        f"\n### {rule.name}\n\n{rule.why}{no_finding} [Source]({rule.source})\n\n{_compose_example(rule.bad, 'bad')}{good}"
    ).rstrip("\n") + "\n"


def _compose_example(example: LintExample, title: str) -> str:
    down = "-- no down file\n" if example.down is None else example.down
    return f"```sql\n-- {title}: up\n{example.up}-- down\n{down}```\n\n"


def _compose_off(off: Mapping[str, str]) -> Iterator[str]:
    for name, reason in off.items():
        yield f"| {name} | {reason} |\n"
