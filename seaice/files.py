"""Files that appear whole or not at all, and what they are known by: their content.

A result is written in a locked, hidden folder beside its place and moved there in one step, so a
reader sees the old one or the new one. What a killed run left behind is swept by the next.
"""

import ctypes
import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from errno import EINVAL, ENOSYS, ENOTSUP
from hashlib import file_digest
from pathlib import Path

from seaice.errors import OutputError

__all__ = [
    "atomic_file",
    "atomic_folder",
    "ensure_writable",
    "file_lock",
    "is_left",
    "sha256",
    "sha256_of_all",
    "sha256_remembered",
    "swept",
]

_EXCHANGE = 2  # RENAME_EXCHANGE of linux/fs.h
_HERE = -100  # AT_FDCWD: paths count from the current folder


def _refusal(path: Path, error: OSError) -> OutputError:
    reason = error.strerror or str(error)
    return OutputError(
        f"{path} cannot be written ({reason})",
        "a folder that this user may write to, with room on its disk",
        "give another folder with --out, or mend the permissions or free space on this one",
    )


def ensure_writable(folder: Path) -> None:
    """Create `folder` where it is missing and prove that files can be made in it.

    Raises
    ------
    OutputError
        If it cannot be created or written to; called before any work begins.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _refusal(folder, error) from error


def swept(folder: Path) -> int:
    """Remove the working folders and locks below `folder` whose owners no longer live; how many."""
    return sum(_removed(left) for end in ("part", "lock") for left in folder.rglob(f".*.{end}"))


def is_left(path: Path) -> bool:
    """Whether a locked folder or file stands there whose owner lives no more."""
    with _of_the_dead(path) as left:
        return left


def _removed(path: Path) -> bool:
    """Remove a working folder or lock, unless its owner lives or another was quicker."""
    with _of_the_dead(path) as left:
        if left and path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif left:
            path.unlink()
        return left


@contextmanager
def _of_the_dead(path: Path) -> Iterator[bool]:
    """Whether nobody holds what stands at `path`; nobody else takes it while the block runs."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        yield False
        return
    try:
        yield _locked(handle) and _stands(handle, path)
    finally:
        os.close(handle)


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _stands(handle: int, path: Path) -> bool:
    """Whether the open `handle` is what is found at `path` now."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """A working folder on the disk of `path`, locked while in use and gone afterwards."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(f".{path.name}.*.part"):  # of earlier writers of `path`
        _removed(left)
    work, handle = _locked_folder(path)
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)
        os.close(handle)


def _locked_folder(path: Path) -> tuple[Path, int]:
    """A new working folder and its lock; another one where a sweeper came between the two."""
    while True:
        work = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent))
        handle = os.open(work, os.O_RDONLY)
        fcntl.flock(handle, fcntl.LOCK_EX)
        if _stands(handle, work):
            return work, handle
        os.close(handle)


@contextmanager
def file_lock(path: Path) -> Iterator[None]:
    """Hold an exclusive lock for `path` while the block runs; other processes wait for it.

    The lock is a file in the folder of `path`; it is released when its process ends or is killed.

    Raises
    ------
    OutputError
        If the lock file cannot be created.
    """
    place = path.parent / f".{path.name}.lock"
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        handle = _locked_file(place)
    except OSError as error:
        raise _refusal(path, error) from error
    try:
        yield
    finally:
        place.unlink(missing_ok=True)  # while it is held: who waits finds that it is gone
        os.close(handle)


def _locked_file(place: Path) -> int:
    while True:
        handle = os.open(place, os.O_RDWR | os.O_CREAT, 0o666)
        fcntl.flock(handle, fcntl.LOCK_EX)
        if _stands(handle, place):
            return handle
        os.close(handle)


@contextmanager
def _staged(path: Path) -> Iterator[Path]:
    """A name in a working folder; the block puts what it holds at `path`, and that is made to last.

    Raises
    ------
    OutputError
        If the disk refuses.
    """
    try:
        with _beside(path) as work:
            yield work / path.name
            _sync(path.parent)
    except OSError as error:
        raise _refusal(path, error) from error


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """A path of the same name to write to; it takes the place of `path` when the block ends well.

    Raises
    ------
    OutputError
        If the disk refuses; `path` is then as it was.
    """
    with _staged(path) as part:
        yield part
        _sync(part)
        os.replace(part, path)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """An empty folder to fill; it takes the place of `path` when the block ends well.

    Raises
    ------
    OutputError
        If the disk refuses; `path` is then as it was.
    """
    with _staged(path) as filled:
        filled.mkdir()
        yield filled
        for item in (filled, *filled.rglob("*")):
            if not item.is_symlink():
                _sync(item)
        _replace_folder(filled, path)


def _replace_folder(new: Path, path: Path) -> None:
    """Let the folder `new` stand at `path`; the former one, if any, is then found at `new`.

    Linux swaps the two names in one step. Where a file system cannot (NFS), two renames do it:
    for an instant nothing stands at `path`, never a half-filled folder.
    """
    if not path.exists():
        os.rename(new, path)
    elif not _exchanged(new, path):
        former = new.with_name(new.name + ".former")
        os.rename(path, former)
        os.rename(new, path)
        os.rename(former, new)


def _exchanged(one: Path, other: Path) -> bool:
    """Whether the file system swapped the two names in one step."""
    exchange = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if exchange is None:
        return False
    if exchange(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in (EINVAL, ENOSYS, ENOTSUP):
        return False
    raise OSError(code, os.strerror(code), str(other))


def sha256(path: Path) -> str:
    """The SHA-256 of a file's content, hexadecimal."""
    with path.open("rb") as stream:
        return file_digest(stream, "sha256").hexdigest()


def sha256_of_all(paths: Iterable[Path], notes: Path) -> dict[Path, str]:
    """The SHA-256 of many files, read only where size or time of change differ from `notes`.

    Parameters
    ----------
    paths : files
    notes : JSON file in which hashes are remembered by path, size and time of change
    """
    known = _remembered(notes)
    result = {path: _name_of_state(path) for path in paths}
    hashes = {path: known.get(state) or sha256(path) for path, state in result.items()}
    fresh = {result[path]: digest for path, digest in hashes.items()}
    if not fresh.items() <= known.items():
        with atomic_file(notes) as part:
            part.write_text(json.dumps(known | fresh, indent=0, sort_keys=True))
    return hashes


def sha256_remembered(paths: Iterable[Path], notes: Path) -> dict[Path, str] | None:
    """What `sha256_of_all` would find where `notes` has it all; else None, and nothing is read."""
    known = _remembered(notes)
    result = {path: known.get(_name_of_state(path)) for path in paths}
    hashes = {path: digest for path, digest in result.items() if digest is not None}
    return hashes if len(hashes) == len(result) else None


def _name_of_state(path: Path) -> str:
    status = path.stat()
    return f"{path.resolve()}|{status.st_size}|{status.st_mtime_ns}"


def _remembered(notes: Path) -> dict[str, str]:
    """What `notes` says; nothing where it is absent or damaged: hashes can be had again."""
    try:
        known = json.loads(notes.read_text())
    except (FileNotFoundError, json.JSONDecodeError, UnicodeDecodeError):
        return {}
    known = known if isinstance(known, dict) else {}
    return {str(state): str(digest) for state, digest in known.items()}
