"""Object stores through fsspec: files are listed, downloaded and uploaded, with retries.

Credentials come from the environment of the process (AWS_ACCESS_KEY_ID, a profile, a role); a URL
that contains credentials is refused, so that none can reach settings, logs or products.
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

MAX_ATTEMPTS = 5  #: per request
FIRST_PAUSE = 0.5  #: s before the second attempt, doubled for each further one
#: s; FSSPEC_S3 in the environment takes precedence
TIMEOUTS = {"connect_timeout": 10, "read_timeout": 30}
PERMANENT_ERRORS = (
    FileNotFoundError,
    PermissionError,
    IsADirectoryError,
)  #: not retried
LOCAL_DISK_ERRNOS = (ENOSPC, EDQUOT, EROFS)
URL = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]+):/+(?P<rest>[^/].*)", re.DOTALL)

FileState = tuple[int, str]  #: size in bytes, and version: ETag or time of the last change
T = TypeVar("T")


def is_url(text: str) -> bool:
    """Whether a location is a URL rather than a path.

    >>> is_url("s3://ice/amsr2"), is_url("/data/amsr2"), is_url("C:/data")
    (True, False, False)
    """
    return URL.fullmatch(text) is not None


def resolve_remote_paths(run: Any) -> Any:
    """Replace URLs in the settings of a run by local folders below `work`.

    The URLs become the settings `granules_from` and `publish_to`.

    Raises
    ------
    SettingsError
        As `ObjectStore.from_url`.

    >>> resolve_remote_paths({"out": "s3://ice/maps", "work": "local"})["out"]
    PosixPath('local/out/s3_ice_maps')
    """
    if not isinstance(run, dict):
        return run
    local = dict(run)
    work = Path(str(run.get("work", "seaice_work")))
    for key, setting in {"granules": "granules_from", "out": "publish_to"}.items():
        url = str(run.get(key, ""))
        if is_url(url):
            local[setting] = ObjectStore.from_url(url).url
            local[key] = work / key / re.sub(r"[^A-Za-z0-9.-]+", "_", local[setting]).strip("_")
        elif local.get(setting) is not None:
            local[setting] = ObjectStore.from_url(str(local[setting])).url
    return local


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectStore:
    """The files below a URL; names are relative to it."""

    url: str

    @classmethod
    def from_url(cls, url: str) -> Self:
        """The store at a URL, without a request to it.

        Raises
        ------
        SettingsError
            If the URL names no bucket, or has credentials, a query or a fragment.

        >>> ObjectStore.from_url("s3:/ice/amsr2/").url
        's3://ice/amsr2'
        """
        match = URL.fullmatch(url)
        clean = f"{match['scheme']}://{match['rest'].rstrip('/')}" if match else ""
        parts = urlsplit(clean)
        if not match or "@" in clean or parts.query or parts.fragment:
            raise SettingsError(
                "a URL with credentials, query or fragment" if match else "no URL of a store",
                "only a location, s3://bucket/prefix; credentials belong in the environment",
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and remove them from the URL",
            )
        return cls(url=clean)

    def list_files(self) -> dict[str, FileState]:
        """Size and version of every file, by name.

        Raises
        ------
        StorageError
            If all attempts fail; likewise in all methods below.
        """
        return _with_retries(f"{self.url} cannot be listed", self._list_files)

    def download(self, name: str, path: Path) -> str:
        """Download a file to `path` atomically and return its SHA-256.

        Raises
        ------
        OutputError
            If the local disk fails.
        """
        return _with_retries(
            f"{self.url}/{name} cannot be fetched", partial(self._download, name, path)
        )

    def read_text(self, name: str) -> str | None:
        """The content of a small file; None if it does not exist."""
        return _with_retries(f"{self.url}/{name} cannot be read", partial(self._read_text, name))

    def upload(self, name: str, content: Path | bytes) -> None:
        """Upload a file; object stores make it visible atomically."""
        _with_retries(f"{self.url}/{name} cannot be written", partial(self._upload, name, content))

    def remove(self, names: Iterable[str]) -> None:
        """Remove files; missing ones are ignored."""
        for name in names:
            _with_retries(f"{self.url}/{name} cannot be removed", partial(self._remove, name))

    def _system(self) -> tuple[Any, str]:
        system = _filesystem(self.url.partition("://")[0])
        return system, str(system._strip_protocol(self.url))

    def _list_files(self) -> dict[str, FileState]:
        system, root = self._system()
        try:
            files = system.find(root, detail=True)
        except FileNotFoundError:
            return {}
        return {path[len(root) + 1 :]: _file_state(info) for path, info in files.items()}

    def _download(self, name: str, path: Path) -> str:
        system, root = self._system()
        with atomic_file(path) as part:
            try:
                system.get_file(f"{root}/{name}", str(part))
            except OSError as error:  # of the store, as opposed to the local disk
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
    """An OSError of the store, as opposed to the local disk."""

    def __init__(self, cause: OSError) -> None:
        super().__init__(str(cause))
        self.cause = cause


def _with_retries(found: str, request: Callable[[], T]) -> T:
    """Return the result of `request`, repeated after a pause if the store or the network failed."""
    for attempt in range(MAX_ATTEMPTS):
        if attempt:
            time.sleep(FIRST_PAUSE * 2 ** (attempt - 1))
        try:
            return request()
        except SeaIceError:
            raise
        except Exception as error:  # fsspec, botocore and aiohttp have no common class
            last = error.cause if isinstance(error, _RemoteError) else error
            if isinstance(last, PERMANENT_ERRORS):
                break
    reason = str(last).splitlines()[0] if str(last) else type(last).__name__
    raise StorageError(
        f"{found} ({reason})",
        f"a response of the store within {MAX_ATTEMPTS} attempts",
        "check the URL, the credentials in the environment and the network; then run again",
    ) from last


def _filesystem(scheme: str) -> Any:
    """The fsspec file system; listings are not cached, as other processes write too."""
    options: dict[str, Any] = {"use_listings_cache": False}
    if scheme == "s3":
        user = conf.get("s3", {}).get("config_kwargs", {})
        options["config_kwargs"] = {**TIMEOUTS, "retries": {"total_max_attempts": 1}, **user}
    try:
        return fsspec.filesystem(scheme, **options)
    except (ImportError, ValueError) as error:
        raise SettingsError(
            f"a store with the scheme {scheme}:// ({error})",
            "a scheme that fsspec supports, with its package installed",
            f"for s3:// type: {to_install('seaice[s3]')}",
        ) from error


def _file_state(info: dict[str, Any]) -> FileState:
    tag = info.get("ETag") or info.get("etag") or info.get("LastModified") or info.get("created")
    return int(info["size"]), str(tag or "").strip('"')
