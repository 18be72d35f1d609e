"""Which names the tool gets in another repository, and its files under these names. Nothing here reads or writes a file."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache

PACKAGE = "tasks"
SCRIPTS = "scripts"
OTHER_PACKAGE = "migrations_tool"
OTHER_SCRIPTS = "migrations_scripts"
INSTALLED_SCRIPTS = (
    "migrate.py",
    "venv.sh",
    "onboard.sh",
    "create-migration.sh",
    "deploy.sh",
    "check-pull-request.sh",
    "verify-changed.sh",
)
REQUIREMENTS = {"requirements.txt": "requirements-migrations.txt", "requirements.lock": "requirements-migrations.lock"}
"""The files of requirements here, and in every other repository: it may have files of these names, or get them later."""
VENV = ".venv-migrations"


@dataclass(frozen=True, slots=True)
class InstalledNames:
    """The package of the tool and the folder of its scripts, in another repository."""

    package: str = PACKAGE
    scripts: str = SCRIPTS

    @property
    def entry(self) -> str:
        """Return the module that Invoke loads."""
        return PACKAGE if self.package == PACKAGE else f"{self.package}_tasks"

    def place(self, path: str) -> str:
        """Return where a file of this repository is put in the other one."""
        if path == f"{PACKAGE}.py":
            return f"{self.entry}.py"
        folder, _, rest = path.partition("/")
        return {PACKAGE: f"{self.package}/{rest}", SCRIPTS: f"{self.scripts}/{rest}"}.get(folder) or REQUIREMENTS[path]

    def owns(self, path: str) -> bool:
        """Return True if a relative path is one that an installation of these names may have written."""
        parts = path.split("/")
        if not {"", ".", ".."}.isdisjoint(parts):
            return False
        return parts[0] in (self.package, self.scripts) or path in (f"{self.entry}.py", *REQUIREMENTS.values())


def choose_names(taken: Collection[str]) -> InstalledNames:
    """Return the names of a new installation, given the relative paths that exist in the other repository."""
    package = OTHER_PACKAGE if {PACKAGE, f"{PACKAGE}.py"} & set(taken) else PACKAGE
    scripts = OTHER_SCRIPTS if {f"{SCRIPTS}/{name}" for name in INSTALLED_SCRIPTS} & set(taken) else SCRIPTS
    return InstalledNames(package, scripts)


def rename(text: str, names: InstalledNames) -> str:
    """Return the text of a Python file or a shell script with the names of the other repository."""
    for pattern, replacement in _list_replacements(names):
        text = pattern.sub(replacement, text)
    return text


@cache
def _list_replacements(names: InstalledNames) -> list[tuple[re.Pattern[str], str]]:
    scripts = "|".join(map(re.escape, INSTALLED_SCRIPTS))
    return [
        (re.compile(r"(?<![\w.-])\.venv(?![\w-])"), VENV),
        *((re.compile(rf"(?<![\w-]){re.escape(old)}\b"), new) for old, new in REQUIREMENTS.items()),
        (re.compile(rf"(?<![\w/-])((?:\./)?){SCRIPTS}/(?={scripts})"), rf"\1{names.scripts}/"),
        (re.compile(rf"\b{PACKAGE}\.py\b"), f"{names.entry}.py"),
        (re.compile(rf"^(\s*(?:from|import)\s+){PACKAGE}\b", re.MULTILINE), rf"\1{names.package}"),
        (re.compile(rf"(?<![\w./-]){PACKAGE}(?=[./][A-Za-z_])(?!\.py\b)"), names.package),
        (re.compile(rf"(?<=COPY ){PACKAGE} {PACKAGE}/"), f"{names.package} {names.package}/"),
        (re.compile(rf"(?<=likewise ){SCRIPTS}\b"), names.scripts),
        (re.compile(rf"(?<=named '){PACKAGE}\b"), names.package),
        (re.compile(rf"(?<=has no ){PACKAGE}/ beside {SCRIPTS}/"), f"{names.package}/ beside {names.scripts}/"),
        (re.compile(rf'"{PACKAGE}"'), f'"{names.package}"'),
        (re.compile(rf"^entry={PACKAGE}$", re.MULTILINE), f"entry={names.entry}"),
    ]
