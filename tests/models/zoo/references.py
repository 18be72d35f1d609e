"""Foreign keys."""

from typing import Any

from sqlalchemy import Column, ForeignKey, ForeignKeyConstraint, Integer, MetaData, Table, Text

from tests.models.zoo.case import Build, ZooCase, make_key


def _pair(name: str, **options: Any) -> Build:
    """Return the build of two tables, of which one refers to the other."""

    def build(m: MetaData) -> None:
        Table(f"{name}_parent", m, make_key())
        to = ForeignKey(f"{name}_parent.id", name=f"{name}_key", **options)
        Table(name, m, make_key(), Column("parent_id", Integer, to))

    return build


def _composite(m: MetaData, *, refers: bool) -> None:
    Table(
        "reference_composite_page",
        m,
        Column("book", Integer, primary_key=True, autoincrement=False),
        Column("page", Integer, primary_key=True, autoincrement=False),
    )
    to = ForeignKeyConstraint(
        ["book", "page"], ["reference_composite_page.book", "reference_composite_page.page"], name="reference_composite_place"
    )
    Table("reference_composite", m, make_key(), Column("book", Integer), Column("page", Integer), *([to] if refers else []))


def _tree(m: MetaData, *, refers: bool) -> None:
    to = [ForeignKey("reference_itself.id", ondelete="SET NULL")] if refers else []
    Table("reference_itself", m, make_key(), Column("parent_id", Integer, *to))


def _cycle(m: MetaData, *, refers: bool) -> None:
    head = ForeignKey("reference_cycle_member.id", name="reference_cycle_head", use_alter=True)
    Table("reference_cycle_team", m, make_key(), *([Column("head_id", Integer, head)] if refers else []))
    Table("reference_cycle_member", m, make_key(), Column("team_id", Integer, ForeignKey("reference_cycle_team.id")))


def _association(m: MetaData, *, linked: bool) -> None:
    Table("association_post", m, make_key(), Column("title", Text))
    Table("association_tag", m, make_key(), Column("label", Text, unique=True))
    if linked:
        Table(
            "association",
            m,
            Column("post_id", ForeignKey("association_post.id", ondelete="CASCADE"), primary_key=True),
            Column("tag_id", ForeignKey("association_tag.id", ondelete="CASCADE"), primary_key=True, index=True),
        )


def _nulled(m: MetaData, action: str) -> None:
    Table("reference_columns_account", m, Column("tenant", Integer, primary_key=True), Column("nr", Integer, primary_key=True))
    to = ["reference_columns_account.tenant", "reference_columns_account.nr"]
    columns = Column("tenant", Integer, nullable=False), Column("nr", Integer)
    key = ForeignKeyConstraint(["tenant", "nr"], to, name="reference_columns_key", ondelete=action)
    Table("reference_columns", m, make_key(), *columns, key)


REFERENCES = (
    ZooCase(
        "reference_actions",
        "foreign key: ON DELETE CASCADE, ON UPDATE CASCADE",
        _pair("reference_actions"),
        _pair("reference_actions", ondelete="CASCADE", onupdate="CASCADE"),
    ),
    ZooCase(
        "reference_deferrable",
        "foreign key: DEFERRABLE INITIALLY DEFERRED",
        _pair("reference_deferrable"),
        _pair("reference_deferrable", deferrable=True, initially="DEFERRED"),
    ),
    ZooCase(
        "reference_columns",
        "foreign key: ON DELETE SET NULL of one column",
        lambda m: _nulled(m, "RESTRICT"),
        lambda m: _nulled(m, "SET NULL (nr)"),
        since=15,
    ),
    ZooCase(
        "reference_composite",
        "foreign key of two columns added",
        lambda m: _composite(m, refers=False),
        lambda m: _composite(m, refers=True),
    ),
    ZooCase(
        "reference_itself",
        "foreign key to its own table added, without a name",
        lambda m: _tree(m, refers=False),
        lambda m: _tree(m, refers=True),
    ),
    ZooCase(
        "reference_cycle",
        "foreign keys in a cycle",
        lambda m: _cycle(m, refers=False),
        lambda m: _cycle(m, refers=True),
    ),
    ZooCase(
        "association",
        "association table added",
        lambda m: _association(m, linked=False),
        lambda m: _association(m, linked=True),
    ),
)
"""Changes of foreign keys."""
