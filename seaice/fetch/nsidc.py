"""NSIDC: gridded AU_SI6 days, searched and entered with the library earthaccess."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

from seaice.errors import NoInputError
from seaice.fetch.archive import Refused, Remote, dated_name

__all__ = ["Nsidc"]

SHORT_NAME = "AU_SI6"
BLOCK = 1 << 20
PATIENCE = 60  #: s without a byte
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
