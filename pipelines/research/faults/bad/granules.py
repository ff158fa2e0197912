"""A good granule in, a bad one out: each way in which files are damaged, or made to do harm."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from types import MappingProxyType

import h5py
import numpy as np
import xarray as xr

from seaice.cf import TB_RANGE
from seaice.io.amsr import COREGISTRATION, LATITUDE, LONGITUDE, OVERLAP, SCALE, SCAN_TIME

__all__ = [
    "ABSURD",
    "MUTATIONS",
    "SECRET",
    "answered",
    "damaged_attribute",
    "for_any_file",
    "good",
    "unlawful",
]

SECRET = 222.0  #: K in the file that no granule may lead to

Random = np.random.Generator
ABSURD = (
    "", "-1", "9" * 5000, "nan", np.bytes_(b"\x00\x1b[31m\r\n"), "\x1b[2J\r\n", "٣",
    b"\xff\xfe", 1e308, -1, float("nan"),
    np.zeros(0), np.arange(5000.0), h5py.Empty("f8"), "../../etc/passwd", "{}", "6G-,7G--",
)  # fmt: skip


def good(folder: Path) -> Path:
    """The smallest of the granules that a simulated day over a small sea needs."""
    from seaice.grid.regions import region_grid
    from seaice.simulate.days import simulate_days

    grid = region_grid("10,80,14,81", "north")
    day = date(2018, 4, 28)
    simulate_days(day, day, grid, 0, folder, lambda done, steps: None)
    return min(folder.glob("GW1AM2_*.h5"), key=lambda path: path.stat().st_size)


def answered(path: Path) -> str:
    """What is wrong with a granule that was read; empty where nothing is.

    Raises
    ------
    SeaIceError
        Where it is refused.
    """
    from seaice.io.readers import read_swath

    return unlawful(read_swath(path))


def unlawful(swath: xr.Dataset) -> str:
    """What no swath may hold; empty where all is lawful."""
    limits = {"tb": TB_RANGE, "latitude": (-90, 90), "longitude": (-180, 180), "land": (0, 1)}
    for name, values in swath.variables.items():
        for start, (low, high) in limits.items():
            if str(name).startswith(start) and bool(((values < low) | (values > high)).any()):
                return f"{name} outside {low} to {high}"
        if str(name).startswith("tb89") and bool((values == np.float32(SECRET)).mean() > 0.5):
            return f"{name} of another file"
    return ""


def _flip(path: Path, random: Random) -> None:
    data = bytearray(path.read_bytes())
    for place in random.integers(0, len(data), random.integers(1, 64)):
        data[place] = random.integers(256)
    path.write_bytes(data)


def _flip_head(path: Path, random: Random) -> None:
    data = bytearray(path.read_bytes())
    for place in random.integers(0, min(4096, len(data)), random.integers(1, 8)):
        data[place] = random.integers(256)
    path.write_bytes(data)


def _cut(path: Path, random: Random) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: random.integers(0, len(data))])


def _any(file: h5py.File, random: Random) -> str:
    return str(random.choice(sorted(file)))


def _remove(path: Path, random: Random) -> None:
    with h5py.File(path, "a") as file:
        del file[_any(file, random)]


def _retype(path: Path, random: Random) -> None:
    kind = random.choice(["f4", "f8", "i2", "u1", "S8", "c8", "bool"])
    with h5py.File(path, "a") as file:
        name = _any(file, random)
        values, result = file[name][...], dict(file[name].attrs)
        del file[name]
        file[name] = values.astype(kind)
        file[name].attrs.update(result)


def _reshape(path: Path, random: Random) -> None:
    with h5py.File(path, "a") as file:
        name = _any(file, random)
        values, result = file[name][...], dict(file[name].attrs)
        shapes = (
            values[..., :-1],
            values.T,
            values.ravel(),
            values[:0],
            values.ravel()[0],
            values[1:],
        )
        del file[name]
        file[name] = shapes[random.integers(len(shapes))]
        file[name].attrs.update(result)


def _absurd_attribute(path: Path, random: Random) -> None:
    with h5py.File(path, "a") as file:
        place: h5py.File | h5py.Dataset = file
        if random.random() < 0.4:
            place, name = file[_any(file, random)], SCALE
        else:
            name = str(random.choice([*COREGISTRATION, OVERLAP, *sorted(file.attrs)]))
        place.attrs[name] = ABSURD[random.integers(len(ABSURD))]


def damaged_attribute(path: Path, random: Random, values: Sequence[object]) -> None:
    """Give any attribute of a file or of its datasets a value that it should not have."""
    with h5py.File(path, "a") as file:
        places = [file, *(file[name] for name in sorted(file))]
        place = places[random.integers(len(places))]
        own = [name for name in place.attrs if name not in ("DIMENSION_LIST", "REFERENCE_LIST")]
        name = str(random.choice([*own, "scale_factor", "_FillValue", "units"]))
        place.attrs[name] = values[int(random.integers(len(values)))]


def _huge(path: Path, random: Random) -> None:
    """A shape that is declared and holds nothing."""
    scans = int(10.0 ** random.uniform(4, 12))
    with h5py.File(path, "a") as file:
        for name in sorted(file):
            shape = file[name].shape
            result, kind = dict(file[name].attrs), file[name].dtype
            del file[name]
            if len(shape) == 1:
                larger: tuple[int, ...] = (scans,)
            else:
                larger = (*shape[:-2], scans, shape[-1])
            chunks = tuple(min(each, 64) for each in larger)
            file.create_dataset(name, larger, kind, chunks=chunks).attrs.update(result)


def _huge_chunk(path: Path, random: Random) -> None:
    with h5py.File(path, "a") as file:
        name = _any(file, random)
        result, kind = dict(file[name].attrs), file[name].dtype
        shape = file[name].shape
        del file[name]
        chunks = (*(1 for _ in shape[:-1]), 2**29 // kind.itemsize)
        largest = (*shape[:-1], None)
        output = file.create_dataset(name, shape, kind, chunks=chunks, maxshape=largest)
        output.attrs.update(result)


def _nowhere(path: Path, random: Random) -> None:
    value = random.choice([np.nan, np.inf, -np.inf, 1e30, -9999.0, 0.0, 400.0])
    with h5py.File(path, "a") as file:
        for names in (LATITUDE, LONGITUDE)[: random.integers(1, 3)]:
            for name in names.values():
                file[name][...] = value


def _no_time(path: Path, random: Random) -> None:
    value = random.choice([np.nan, np.inf, 1e300, -1e300, 1.8e10, 9.3e18, -1.0])
    with h5py.File(path, "a") as file:
        file[SCAN_TIME][random.integers(file[SCAN_TIME].size) :] = value


def _beside(path: Path) -> Path:
    """Another file with brightness temperatures of its own, which must not be read."""
    secret = path.with_name("secret.h5")
    with h5py.File(path, "r") as source, h5py.File(secret, "w") as result:
        for name in source:
            values = source[name][...]
            result[name] = np.full_like(values, round(SECRET * 100)) if "Bright" in name else values
            result[name].attrs.update(dict(source[name].attrs))
    return secret


def _link_outside(path: Path, random: Random) -> None:
    secret = _beside(path)
    with h5py.File(path, "a") as file:
        for name in [each for each in file if random.random() < 0.5 or "Bright" in each]:
            del file[name]
            file[name] = h5py.ExternalLink(secret.name, name)


def _external_storage(path: Path, random: Random) -> None:
    raw = path.with_name("secret.raw")
    with h5py.File(path, "a") as file:
        name = str(random.choice([each for each in file if "89.0GHz" in each]))
        shape, result = file[name].shape, dict(file[name].attrs)
        raw.write_bytes(np.full(shape, round(SECRET * 100), np.uint16).tobytes())
        del file[name]
        output = file.create_dataset(
            name, shape, "u2", external=[(str(raw), 0, h5py.h5f.UNLIMITED)]
        )
        output.attrs.update(result)


def _virtual(path: Path, random: Random) -> None:
    secret = _beside(path)
    with h5py.File(path, "a") as file:
        name = str(random.choice([each for each in file if "89.0GHz" in each]))
        shape, result = file[name].shape, dict(file[name].attrs)
        layout = h5py.VirtualLayout(shape, "u2")
        layout[...] = h5py.VirtualSource(str(secret), name, shape)
        del file[name]
        file.create_virtual_dataset(name, layout).attrs.update(result)


def _loop(path: Path, random: Random) -> None:
    with h5py.File(path, "a") as file:
        name = _any(file, random)
        del file[name]
        links = h5py.SoftLink(f"/{name}"), h5py.SoftLink("/"), h5py.ExternalLink(path.name, name)
        file[name] = links[random.integers(len(links))]


def _other_file(path: Path, random: Random) -> None:
    path.write_bytes([b"", b"\x89HDF\r\n\x1a\n", random.bytes(5000), b"CDF\x01" * 9][
        random.integers(4)
    ])  # fmt: skip


def _of_hdf5(mutate: Callable[[Path, Random], None]) -> Callable[[Path, Random], None]:
    def mutated(path: Path, random: Random) -> None:
        if not h5py.is_hdf5(path):
            return _flip(path, random)
        try:
            mutate(path, random)
        except (TypeError, ValueError, KeyError, RuntimeError, OSError):
            _flip(path, random)  # what HDF5 will not have done to it

    return mutated


#: what is done -> how
MUTATIONS: Mapping[str, Callable[[Path, Random], None]] = MappingProxyType(
    {
        "bytes flipped": _flip,
        "bytes of the head flipped": _flip_head,
        "cut short": _cut,
        "a dataset removed": _remove,
        "a dataset of another type": _retype,
        "a dataset of another shape": _reshape,
        "an absurd attribute": _absurd_attribute,
        "a huge declared shape": _huge,
        "a huge chunk": _huge_chunk,
        "positions nowhere": _nowhere,
        "times that are none": _no_time,
        "links to another file": _link_outside,
        "storage in another file": _external_storage,
        "a virtual dataset of another file": _virtual,
        "links in a circle": _loop,
        "another kind of file": _other_file,
    }
)

#: of these, what can be done to any file; where it is no HDF5, bytes are flipped instead
for_any_file: Mapping[str, Callable[[Path, Random], None]] = MappingProxyType(
    {
        "bytes flipped": _flip,
        "bytes of the head flipped": _flip_head,
        "cut short": _cut,
        "a dataset removed": _of_hdf5(_remove),
        "a dataset of another type": _of_hdf5(_retype),
        "a dataset of another shape": _of_hdf5(_reshape),
        "links in a circle": _of_hdf5(_loop),
        "another kind of file": _other_file,
    }
)
