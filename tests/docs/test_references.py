"""What the documentation names exists: links, files, commands and flags."""

import importlib.util
import re
from functools import cache
from pathlib import Path

import pytest
from invoke.parser.context import ParserContext

from tests.kit.projects import REPOSITORY

README_LINES = 125
PAGES = ("README.md", "CONTRIBUTING.md", *(f"docs/{path.name}" for path in sorted((REPOSITORY / "docs").glob("*.md"))))
MADE_LATER = {"migrations/renames.toml", "migrations/alembic.toml", "migrations/_superseded/"}
"""Paths that commands create."""

COMMON_FLAGS = {"--env", "--json", "--as-superuser", "--start", "--yes", "--verbose", "--timeout", "--without-extension"}
"""Flags that several commands have, and that the reference describes once."""

_LINK = re.compile(r"\[[^\]]+\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)")
_PATH = re.compile(r"(?<=[`\s])(?:\./)?((?:tasks|tests|scripts|docs|migrations|seeds|benchmarks|\.github)/[\w./-]*)(?=[`\s:,])")
_PLACEHOLDER = re.compile(r"[YN]{3}")
_COMMAND = re.compile(r"(?<![\w./*-])((?:db|env|alerts)\.[a-z][a-z-]*)((?: --[a-z-]+(?:=\S*)?)*)")
_FILES = {"db.py", "env.py", "alerts.py"}


def read_page(page: str) -> str:
    return (REPOSITORY / page).read_text(encoding="utf-8")


@cache
def read_commands() -> dict[str, ParserContext]:
    """Return the commands that `inv` has, with their flags."""
    spec = importlib.util.spec_from_file_location("tasks_of_inv", REPOSITORY / "tasks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {context.name: context for context in module.namespace.to_contexts()}


def list_anchors(text: str) -> set[str]:
    """Return the anchors that GitHub makes of a page's headings."""
    outside = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", outside, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES)
def test_relative_links_lead_to_files_and_headings(page: str) -> None:
    for target, anchor in _LINK.findall(read_page(page)):
        path = (REPOSITORY / page).parent / target if target else REPOSITORY / page
        assert path.exists(), target
        if anchor:
            assert anchor in list_anchors(path.read_text(encoding="utf-8")), f"{target}#{anchor}"


@pytest.mark.parametrize("page", PAGES)
def test_paths_exist(page: str) -> None:
    text = re.sub(r"^```console$.*?^```$", "", read_page(page), flags=re.MULTILINE | re.DOTALL)
    named = {path for path in _PATH.findall(text) if not _PLACEHOLDER.search(path)} - MADE_LATER
    assert sorted(path for path in named if not (REPOSITORY / path).exists()) == []


@pytest.mark.parametrize("page", PAGES)
def test_commands_and_their_flags_exist(page: str) -> None:
    commands = read_commands()
    for name, flags in _COMMAND.findall(read_page(page)):
        if name in _FILES:
            continue
        assert name in commands, name
        for flag in re.findall(r"--[a-z-]+", flags):
            assert flag in commands[name].flags, f"{name} {flag}"


def test_the_reference_has_every_command_with_every_flag() -> None:
    text = read_page("docs/reference.md")
    for name, context in read_commands().items():
        section = re.search(rf"^### `inv {re.escape(name)}`\n(.*?)(?=^##|\Z)", text, flags=re.MULTILINE | re.DOTALL)
        assert section is not None, name
        shown = set(re.findall(r"--[a-z][a-z-]*", section[1]))
        flags = {flag for flag in context.flags if flag.startswith("--")}
        assert flags - COMMON_FLAGS <= shown, f"{name}: {sorted(flags - shown)}"
        assert shown <= flags | COMMON_FLAGS, f"{name}: {sorted(shown - flags)}"


def test_the_readme_stays_short() -> None:
    assert len(read_page("README.md").splitlines()) <= README_LINES


def test_every_page_is_reachable_from_the_readme() -> None:
    linked = {target for target, _ in _LINK.findall(read_page("README.md"))}
    assert {page for page in PAGES if page != "README.md"} <= linked


def test_no_page_names_a_path_of_a_machine() -> None:
    assert [page for page in PAGES if re.search(r"(?<!\w)/(?:work|root|Users)/", read_page(page))] == []


def test_each_page_is_linked_by_a_path_that_works_on_github() -> None:
    assert all(not Path(target).is_absolute() for page in PAGES for target, _ in _LINK.findall(read_page(page)))
