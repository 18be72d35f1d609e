"""The migration tool of the Gaia Platform.

The packages, from top to bottom; each imports only what is below it:

    db env alerts    the Invoke tasks: flags and help
    testing          the pytest plugin for the tests of an application
    commands         what a task does: environments, confirmation, dispatch
    checks           env.check, env.list
    fly              runs on Fly machines: flyctl, ssh, upload, reconnect
    alerting         alerts about failed and waiting runs
    report           output in a terminal, HTML, Prometheus
    config           environments: .env files, names, precedence
    squash legacy adopt    one package per command
    installation     the tool in another repository
    checkout         git, writing files
    rehearsal        scratch databases: verify, crash test, drift
    ---- below this line runs on servers: standard library, psycopg and pglast only ----
    console          the command line of scripts/migrate.py, text, JSON lines, prompts
    runner           the public API: MigrationRunner, errors, events
    catalog          a schema as a comparable value
    postgres         facts about PostgreSQL (postgres/server runs the embedded server)
"""
