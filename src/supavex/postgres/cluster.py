"""The files of a database cluster: made once by initdb and a script, cached for the user, and unpacked for each server.

``initdb`` and supavex's own script make the same files each time, and take longer than all files of a small project. So
the files of such a stopped cluster are kept as one archive in the user's cache folder.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import secrets
import shutil
import struct
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from supavex.errors import SupavexError
from supavex.files import held, own_folder, owner_only

SUPERUSER = "supabase_admin"
#: Raise it if an archive of the same programs and script would have other contents.
_VERSION = 1
_OPTIONS = ("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions")
#: The number of archives that are kept, one for each version of supavex and of PostgreSQL's programs in use.
_KEPT = 4
_WAIT_SECONDS = 120
#: The member of an archive that holds the superuser's password. It is not a file of the cluster.
_PASSWORD = "password"
#: The size up to which pg_control is written at once (PG_CONTROL_MAX_SAFE_SIZE). Its checksum lies within.
_CONTROL_BYTES = 512
_POLYNOMIAL = 0x82F63B78

User = pwd.struct_passwd | None


def cache_folder() -> Path:
    """The folder of supavex's caches, for all projects: SUPAVEX_CACHE_DIR, or the user's cache folder."""
    chosen = os.environ.get("SUPAVEX_CACHE_DIR")
    return Path(chosen) if chosen else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "supavex"


def initdb(bin_folder: Path, data: Path, user: User) -> str:
    """Makes an empty cluster in ``data``, in place of the folder's contents. Returns the superuser's password."""
    _emptied(data, user)
    password = secrets.token_hex(32)
    descriptor, name = tempfile.mkstemp(prefix="supavex-", dir="/tmp")
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(password)
        if user:
            os.chown(name, user.pw_uid, user.pw_gid)
        command: list[Path | str] = [bin_folder / "initdb", "-D", data, "-U", SUPERUSER, f"--pwfile={name}", *_OPTIONS]
        result = _run(command, data.parent, user)
    finally:
        os.unlink(name)
    if result.returncode:
        shutil.rmtree(data, ignore_errors=True)
        raise SupavexError(
            "ServerDoesNotStart",
            f"initdb failed: {result.stderr.strip().splitlines()[-1] if result.stderr.strip() else result.returncode}",
            where=str(data.parent),
            hint="Is the disk full, or the folder not writable?",
        )
    return password


def archive_of(bin_folder: Path, user: User, script: str, make: Callable[[Path], None]) -> Path | None:
    """The archive of a cluster in which ``script`` has run. ``make`` makes it if it is missing.

    None if no archive can be kept: there is no home folder, the disk is full, or ``make`` fails.
    """
    try:
        folder = own_folder(cache_folder().absolute() / "postgres")
        program = (bin_folder / "postgres").resolve()
        about = [_VERSION, str(program), program.stat().st_mtime_ns, user and user.pw_uid, _OPTIONS, script]
        file = folder / f"{hashlib.sha256(repr(about).encode()).hexdigest()[:16]}.tar"
        if not file.is_file():
            with held(folder / "lock", _busy, wait_seconds=_WAIT_SECONDS):
                if not file.is_file():
                    make(file)
                    _remove_old(folder)
        return file
    except (OSError, RuntimeError, SupavexError):
        return None


def pack(data: Path, password: str, archive: Path) -> None:
    """Writes a stopped cluster into ``archive``, which appears whole or not at all."""
    partial = archive.with_name(f"{archive.name}.partial")
    partial.unlink(missing_ok=True)
    try:
        with (
            open(partial, "xb", opener=owner_only) as file,
            tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT) as tar,
        ):
            with tempfile.NamedTemporaryFile() as secret:
                secret.write(password.encode())
                secret.flush()
                tar.add(secret.name, _PASSWORD)
            for path in sorted(data.rglob("*")):
                # Each copy begins a new log (WAL), with its own identity.
                if path.is_dir() or path.parent.name != "pg_wal":
                    tar.add(path, str(path.relative_to(data)), recursive=False)
        partial.replace(archive)
    finally:
        partial.unlink(missing_ok=True)


def unpack(archive: Path, bin_folder: Path, data: Path, user: User) -> str | None:
    """Unpacks ``archive`` as a new cluster in ``data``, in place of the folder's contents. Returns the superuser's
    password.

    The new cluster gets its own system identifier, because a snapshot is known by the cluster's identifier. None if
    unpacking failed.
    """
    try:
        _emptied(data, user)
        password = _extracted(archive, data, user)
        _identify(data / "global/pg_control")
        if _run([bin_folder / "pg_resetwal", "-D", data], data, user).returncode == 0:
            os.utime(archive)
            return password
    except (ValueError, tarfile.TarError):
        archive.unlink(missing_ok=True)  # The archive is damaged: the next server makes it again.
    except (OSError, SupavexError):
        pass  # The disk is full, or pg_resetwal is missing: the caller runs initdb, which works or reports the error.
    shutil.rmtree(data, ignore_errors=True)
    return None


def _emptied(data: Path, user: User) -> None:
    if data.is_symlink() or data.is_file():
        data.unlink()
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(mode=0o700)
    if user:
        os.chown(data, user.pw_uid, user.pw_gid)


def _extracted(archive: Path, data: Path, user: User) -> str:
    password = ""
    with open(archive, "rb", opener=owner_only) as file, tarfile.open(fileobj=file, mode="r:") as tar:
        for member in tar:
            content = tar.extractfile(member)
            path = data / member.name
            if member.name == _PASSWORD:
                password = content.read().decode() if content else ""
                continue
            if content is None:
                path.mkdir(mode=0o700)
                if user:
                    os.chown(path, user.pw_uid, user.pw_gid)
                continue
            with open(path, "xb", buffering=0, opener=_made_file) as copy:
                if user:
                    os.fchown(copy.fileno(), user.pw_uid, user.pw_gid)
                copy.write(content.read())
    return password


def _made_file(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _identify(control: Path) -> None:
    """Gives a stopped cluster its own system identifier, as pg_createsubscriber does. pg_resetwal has to run
    afterwards.

    The file begins with the identifier. Its checksum (CRC-32C) follows the bytes that it covers.
    """
    content = bytearray(control.read_bytes())
    table = [_shifted(byte, 8) for byte in range(256)]
    crc, end = 0xFFFFFFFF, None
    for at, byte in enumerate(content[:_CONTROL_BYTES]):
        if at % 4 == 0 and at and struct.unpack_from("=I", content, at)[0] == crc ^ 0xFFFFFFFF:
            end = at
            break
        crc = table[(crc ^ byte) & 0xFF] ^ crc >> 8
    if end is None:
        raise ValueError("pg_control has no checksum")
    struct.pack_into("=Q", content, 0, secrets.randbits(62) | 1 << 62)
    crc = 0xFFFFFFFF
    for byte in content[:end]:
        crc = table[(crc ^ byte) & 0xFF] ^ crc >> 8
    struct.pack_into("=I", content, end, crc ^ 0xFFFFFFFF)
    control.write_bytes(content)


def _shifted(crc: int, bits: int) -> int:
    for _ in range(bits):
        crc = crc >> 1 ^ (_POLYNOMIAL if crc & 1 else 0)
    return crc


def _remove_old(folder: Path) -> None:
    """Removes the archives that have not been used for the longest time."""
    found = sorted(folder.glob("*.tar"), key=lambda file: file.stat().st_mtime, reverse=True)
    for file in found[_KEPT:]:
        with suppress(OSError):
            file.unlink()


def _busy(_: str) -> SupavexError:
    return SupavexError("SourceInUse", "another supavex command makes the first database.", retryable=True)


def _run(command: list[Path | str], cwd: Path, user: User) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        user=user.pw_uid if user else None,
        group=user.pw_gid if user else None,
        extra_groups=[] if user else None,
    )
