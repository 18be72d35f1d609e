"""Faults of a database URL, described without its password."""

import pytest

from tasks.runner.urls import find_fault


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("garbage", "begin with postgresql://"),
        ("me:geheim@localhost:5432/db", "begin with postgresql://"),
        ("//me:geheim@localhost/db", "begin with postgresql://"),
        ("postgres//me:geheim@h/db", "begin with postgresql://"),
        ("'postgresql://me:geheim@h/db'", "begin with postgresql://"),
        ("POSTGRESQL://me:geheim@h/db", "begins with POSTGRESQL://"),
        ("mysql://me:geheim@h/db", "begins with mysql://"),
        ("postgresql+asyncpg://me:geheim@h/db", "without a +driver"),
        ("postgresql://me:ge@heim@h/db", "@ as %40"),
        ("postgresql://me:gehe/im@h/db", "/ as %2F"),
        ("postgresql://me:ge@he:i/m@h:1/db", "more than one @"),
        ("postgresql://me:geheim%zz@h/db", "% as %25"),
        ("postgresql://me:geheim%00@h/db", "% as %25"),
        ("postgresql://me:ge heim@h/db", "a space as %20"),
        ("postgresql://me:geheim", "port must be a number"),
        ("postgresql://me:geheim@h:abc/db", "port must be a number from 1 to 65535"),
        ("postgresql://me:geheim@h:0/db", "port must be a number from 1 to 65535"),
        ("postgresql://me:geheim@h:1,i:65536/db", "port must be a number from 1 to 65535"),
        ("postgresql://me:geheim@h/db?sslmod=on", 'PostgreSQL does not know its parameter "sslmod"'),
        ("postgresql://me:geh/e?im=x@h/db", "cannot be read: invalid URI query parameter"),
        ("postgresql://me:geheim@[::1/db", "cannot be read: end of string"),
        ("host=h password='geheim", "cannot be read: unterminated quoted string"),
        ("host=h password=ge heim user=me", "cannot be read: missing"),
        ("host=h password=geheim heim=x", "cannot be read: invalid connection option"),
    ],
)
def test_a_url_that_libpq_would_misread_has_a_fault(url: str, fault: str) -> None:
    found = find_fault(url)
    assert fault in found
    assert not [piece for piece in ("geh", "heim", "im@", "he:i", "m@h") if piece in found]


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://",
        "postgres://me:geheim@h/db",
        "postgresql://me:ge%40heim%2F@h:5432/db",
        "postgresql://me:ge?h#e$i:m@h/db",
        "postgresql://h:1,i:2/db?target_session_attrs=primary",
        "postgresql:///db?host=/var/run&user=me@tenant&password=a@b",
        "postgresql://me@%2Fvar%2Frun/db",
        "postgresql://me:geheim@[::1]:5432/db",
        "host=h password='ge heim' user=me",
        " dbname = db",
        "service=staging",
    ],
)
def test_a_url_that_libpq_takes_has_no_fault(url: str) -> None:
    assert find_fault(url) == ""
