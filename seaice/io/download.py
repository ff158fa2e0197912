"""Download of granules from JAXA G-Portal and NSIDC: resumed, verified, retried.

G-Portal is searched with the library gportal; files come by SFTP with the host's key verified,
which gportal's own download does not do. NSIDC is searched and accessed with earthaccess.

Source: G-Portal User's Manual, SFTP service and appendix 7 (catalogue service).
"""

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import date
from errno import EDQUOT, ENOSPC, EROFS
from functools import cache
from pathlib import Path
from typing import Any, Literal, Protocol

import h5py

from seaice.errors import GranuleError, NoInputError, OutputError, SettingsError
from seaice.files import ensure_writable, file_lock
from seaice.io.granules import GranuleName
from seaice.io.nsidc import date_of_au_si6

__all__ = [
    "CONNECTIONS",
    "AccessDeniedError",
    "Archive",
    "DownloadResult",
    "JaxaArchive",
    "NsidcArchive",
    "RemoteFile",
    "Session",
    "download_files",
    "is_downloaded",
    "parse_level",
    "parse_remote_name",
]


class AccessDeniedError(Exception):
    """The server denies access permanently; the message states why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteFile:
    """A file in an archive."""

    name: str
    day: date
    location: str  #: path or URL on the server
    size: int | None = None  #: bytes, if the search returns it
    #: algorithm ("sha256", "md5") and digest, if the search returns them
    checksum: tuple[str, str] | None = None


class Session(Protocol):
    """A connection to an archive."""

    def size(self, remote: RemoteFile) -> int:
        """Size of a file in bytes."""

    def blocks(self, remote: RemoteFile, start: int) -> Iterator[bytes]:
        """Content of a file from byte `start` on."""


class Archive(Protocol):
    """An archive of granules."""

    title: str  #: name for messages
    account_help: str  #: how to register, and how to pass the account

    def find(self, first: date, last: date) -> list[RemoteFile]:
        """Files of the days from `first` to `last`, both included, in order of time."""

    def has_account(self) -> bool:
        """Whether the environment contains an account."""

    def session(self) -> AbstractContextManager[Session]:
        """A connection; raises `AccessDeniedError` if the server denies access."""


def parse_remote_name(path: str) -> tuple[str, date]:
    """File name and day of a granule from a path on a server, which is not trusted.

    Raises
    ------
    NoInputError
        If it is not the name of a granule.

    >>> parse_remote_name("standard/2020/03/GW1AM2_202003030123_035A_L1SGBTBR_2220220.h5")
    ('GW1AM2_202003030123_035A_L1SGBTBR_2220220.h5', datetime.date(2020, 3, 3))
    """
    name = path.rpartition("/")[2]
    try:
        if name.startswith("AMSR_U2_L3_SeaIce6km_") and name.endswith(".he5"):
            return name, date_of_au_si6(name)
        granule = GranuleName.parse(name)
    except GranuleError as error:
        raise NoInputError(
            f"a file {path!r} in the results of the archive",
            "names such as GW1AM2_202003030123_035A_L1SGBTBR_2220220.h5",
            "report this error: the archive seems to have changed its names",
        ) from error
    return granule.format(), granule.start.date()


HOST, PORT = "ftp.gportal.jaxa.jp", 2051
DATASETS = {"L1B": "11001001", "L1R": "11001002"}  #: as in gportal.cached_datasets()
DOWNLOAD = "https://gportal.jaxa.jp/download/"
USER, PASSWORD, KNOWN_HOSTS = "GPORTAL_USERNAME", "GPORTAL_PASSWORD", "SEAICE_KNOWN_HOSTS"
BLOCK = 1 << 20
TIMEOUT = 60  #: s without a byte


class JaxaArchive:
    """AMSR2 level 1 granules from JAXA; needs a free account."""

    title = "JAXA G-Portal"
    account_help = (
        f"register at https://gportal.jaxa.jp (free), then: export {USER}=... {PASSWORD}=...  "
        "(G-Portal's SFTP password is the word anonymous)"
    )

    def __init__(
        self, level: Literal["L1B", "L1R"] = "L1B", host: str = HOST, port: int = PORT
    ) -> None:
        self.level, self.host, self.port = level, host, port

    def find(self, first: date, last: date) -> list[RemoteFile]:
        """Granules that start on these days; the search needs no account.

        Raises
        ------
        OSError
            If the catalogue does not respond.
        """
        import gportal

        results = gportal.search(
            dataset_ids=[DATASETS[self.level]],
            start_time=f"{first}T00:00:00Z",
            end_time=f"{last}T23:59:59Z",
        )
        remotes = {}
        for product in results.products():
            if product.data_path is None:
                continue
            name, day = parse_remote_name(product.data_path)
            if first <= day <= last:
                location = product.data_path.removeprefix(DOWNLOAD)
                remotes[name] = RemoteFile(
                    name=name, day=day, location=location, size=_size(product)
                )
        return [remotes[name] for name in sorted(remotes)]

    def has_account(self) -> bool:
        """Whether the environment contains user and password."""
        return bool(os.environ.get(USER) and os.environ.get(PASSWORD))

    @contextmanager
    def session(self) -> Iterator["_SftpSession"]:
        """A connection by SFTP.

        Raises
        ------
        Refused
            If the host's key is not the known one, or user and password are rejected.
        OSError, EOFError
            If the network fails.
        """
        import paramiko

        _silence_prefetch_threads()
        transport = paramiko.Transport((self.host, self.port))
        try:
            transport.start_client(timeout=TIMEOUT)
            self._check_host(transport.get_remote_server_key())
            transport.auth_password(os.environ.get(USER, ""), os.environ.get(PASSWORD, ""))
            client = paramiko.SFTPClient.from_transport(transport)
            if client is None:
                raise OSError("the server opened no SFTP channel")
            client.get_channel().settimeout(TIMEOUT)
            yield _SftpSession(client)
        except paramiko.AuthenticationException as error:
            raise AccessDeniedError(f"{self.host} rejects user and password ({error})") from error
        except paramiko.SSHException as error:
            raise OSError(f"{self.host}: {error}") from error
        finally:
            transport.close()

    def _check_host(self, key: Any) -> None:
        """Refuse a host whose key is not in the user's known_hosts."""
        import paramiko

        known_hosts = Path(os.environ.get(KNOWN_HOSTS) or Path.home() / ".ssh" / "known_hosts")
        known = paramiko.HostKeys()
        if known_hosts.exists():
            known.load(str(known_hosts))
        named = f"[{self.host}]:{self.port}"
        if known.check(named, key):
            return
        strange = known.lookup(named) is not None
        raise AccessDeniedError(
            f"the key of {named} ({key.get_name()} {key.fingerprint}) "
            + (f"differs from the one in {known_hosts}" if strange else f"is not in {known_hosts}")
            + "; if JAXA has published this key, type: "
            + f"ssh-keyscan -p {self.port} {self.host} >> {known_hosts}"
        )


class _SftpSession:
    def __init__(self, client: Any) -> None:
        self._client = client

    def size(self, remote: RemoteFile) -> int:
        """Bytes of a file."""
        size: int | None = self._client.stat(remote.location).st_size
        if size is None:
            raise OSError(f"the server does not report the size of {remote.name}")
        return size

    def blocks(self, remote: RemoteFile, start: int) -> Iterator[bytes]:
        """Its bytes from `start` on."""
        with self._client.open(remote.location, "rb") as file:
            file.seek(start)
            file.prefetch(self.size(remote))
            while block := file.read(BLOCK):
                yield block


@cache
def _silence_prefetch_threads() -> None:
    """Print no traceback of paramiko's prefetch threads when a connection breaks.

    The reading thread raises the same error.
    """
    former = threading.excepthook

    def hook(args: threading.ExceptHookArgs) -> None:
        prefetch = args.thread is not None and "_prefetch_thread" in args.thread.name
        if not (prefetch and issubclass(args.exc_type, OSError | EOFError)):
            former(args)

    threading.excepthook = hook


def _size(product: Any) -> int | None:
    """Size in bytes, if the catalogue contains it."""
    size = product.get("product", {}).get("size")
    return size if isinstance(size, int) else None


def parse_level(text: str) -> Literal["L1B", "L1R"]:
    """A processing level, in upper case.

    Raises
    ------
    SettingsError
        If it is neither L1B nor L1R.
    """
    match text.upper():
        case "L1B":
            return "L1B"
        case "L1R":
            return "L1R"
    raise SettingsError(f"level {text!r}", "L1B or L1R", "give --level L1B")


SHORT_NAME = "AU_SI6"
ALGORITHMS = {"SHA-256": "sha256", "MD5": "md5"}


class NsidcArchive:
    """AMSR2 daily maps of 6.25 km from NASA's archive at NSIDC."""

    title = "NSIDC (NASA Earthdata)"
    account_help = (
        "register at https://urs.earthdata.nasa.gov (free), then: "
        "export EARTHDATA_USERNAME=... EARTHDATA_PASSWORD=... (or EARTHDATA_TOKEN=...)"
    )

    def find(self, first: date, last: date) -> list[RemoteFile]:
        """Files of these days; the search needs no account."""
        import earthaccess

        results = earthaccess.search_data(short_name=SHORT_NAME, temporal=(str(first), str(last)))
        remotes = {}
        for granule in results:
            for link in granule.data_links(access="external"):
                remote = _remote(granule, link)
                if remote is not None and first <= remote.day <= last:
                    remotes[remote.name] = remote
        return [remotes[name] for name in sorted(remotes)]

    def has_account(self) -> bool:
        """Whether the environment contains user and password, or a token."""
        password = os.environ.get("EARTHDATA_USERNAME") and os.environ.get("EARTHDATA_PASSWORD")
        return bool(password or os.environ.get("EARTHDATA_TOKEN"))

    @contextmanager
    def session(self) -> Iterator["_HttpsSession"]:
        """A connection by HTTPS.

        Raises
        ------
        Refused
            If the account is rejected.
        """
        import earthaccess

        login = earthaccess.login(strategy="environment")
        if not login.authenticated:
            raise AccessDeniedError("Earthdata rejects the account in the environment")
        with earthaccess.get_requests_https_session() as session:
            yield _HttpsSession(session)


class _HttpsSession:
    def __init__(self, session: Any) -> None:
        self._session = session

    def size(self, remote: RemoteFile) -> int:
        """Bytes of a file."""
        if remote.size is not None:
            return remote.size
        answer = self._session.head(remote.location, allow_redirects=True, timeout=TIMEOUT)
        answer.raise_for_status()
        return int(answer.headers["Content-Length"])

    def blocks(self, remote: RemoteFile, start: int) -> Iterator[bytes]:
        """Content from byte `start` on; bytes before it are skipped if the server sends them."""
        headers = {"Range": f"bytes={start}-"} if start else {}
        with self._session.get(
            remote.location, headers=headers, stream=True, timeout=TIMEOUT
        ) as answer:
            answer.raise_for_status()
            skip = start if answer.status_code != 206 else 0
            for block in answer.iter_content(BLOCK):
                yield block[skip:]
                skip = max(0, skip - len(block))


def _remote(granule: Any, link: str) -> RemoteFile | None:
    """One file of a search result; None for files that are not data."""
    try:
        name, day = parse_remote_name(link)
    except NoInputError:
        return None
    files = granule["umm"].get("DataGranule", {}).get("ArchiveAndDistributionInformation", [])
    info: dict[str, Any] = next((file for file in files if file.get("Name") == name), {})
    checksum = info.get("Checksum", {})
    algorithm = ALGORITHMS.get(checksum.get("Algorithm", ""))
    return RemoteFile(
        name=name,
        day=day,
        location=link,
        size=info.get("SizeInBytes"),
        checksum=(algorithm, checksum["Value"].lower()) if algorithm else None,
    )


CONNECTIONS = 4  #: at most; users report that more of them fail more often
MAX_ATTEMPTS = 6  #: per file
FIRST_PAUSE, MAX_PAUSE = 2.0, 60.0  #: s before the second attempt, doubled each time; maximum
NETWORK_ERRORS = (OSError, EOFError, ValueError)  #: raised by failed transfers
LOCAL_DISK_ERRNOS = (ENOSPC, EDQUOT, EROFS)

ProgressCallback = Callable[[RemoteFile, int], None]  #: file, and bytes received so far


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadResult:
    """Result of the download of one file."""

    remote: RemoteFile
    error: str = ""  #: why the download failed; "" if it succeeded


def is_downloaded(remote: RemoteFile, folder: Path) -> bool:
    """Whether the file has been downloaded already."""
    return (folder / remote.name).exists()


def download_files(
    archive: Archive,
    remotes: Sequence[RemoteFile],
    folder: Path,
    progress: ProgressCallback,
    *,
    connections: int = 1,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[DownloadResult]:
    """Download files into `folder`; existing files are kept.

    A file gets its name when it is complete: all bytes are received, size and checksum (if the
    archive has one) match, and it is HDF5. An interrupted download leaves `.NAME.part`, from which
    the next call resumes.

    Parameters
    ----------
    progress : called with a file and the bytes received so far
    connections : parallel connections, at most `CONNECTIONS`

    Yields
    ------
    DownloadResult
        One per file, when it is complete or has failed.

    Raises
    ------
    SettingsError
        If the archive denies access, or `connections` is out of range.
    OutputError
        If `folder` cannot be written to.
    """
    if not 1 <= connections <= CONNECTIONS:
        raise SettingsError(
            f"{connections} connections",
            f"1 to {CONNECTIONS}",
            "omit the option: one connection fails least",
        )
    ensure_writable(folder)
    missing = [remote for remote in remotes if not is_downloaded(remote, folder)]
    for remote in remotes:
        if is_downloaded(remote, folder):
            yield DownloadResult(remote=remote)
    with ThreadPoolExecutor(connections) as pool:
        for at in range(0, len(missing), connections):
            group = missing[at : at + connections]
            yield from pool.map(lambda one: _download(archive, one, folder, progress, sleep), group)


def _download(
    archive: Archive,
    remote: RemoteFile,
    folder: Path,
    progress: ProgressCallback,
    sleep: Callable[[float], None],
) -> DownloadResult:
    """Download one file in several attempts, each with a new connection."""
    reason = ""
    for attempt in range(MAX_ATTEMPTS):
        if attempt:
            sleep(min(FIRST_PAUSE * 2 ** (attempt - 1), MAX_PAUSE))
        try:
            with archive.session() as session:
                _transfer(session, remote, folder, progress)
        except AccessDeniedError as error:
            raise SettingsError(
                str(error), f"access to {archive.title}", archive.account_help
            ) from error
        except NETWORK_ERRORS as error:
            if isinstance(error, OSError) and error.errno in LOCAL_DISK_ERRNOS:
                raise OutputError(
                    f"{folder}: {error.strerror}",
                    f"free space for {remote.name}",
                    "free disk space",
                ) from error
            reason = f"{error or type(error).__name__} ({MAX_ATTEMPTS} attempts)"
        else:
            return DownloadResult(remote=remote)
    return DownloadResult(remote=remote, error=reason)


def _transfer(
    session: Session, remote: RemoteFile, folder: Path, progress: ProgressCallback
) -> None:
    """Resume or start the download of a file, verify it, and rename it."""
    part = folder / f".{remote.name}.part"
    with file_lock(folder / remote.name):
        if is_downloaded(remote, folder):
            return
        size = session.size(remote)
        received = part.stat().st_size if part.exists() else 0
        if received > size:
            part.unlink()
            received = 0
        with part.open("ab") as file:
            for block in session.blocks(remote, received) if received < size else ():
                file.write(block)
                received += len(block)
                progress(remote, received)
        if received < size:
            raise OSError(f"the connection ended after {received} of {size} bytes")
        try:
            _verify(part, remote, size)
        except ValueError:
            part.unlink()
            raise
        part.replace(folder / remote.name)


def _verify(part: Path, remote: RemoteFile, size: int) -> None:
    """Compare a file with its size and checksum; a ValueError states what differs."""
    if part.stat().st_size != size:
        raise ValueError(f"{part.stat().st_size} of {size} bytes received")
    if remote.checksum:
        algorithm, digest = remote.checksum
        with part.open("rb") as file:
            computed = hashlib.file_digest(file, algorithm).hexdigest()
        if computed != digest:
            raise ValueError(f"its {algorithm} is {computed}, and should be {digest}")
    if not h5py.is_hdf5(part):
        raise ValueError("the received file is not HDF5")
