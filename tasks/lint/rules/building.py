"""Build the rules for the warnings of squawk."""

from __future__ import annotations

from tasks.lint.model import LintExample, LintRule
from tasks.lint.rules.reported import Accept, find_reported, is_not_recreated

_SITE = "https://squawkhq.com/docs/"
SETUP = """\
CREATE TABLE customers (id bigint NOT NULL, email text, name varchar(100));
CREATE UNIQUE INDEX customers_id_key ON customers (id);
CREATE TABLE orders (id bigint NOT NULL, customer_id bigint, total int);
CREATE INDEX orders_customer_id_idx ON orders (customer_id);
CREATE TABLE events (id bigint NOT NULL, day date NOT NULL) PARTITION BY RANGE (day);
CREATE TABLE events_2025 PARTITION OF events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE DOMAIN amount AS int;
CREATE TABLE payments (id bigint, paid amount);
CREATE VIEW recent AS SELECT id FROM orders;
CREATE FUNCTION total_of(int) RETURNS int LANGUAGE sql RETURN $1;
CREATE TYPE shape AS ENUM ('round');
CREATE SEQUENCE numbers;
CREATE SCHEMA archive;
CREATE EXTENSION IF NOT EXISTS pg_trgm;
"""
_AFTER = "-- migrate: after-deploy\n"


def build(
    name: str,
    why: str,
    bad: tuple[str, str],
    *good: tuple[str, str],
    message: str = "",
    accept: Accept | None = None,
    about_table: bool = True,
    lock: int = 8,
    small: bool = True,
    after_deploy: bool = False,
) -> LintRule:
    """Return the rule for a warning of squawk: its reason, a bad example, and good ones, each an up and a down file."""
    first = why[0] if why[:2].isupper() else why[0].lower()
    sentence = (message or first + why[1:]).removesuffix(".")
    examples = tuple(LintExample(*each) for each in good)
    return LintRule(
        name,
        why,
        f"{_SITE}{name}",
        find_reported(name, sentence, accept, about_table=about_table),
        LintExample(*bad),
        examples,
        SETUP,
        lock=lock,
        small=small,
        after_deploy=after_deploy,
    )


def ban(name: str, what: str, up: str, down: str, accept: Accept | None = is_not_recreated) -> LintRule:
    """Return a rule about a change that breaks the code which is running, so that it must wait for the deployment."""
    why = f"The code that is running may still use the {what}; in a file with -- migrate: after-deploy it runs once that is gone."
    message = f"the code that is running may still use the {what}"
    return build(
        name,
        why,
        (up, down),
        (_AFTER + up, down),
        message=message,
        accept=accept,
        lock=0,
        small=False,
        after_deploy=True,
    )
