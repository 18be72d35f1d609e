"""A database that keeps its text in another encoding than the files of the migrations."""

from psycopg import sql

from tests.kit.databases import Database, fresh_database
from tests.kit.projects import Project


def test_letters_arrive_in_a_database_of_another_encoding(project: Project, database: Database) -> None:
    with fresh_database(database.server) as latin:
        name = sql.Identifier(latin.name)
        database.server.administer(sql.SQL("DROP DATABASE {}").format(name))
        create = "CREATE DATABASE {} TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'"
        database.server.administer(sql.SQL(create).format(name))
        project.write_up("20250101000000_letters", "CREATE TABLE words (word text);\nINSERT INTO words VALUES ('Größe');")
        project.at(latin.url).migrate(check=0)
        assert latin.query("SELECT length(word), ascii(substr(word, 3)) FROM words") == [(5, ord("ö"))]
