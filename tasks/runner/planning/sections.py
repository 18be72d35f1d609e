"""Files that another tool's marks divide into an up and a down section: no run executes both."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks.postgres.section_words import may_have_marks
from tasks.runner.errors import Place, RefusedError
from tasks.runner.events import Finding

if TYPE_CHECKING:
    from tasks.runner.files.checkout import Migrations
    from tasks.runner.files.loadable_text import LoadableText
    from tasks.runner.ledger.reading import Ledger
    from tasks.runner.parsing.large.text import LargeText

KIND = "both directions"
"""The kind of finding about a file with statements in both sections."""

_HINT = "Split it into up/ and down/: inv db.cleanup-legacy"


def find_both_directions(migrations: Migrations, ledger: Ledger, chosen: tuple[str, ...]) -> list[Finding]:
    """Return findings for files with both directions: an applied one is reported, one that is to run refuses."""
    return [
        Finding(
            KIND,
            version,
            f"{'was applied and ' if version in ledger.checksums else ''}contains both directions: {place}",
            refuses=version not in ledger.checksums,
            hint=_HINT if version not in ledger.checksums else f"{_HINT}, check what its down section did, then: inv db.repair",
        )
        for version, place in migrations.both_directions.items()
        if version in ledger.checksums or version in chosen
    ]


def refuse_other_direction(action: str, version: str, content: str | LargeText, shown: str, down: LoadableText | None) -> None:
    """Raise RefusedError for a text whose statements are all for the other direction by another tool's marks.

    A migration whose down file has both directions is refused before it runs: it could not be rolled back.
    """
    from tasks.runner.parsing.sections import read_sections

    text, down_text = _read_marked(content), _read_marked(getattr(down, "content", None) or (down.text if down else ""))
    if action == "migrate" and may_have_marks(down_text.lower()):
        _refuse_down(version, down_text)
    sections = read_sections(text) if action in ("migrate", "rollback") and may_have_marks(text.lower()) else None
    if sections is None or sections.has_up == sections.has_down:
        return
    if sections.has_down == (action == "rollback"):
        return
    direction = "down" if sections.has_down else "up"
    verb = "rolled back" if action == "rollback" else "applied"
    raise RefusedError(
        f"{version} cannot be {verb}: all statements of {shown} are in the {direction} section of {sections.tool}",
        hint=f"Write the statements of the {'up' if direction == 'down' else 'down'} direction, or delete the mark.",
        state="Nothing was changed.",
        place=Place(shown, sections.down_line if direction == "down" else 1),
    )


def _read_marked(content: str | LargeText) -> str:
    """Return a text that may have marks: a large file with marks was read whole."""
    return content if isinstance(content, str) else ""


def _refuse_down(version: str, down: str) -> None:
    from tasks.runner.parsing.sections import read_sections

    sections = read_sections(down)
    if sections is not None and sections.has_up and sections.has_down:
        raise RefusedError(
            f"the down file of {version} contains both directions: line {sections.down_line} begins a down section of "
            f"{sections.tool}",
            hint="Keep only the down statements in it, without the marks.",
            state="Nothing was changed.",
            place=Place(f"down/{version}.sql", sections.down_line),
        )
