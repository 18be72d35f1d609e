"""The program that ./scripts/install-into.sh runs."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tasks.installation.install import Installation, install
from tasks.installation.names import OTHER_PACKAGE, PACKAGE, SCRIPTS, VENV
from tasks.runner.command_lines import quote_words
from tasks.runner.errors import RunnerError

PROJECT = Path(__file__).parents[2]


def main(arguments: list[str]) -> int:
    """Install the tool, print what was done and what to do next, and return the exit code."""
    parser = argparse.ArgumentParser(prog="./scripts/install-into.sh", description="Put this tool into another repository.")
    parser.add_argument("path", metavar="PATH", help="the folder of the other repository")
    parser.add_argument("--overwrite", action="store_true", help="replace installed files that were edited")
    parser.add_argument("--dry-run", action="store_true", help="show what would be done")
    parser.add_argument("--relative-to", default=".", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    target = Path(given.relative_to, given.path).absolute()
    try:
        done = install(PROJECT, target, overwrite=given.overwrite, dry_run=given.dry_run)
    except RunnerError as error:
        details = [f"   State: {error.state}"] * bool(error.state) + [f"   Next:  {error.hint}"] * bool(error.hint)
        print(f"❌ {error.message}", *details, sep="\n", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        print(f"❌ {error.filename}: {error.strerror}\n   Next:  Fix the cause, then run this again.", file=sys.stderr)
        return 1
    print("\n".join(describe(done, dry_run=given.dry_run)))
    return 0


def describe(done: Installation, *, dry_run: bool) -> Iterator[str]:
    """Yield the lines of the answer."""
    written, removed = len(done.plan.written), len(done.plan.removed)
    if dry_run:
        yield f"This would write {written} of {done.number} files to {done.target}, and remove {removed}."
    elif not (written or removed):
        yield f"✅ The tool in {done.target} is up to date ({done.number} files)"
    else:
        verb = "Upgraded" if done.upgraded else "Installed"
        yield f"✅ {verb} the tool in {done.target}: {written} files written, {removed} removed"
    if done.names.package != PACKAGE:
        yield f"   The package is {OTHER_PACKAGE}/, because {PACKAGE} is the name of something else there."
    if done.names.scripts != SCRIPTS:
        yield f"   Its scripts are in {done.names.scripts}/, because {SCRIPTS}/ has a script of the same name."
    if dry_run or done.upgraded:
        return
    yield "Next:"
    yield f"   cd {quote_words(str(done.target))}"
    steps = {
        f"./{done.names.scripts}/onboard.sh": f"install the packages into {VENV}, start the local PostgreSQL",
        f"source {VENV}/bin/activate": "put inv on the PATH of this shell",
        "inv db.cleanup-legacy": "propose names for SQL files that are there already",
    }
    width = max(map(len, steps))
    yield from (f"   {step:{width}}   {purpose}" for step, purpose in steps.items())
    yield from _list_notes(done.target)
    yield 'Then follow docs/adopting.md of the tool, "Bringing the tool into your repository".'


def _list_notes(target: Path) -> Iterator[str]:
    """Yield what the repository itself has to change."""
    ignored = subprocess.run(["git", "-C", str(target), "check-ignore", "-q", ".env.prod"], capture_output=True, check=False)
    if ignored.returncode != 0:
        yield "Add .env and .env.* to .gitignore: they can contain passwords."
    if (target / "migrations" / "env.py").exists() or (target / "migrations" / "__init__.py").exists():
        yield "migrations/ belongs to another tool: set MIGRATIONS_DIR in .env, for example MIGRATIONS_DIR=db/migrations"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
