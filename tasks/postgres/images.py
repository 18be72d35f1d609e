"""Docker images of PostgreSQL by the extensions that they have, to propose a scratch server that can run a file.

Sources: https://www.postgresql.org/docs/current/contrib.html (the image postgres has the whole of it, and ICU),
https://hub.docker.com/_/postgres, https://github.com/pgvector/pgvector#docker, https://hub.docker.com/r/postgis/postgis,
https://hub.docker.com/r/timescale/timescaledb, https://hub.docker.com/r/supabase/postgres,
https://wiki.debian.org/PostgreSql (the packages postgresql-MAJOR-… of apt.postgresql.org, which the image can install).
"""

from __future__ import annotations

import re

_CONTRIB = frozenset(
    {
        "adminpack", "amcheck", "autoinc", "bloom", "btree_gin", "btree_gist", "citext", "cube", "dblink", "dict_int",
        "dict_xsyn", "earthdistance", "file_fdw", "fuzzystrmatch", "hstore", "insert_username", "intagg", "intarray", "isn",
        "lo", "ltree", "moddatetime", "old_snapshot", "pageinspect", "pg_buffercache", "pg_freespacemap", "pg_logicalinspect",
        "pg_prewarm", "pg_stat_statements", "pg_surgery", "pg_trgm", "pg_visibility", "pg_walinspect", "pgcrypto", "pgrowlocks",
        "pgstattuple", "plpgsql", "postgres_fdw", "refint", "seg", "sslinfo", "tablefunc", "tcn", "tsm_system_rows",
        "tsm_system_time", "unaccent", "uuid-ossp", "xml2",
    }
)  # fmt: skip
_POSTGIS = {14: "3.5", 15: "3.5", 16: "3.5", 17: "3.5", 18: "3.6"}
_IMAGES = {
    "vector": "pgvector/pgvector:pg{major}",
    "timescaledb": "timescale/timescaledb:latest-pg{major}",
    "citus": "citusdata/citus:latest",
    "columnar": "citusdata/citus:latest",
    "age": "apache/age:latest",
    "pg_search": "paradedb/paradedb:latest-pg{major}",
    **dict.fromkeys(
        ("pg_graphql", "pg_jsonschema", "pg_net", "pgjwt", "pgmq", "pgsodium", "supabase_vault", "wrappers"),
        "supabase/postgres:TAG  # the newest tag for PostgreSQL {major}",
    ),
}
_OF_POSTGIS = re.compile(r"postgis(?:_\w+)?|address_standardizer\w*")
_PACKAGES = {
    "plpython3u": "postgresql-plpython3-{major}",
    "plperl": "postgresql-plperl-{major}",
    "plperlu": "postgresql-plperl-{major}",
    "pltcl": "postgresql-pltcl-{major}",
    "pltclu": "postgresql-pltcl-{major}",
    "http": "postgresql-{major}-http",
    "hypopg": "postgresql-{major}-hypopg",
    "ip4r": "postgresql-{major}-ip4r",
    "orafce": "postgresql-{major}-orafce",
    "pg_cron": "postgresql-{major}-cron",
    "pg_hint_plan": "postgresql-{major}-pg-hint-plan",
    "pg_partman": "postgresql-{major}-partman",
    "pg_repack": "postgresql-{major}-repack",
    "pgaudit": "postgresql-{major}-pgaudit",
    "pgrouting": "postgresql-{major}-pgrouting",
    "pgtap": "postgresql-{major}-pgtap",
    "plpgsql_check": "postgresql-{major}-plpgsql-check",
    "plr": "postgresql-{major}-plr",
    "rum": "postgresql-{major}-rum",
    "h3": "postgresql-{major}-h3",
    "semver": "postgresql-{major}-semver",
}
_PRELOADED = {"pg_cron": "pg_cron", "pg_stat_statements": "pg_stat_statements", "pgaudit": "pgaudit"}
"""Extensions that work only if their library is in shared_preload_libraries."""

EXTENSIONS = _CONTRIB | _IMAGES.keys() | _PACKAGES.keys() | {"postgis"}
"""The extensions and languages that are known by name."""


def compose_image(name: str, major: int) -> list[str]:
    """Return the lines of a docker compose service that choose an image which has an extension or a language."""
    if name in _CONTRIB:
        lines = [f"image: postgres:{major}"]
    elif name in _IMAGES:
        lines = [f"image: {_IMAGES[name].format(major=major)}"]
    elif _OF_POSTGIS.fullmatch(name):
        lines = [f"image: postgis/postgis:{major}-{_POSTGIS.get(major, '3.6')}"]
    elif name in _PACKAGES:
        package = _PACKAGES[name].format(major=major)
        lines = compose_build(major, f"apt-get update && apt-get install -y {package}")
    else:
        lines = [f"image: IMAGE  # an image of PostgreSQL {major} that has {name}"]
    library = _PRELOADED.get(name)
    return [*lines, f"command: postgres -c shared_preload_libraries={library}"] if library else lines


def compose_build(major: int, command: str) -> list[str]:
    """Return the lines of a docker compose service that run a command in the image postgres.

    https://docs.docker.com/reference/compose-file/build/#dockerfile_inline
    """
    return ["build:", "  dockerfile_inline: |", f"    FROM postgres:{major}", f"    RUN {command}"]
