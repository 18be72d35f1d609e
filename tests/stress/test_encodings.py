"""A database in another encoding than the files of the migrations."""

import pytest
from psycopg import sql

from tests.kit.databases import Database, fresh_database
from tests.kit.poolers import Pooler
from tests.kit.projects import Project


@pytest.mark.parametrize("way", ["direct", "pooled"])
def test_text_is_converted_to_the_encoding_of_the_database(
    way: str, project: Project, database: Database, pgbouncer: Pooler
) -> None:
    project.write_up("20250101000000_create", "CREATE TABLE words (word text);")
    project.write_up("20250102000000_letters", "INSERT INTO words VALUES ('Größe');")
    with fresh_database(database.server) as latin:
        name = sql.Identifier(latin.name)
        database.server.administer(sql.SQL("DROP DATABASE {}").format(name))
        create = "CREATE DATABASE {} TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'"
        database.server.administer(sql.SQL(create).format(name))
        project.at(pgbouncer.url_of(latin.name) if way == "pooled" else latin.url).migrate(check=0)
        assert latin.query("SELECT length(word), ascii(substr(word, 3)) FROM words") == [(5, ord("ö"))]
