"""Texts in HTML and SVG: names from files and databases are input, and must not become markup or control characters."""

from __future__ import annotations

from html import escape

from tasks.console.cells import clean, clean_lines


def to_html(text: str) -> str:
    """Return a text for an element of a page; empty lines at both ends are dropped."""
    return escape("\n".join(clean_lines(text)))


def to_svg(text: str) -> str:
    """Return a text for a label or a title of a picture; its lines stay as they are."""
    return escape("\n".join(clean(line) for line in text.split("\n")))
