"""Remote files in, whole files out: resumed, verified, tried again with patience."""

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from errno import EDQUOT, ENOSPC, EROFS
from pathlib import Path

import h5py

from seaice.errors import OutputError, SettingsError
from seaice.fetch.archive import Archive, Refused, Remote, Session
from seaice.files import alone, ensure_writable

__all__ = ["CONNECTIONS", "Brought", "bring", "there"]

CONNECTIONS = 4  #: at most; users report that more of them fail more often
TRIES = 6  #: of one file
PAUSE, LONGEST = 2.0, 60.0  #: s before the second try, doubled each time; never more than this
FAULTS = (OSError, EOFError, ValueError)  #: whatever a network does to a transfer
OWN_DISK = (ENOSPC, EDQUOT, EROFS)

Told = Callable[[Remote, int], None]  #: a file, and how many bytes of it have come


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """What became of one file."""

    remote: Remote
    why_not: str = ""  #: "" where it is there


def there(remote: Remote, folder: Path) -> bool:
    """Whether the file was brought before."""
    return (folder / remote.name).exists()


def bring(
    archive: Archive,
    remotes: Sequence[Remote],
    folder: Path,
    told: Told,
    *,
    connections: int = 1,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Brought]:
    """Bring files into `folder`; those that are there already are left alone.

    A file appears under its name when all its bytes have come, their number and checksum (where
    the archive tells one) are right, and it opens as HDF5. What a broken run leaves is
    `.NAME.part`; the same command goes on from there.

    Parameters
    ----------
    told : called as bytes come
    connections : at the same time, at most `CONNECTIONS`

    Yields
    ------
    Brought
        One for each file, as it is done; what could not be brought says why.

    Raises
    ------
    SettingsError
        If the archive does not let us in, or too many connections are asked for.
    OutputError
        If `folder` cannot be written to.
    """
    if not 1 <= connections <= CONNECTIONS:
        raise SettingsError(
            f"{connections} connections", f"1 to {CONNECTIONS}", "leave it out: one fails least"
        )
    ensure_writable(folder)
    missing = [remote for remote in remotes if not there(remote, folder)]
    for remote in remotes:
        if there(remote, folder):
            yield Brought(remote=remote)
    with ThreadPoolExecutor(connections) as pool:
        for at in range(0, len(missing), connections):
            group = missing[at : at + connections]
            yield from pool.map(lambda one: _brought(archive, one, folder, told, sleep), group)


def _brought(
    archive: Archive, remote: Remote, folder: Path, told: Told, sleep: Callable[[float], None]
) -> Brought:
    """One file, tried several times, each on a new connection."""
    why = ""
    for trial in range(TRIES):
        if trial:
            sleep(min(PAUSE * 2 ** (trial - 1), LONGEST))
        try:
            with archive.session() as session:
                _transfer(session, remote, folder, told)
        except Refused as error:
            raise SettingsError(
                str(error), f"a way into {archive.says}", archive.account
            ) from error
        except FAULTS as error:
            if isinstance(error, OSError) and error.errno in OWN_DISK:
                raise OutputError(
                    f"{folder}: {error.strerror}", f"room for {remote.name}", "make room"
                ) from error
            why = f"{error or type(error).__name__} ({TRIES} tries)"
        else:
            return Brought(remote=remote)
    return Brought(remote=remote, why_not=why)


def _transfer(session: Session, remote: Remote, folder: Path, told: Told) -> None:
    """Go on with a file where it stopped, verify it, give it its name."""
    part = folder / f".{remote.name}.part"
    with alone(folder / remote.name):
        if there(remote, folder):
            return
        size = session.size(remote)
        have = part.stat().st_size if part.exists() else 0
        if have > size:
            part.unlink()
            have = 0
        with part.open("ab") as file:
            for block in session.blocks(remote, have) if have < size else ():
                file.write(block)
                have += len(block)
                told(remote, have)
        if have < size:
            raise OSError(f"the connection ended after {have} of {size} bytes")
        try:
            _verify(part, remote, size)
        except ValueError:
            part.unlink()
            raise
        part.replace(folder / remote.name)


def _verify(part: Path, remote: Remote, size: int) -> None:
    """Whether all that can be told of a file agrees with it; a ValueError says what does not."""
    if part.stat().st_size != size:
        raise ValueError(f"{part.stat().st_size} bytes came of {size}")
    if remote.checksum:
        algorithm, digest = remote.checksum
        with part.open("rb") as file:
            found = hashlib.file_digest(file, algorithm).hexdigest()
        if found != digest:
            raise ValueError(f"its {algorithm} is {found}, and should be {digest}")
    if not h5py.is_hdf5(part):
        raise ValueError("what came is no HDF5 file")
