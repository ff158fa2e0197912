"""Checksums of a product's files, as `sha256sum -c` reads them."""

from pathlib import Path

from seaice.files import sha256

__all__ = ["write_manifest"]


def write_manifest(folder: Path, path: Path) -> None:
    """List the SHA-256 of every file in `folder`, those inside a Zarr store too, by name.

    `cd FOLDER && sha256sum -c NAME.sha256` then proves that all came over whole.

    Parameters
    ----------
    path : the list; it does not list itself
    """
    held = sorted(each for each in folder.rglob("*") if each.is_file() and each != path)
    lines = [f"{sha256(each)}  {each.relative_to(folder).as_posix()}\n" for each in held]
    path.write_text("".join(lines))
