"""Keys, unique constraints, checks and exclusion constraints."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    text,
)
from sqlalchemy import UniqueConstraint as Unique
from sqlalchemy.dialects.postgresql import DATERANGE, ExcludeConstraint

from tests.models.zoo.case import Build, ZooCase, change_table, make_key

_NAMES = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "pk": "pk_%(table_name)s",
}


def _named(names: dict[str, str]) -> Build:
    def build(_: MetaData) -> MetaData:
        metadata = MetaData(naming_convention=names)
        Table(
            "naming",
            metadata,
            Column("nr", Integer, primary_key=True),
            Column("code", String(10), unique=True),
            Column("size", Integer, CheckConstraint("size > 0", name="positive"), index=True),
        )
        return metadata

    return build


def _pairs(*key: str) -> Build:
    columns = "a", "b", "c"
    return lambda m: Table(
        "key_composite", m, *(Column(name, Integer, nullable=False) for name in columns), PrimaryKeyConstraint(*key)
    )


def _exclude(name: str, where: str | None) -> ExcludeConstraint:
    return ExcludeConstraint(("room", "="), ("days", "&&"), name=f"{name}_days", using="gist", where=where and text(where))


CONSTRAINTS = (
    ZooCase("key_composite", "primary key: one more column", _pairs("a", "b"), _pairs("a", "b", "c")),
    change_table(
        "unique_added",
        "unique constraint added",
        lambda: [Column("code", String(40))],
        lambda: [Column("code", String(40)), Unique("code", name="unique_added_code")],
    ),
    change_table(
        "unique_columns",
        "unique constraint without a name: other columns",
        lambda: [Column("code", String(40)), Column("area", Integer), Unique("code")],
        lambda: [Column("code", String(40)), Column("area", Integer), Unique("code", "area")],
    ),
    change_table(
        "unique_nulls",
        "unique constraint: NULLS NOT DISTINCT",
        lambda: [Column("code", String(40)), Unique("code", name="unique_nulls_code")],
        lambda: [Column("code", String(40)), Unique("code", name="unique_nulls_code", postgresql_nulls_not_distinct=True)],
        since=15,
    ),
    change_table(
        "unique_deferrable",
        "unique constraint: DEFERRABLE INITIALLY DEFERRED",
        lambda: [Column("place", Integer), Unique("place", name="unique_deferrable_place")],
        lambda: [
            Column("place", Integer),
            Unique("place", name="unique_deferrable_place", deferrable=True, initially="DEFERRED"),
        ],
    ),
    change_table(
        "unique_include",
        "unique constraint: INCLUDE",
        lambda: [Column("code", Text), Column("label", Text), Unique("code", name="unique_include_code")],
        lambda: [
            Column("code", Text),
            Column("label", Text),
            Unique("code", name="unique_include_code", postgresql_include=["label"]),
        ],
    ),
    change_table(
        "check_added",
        "check added",
        lambda: [Column("price", Integer)],
        lambda: [Column("price", Integer), CheckConstraint("price >= 0", name="check_added_price")],
    ),
    change_table(
        "check_expression",
        "check: another expression",
        lambda: [Column("price", Integer), CheckConstraint("price >= 0", name="check_expression_price")],
        lambda: [Column("price", Integer), CheckConstraint("price >= 0 AND price < 1000000", name="check_expression_price")],
    ),
    change_table(
        "check_unnamed",
        "check without a name: another expression",
        lambda: [Column("price", Integer), CheckConstraint("price >= 0")],
        lambda: [Column("price", Integer), CheckConstraint("price >= -10")],
    ),
    change_table(
        "check_removed",
        "check removed",
        lambda: [Column("price", Integer), CheckConstraint("price >= 0", name="check_removed_price")],
        lambda: [Column("price", Integer)],
    ),
    change_table(
        "check_percent",
        "check with a percent sign added",
        lambda: [Column("label", Text)],
        lambda: [Column("label", Text), CheckConstraint("label NOT LIKE 'no%'", name="check_percent_label")],
    ),
    change_table(
        "exclusion_added",
        "exclusion constraint added",
        lambda: [Column("room", Integer), Column("days", DATERANGE)],
        lambda: [
            Column("room", Integer),
            Column("days", DATERANGE),
            _exclude("exclusion_added", None),
        ],
        setup="CREATE EXTENSION IF NOT EXISTS btree_gist;",
    ),
    change_table(
        "exclusion_where",
        "exclusion constraint: a condition",
        lambda: [Column("room", Integer), Column("days", DATERANGE), _exclude("exclusion_where", None)],
        lambda: [Column("room", Integer), Column("days", DATERANGE), _exclude("exclusion_where", "room > 0")],
        setup="CREATE EXTENSION IF NOT EXISTS btree_gist;",
    ),
    ZooCase("naming", "naming convention introduced: all constraints get other names", _named({}), _named(_NAMES)),
    change_table(
        "constraint_comment",
        "comment of a constraint added",
        lambda: [Column("price", Integer), CheckConstraint("price >= 0", name="constraint_comment_price")],
        lambda: [
            Column("price", Integer),
            CheckConstraint("price >= 0", name="constraint_comment_price", comment="Refunds are rows of their own"),
        ],
    ),
    ZooCase(
        "several",
        "several changes of one table",
        lambda m: Table(
            "several",
            m,
            make_key(),
            Column("name", String(40), nullable=False),
            Column("size", Integer, server_default="1"),
            Column("seen", DateTime),
            Index("several_name", "name"),
        ),
        lambda m: Table(
            "several",
            m,
            make_key(),
            Column("name", String(80), nullable=False, unique=True),
            Column("size", Integer, CheckConstraint("size > -100", name="several_size"), server_default="2"),
            Column("seen", DateTime, comment="By the crawler"),
            Column("note", Text),
        ),
        loses="down",
    ),
)
"""Changes of constraints."""
