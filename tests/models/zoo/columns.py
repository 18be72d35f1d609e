"""Columns: identity, computed values, defaults, sequences, nullability, names."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Computed,
    Date,
    DateTime,
    Identity,
    Integer,
    MetaData,
    Numeric,
    Sequence,
    String,
    Table,
    Text,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from tests.models.zoo.case import ZooCase, change_table, make_key


def _with_sequence(metadata: MetaData, **options: Any) -> None:
    numbers = Sequence("sequence_options_numbers", metadata=metadata, **options)
    Table("sequence_options", metadata, make_key(), Column("nr", BigInteger, numbers, server_default=numbers.next_value()))


COLUMNS = (
    ZooCase(
        "identity_kind",
        "identity: ALWAYS becomes BY DEFAULT",
        lambda m: Table("identity_kind", m, Column("nr", BigInteger, Identity(always=True), primary_key=True)),
        lambda m: Table("identity_kind", m, Column("nr", BigInteger, Identity(always=False), primary_key=True)),
    ),
    ZooCase(
        "identity_options",
        "identity: increment, cache and limits",
        lambda m: Table("identity_options", m, Column("nr", Integer, Identity(always=True), primary_key=True)),
        lambda m: Table(
            "identity_options",
            m,
            Column("nr", Integer, Identity(always=True, increment=10, cache=20, maxvalue=900_000, cycle=True), primary_key=True),
        ),
    ),
    ZooCase(
        "identity_from_serial",
        "identity instead of serial",
        lambda m: Table("identity_from_serial", m, Column("nr", Integer, primary_key=True), Column("label", Text)),
        lambda m: Table("identity_from_serial", m, Column("nr", Integer, Identity(), primary_key=True), Column("label", Text)),
    ),
    change_table(
        "computed_stored",
        "computed column, stored: added",
        lambda: [Column("net", Numeric(10, 2), nullable=False)],
        lambda: [
            Column("net", Numeric(10, 2), nullable=False),
            Column("gross", Numeric(12, 2), Computed("round(net * 1.19, 2)", persisted=True)),
        ],
    ),
    change_table(
        "computed_expression",
        "computed column: another expression",
        lambda: [Column("size", Integer), Column("area", Integer, Computed("size * size", persisted=True))],
        lambda: [Column("size", Integer), Column("area", Integer, Computed("size * size * 6", persisted=True))],
    ),
    change_table(
        "computed_dropped",
        "computed column becomes a plain one",
        lambda: [Column("size", Integer), Column("area", Integer, Computed("size * size", persisted=True))],
        lambda: [Column("size", Integer), Column("area", Integer)],
    ),
    change_table(
        "computed_virtual",
        "computed column, virtual: added",
        lambda: [Column("first", Text), Column("last", Text)],
        lambda: [
            Column("first", Text),
            Column("last", Text),
            Column("whole", Text, Computed("(first || ' ') || last", persisted=False)),
        ],
        since=18,
    ),
    change_table(
        "nullable",
        "NOT NULL dropped",
        lambda: [Column("note", Text, nullable=False)],
        lambda: [Column("note", Text)],
    ),
    change_table(
        "column_added",
        "columns added: nullable, and NOT NULL with a default",
        list,
        lambda: [Column("note", Text), Column("active", Boolean, nullable=False, server_default=text("true"))],
    ),
    change_table(
        "column_removed",
        "column removed",
        lambda: [Column("note", Text), Column("fax", String(30))],
        lambda: [Column("note", Text)],
        loses="up",
    ),
    ZooCase(
        "column_renamed",
        "column renamed",
        lambda m: Table("column_renamed", m, make_key(), Column("mail", String(200)), Column("since", Date)),
        lambda m: Table("column_renamed", m, make_key(), Column("email", String(200)), Column("since", Date)),
        renames=("column_renamed.mail=email",),
        kept="SELECT count(*) > 0 AND count(*) = count(email) FROM column_renamed WHERE id <= 2",
    ),
    change_table(
        "default_text",
        "server default: another text",
        lambda: [Column("state", String(20), nullable=False, server_default="new")],
        lambda: [Column("state", String(20), nullable=False, server_default="open")],
    ),
    change_table(
        "default_quote",
        "server default: a text with a quote",
        lambda: [Column("place", Text, server_default="here")],
        lambda: [Column("place", Text, server_default="at O'Neill's")],
    ),
    change_table(
        "default_function",
        "server default: now() added",
        lambda: [Column("made", DateTime(timezone=True), nullable=False)],
        lambda: [Column("made", DateTime(timezone=True), nullable=False, server_default=func.now())],
    ),
    change_table(
        "default_removed",
        "server default removed",
        lambda: [Column("tries", Integer, nullable=False, server_default=text("3"))],
        lambda: [Column("tries", Integer, nullable=False)],
    ),
    change_table(
        "default_json",
        "server default of JSONB: other keys",
        lambda: [Column("details", JSONB, nullable=False, server_default=text("'{}'::jsonb"))],
        lambda: [Column("details", JSONB, nullable=False, server_default=text("""'{"tags": [], "level": 1}'::jsonb"""))],
    ),
    ZooCase(
        "default_uuid",
        "key of type uuid: gen_random_uuid() as its default",
        lambda m: Table("default_uuid", m, Column("id", Uuid, primary_key=True)),
        lambda m: Table("default_uuid", m, Column("id", Uuid, primary_key=True, server_default=func.gen_random_uuid())),
    ),
    change_table(
        "default_percent",
        "server default with percent signs and colons",
        lambda: [Column("discount", Text, nullable=False, server_default="5%")],
        lambda: [Column("discount", Text, nullable=False, server_default="100% :all %(x)s")],
    ),
    ZooCase(
        "sequence_options",
        "sequence: increment, cache and limit",
        _with_sequence,
        lambda m: _with_sequence(m, increment=5, cache=10, maxvalue=1_000_000),
    ),
    ZooCase(
        "sequence_default",
        "sequence added, as the default of a column",
        lambda m: Table("sequence_default", m, make_key(), Column("nr", BigInteger)),
        lambda m: Table(
            "sequence_default",
            m,
            make_key(),
            Column("nr", BigInteger, server_default=Sequence("sequence_default_nr", start=1000, metadata=m).next_value()),
        ),
    ),
    ZooCase(
        "quoted_names",
        "reserved, mixed-case and quoted names: column added",
        lambda m: Table("quoted_names Of Order", m, Column("Select", Integer, primary_key=True), Column("user", Text)),
        lambda m: Table(
            "quoted_names Of Order",
            m,
            Column("Select", Integer, primary_key=True),
            Column("user", Text),
            Column('the "group"', Text, server_default="x"),
            Column("100%", Integer, key="percent"),
        ),
    ),
)
"""Changes of columns."""
