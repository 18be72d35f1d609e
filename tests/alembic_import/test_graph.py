"""The order of revisions, and the versions that they become."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tasks.alembic_import.graph import AlembicRevision, arrange, name_versions, read_revisions
from tasks.alembic_import.texts import RenderedRevision, compose_down, compose_up
from tasks.runner.errors import FilesError
from tasks.runner.parsing.directives import Header, read_header
from tasks.runner.parsing.source_text import SqlText


def make(name: str, *after: str, day: int | None = None, doc: str = "") -> AlembicRevision:
    created = datetime(2024, 1, day, 9, 30, tzinfo=UTC) if day else None
    return AlembicRevision(name, after, Path(f"versions/{name}_x.py"), doc or f"step {name}", created)


@pytest.mark.parametrize(
    ("revisions", "order"),
    [
        ([make("c", "b"), make("b", "a"), make("a")], "abc"),
        ([make("a"), make("b", "a", day=3), make("c", "a", day=2), make("m", "b", "c")], "acbm"),
        ([make("a", day=2), make("z", day=1), make("y", "a", "z", day=1)], "zay"),
        ([make("b", day=1), make("a", day=1)], "ab"),
    ],
)
def test_each_revision_comes_after_those_before_it_and_the_older_one_first(revisions: list[AlembicRevision], order: str) -> None:
    assert "".join(each.id for each in arrange(revisions)) == order
    assert "".join(each.id for each in arrange(revisions[::-1])) == order


def test_imported_revisions_keep_their_order_and_new_ones_follow() -> None:
    revisions = [make("a", day=1), make("b", "a", day=9), make("c", "a", day=2)]
    assert [each.id for each in arrange(revisions, ["a", "b"])] == ["a", "b", "c"]
    with pytest.raises(FilesError, match="has them no more"):
        arrange(revisions, ["a", "gone"])


def test_a_version_has_the_date_of_its_revision_unless_that_is_too_early() -> None:
    revisions = [
        make("a", day=5, doc="Add users.email (GH-12)"),
        make("b", day=4),
        make("c", doc="…"),
        make("d", day=6, doc="2 more"),
    ]
    assert list(name_versions(revisions, {}, ["20240106093000_other"]).values()) == [
        "20240105093000_add_users_email_gh_12",
        "20240105093001_step_b",
        "20240105093002_x",
        "20240106093001_more",
    ]
    assert name_versions(revisions[:2], {"a": "20230101000000_old"}, []) == {
        "a": "20230101000000_old",
        "b": "20240104093000_step_b",
    }


@pytest.mark.parametrize(
    ("text", "stem", "created"),
    [
        ("Create Date: 2024-05-06 07:08:09.123456\n", "x", datetime(2024, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)),
        ("Create Date: 2024-05-06 07:08:09+02:00\n", "x", datetime(2024, 5, 6, 5, 8, 9, tzinfo=UTC)),
        ("", "2024_05_06_0708-1975ea83b712_x", datetime(2024, 5, 6, 7, 8, tzinfo=UTC)),
        ("", "20240506_x", datetime(2024, 5, 6, tzinfo=UTC)),
        ("", "1975ea83b712_x", None),
        ("Create Date: 2024-15-06 07:08:09\n", "x", None),
    ],
)
def test_the_date_is_read_from_the_first_lines_or_the_name(text: str, stem: str, created: datetime | None) -> None:
    answer = {"revision": "a", "after": [], "path": f"versions/{stem}.py", "doc": "", "text": text}
    (revision,) = read_revisions([answer])
    assert revision.created == created


def test_no_id_and_no_name_of_a_file_becomes_a_statement() -> None:
    forged = "a\rDROP TABLE users;\nmigrate: irreversible x"
    revision = AlembicRevision(forged, (), Path(f"{forged}.py"), doc=forged)
    rendered = RenderedRevision(revision, ("SELECT 1",), (), irreversible=forged)
    for text in (compose_up(rendered, "20240101000000_x"), compose_down(rendered, "20240101000000_x")):
        assert [line for line in text.splitlines() if line and not line.startswith("--")] in ([], ["SELECT 1;"])
    assert read_header(SqlText("up.sql", compose_up(rendered, "20240101000000_x"))) == Header()
