"""Which renames are recognised: pairs of tables as data, and how often real changes are asked about."""

from collections.abc import Mapping

import pytest

from tasks.catalog import COLUMN_ORDER, Catalog, Key
from tasks.rehearsal.sql_diff.names import split_list
from tasks.rehearsal.sql_diff.recognition.likeness import ALIKE, measure_likeness
from tasks.rehearsal.sql_diff.recognition.questions import find_questions

ZONED = "timestamp with time zone"
KEPT = f"id bigint NOT NULL, {{}}, active boolean, created_at {ZONED}"
END = f"id bigint NOT NULL, active boolean, created_at {ZONED}, {{}}"


def make_catalog(tables: Mapping[str, str]) -> Catalog:
    """Return a schema with enums and tables, by name: the definition of a table, a colon, and its columns."""
    objects: dict[Key, str] = {}
    for name, text in tables.items():
        if text.startswith("AS ENUM"):
            objects[Key("type", f"public.{name}")] = text
            continue
        definition, _, columns = text.rpartition(": ")
        objects[Key("table", f"public.{name}")] = definition
        parts = [column.partition(" ")[::2] for column in split_list(columns)]
        objects[Key(COLUMN_ORDER, f"public.{name}")] = ", ".join(part[0] for part in parts)
        objects |= {Key("column", column, f"public.{name}"): kind for column, kind in parts}
    return Catalog(objects)


def ask(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, list[str]]:
    """Return what is asked: for each lost name, which others it may have."""
    questions = find_questions(make_catalog(before), make_catalog(after))
    return {question.lost.name: [key.name for key in question.found] for question in questions}


def ask_columns(before: str, after: str) -> dict[str, list[str]]:
    return ask({"t": before}, {"t": after})


COLUMNS = {
    "the same place": ("nickname text", KEPT, "handle text", KEPT, {"nickname": ["handle"]}),
    "a name that is alike": ("mail text", KEPT, "email_address text", END, {"mail": ["email_address"]}),
    "another case": ("full_name text", KEPT, '"fullName" text NOT NULL', END, {"full_name": ['"fullName"']}),
    "a slip": ("adress text", KEPT, "address text NOT NULL", END, {"adress": ["address"]}),
    "an abbreviation": ("qty numeric", KEPT, "quantity numeric NOT NULL", END, {"qty": ["quantity"]}),
    "a synonym": ("user_id uuid", KEPT, "owner_id uuid NOT NULL", END, {"user_id": ["owner_id"]}),
    "the only pair of a type": ("x1 uuid", KEPT, "y2 uuid", END, {"x1": ["y2"]}),
    "not with another default": ("x1 uuid", KEPT, "y2 uuid DEFAULT gen_random_uuid()", END, {}),
    "not with another NOT NULL": ("x1 uuid", KEPT, "y2 uuid NOT NULL", END, {}),
    "another type": ("email text", KEPT, f"last_seen {ZONED}", KEPT, {}),
    "a wider type in the same place": ("total integer", KEPT, "sum_of_it bigint", KEPT, {"total": ["sum_of_it"]}),
    "a wider type elsewhere": ("total integer", KEPT, "sum_of_it bigint", END, {}),
    "a wider type and a like name": ("price integer", KEPT, "price_cents bigint", END, {"price": ["price_cents"]}),
    "a cast and a like name": ("amount text", KEPT, "amounts bigint", END, {}),
    "a cast to a text and a like name": ("amount bigint", KEPT, "amounts text", END, {"amount": ["amounts"]}),
    "a cast in the same place": ("amount bigint", KEPT, "remark text", KEPT, {}),
    "a generated column": ("a text", KEPT, "b text GENERATED ALWAYS AS (id) STORED", KEPT, {}),
    "two in their places": ("a text, b text", KEPT, "c text, d text", KEPT, {"a": ["c"], "b": ["d"]}),
    "two by name": (
        "first_name text, last_name text", KEPT, '"lastName" text, "firstName" text', END,
        {"first_name": ['"firstName"'], "last_name": ['"lastName"']},
    ),
    "one of two": ("a text, b text", KEPT, "c text", KEPT, {"a": ["c"], "b": ["c"]}),
    "none of two elsewhere": ("a text, b text", KEPT, "c text", END, {}),
    "no prefix that others have": (
        "ship_to text, ship_city text, ship_zip text", KEPT, "ship_city text, ship_zip text", f"{KEPT}, ship_note integer", {}
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", COLUMNS.values(), ids=list(COLUMNS))
def test_a_column_is_asked_about_if_two_signs_fit(case: tuple[str, str, str, str, dict[str, list[str]]]) -> None:
    old, before, new, after, asked = case
    assert ask_columns(before.format(old), after.format(new)) == asked


PARTS = {
    "{}": "PARTITION BY LIST (id): id bigint, x text",
    "{}1": "PARTITION OF public.{} FOR VALUES IN ('1'): id bigint, x text",
    "{}2": "PARTITION OF public.{} DEFAULT: id bigint, x text",
}
TABLES: dict[str, tuple[dict[str, str], dict[str, str], dict[str, list[str]]]] = {
    "equal columns": ({"men": ": id bigint, age integer"}, {"crew": ": id bigint, age integer"}, {"public.men": ["public.crew"]}),
    "half of the columns and a like name": (
        {"user": ": id bigint, name text, mail text, age integer"},
        {"users": ": id bigint, name text, mail text, city text, zip text"},
        {"public.user": ["public.users"]},
    ),
    "half of the columns and another name": (
        {"user": ": id bigint, name text, mail text, age integer"},
        {"stock": ": id bigint, name text, mail text, city text, zip text"},
        {},
    ),
    "columns with other names": (
        {"users": ": id bigint, first_name text, mail text"},
        {"accounts": ': id bigint, "firstName" text, email text'},
        {"public.users": ["public.accounts"]},
    ),
    "only columns that any table has": (
        {"bills": f": id bigint, created_at {ZONED}, updated_at {ZONED}, amount numeric"},
        {"sessions": f": id bigint, created_at {ZONED}, updated_at {ZONED}, token text"},
        {},
    ),
    "only columns that the other tables have": (
        {"a": ": tenant uuid, x text", "b": ": tenant uuid, y text", "bills": ": tenant uuid, owner uuid, amount numeric"},
        {"a": ": tenant uuid, x text", "b": ": tenant uuid, y text", "logs": ": tenant uuid, line text"},
        {},
    ),
    "other columns": ({"user": ": id bigint, name text"}, {"users": ": nr integer, total numeric"}, {}),
    "no columns": ({"a": ": "}, {"b": ": "}, {}),
    "partitions, by their bounds": (
        {name.format("p"): text.format("p") for name, text in PARTS.items()},
        {name.format("q"): text.format("q") for name, text in PARTS.items()},
        {"public.p": ["public.q"], "public.p1": ["public.q1"], "public.p2": ["public.q2"]},
    ),
    "a table that cannot become the other": (
        {"a": ": id bigint, x text"},
        {"b": "PARTITION BY LIST (id): id bigint, x text"},
        {},
    ),
    "a label in the same place": ({"m": "AS ENUM ('a', 'b')"}, {"m": "AS ENUM ('a', 'c')"}, {"'b'": ["'c'"]}),
    "a label with a like name": (
        {"m": "AS ENUM ('new', 'canceled')"}, {"m": "AS ENUM ('new', 'paid', 'cancelled')"}, {"'canceled'": ["'cancelled'"]},
    ),
    "a label elsewhere": ({"m": "AS ENUM ('a', 'b')"}, {"m": "AS ENUM ('d', 'e', 'a')"}, {}),
    "an enum with most of its labels": (
        {"m": "AS ENUM ('a', 'b')"}, {"n": "AS ENUM ('a', 'b', 'c')"}, {"public.m": ["public.n"]},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", TABLES.values(), ids=list(TABLES))
def test_a_table_or_type_is_asked_about_if_most_of_it_is_equal(
    case: tuple[dict[str, str], dict[str, str], dict[str, list[str]]],
) -> None:
    before, after, asked = case
    assert ask(before, after) == asked


VARIANTS = """
address_line addressLine; birthdate birth_date; body message; category_id categories_id; cc_code country_cc_code; color colour;
cost price; count number_of; customer client; date_created created_at; descr description; e_mail email; email mail_address;
end_at ended_at; fullname full_name; is_public public; kind type; lastname last_name; msg message; note notes; occured_at
occurred_at; order_no order_number; org_id organization_id; owner_id author_id; parent parent_id; passwd password; phone
phone_number; picture_url image_url; pos position; price price_amount; recieved_at received_at; state status; tel phone; title
name; to_user to_user_id; total_price total_cost; updated_on updated_at; url website_url; user_name username; zip zip_code
"""
OTHERS = """
active archived_at; address age; amount currency; author_id category_id; avatar_url bio; body rating; city country; code locale;
created_at deleted_at; created_at updated_at; created_by approved_by; description email; due_date paid; email nickname;
first_name last_name; flags tags; height width; hour_rate user_agent; ip_address referrer; is_admin is_active; latitude longitude;
name password_hash; note token; order_id user_id; parent_id tenant_id; phone zip; price weight; priority deadline; role language;
score level; secret label; session_id group_id; size color; sku barcode; slug summary; starts_at retries; state city;
title attachments; user_id team_id; views likes
"""


def read_pairs(text: str) -> list[tuple[str, str]]:
    return [(one, other) for one, other in (pair.split() for pair in text.split(";"))]


def test_names_that_are_variants_are_alike_and_names_of_other_things_are_not() -> None:
    quoted = ((one, f'"{other}"' if other != other.lower() else other) for one, other in read_pairs(VARIANTS))
    missed = [pair for pair in quoted if measure_likeness(*pair) < ALIKE]
    false = [pair for pair in read_pairs(OTHERS) if measure_likeness(*pair) >= ALIKE]
    assert missed == []
    assert false == []
