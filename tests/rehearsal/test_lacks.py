"""The ways to rehearse what the scratch server cannot: each is ready to paste."""

import pytest

from tasks.rehearsal.lacks import Lack, LackError, NotChecked, compose_ways, refuse_lacks

VECTOR = """\
Use a scratch server that has the extension vector, for example a service of docker compose:
services:
  scratch:
    image: pgvector/pgvector:pg16
    environment: {POSTGRES_PASSWORD: scratch}
    ports: ["127.0.0.1:5433:5432"]
docker compose up -d scratch, and in .env:
  SCRATCH_DATABASE_URL=postgresql://postgres:scratch@127.0.0.1:5433/postgres
Or repeat the command without it, so that what needs it is not checked:
  --without-extension vector"""
IMAGES = {
    ("extension", "uuid-ossp"): "image: postgres:16",
    ("extension", "postgis_topology"): "image: postgis/postgis:16-3.5",
    ("extension", "timescaledb"): "image: timescale/timescaledb:latest-pg16",
    ("extension", "plpython3u"): "RUN apt-get update && apt-get install -y postgresql-plpython3-16",
    ("extension", "pg_cron"): "command: postgres -c shared_preload_libraries=pg_cron",
    ("extension", "nobody_knows"): "image: IMAGE  # an image of PostgreSQL 16 that has nobody_knows",
    ("build", "ICU"): "image: postgres:16",
    ("locale", "de_DE.utf8"): "RUN localedef -i de_DE -c -f UTF-8 de_DE.UTF-8",
    ("tablespace", "Fast"): "CREATE TABLESPACE \"Fast\" LOCATION '/an/empty/folder';",
}


def test_the_ways_are_ready_to_paste() -> None:
    assert compose_ways([Lack("extension", "vector")], 160004, embedded=False) == VECTOR


@pytest.mark.parametrize(("kind", "name"), IMAGES)
def test_the_server_that_has_it_is_named(kind: str, name: str) -> None:
    assert IMAGES[kind, name] in compose_ways([Lack(kind, name)], 160004, embedded=True)


@pytest.mark.parametrize(
    ("name", "embedded", "named"), [("pgcrypto", False, True), ("pgcrypto", True, False), ("vector", False, False)]
)
def test_the_stand_in_is_named_where_it_would_be_used(name: str, embedded: bool, named: bool) -> None:
    ways = compose_ways([Lack("extension", name)], 150004, embedded=embedded)
    assert ("Or leave SCRATCH_DATABASE_URL empty: the embedded server has a stand-in for pgcrypto." in ways) is named


def test_a_refusal_names_each_statement_and_changes_nothing() -> None:
    lack = Lack("extension", "odd name")
    with pytest.raises(LackError, match="not compared: the scratch server does not have the extension odd name") as refused:
        refuse_lacks([NotChecked("one.sql:1 CREATE …", lack)] * 2, 180000, embedded=True, what="not compared")
    assert refused.value.exit_code == 3
    assert "\n  one.sql:1 CREATE …\n" in refused.value.message
    assert "--without-extension 'odd name'" in refused.value.hint
