"""SQL text → statements: the place and kind of each, and which of them share a transaction.

The parser takes time to import, so only reading a script imports it, not the data classes.
"""

from __future__ import annotations

from tasks.postgres.targets import Target
from tasks.runner.parsing.large.text import LargeText
from tasks.runner.parsing.script import Script, Segment, Statement
from tasks.runner.parsing.source_text import ScriptError

__all__ = ["Script", "ScriptError", "Segment", "Statement", "Target", "read_script"]


def read_script(text: str | LargeText, *, file: str, version: str, ledger_schema: str = "public") -> Script:
    """Read the text of a file; `file` is its name in errors, `version` the one that it may record in the ledger.

    Raises ScriptError for a text that cannot be run. A text that only the parser does not know is not an error.
    """
    if isinstance(text, LargeText):
        from tasks.runner.parsing.large.script import parse_large

        return parse_large(text, file=file, version=version, ledger_schema=ledger_schema)
    from tasks.runner.parsing.parser import parse_script

    return parse_script(text, file=file, version=version, ledger_schema=ledger_schema)
