"""The kinds of statements with a safe form, as data: one file each in kinds/, with the files that replace it."""

import re
from dataclasses import dataclass
from pathlib import Path

from tasks.lint.files import read_file
from tasks.lint.model import LintContext, LintFinding, SafeFile
from tasks.lint.schema import SchemaFacts
from tasks.rehearsal.model import RehearsedMigration

_FOLDER = Path(__file__).parent / "kinds"
_SECTION = re.compile(r"^-- == (.*)\n", re.MULTILINE)
VERSION = "20250601000000_replaced"
SETUP = "20250101000000_setup"


@dataclass(frozen=True)
class Kind:
    """A file with findings, the schema before it, and the files that replace it."""

    name: str
    setup: str
    up: str
    down: str | None
    findings: tuple[LintFinding, ...]
    safe: tuple[SafeFile, ...]

    @property
    def base(self) -> RehearsedMigration:
        """Return the migration before the file."""
        return RehearsedMigration(SETUP, self.setup, None)

    @property
    def replaced(self) -> RehearsedMigration:
        """Return the file."""
        return RehearsedMigration(VERSION, self.up, self.down)

    def list_made(self) -> list[RehearsedMigration]:
        """Return the files that replace it, with their versions."""
        return [
            RehearsedMigration(f"{int(VERSION[:14]) + number}_{file.description}", file.up, file.down)
            for number, file in enumerate(self.safe)
        ]

    def make_context(self, schema: SchemaFacts, server_version: int) -> LintContext:
        """Return what the rewriting looks at."""
        return LintContext(read_file(self.replaced), schema, server_version=server_version)


def read_kinds() -> list[Kind]:
    """Return all kinds."""
    return [_read_kind(path) for path in sorted(_FOLDER.glob("*.sql"))]


def _read_kind(path: Path) -> Kind:
    parts = _SECTION.split(path.read_text(encoding="utf-8"))[1:]
    sections = list(zip(parts[::2], parts[1::2], strict=True))
    texts = dict(sections)
    downs = [text for name, text in sections if name.startswith("safe down")]
    ups = [(name.partition(": ")[2], text) for name, text in sections if name.startswith("safe up")]
    return Kind(
        path.stem,
        texts["setup"],
        texts["up"],
        texts.get("down"),
        tuple(map(_read_finding, texts["findings"].split())),
        tuple(SafeFile(name, up, down) for (name, up), down in zip(ups, downs, strict=True)),
    )


def _read_finding(text: str) -> LintFinding:
    """Return a finding: of a rule, or of any rule, for a statement, or for a command of it from 0 (rule@3:0)."""
    rule, _, place = text.rpartition("@")
    statement, _, command = place.partition(":")
    return LintFinding("up.sql", 1, rule or "some-rule", "", statement=int(statement), command=int(command or -1))
