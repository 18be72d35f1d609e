"""Help texts of the flags that several tasks share."""

_ENV = "the environment: local (default), dev, staging, prod, or another that has a .env.NAME"
JSON_HELP = {"json": "print JSON lines on stdout and nothing else"}
ONE_ENV_HELP = {"env": _ENV, "start": "start a machine on Fly if none is started"}
ENV_HELP = {**ONE_ENV_HELP, "env": f"{_ENV}; several comma-separated"}
OUTPUT_HELP = {
    **ENV_HELP,
    **JSON_HELP,
    "verbose": "list every migration that is skipped, and show whole statements in a plan",
}
RUN_HELP = {
    **OUTPUT_HELP,
    "dry_run": "print the plan, in a READ ONLY transaction, and change nothing",
    "plan": "run exactly the plan that --dry-run printed, or refuse",
    "yes": "confirm beforehand what a guarded environment asks",
    "upload": "send the files of this checkout to the Fly machine and run those",
}
BLOCKING_HELP = {"allow_blocking": "run what is forecast to block a guarded environment for longer than MAX_BLOCKING"}
SUPERUSER_HELP = {"as_superuser": "rehearse with all rights of the scratch server's role, which the SQL under test can use"}
REHEARSAL_HELP = {
    **SUPERUSER_HELP,
    "without_extension": "skip what needs this extension, if the scratch server lacks it (repeatable, or comma-separated)",
}
"""The flags of every command with a scratch server."""
SCRATCH_HELP = {
    **REHEARSAL_HELP,
    "timeout": "seconds that one file may take on scratch (600)",
    **JSON_HELP,
}
