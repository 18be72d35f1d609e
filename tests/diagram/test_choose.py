"""The patterns of --only."""

import pytest

from tasks.diagram.choose import choose_tables, split_patterns
from tasks.runner.errors import UsageError

NAMES = ("public.users", "public.user_roles", "public.orders", "billing.users", 'public."Order Items"', 'app."a,b"')
PARTITIONS = {"public.orders_2025": "public.orders"}


@pytest.mark.parametrize(
    ("pattern", "chosen"),
    [
        ("users", {"public.users", "billing.users"}),
        ("public.users", {"public.users"}),
        ("USERS", {"public.users", "billing.users"}),
        ("user*", {"public.users", "public.user_roles", "billing.users"}),
        ("billing.*", {"billing.users"}),
        ("*.users", {"public.users", "billing.users"}),
        ("Order Items", {'public."Order Items"'}),
        ('public."Order Items"', {'public."Order Items"'}),
        ("order?", {"public.orders"}),
        ("orders_2025", {"public.orders"}),
        ("*", set(NAMES)),
    ],
)
def test_a_pattern_is_a_name_with_or_without_its_schema(pattern: str, chosen: set[str]) -> None:
    assert choose_tables([pattern], NAMES, PARTITIONS) == chosen


@pytest.mark.parametrize(
    ("pattern", "nearest"), [("usres", "users"), ("billing.user", "billing.users"), ("order items", "Order Items")]
)
def test_an_unknown_table_is_refused_with_the_nearest_name(pattern: str, nearest: str) -> None:
    with pytest.raises(UsageError, match=f"no table matches --only {pattern}") as refused:
        choose_tables(["users", pattern], NAMES, PARTITIONS)
    assert nearest in refused.value.hint
    assert refused.value.exit_code == 2


def test_a_schema_without_tables_is_refused_too() -> None:
    with pytest.raises(UsageError) as refused:
        choose_tables(["users"], (), {})
    assert refused.value.hint == "The schema has no tables."


def test_patterns_are_separated_by_commas_outside_of_quotes() -> None:
    assert split_patterns(["users, orders", 'app."a,b"', "users", " "]) == ("users", "orders", 'app."a,b"')
    assert choose_tables(split_patterns(['app."a,b"']), NAMES, {}) == {'app."a,b"'}
