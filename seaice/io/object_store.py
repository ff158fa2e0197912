"""Object stores by their URL, through fsspec: files listed, fetched and put, with patience.

Credentials come from the environment of the process (AWS_ACCESS_KEY_ID and the like, a profile, a
role); a URL that holds any is refused, so that none can reach settings, logs or products.
"""

import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from errno import EDQUOT, ENOSPC, EROFS
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

import fsspec
from fsspec.config import conf

from seaice.errors import SeaIceError, SettingsError, StorageError, to_install
from seaice.files import atomic_file, sha256

__all__ = ["FileState", "ObjectStore", "is_url", "resolve_remote_paths"]

MAX_ATTEMPTS = 5  #: of one request
FIRST_PAUSE = 0.5  #: s before the second try, twice as long before each further one
TIMEOUTS = {"connect_timeout": 10, "read_timeout": 30}  #: s; FSSPEC_S3 in the environment overrules
PERMANENT_ERRORS = (
    FileNotFoundError,
    PermissionError,
    IsADirectoryError,
)  #: no patience mends these
LOCAL_DISK_ERRNOS = (ENOSPC, EDQUOT, EROFS)
URL = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]+):/+(?P<rest>[^/].*)", re.DOTALL)

FileState = tuple[int, str]  #: size in bytes, and what changes with the content: ETag or time
T = TypeVar("T")


def is_url(text: str) -> bool:
    """Whether a place is named by a URL rather than a path.

    >>> is_url("s3://ice/amsr2"), is_url("/data/amsr2"), is_url("C:/data")
    (True, False, False)
    """
    return URL.fullmatch(text) is not None


def resolve_remote_paths(run: Any) -> Any:
    """Settings of a run in which URLs stand apart, and folders of `work` in their place.

    Raises
    ------
    SettingsError
        As `ObjectStore.from_url`.

    >>> brought_near({"out": "s3://ice/maps", "work": "near"})["out"]
    PosixPath('near/out/s3_ice_maps')
    """
    if not isinstance(run, dict):
        return run
    near = dict(run)
    work = Path(str(run.get("work", "seaice_work")))
    for key, apart in {"granules": "granules_from", "out": "publish_to"}.items():
        url = str(run.get(key, ""))
        if is_url(url):
            near[apart] = ObjectStore.from_url(url).url
            near[key] = work / key / re.sub(r"[^A-Za-z0-9.-]+", "_", near[apart]).strip("_")
        elif near.get(apart) is not None:
            near[apart] = ObjectStore.from_url(str(near[apart])).url
    return near


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectStore:
    """All that lies below a URL; names are relative to it."""

    url: str

    @classmethod
    def from_url(cls, url: str) -> Self:
        """The store at a URL; nothing is asked of it yet.

        Raises
        ------
        SettingsError
            If the URL names no bucket, or holds more than a place.

        >>> ObjectStore.from_url("s3:/ice/amsr2/").url
        's3://ice/amsr2'
        """
        told = URL.fullmatch(url)
        clean = f"{told['scheme']}://{told['rest'].rstrip('/')}" if told else ""
        parts = urlsplit(clean)
        if not told or "@" in clean or parts.query or parts.fragment:
            raise SettingsError(
                "a URL with credentials or more in it" if told else "no URL of a store",
                "a place alone, s3://bucket/prefix; credentials stay in the environment",
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and leave them out of the URL",
            )
        return cls(url=clean)

    def list_files(self) -> dict[str, FileState]:
        """Every file, by name.

        Raises
        ------
        StorageError
            If the store does not answer, however often it is asked; so all methods below.
        """
        return _with_retries(f"{self.url} cannot be listed", self._list_files)

    def download(self, name: str, path: Path) -> str:
        """Bring a file to `path`, whole or not at all; its SHA-256.

        Raises
        ------
        OutputError
            If the disk refuses.
        """
        return _with_retries(
            f"{self.url}/{name} cannot be fetched", partial(self._download, name, path)
        )

    def read_text(self, name: str) -> str | None:
        """The content of a small file; None where it is not there."""
        return _with_retries(f"{self.url}/{name} cannot be read", partial(self._read_text, name))

    def upload(self, name: str, content: Path | bytes) -> None:
        """Put a file; object stores show it whole or not at all."""
        _with_retries(f"{self.url}/{name} cannot be written", partial(self._upload, name, content))

    def remove(self, names: Iterable[str]) -> None:
        """Take files away; what is not there is no mistake."""
        for name in names:
            _with_retries(f"{self.url}/{name} cannot be removed", partial(self._remove, name))

    def _system(self) -> tuple[Any, str]:
        system = _filesystem(self.url.partition("://")[0])
        return system, str(system._strip_protocol(self.url))

    def _list_files(self) -> dict[str, FileState]:
        system, root = self._system()
        try:
            found = system.find(root, detail=True)
        except FileNotFoundError:
            return {}
        return {path[len(root) + 1 :]: _file_state(told) for path, told in found.items()}

    def _download(self, name: str, path: Path) -> str:
        system, root = self._system()
        with atomic_file(path) as part:
            try:
                system.get_file(f"{root}/{name}", str(part))
            except OSError as error:  # which must not look like a fault of our own disk
                if error.errno in LOCAL_DISK_ERRNOS:
                    raise
                raise _RemoteError(error) from error
            return sha256(part)

    def _read_text(self, name: str) -> str | None:
        system, root = self._system()
        try:
            return str(system.cat_file(f"{root}/{name}").decode())
        except FileNotFoundError:
            return None

    def _upload(self, name: str, content: Path | bytes) -> None:
        system, root = self._system()
        if isinstance(content, bytes):
            system.pipe_file(f"{root}/{name}", content)
        else:
            system.put_file(str(content), f"{root}/{name}")

    def _remove(self, name: str) -> None:
        system, root = self._system()
        try:
            system.rm_file(f"{root}/{name}")
        except FileNotFoundError:
            return


class _RemoteError(Exception):
    """What a store answered, in place of a file."""

    def __init__(self, cause: OSError) -> None:
        super().__init__(str(cause))
        self.cause = cause


def _with_retries(found: str, ask: Callable[[], T]) -> T:
    """What `ask` returns, asked again after a pause where a store or the way to it failed."""
    for tried in range(MAX_ATTEMPTS):
        if tried:
            time.sleep(FIRST_PAUSE * 2 ** (tried - 1))
        try:
            return ask()
        except SeaIceError:
            raise
        except Exception as error:  # of fsspec, botocore, aiohttp: as many kinds as layers
            last = error.cause if isinstance(error, _RemoteError) else error
            if isinstance(last, PERMANENT_ERRORS):
                break
    reason = str(last).splitlines()[0] if str(last) else type(last).__name__
    raise StorageError(
        f"{found} ({reason})",
        f"an answer of the store within {MAX_ATTEMPTS} tries",
        "check the URL, the credentials in the environment and the network; then run again",
    ) from last


def _filesystem(scheme: str) -> Any:
    """The file system of fsspec; listings are never remembered, for others write too."""
    options: dict[str, Any] = {"use_listings_cache": False}
    if scheme == "s3":
        told = conf.get("s3", {}).get("config_kwargs", {})
        options["config_kwargs"] = {**TIMEOUTS, "retries": {"total_max_attempts": 1}, **told}
    try:
        return fsspec.filesystem(scheme, **options)
    except (ImportError, ValueError) as error:
        raise SettingsError(
            f"a store of the kind {scheme}:// ({error})",
            "one that fsspec knows, with its package installed",
            f"for s3:// type: {to_install('seaice[s3]')}",
        ) from error


def _file_state(told: dict[str, Any]) -> FileState:
    tag = told.get("ETag") or told.get("etag") or told.get("LastModified") or told.get("created")
    return int(told["size"]), str(tag or "").strip('"')
