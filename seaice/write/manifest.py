"""Checksums of the files in a folder, as `sha256sum -c` reads them."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

from seaice.files import sha256

__all__ = ["differences", "hashes_in", "is_inside", "read_manifest", "write_manifest"]

READERS = 4  #: files hashed at the same time


def hashes_in(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file below a folder, by its name relative to the folder.

    Parameters
    ----------
    folder : files inside stores and subfolders are included
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    with ThreadPoolExecutor(READERS) as pool:
        hashes = list(pool.map(sha256, files))
    names = (path.relative_to(folder).as_posix() for path in files)
    return dict(zip(names, hashes, strict=True))


def write_manifest(folder: Path, path: Path) -> None:
    """List the SHA-256 of every file in `folder`, those inside a Zarr store too, by name.

    `cd FOLDER && sha256sum -c NAME.sha256` then proves that all came over whole.

    Parameters
    ----------
    path : the list; it does not list itself
    """
    own = path.relative_to(folder).as_posix() if path.is_relative_to(folder) else None
    lines = [f"{hash}  {name}\n" for name, hash in hashes_in(folder).items() if name != own]
    path.write_text("".join(lines))


def read_manifest(text: str) -> dict[str, str]:
    """The SHA-256 of each file by its name relative to the folder.

    Raises
    ------
    ValueError
        If a line has no name, or names a path outside the folder.

    >>> read_manifest("ab12  0f/map.tif\\n")
    {'0f/map.tif': 'ab12'}
    >>> read_manifest("ab12  ../map.tif\\n")
    Traceback (most recent call last):
    ValueError: '../map.tif' is no path inside the folder
    """
    listed = {}
    for line in text.splitlines():
        digest, _, name = line.partition("  ")
        if not is_inside(name):
            raise ValueError(f"{name!r} is no path inside the folder")
        listed[name] = digest
    return listed


def is_inside(name: str) -> bool:
    """Whether a relative path stays inside the folder that it is relative to.

    >>> [is_inside(name) for name in ("a/b.tif", "/etc/passwd", "a/../../b", "a\\\\..\\\\b", "")]
    [True, False, False, False, False]
    """
    parts = PurePosixPath(name).parts
    return bool(parts) and parts[0] != "/" and ".." not in parts and not {*"\\\0"} & {*name}


def differences(folder: Path, listed: Mapping[str, str]) -> Iterator[str]:
    """How the files of a folder differ from those listed: missing, changed, or not listed.

    Parameters
    ----------
    listed : SHA-256 by name, as `read_manifest` gives it
    """
    found = hashes_in(folder)
    for name in sorted(listed.keys() | found.keys()):
        if name not in found:
            yield f"{name} is missing"
        elif name not in listed:
            yield f"{name} is not in the manifest"
        elif found[name] != listed[name]:
            yield f"{name} is not what was written"
