"""What an archive of granules is: it finds files of some days, and hands out their bytes."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from seaice.errors import GranuleError, NoInputError
from seaice.ingest.au_si6 import date_of
from seaice.ingest.names import GranuleName

__all__ = ["Archive", "Refused", "Remote", "Session", "dated_name"]


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
