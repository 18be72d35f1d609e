"""The application of Flask in the process of `child.py`; loaded by path, as that is."""

from __future__ import annotations

import importlib.util
from pathlib import Path


def push_application(script: Path) -> None:
    """Make the application current, as `flask db` does, if env.py asks for it: that of Flask-Migrate runs only so.

    It is that of FLASK_APP, or in app.py or wsgi.py: https://flask.palletsprojects.com/en/stable/cli/#application-discovery
    """
    env = script / "env.py"
    if not env.is_file() or "current_app" not in env.read_text(encoding="utf-8", errors="replace"):
        return
    if importlib.util.find_spec("flask") is not None:
        from flask.cli import ScriptInfo  # type: ignore[import-not-found]

        ScriptInfo().load_app().app_context().push()
