"""Run Alembic for `inv db.import-alembic`: a program that is started by path, because an application may have a package `tasks`.

It imports only the standard library, Alembic and SQLAlchemy, and env.py and the revisions with what they import. It reads one
JSON object a line from stdin, and writes the answer to each as one line to stdout; what env.py and the revisions print goes to
stderr. The drivers connect to nothing while revisions are rendered, and only to the scratch database while they run.
"""

from __future__ import annotations

import importlib.util
import inspect
import io
import json
import os
import sys
import traceback
import warnings
from argparse import Namespace
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_RUNNING = "-- Running "


def load_beside(name: str) -> Any:
    """Return a module of this folder, under a name that no application has."""
    spec = importlib.util.spec_from_file_location(f"_migrate_{name.removesuffix('.py')}", Path(__file__).with_name(name))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@dataclass
class StatementRecorder:
    """What the revisions and env.py write, by the revision that is running; the empty name is that of env.py."""

    current: str = ""
    statements: dict[str, list[list[str]]] = field(default_factory=dict)
    """Each as written, and as it is with its tabs. The key `before` is what env.py writes before the first revision, `after` what
    it writes after the last."""
    errors: dict[str, dict[str, Any]] = field(default_factory=dict)
    whole: list[str] = field(default_factory=list)
    table: str = ""
    schema: str = ""
    dialect: str = ""
    buffer: Any = None
    runs: int = 0

    def add(self, text: str) -> None:
        """Record what was written."""
        self.whole.append(f"{text}\n\n")
        if not text.startswith(_RUNNING):
            self.statements.setdefault(self.current, []).append([text, text])


@dataclass
class ProjectSession:
    """A project of Alembic that was opened."""

    config: Any
    script: Any
    recorder: StatementRecorder
    online: bool
    executed: Any
    """What a revision executes on the scratch database, an `OnlineRecorder`."""
    by_offline_part: bool = False
    """Whether the online run goes through the part of env.py for offline mode."""
    connection: Any = None
    """The connection of such a run."""


def main() -> None:
    """Answer the requests on stdin until it ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    requests = os.fdopen(os.dup(0), encoding="utf-8")
    os.dup2(2, 1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    session: ProjectSession | None = None
    for line in requests:
        request = json.loads(line)
        try:
            if session is None:
                session, answer = open_session(request)
            else:
                answer = perform(session, request)
        except KeyboardInterrupt:
            return
        except BaseException as error:
            answer = {"error": describe_error(error, request)}
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        print(json.dumps(answer), file=answers, flush=True)


def open_session(request: dict[str, Any]) -> tuple[ProjectSession | None, dict[str, Any]]:
    """Open the project and return its revisions; the session is None without Alembic."""
    missing = [name for name in ("alembic", "sqlalchemy") if importlib.util.find_spec(name) is None]
    if missing:
        return None, {"missing": missing[0]}
    sys.path[:0] = [place for place in request["paths"] if place not in sys.path]
    drivers = load_beside("child_drivers.py")
    drivers.guard_drivers(request["conninfo"], request["url"])
    drivers.substitute_drivers(every=request["records"])
    from alembic.script import ScriptDirectory

    # Alembic only warns of a revision that is there twice, and uses the last one.
    warnings.filterwarnings("error", message="Revision .* is present more than once")
    warnings.filterwarnings("error", message="Revision .* referenced from")
    config = make_config(request)
    script = ScriptDirectory.from_config(config)
    if request["versions"] and Path(request["versions"]).resolve() not in [
        Path(str(place)).resolve() for place in script._version_locations
    ]:
        script.__dict__["_version_locations"] = [Path(request["versions"])]
    load_beside("child_flask.py").push_application(Path(script.dir))
    online = load_beside("child_online.py")
    session = ProjectSession(config, script, StatementRecorder(), bool(request["conninfo"]), online.OnlineRecorder())
    load_beside("child_recording.py").record_statements(session)
    if request["records"]:
        online.record_executions(session.executed)
    databases = config.get_main_option("databases")
    revisions = [describe_revision(script, each) for each in script.walk_revisions()]
    answer = {"revisions": revisions, "databases": databases or "", "folder": str(script.dir)}
    return session, answer


def make_config(request: dict[str, Any]) -> Any:
    """Return the configuration; its URL is that of the scratch database."""
    from alembic.config import Config

    arguments = {"file_": request["ini"] or None, "toml_file": request["toml"] or None}
    known = inspect.signature(Config.__init__).parameters
    config = Config(**{name: value for name, value in arguments.items() if name in known and value})
    # What Alembic's own command line sets: env.py reads -x and other options from it.
    offline = not request["conninfo"]
    config.cmd_opts = Namespace(
        x=request["arguments"], name="alembic", raiseerr=False, quiet=False, revision="head", sql=offline, tag=None
    )
    if request["script"]:
        config.set_main_option("script_location", request["script"].replace("%", "%%"))
    scheme = (config.get_main_option("sqlalchemy.url") or "").partition("://")[0]
    if not scheme.startswith("postgres"):
        scheme = "postgresql"
    address = request["url"].partition("://")[2]
    config.set_main_option("sqlalchemy.url", f"{scheme}://{address}".replace("%", "%%"))
    return config


def describe_revision(script: Any, each: Any) -> dict[str, Any]:
    """Return a revision as a value."""
    known = script.revision_map
    after = [known.get_revision(name).revision for name in each._all_down_revisions]
    return {
        "revision": each.revision,
        "after": after,
        "path": str(each.path),
        "text": each.module.__doc__ or "",
        "doc": each.doc or "",
    }


def perform(session: ProjectSession, request: dict[str, Any]) -> dict[str, Any]:
    """Render revisions, or run one on the scratch database."""
    if "render" in request:
        return render(session, request["render"], upgrade=request["upgrade"])
    if "run" in request:
        session.by_offline_part = request["offline_part"]
        session.executed.begin()
        run_steps(session, [request["run"]], upgrade=request["upgrade"])
        table, schema = session.recorder.table, session.recorder.schema
        return {**session.executed.show(), "table": table, "schema": schema}
    return {"error": {"message": "unknown request"}}


def render(session: ProjectSession, revisions: list[str], *, upgrade: bool) -> dict[str, Any]:
    """Return the statements of revisions in one direction, and the errors of those that raise one."""
    recorder = session.recorder = StatementRecorder()
    recorder.current = "before"
    buffer = io.StringIO()
    session.config.output_buffer = buffer
    run_steps(session, revisions, upgrade=upgrade)
    written = recorder.buffer is not buffer or buffer.getvalue() == "".join(recorder.whole)
    return {
        "statements": recorder.statements,
        "errors": recorder.errors,
        "table": recorder.table,
        "schema": recorder.schema,
        "dialect": recorder.dialect,
        "runs": recorder.runs,
        "only_statements": written,
    }


def run_steps(session: ProjectSession, revisions: list[str], *, upgrade: bool) -> None:
    """Run env.py for these revisions, in this order."""
    from alembic.runtime.environment import EnvironmentContext
    from alembic.runtime.migration import MigrationStep

    script, recorder = session.script, session.recorder
    make = MigrationStep.upgrade_from_script if upgrade else MigrationStep.downgrade_from_script

    def list_steps(_heads: Any, context: Any) -> Iterator[Any]:
        recorder.runs += 1
        recorder.table, recorder.schema = context.version_table, context.version_table_schema or ""
        recorder.dialect, recorder.buffer = context.dialect.name, context.output_buffer
        for name in revisions:
            recorder.current = name
            # As if each revision was run alone: a type may be created again after it was dropped.
            context.impl.memo.clear()
            try:
                step = make(script.revision_map, script.get_revision(name))
            except AttributeError as error:
                if session.online:
                    raise
                recorder.errors[name] = {**describe_error(error, {}), "kind": "missing"}
                continue
            if session.online:
                step.migration_fn = session.executed.listen_to(step.migration_fn)
            else:
                step.migration_fn = catch_errors(step.migration_fn, name, recorder, script.get_revision(name).path)
            yield step
        recorder.current = "after"

    offline = not session.online or session.by_offline_part
    environment = EnvironmentContext(session.config, script, fn=list_steps, as_sql=offline, destination_rev=revisions[-1])
    try:
        with environment:
            script.run_env()
    finally:
        if session.connection is not None:
            session.connection.close()
            session.connection = None


def catch_errors(function: Callable[..., None], name: str, recorder: StatementRecorder, path: str) -> Callable[..., None]:
    """Return a function that records an error of a revision, so that the others are rendered nevertheless."""

    def run(**arguments: Any) -> None:
        try:
            function(**arguments)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            recorder.errors[name] = describe_error(error, {"path": path})

    return run


def describe_error(error: BaseException, request: dict[str, Any]) -> dict[str, Any]:
    """Return the last line of a traceback, and the last place in it that is in the project."""
    last = describe_message(error)
    here = Path(__file__).parent
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).parent != here]
    libraries = (str(Path(os.__file__).parent), f"{sys.prefix}/lib")
    own = [frame for frame in frames if not is_library(frame.filename, libraries)]
    wanted = [frame for frame in own if frame.filename == request.get("path")] or own
    file, line, source = (wanted[-1].filename, wanted[-1].lineno or 0, wanted[-1].line or "") if wanted else ("", 0, "")
    if isinstance(error, SyntaxError) and error.filename:
        file, line, source = error.filename, error.lineno or 0, ""
    return {
        "message": last,
        "file": file,
        "line": line,
        "raised": source.startswith("raise") and bool(frames) and bool(wanted) and wanted[-1] is frames[-1],
        "kind": type(error).__name__,
        "text": str(error),
    }


def describe_message(error: BaseException) -> str:
    """Return the last line of a traceback; of an error of pydantic, the fields instead of the values, which may be secret."""
    last = traceback.format_exception_only(error)[-1].strip().partition("\n")[0]
    if not type(error).__module__.startswith("pydantic") or not callable(getattr(error, "errors", None)):
        return last
    fields = [f"{'.'.join(map(str, each.get('loc', ())))} ({each.get('type', '')})" for each in error.errors()]  # type: ignore[attr-defined]
    return f"{last}: {', '.join(fields)}"


def is_library(name: str, libraries: tuple[str, ...]) -> bool:
    """Return True for a file of Python or of an installed package."""
    return "site-packages" in name or name.startswith(("<", *(f"{each}/" for each in libraries)))


if __name__ == "__main__":
    main()
