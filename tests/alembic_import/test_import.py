"""Revisions of Alembic become migrations with the same results, and its databases are adopted by their version table."""

from tasks.catalog import Catalog, read_catalog
from tasks.runner.ledger.tool_tables import exclude_tool_tables
from tests.alembic_import.projects import AlembicFolder
from tests.kit.databases import Database, fresh_database
from tests.kit.projects import Project


def read_schema(database: Database) -> Catalog:
    with database.connect() as connection:
        return exclude_tool_tables(read_catalog(connection))


def write_history(alembic: AlembicFolder) -> None:
    """Write revisions of every kind: tables, rows, an index without a transaction, two branches, a merge and an empty one."""
    alembic.write(
        "a1",
        """
        op.create_table("users", sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", sa.Text),
                        sa.Column("kind", sa.Enum("admin", "guest", name="kind")))
        """,
        'op.drop_table("users")\nop.execute("DROP TYPE kind")',
        doc="Create users",
    )
    alembic.write(
        "a2",
        """
        users = sa.table("users", sa.column("name"))
        op.bulk_insert(users, [{"name": "O'Hara; --"}, {"name": "100% :new"}])
        op.execute("UPDATE users SET name = 'x\\ty' WHERE name LIKE '100%' -- a comment")
        op.get_bind().execute(sa.text("INSERT INTO users (name) VALUES (:name)"), {"name": "bound"})
        """,
        'op.execute("DELETE FROM users")',
        doc="First rows",
    )
    alembic.write(
        "a3",
        """
        with op.get_context().autocommit_block():
            op.create_index("users_name", "users", ["name"], postgresql_concurrently=True)
        """,
        'op.drop_index("users_name")',
    )
    alembic.write("b1", 'op.execute("UPDATE users SET name = upper(name)")', "raise NotImplementedError('names are lost')")
    alembic.write("b2", 'op.add_column("users", sa.Column("age", sa.Integer))', 'op.drop_column("users", "age")', down="a3")
    alembic.write("m1", down=("b1", "b2"), doc="Merge")
    alembic.write("c1", "pass", doc="Nothing")
    alembic.write("c2", 'op.create_table("orders", sa.Column("id", sa.Integer))', 'op.drop_table("orders")')


def test_a_database_at_a_middle_revision_is_adopted_and_migrated_to_what_alembic_gives(
    project: Project, alembic: AlembicFolder, database: Database
) -> None:
    write_history(alembic)
    printed = project.inv("db.import-alembic", check=0).stdout
    assert "proved on scratch" in printed
    alembic.run(database, "upgrade", "b1")
    project.inv("db.adopt", "--apply", "--yes", check=0)
    project.migrate(check=0)
    with fresh_database(database.server) as other:
        alembic.run(other, "upgrade", "head")
        assert read_schema(database) == read_schema(other)
        query = "SELECT * FROM users ORDER BY id"
        assert database.query(query) == other.query(query)
