"""Granules of an object store, brought near when they are read: hash-checked, and bounded on disk.

What a granule is known by stays when the file is gone, so a day that is finished is found finished
without fetching anything.
"""

import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Self

from seaice.config import RunSettings
from seaice.errors import StorageError
from seaice.files import atomic_file, file_lock, sha256
from seaice.io.object_store import FileState, ObjectStore

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Fetched", "near_first"]

INDEX = ".index.json"  #: of what the store held when it was listed last
KNOWN = ".known"  #: folder of what each granule is known by
KINDS = (".h5", ".he5")
GRIDDED = ".he5"  #: is read without asking for it


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A folder that stands for a store: a path in it is a granule, here yet or not."""

    store: ObjectStore
    folder: Path
    limit: int  #: bytes of granules that are kept

    @classmethod
    def of(cls, run: RunSettings) -> Self:
        """The granules of a run that names a URL.

        Raises
        ------
        ValueError
            If it names none.
        """
        if run.granules_from is None or run.granules is None:
            raise ValueError("granules of a folder need not be fetched")
        store, limit = ObjectStore.from_url(run.granules_from), int(run.cache_gb * 1e9)
        return cls(store=store, folder=run.granules, limit=limit)

    def listed(self) -> list[Path]:
        """What the store holds now, as paths in the folder.

        Raises
        ------
        StorageError
            If the store does not answer.
        """
        stored = {
            name: entry for name, entry in self.store.list_files().items() if _is_granule(name)
        }
        with atomic_file(self.folder / INDEX) as part:
            part.write_text(json.dumps(stored))
        return [self.folder / name for name in sorted(stored)]

    def entries(self) -> dict[str, FileState]:
        """Size and state of every granule as they were listed last, by name."""
        told: Mapping[str, list[Any]] = json.loads((self.folder / INDEX).read_text())
        return {name: (int(size), str(tag)) for name, (size, tag) in told.items()}

    def hashes(self, paths: Iterable[Path]) -> dict[Path, str]:
        """The SHA-256 of granules; only those that were never near are fetched.

        Raises
        ------
        StorageError
            If one cannot be fetched.
        """
        entries = self.entries()
        told: dict[Path, str] = {}
        for path in paths:
            entry = self._entry(path, entries)
            if path.suffix == GRIDDED or self._known(path, entry) is None:
                self._bring(path, entry)
            told[path] = self._known(path, entry) or sha256(path)
        return told

    def near(self, path: Path) -> Path:
        """The path, the granule whole at it.

        Raises
        ------
        StorageError
            If it cannot be fetched, or is not the one whose hash is known.
        """
        self._bring(path, self._entry(path, self.entries()))
        return path

    def _entry(self, path: Path, entries: Mapping[str, FileState]) -> FileState:
        name = path.relative_to(self.folder).as_posix()
        if name not in entries:
            raise StorageError(
                f"{name} is not in {self.store.url}", "a granule that was listed", "run again"
            )
        return entries[name]

    def _bring(self, path: Path, entry: FileState) -> None:
        """Fetch, unless the file is here and is what it was."""
        with file_lock(path):  # who wants the same one waits
            known = self._known(path, entry)
            if known is not None and path.is_file() and sha256(path) == known:
                os.utime(path)
                return
            name = path.relative_to(self.folder).as_posix()
            digest = self.store.download(name, path)
            if path.stat().st_size != entry[0] or known not in (None, digest):
                path.unlink()
                raise StorageError(
                    f"{name} is not what {self.store.url} listed",
                    f"{entry[0]} bytes that have not changed since",
                    "run again, which lists anew",
                )
            with atomic_file(self._note(path)) as part:
                part.write_text(json.dumps({"entry": entry, "sha256": digest}))
        self._make_room(path)

    def _note(self, path: Path) -> Path:
        return self.folder / KNOWN / f"{path.relative_to(self.folder).as_posix()}.json"

    def _known(self, path: Path, entry: FileState) -> str | None:
        try:
            told = json.loads(self._note(path).read_text())
            return str(told["sha256"]) if tuple(told["entry"]) == entry else None
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def _make_room(self, spared: Path) -> None:
        """Remove the granules that were not wanted for longest; one open elsewhere stays open."""
        stored = {path: path.stat() for path in self.folder.rglob("GW1AM2_*.h5") if path.is_file()}
        total = sum(status.st_size for status in stored.values())
        for path, status in sorted(stored.items(), key=lambda item: item[1].st_mtime):
            if total <= self.limit:
                return
            if path != spared:
                path.unlink(missing_ok=True)
                total -= status.st_size


def near_first(
    run: RunSettings, read: Callable[[Path], "xr.Dataset"]
) -> Callable[[Path], "xr.Dataset"]:
    """A reader that has a granule brought near before it reads, where the run's are far away."""
    return read if run.granules_from is None else partial(_read_near, Fetched.of(run), read)


def _read_near(fetched: Fetched, read: Callable[[Path], "xr.Dataset"], path: Path) -> "xr.Dataset":
    return read(fetched.near(path))


def _is_granule(name: str) -> bool:
    """Whether a name may stand below a folder: a store's names may hold anything."""
    parts = PurePosixPath(name).parts
    plain = all(not part.startswith(".") and "\0" not in part for part in parts)
    return plain and not name.startswith("/") and name.endswith(KINDS)
