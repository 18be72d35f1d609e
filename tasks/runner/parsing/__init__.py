"""SQL text → statements: where each stands, what kind it is, and which of them share a transaction.

Reading a script takes the parser, which takes time to import; the nouns here come without it.
"""

from __future__ import annotations

from tasks.postgres.targets import Target
from tasks.runner.parsing.script import Script, Segment, Statement
from tasks.runner.parsing.source_text import ScriptError

__all__ = ["Script", "ScriptError", "Segment", "Statement", "Target", "read_script"]


def read_script(text: str, *, file: str, version: str) -> Script:
    """Read a file's text; `file` is its name in errors, `version` the one that it may record in schema_migrations.

    Raises ScriptError for a text that no run can take. A text that only the parser does not know is no error.
    """
    from tasks.runner.parsing.parser import parse_script

    return parse_script(text, file=file, version=version)
