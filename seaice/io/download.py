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
from seaice.io.nsidc import date_of

__all__ = [
    "CONNECTIONS",
    "Archive",
    "Brought",
    "Jaxa",
    "Nsidc",
    "Refused",
    "Remote",
    "Session",
    "bring",
    "dated_name",
    "level_of",
    "there",
]


class Refused(Exception):
    """The server will not let us in, now or later; its text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """A file that an archive holds."""

    name: str
    day: date
    place: str  #: path or URL on the server
    size: int | None = None  #: bytes, where the search tells
    checksum: tuple[str, str] | None = None  #: algorithm ("sha256", "md5") and digest, likewise


class Session(Protocol):
    """A connection to an archive."""

    def size(self, remote: Remote) -> int:
        """Bytes of a file."""

    def blocks(self, remote: Remote, start: int) -> Iterator[bytes]:
        """Its bytes from `start` on."""


class Archive(Protocol):
    """Where granules come from."""

    says: str  #: whose it is
    account: str  #: how one gets an account and where it is told

    def find(self, first: date, last: date) -> list[Remote]:
        """Files of the days from `first` to `last`, both included, in order of time."""

    def has_account(self) -> bool:
        """Whether the environment names one."""

    def session(self) -> AbstractContextManager[Session]:
        """A connection; `Refused` where the server does not let us in."""


def dated_name(place: str) -> tuple[str, date]:
    """The name of a file to write, and its day, from what a server calls it.

    Raises
    ------
    NoInputError
        If it is none of a granule: what a server says is not trusted.

    >>> dated_name("standard/2020/03/GW1AM2_202003030123_035A_L1SGBTBR_2220220.h5")
    ('GW1AM2_202003030123_035A_L1SGBTBR_2220220.h5', datetime.date(2020, 3, 3))
    """
    name = place.rpartition("/")[2]
    try:
        if name.startswith("AMSR_U2_L3_SeaIce6km_") and name.endswith(".he5"):
            return name, date_of(name)
        granule = GranuleName.parse(name)
    except GranuleError as error:
        raise NoInputError(
            f"a file {place!r} among the answers of the archive",
            "names such as GW1AM2_202003030123_035A_L1SGBTBR_2220220.h5",
            "tell the makers of this program: the archive seems to have changed",
        ) from error
    return granule.format(), granule.start.date()


HOST, PORT = "ftp.gportal.jaxa.jp", 2051
DATASETS = {"L1B": "11001001", "L1R": "11001002"}  #: as in gportal.cached_datasets()
DOWNLOAD = "https://gportal.jaxa.jp/download/"
USER, PASSWORD, KNOWN_HOSTS = "GPORTAL_USERNAME", "GPORTAL_PASSWORD", "SEAICE_KNOWN_HOSTS"
BLOCK = 1 << 20
PATIENCE = 60  #: s without a byte


class Jaxa:
    """AMSR2 level 1 granules of JAXA, account free of charge."""

    says = "JAXA G-Portal"
    account = (
        f"register at https://gportal.jaxa.jp (free), then: export {USER}=... {PASSWORD}=...  "
        "(G-Portal's SFTP password is the word anonymous)"
    )

    def __init__(
        self, level: Literal["L1B", "L1R"] = "L1B", host: str = HOST, port: int = PORT
    ) -> None:
        self.level, self.host, self.port = level, host, port

    def find(self, first: date, last: date) -> list[Remote]:
        """Granules that began on these days; the search needs no account.

        Raises
        ------
        OSError
            If the catalogue does not answer.
        """
        import gportal

        found = gportal.search(
            dataset_ids=[DATASETS[self.level]],
            start_time=f"{first}T00:00:00Z",
            end_time=f"{last}T23:59:59Z",
        )
        remotes = {}
        for product in found.products():
            if product.data_path is None:
                continue
            name, day = dated_name(product.data_path)
            if first <= day <= last:
                place = product.data_path.removeprefix(DOWNLOAD)
                remotes[name] = Remote(name=name, day=day, place=place, size=_size(product))
        return [remotes[name] for name in sorted(remotes)]

    def has_account(self) -> bool:
        """Whether user and password stand in the environment."""
        return bool(os.environ.get(USER) and os.environ.get(PASSWORD))

    @contextmanager
    def session(self) -> Iterator["_Sftp"]:
        """A connection by SFTP.

        Raises
        ------
        Refused
            If the host's key is not the known one, or user and password are not taken.
        OSError, EOFError
            If the network fails.
        """
        import paramiko

        _quiet_prefetch()
        transport = paramiko.Transport((self.host, self.port))
        try:
            transport.start_client(timeout=PATIENCE)
            self._check_host(transport.get_remote_server_key())
            transport.auth_password(os.environ.get(USER, ""), os.environ.get(PASSWORD, ""))
            client = paramiko.SFTPClient.from_transport(transport)
            if client is None:
                raise OSError("the server opened no SFTP channel")
            client.get_channel().settimeout(PATIENCE)
            yield _Sftp(client)
        except paramiko.AuthenticationException as error:
            raise Refused(f"{self.host} does not take user and password ({error})") from error
        except paramiko.SSHException as error:
            raise OSError(f"{self.host}: {error}") from error
        finally:
            transport.close()

    def _check_host(self, key: Any) -> None:
        """Refuse a host whose key is not the one that the user knows."""
        import paramiko

        place = Path(os.environ.get(KNOWN_HOSTS) or Path.home() / ".ssh" / "known_hosts")
        known = paramiko.HostKeys()
        if place.exists():
            known.load(str(place))
        named = f"[{self.host}]:{self.port}"
        if known.check(named, key):
            return
        strange = known.lookup(named) is not None
        raise Refused(
            f"the key of {named} ({key.get_name()} {key.fingerprint}) "
            + (f"is another than {place} knows" if strange else f"is not in {place}")
            + "; if JAXA announces this key, type: "
            + f"ssh-keyscan -p {self.port} {self.host} >> {place}"
        )


class _Sftp:
    def __init__(self, client: Any) -> None:
        self._client = client

    def size(self, remote: Remote) -> int:
        """Bytes of a file."""
        size: int | None = self._client.stat(remote.place).st_size
        if size is None:
            raise OSError(f"the server does not tell the size of {remote.name}")
        return size

    def blocks(self, remote: Remote, start: int) -> Iterator[bytes]:
        """Its bytes from `start` on."""
        with self._client.open(remote.place, "rb") as file:
            file.seek(start)
            file.prefetch(self.size(remote))
            while block := file.read(BLOCK):
                yield block


@cache
def _quiet_prefetch() -> None:
    """Let threads that read ahead end in silence when a connection breaks.

    Whoever reads meets the same failure, and tells it; a traceback beside it helps no one.
    """
    former = threading.excepthook

    def hook(told: threading.ExceptHookArgs) -> None:
        ahead = told.thread is not None and "_prefetch_thread" in told.thread.name
        if not (ahead and issubclass(told.exc_type, OSError | EOFError)):
            former(told)

    threading.excepthook = hook


def _size(product: Any) -> int | None:
    """Bytes, where the catalogue tells them."""
    told = product.get("product", {}).get("size")
    return told if isinstance(told, int) else None


def level_of(text: str) -> Literal["L1B", "L1R"]:
    """The level that was asked for.

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


class Nsidc:
    """AMSR2 daily maps of 6.25 km, of NASA's archive at NSIDC."""

    says = "NSIDC (NASA Earthdata)"
    account = (
        "register at https://urs.earthdata.nasa.gov (free), then: "
        "export EARTHDATA_USERNAME=... EARTHDATA_PASSWORD=... (or EARTHDATA_TOKEN=...)"
    )

    def find(self, first: date, last: date) -> list[Remote]:
        """Files of these days; the search needs no account."""
        import earthaccess

        found = earthaccess.search_data(short_name=SHORT_NAME, temporal=(str(first), str(last)))
        remotes = {}
        for granule in found:
            for link in granule.data_links(access="external"):
                remote = _remote(granule, link)
                if remote is not None and first <= remote.day <= last:
                    remotes[remote.name] = remote
        return [remotes[name] for name in sorted(remotes)]

    def has_account(self) -> bool:
        """Whether user and password, or a token, stand in the environment."""
        named = os.environ.get("EARTHDATA_USERNAME") and os.environ.get("EARTHDATA_PASSWORD")
        return bool(named or os.environ.get("EARTHDATA_TOKEN"))

    @contextmanager
    def session(self) -> Iterator["_Https"]:
        """A connection by HTTPS.

        Raises
        ------
        Refused
            If the account is not taken.
        """
        import earthaccess

        login = earthaccess.login(strategy="environment")
        if not login.authenticated:
            raise Refused("Earthdata does not take the account of the environment")
        with earthaccess.get_requests_https_session() as session:
            yield _Https(session)


class _Https:
    def __init__(self, session: Any) -> None:
        self._session = session

    def size(self, remote: Remote) -> int:
        """Bytes of a file."""
        if remote.size is not None:
            return remote.size
        answer = self._session.head(remote.place, allow_redirects=True, timeout=PATIENCE)
        answer.raise_for_status()
        return int(answer.headers["Content-Length"])

    def blocks(self, remote: Remote, start: int) -> Iterator[bytes]:
        """Its bytes from `start` on; skipped here where the server sends all of it."""
        asked = {"Range": f"bytes={start}-"} if start else {}
        with self._session.get(
            remote.place, headers=asked, stream=True, timeout=PATIENCE
        ) as answer:
            answer.raise_for_status()
            skip = start if answer.status_code != 206 else 0
            for block in answer.iter_content(BLOCK):
                yield block[skip:]
                skip = max(0, skip - len(block))


def _remote(granule: Any, link: str) -> Remote | None:
    """One file of an answer; None for what is beside the data."""
    try:
        name, day = dated_name(link)
    except NoInputError:
        return None
    held = granule["umm"].get("DataGranule", {}).get("ArchiveAndDistributionInformation", [])
    told: dict[str, Any] = next((one for one in held if one.get("Name") == name), {})
    checksum = told.get("Checksum", {})
    algorithm = ALGORITHMS.get(checksum.get("Algorithm", ""))
    return Remote(
        name=name,
        day=day,
        place=link,
        size=told.get("SizeInBytes"),
        checksum=(algorithm, checksum["Value"].lower()) if algorithm else None,
    )


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
    with file_lock(folder / remote.name):
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
