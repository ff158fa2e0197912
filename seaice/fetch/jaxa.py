"""JAXA G-Portal: searched with the library gportal, brought by SFTP with the host's key verified.

gportal's own download does not look at the host's key, so the transfer is made here.

Source: G-Portal User's Manual, SFTP service and appendix 7 (catalogue service).
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Literal

from seaice.errors import SettingsError
from seaice.fetch.archive import Refused, Remote, dated_name

__all__ = ["Jaxa", "level_of"]

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
