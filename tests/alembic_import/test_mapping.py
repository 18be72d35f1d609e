"""The file alembic.toml: what is written is read again, and what cannot be right is named with its line."""

from pathlib import Path

import pytest

from tasks.runner.errors import FilesError
from tasks.runner.ledger.alembic import AlembicMapping, ImportedRevision, read_mapping, write_mapping
from tasks.runner.ledger.foreign import VersionTable

A1 = '[revisions."a1"]\nversion = "20240101100000_a"\nafter = []\n'
FAULTS = {
    "no TOML": ("[revisions", "is not TOML"),
    "no tables": ("revisions = []", "must be tables"),
    "a version outside of the folder": (
        A1.replace("20240101100000_a", "../../a"),
        "alembic.toml:1: a1: '../../a' is not the name",
    ),
    "a version of two revisions": (
        f"{A1}{A1.replace('a1', 'b2')}",
        "alembic.toml:4: b2: has the version '20240101100000_a' of a1",
    ),
    "an unknown revision": (A1.replace("[]", '["z"]'), "a1: comes after z, which is not in this file"),
    "other types": ("[revisions]\na1 = 5", "a1: needs version, a string"),
    "a table whose name is an integer": ("[version_table]\nname = 3", "name and schema must be strings"),
    "a table that no server has": ('[version_table]\nname = "a\\u0000"', "strings without NUL"),
}


@pytest.mark.parametrize(("text", "message"), FAULTS.values(), ids=FAULTS.keys())
def test_what_cannot_be_right_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "alembic.toml").write_text(text)
    with pytest.raises(FilesError) as raised:
        read_mapping(tmp_path)
    assert message in raised.value.message


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    revisions = {'a"\n\x1b\x7f': ImportedRevision("20240101100000_a", (), "1", "2"), "b": ImportedRevision("", ('a"\n\x1b\x7f',))}
    mapping = AlembicMapping(revisions, VersionTable('t"x', "é"))
    (tmp_path / "alembic.toml").write_text(write_mapping(mapping))
    assert read_mapping(tmp_path) == mapping
    (tmp_path / "alembic.toml").unlink()
    assert read_mapping(tmp_path) is None
