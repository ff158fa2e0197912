"""Names of AMSR2 level 1 files, and the files of a folder that a day needs.

Every file whose name looks like a granule's is either used or listed with the reason why it is not:
a name that is not JAXA's, a compressed or unfinished download, something that is not a regular
file, another sensor, an older processing of the same granule.

Source of the names: JAXA, "AMSR2 Level 1 Product Format Specification".
"""

import re
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date as Date
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Literal, Self

from seaice.errors import GranuleError, NoInputError

__all__ = [
    "MAX_DURATION",
    "DayFiles",
    "GranuleName",
    "UnusedFile",
    "count_phrase",
    "day_in_granule_name",
    "find_granules",
    "find_unused_files",
    "irregular_file_kind",
    "parse_day",
    "select_files",
    "select_granules",
    "unusable_reason",
]

_PATTERN = re.compile(
    r"GW1AM2_(?P<start>\d{12})_(?P<path>\d{3})(?P<direction>[AD])"
    r"_L1(?P<receipt>[A-Z]{2})(?P<level>[BR])TBR_(?P<version>\d{7})"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GranuleName:
    """The parts of the name of a level 1 file.

    >>> name = GranuleName.parse("GW1AM2_201307010942_035A_L1SGBTBR_2220220.h5")
    >>> name.start, name.path, name.level
    (datetime.datetime(2013, 7, 1, 9, 42), 35, 'L1B')
    >>> name.format()
    'GW1AM2_201307010942_035A_L1SGBTBR_2220220.h5'
    """

    start: datetime  #: UTC, to the minute
    path: int  #: of the 233 paths of a 16-day cycle
    direction: Literal["A", "D"]  #: ascending, descending
    level: Literal["L1B", "L1R"]
    version: str  #: seven digits; later processing has a higher number
    receipt: str = "SG"  #: "SG" standard product, "DL" direct receipt

    @classmethod
    def parse(cls, name: str | Path) -> Self:
        """Read a file name, with or without folder and suffix.

        Raises
        ------
        GranuleError
            If it is not the name of an AMSR2 level 1 brightness temperature file.
        """
        stem = Path(name).name.removesuffix(".h5")
        match = _PATTERN.fullmatch(stem)
        if match is None:
            raise _bad_name(stem)
        try:
            start = datetime.strptime(match["start"], "%Y%m%d%H%M")
        except ValueError:
            raise _bad_name(stem) from None
        return cls(
            start=start,
            path=int(match["path"]),
            direction="A" if match["direction"] == "A" else "D",
            level="L1B" if match["level"] == "B" else "L1R",
            version=match["version"],
            receipt=match["receipt"],
        )

    def format(self) -> str:
        """The file name with suffix, the inverse of `parse`."""
        return (
            f"GW1AM2_{self.start:%Y%m%d%H%M}_{self.path:03d}{self.direction}"
            f"_L1{self.receipt}{self.level[-1]}TBR_{self.version}.h5"
        )


def _bad_name(stem: str) -> GranuleError:
    return GranuleError(
        f"a file called {stem!r}",
        "a level 1 name such as GW1AM2_201307010942_035A_L1SGBTBR_2220220.h5",
        "give files with the names that JAXA distributes",
    )


MAX_DURATION = timedelta(hours=1)  #: longer than any half orbit (49.6 min) with its overlap
#: level 1 of AMSR2 and AMSR3 (GGWAM3), and NSIDC's gridded AU_SI6, with any ending
GRANULE_LIKE = re.compile(
    r"(?P<sensor>GW1AM2|GGWAM3)_?(?P<day>\d{8})(?P<minute>\d{4}).*L1"
    r"|AMSR_U2_L3_SeaIce6km_.*_(?P<gridded>\d{8})",
    re.IGNORECASE,
)
COMPRESSED_SUFFIXES = (".gz", ".bz2", ".xz", ".zst", ".zip", ".tar", ".7z")
UNFINISHED_SUFFIXES = (".part", ".partial", ".tmp", ".crdownload", ".download", ".filepart")
FILE_KINDS = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFDIR: "a folder",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
}


@dataclass(frozen=True, slots=True)
class UnusedFile:
    """A file that looks like a granule and is not used."""

    name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DayFiles:
    """Granules of one UTC day, and files that look like granules and are not used."""

    used: tuple[Path, ...]  #: in order of time
    unused: tuple[UnusedFile, ...]  #: in order of name


def count_phrase(number: int, noun: str = "granule") -> str:
    """A number and its noun.

    >>> count_phrase(1), count_phrase(2), count_phrase(0)
    ('1 granule', '2 granules', '0 granules')
    """
    return f"{number} {noun}{'' if number == 1 else 's'}"


def day_in_granule_name(name: str) -> str | None:
    """The day (YYYYMMDD) in a file name that looks like a granule's; None for other names.

    >>> day_in_granule_name("GW1AM2_202003031000_035A_L1SGBTBR_2220220 (1).h5")
    '20200303'
    >>> day_in_granule_name("GW1AM2_20200303_01D_EQMA_L3SGT06HA2220220.h5") is None
    True
    """
    match = None if name.startswith(".") else GRANULE_LIKE.match(name)
    return (match["day"] or match["gridded"]) if match else None


def parse_day(day: str) -> Date | None:
    """YYYYMMDD as a date; None if it is not a date.

    >>> parse_day("20200303"), parse_day("20201399")
    (datetime.date(2020, 3, 3), None)
    """
    try:
        return datetime.strptime(day, "%Y%m%d").date()
    except ValueError:
        return None


def irregular_file_kind(path: Path) -> str | None:
    """What a path is if not a regular file, as a phrase; None for a regular file."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return "a link to nothing" if path.is_symlink() else "no file"
    except OSError as error:
        return f"not accessible ({error.strerror})"
    return None if stat.S_ISREG(mode) else FILE_KINDS.get(stat.S_IFMT(mode), "not a regular file")


def select_files(paths: Iterable[Path], date: Date, *, local: bool = True) -> DayFiles:
    """Select the granules that may contain scans of a UTC day, each granule once.

    Of files with the same start and path one is used: the standard product before direct receipt,
    L1B before L1R, the later version before the earlier.

    Parameters
    ----------
    paths : any files; names that do not look like a granule's are ignored
    date : UTC day, compared with the names; granules that start in the hour before are included
    local : whether the paths are on this machine, so that they can be checked
    """
    best: dict[tuple[datetime, int], tuple[tuple[bool, bool, str], Path]] = {}
    unused: list[UnusedFile] = []
    for path in sorted(path for path in paths if _may_hold_scans(path.name, date)):
        reason = unusable_reason(path, local=local)
        if reason:
            unused.append(UnusedFile(path.name, reason))
            continue
        if path.suffix == ".he5":
            continue
        name = GranuleName.parse(path)
        rank = name.receipt == "SG", name.level == "L1B", name.version
        key = name.start, name.path
        worse, better = sorted([best.get(key, (rank, path)), (rank, path)])
        if worse[1] != better[1]:
            reason = f"{better[1].name} contains the same scans and is preferred"
            unused.append(UnusedFile(worse[1].name, reason))
        best[key] = better
    unused.sort(key=lambda each: each.name)
    return DayFiles(used=tuple(best[key][1] for key in sorted(best)), unused=tuple(unused))


def unusable_reason(path: Path, *, local: bool = True) -> str | None:
    """Why a file that looks like a granule cannot be used; None if it can."""
    name = path.name
    if name.upper().startswith("GGWAM3"):
        return "AMSR3 is not supported yet; expected AMSR2 level 1 files (GW1AM2_..., .h5)"
    if name.lower().endswith(COMPRESSED_SUFFIXES):
        return "it is compressed; unpack it (gunzip, unzip) and keep its name"
    if name.lower().endswith(UNFINISHED_SUFFIXES):
        return "its download is incomplete; complete it or remove it"
    kind = irregular_file_kind(path) if local else None
    if kind:
        return f"it is {kind}; expected a regular file"
    if path.suffix == ".he5" and re.fullmatch(r"AMSR_U2_L3_SeaIce6km_\w+_\d{8}\.he5", name):
        return None
    try:
        parsed = GranuleName.parse(path)
    except GranuleError as error:
        return f"its name is not {error.expected}; {error.hint}, remove a second copy"
    if name != parsed.format():
        return f"its name is not {parsed.format()}; rename it or remove a second copy"
    return None


def _may_hold_scans(name: str, date: Date) -> bool:
    """Whether the name looks like that of a granule that may contain scans of a day."""
    day = day_in_granule_name(name)
    if day is None:
        return False
    minute = (GRANULE_LIKE.match(name) or {"minute": None})["minute"]
    try:
        start = datetime.strptime(day + (minute or "1200"), "%Y%m%d%H%M")
    except ValueError:
        return day == f"{date:%Y%m%d}"
    midnight = datetime.combine(date, time())
    return midnight - MAX_DURATION < start < midnight + timedelta(days=1)


def find_granules(folder: str | Path, date: Date) -> list[Path]:
    """Granules below a folder that may contain scans of a UTC day, each once, in order of time.

    Of files with the same start and path one is used: the standard product before direct
    receipt, L1B before L1R, the later version before the earlier.

    Raises
    ------
    NoInputError
        If there is no such folder.

    Notes
    -----
    Files are selected by name. A granule that starts in the hour before midnight is included, as it
    may extend into the day; `seaice.grid.gridding.scans_of_day` then selects the scans of the day.
    `find_unused_files` lists the files that look like granules and are not used.
    """
    return list(_files_of_day(folder, date).used)


def find_unused_files(folder: str | Path, date: Date) -> tuple[UnusedFile, ...]:
    """Files below a folder that look like granules of a UTC day and are not used, with reasons.

    Raises
    ------
    NoInputError
        If there is no such folder.
    """
    return _files_of_day(folder, date).unused


def select_granules(paths: Iterable[Path], date: Date) -> list[Path]:
    """The files that `find_granules` would return for a UTC day; they need not exist."""
    return list(select_files(paths, date, local=False).used)


def _files_of_day(folder: str | Path, date: Date) -> DayFiles:
    if not Path(folder).is_dir():
        raise NoInputError(
            f"no folder {folder}", "a folder of AMSR2 granules", "check GRANULES= or --granules"
        )
    return select_files(Path(folder).rglob("*"), date)
