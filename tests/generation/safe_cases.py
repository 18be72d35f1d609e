"""Read the cases in safe_cases.sql: two schemas, and the files that lead from one to the other without keeping out anyone."""

import re
from dataclasses import dataclass, field
from pathlib import Path

_MARK = re.compile(r"-- (case|file|old|new|has|down|risk|rename|drops|after deploy):[ ]?(.*)")


@dataclass
class SafeCase:
    """Two schemas, and the beginnings of the descriptions of the files; what their ups and downs contain; the rules ignored."""

    name: str
    old: str = ""
    new: str = ""
    files: list[str] = field(default_factory=list)
    has: list[str] = field(default_factory=list)
    down: list[str] = field(default_factory=list)
    risks: list[str] = field(default_factory=list)
    renames: list[str] = field(default_factory=list)
    drops: list[str] = field(default_factory=list)
    after_deploy: int = 0
    """How many files, at the end, run after the deployment."""

    def __str__(self) -> str:
        """Return the name of the test."""
        return self.name


def read_cases() -> list[SafeCase]:
    """Return the cases of the file."""
    cases: list[SafeCase] = []
    section = ""
    for line in Path(__file__).with_suffix(".sql").read_text(encoding="utf-8").splitlines():
        match = _MARK.fullmatch(line)
        if match is None:
            setattr(cases[-1], section, f"{getattr(cases[-1], section)}{line}\n")
        elif match[1] == "case":
            cases.append(SafeCase(match[2]))
        elif match[1] in ("old", "new"):
            section = match[1]
        elif match[1] == "after deploy":
            cases[-1].after_deploy = int(match[2])
        else:
            case = cases[-1]
            lists = {"file": case.files, "has": case.has, "down": case.down, "risk": case.risks}
            lists |= {"rename": case.renames, "drops": case.drops}
            lists[match[1]].append(match[2])
    return cases
