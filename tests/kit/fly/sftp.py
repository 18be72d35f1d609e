"""The files of a machine over SFTP where OpenSSH is not installed."""

import os
from collections.abc import Callable
from pathlib import Path

import paramiko

from tests.kit.fly.state import MachineFolder


class OpenFile(paramiko.SFTPHandle):  # type: ignore[misc]
    """A file that a client has opened."""

    def __init__(self, path: Path, flags: int, mode: int) -> None:
        super().__init__(flags)
        self._path = path
        self._handle = os.open(path, flags, mode)

    def close(self) -> None:
        """Close the file."""
        os.close(self._handle)

    def read(self, offset: int, length: int) -> bytes | int:
        """Read a block; an empty one is the end of the file."""
        try:
            return os.pread(self._handle, length, offset)
        except OSError as error:
            return _refuse(error)

    def write(self, offset: int, data: bytes) -> int:
        """Write a block completely."""
        try:
            while data:
                written = os.pwrite(self._handle, data, offset)
                offset, data = offset + written, data[written:]
        except OSError as error:
            return _refuse(error)
        return int(paramiko.SFTP_OK)

    def stat(self) -> paramiko.SFTPAttributes | int:
        """Describe the file."""
        return paramiko.SFTPAttributes.from_stat(os.fstat(self._handle))

    def chattr(self, attributes: paramiko.SFTPAttributes) -> int:
        """Change the file's permissions, owner, times or size."""
        return _try(lambda: paramiko.SFTPServer.set_file_attr(str(self._path), attributes))


class DiskFiles(paramiko.SFTPServerInterface):  # type: ignore[misc]
    """The file operations of an SFTP client. Relative paths start in the folder where commands start."""

    def __init__(self, server: paramiko.ServerInterface, machine: MachineFolder) -> None:
        super().__init__(server)
        self._start = (machine.path / "cwd").resolve()

    def canonicalize(self, path: str) -> str:
        """Return the absolute path."""
        return os.path.normpath(self._start / path)

    def list_folder(self, path: str) -> list[paramiko.SFTPAttributes] | int:
        """List a folder."""
        try:
            return [paramiko.SFTPAttributes.from_stat(entry.lstat(), entry.name) for entry in (self._start / path).iterdir()]
        except OSError as error:
            return _refuse(error)

    def stat(self, path: str) -> paramiko.SFTPAttributes | int:
        """Describe the target of a path."""
        try:
            return paramiko.SFTPAttributes.from_stat((self._start / path).stat())
        except OSError as error:
            return _refuse(error)

    def lstat(self, path: str) -> paramiko.SFTPAttributes | int:
        """Describe a path without following a link."""
        try:
            return paramiko.SFTPAttributes.from_stat((self._start / path).lstat())
        except OSError as error:
            return _refuse(error)

    def open(self, path: str, flags: int, attributes: paramiko.SFTPAttributes) -> paramiko.SFTPHandle | int:
        """Open a file."""
        mode = attributes.st_mode if attributes.st_mode is not None else 0o666
        try:
            return OpenFile(self._start / path, flags, mode)
        except OSError as error:
            return _refuse(error)

    def remove(self, path: str) -> int:
        """Remove a file."""
        return _try((self._start / path).unlink)

    def rename(self, oldpath: str, newpath: str) -> int:
        """Rename a file; fail if the new name exists."""
        if (self._start / newpath).exists():
            return int(paramiko.SFTP_FAILURE)
        return self.posix_rename(oldpath, newpath)

    def posix_rename(self, oldpath: str, newpath: str) -> int:
        """Rename a file and replace an existing one."""
        return _try(lambda: (self._start / oldpath).rename(self._start / newpath))

    def mkdir(self, path: str, attributes: paramiko.SFTPAttributes) -> int:
        """Make a folder."""
        mode = attributes.st_mode if attributes.st_mode is not None else 0o777
        return _try(lambda: (self._start / path).mkdir(mode))

    def rmdir(self, path: str) -> int:
        """Remove an empty folder."""
        return _try((self._start / path).rmdir)

    def chattr(self, path: str, attributes: paramiko.SFTPAttributes) -> int:
        """Change a file's permissions, owner, times or size."""
        return _try(lambda: paramiko.SFTPServer.set_file_attr(str(self._start / path), attributes))


def _try(change: Callable[[], object]) -> int:
    try:
        change()
    except OSError as error:
        return _refuse(error)
    return int(paramiko.SFTP_OK)


def _refuse(error: OSError) -> int:
    return int(paramiko.SFTPServer.convert_errno(error.errno or 0))
