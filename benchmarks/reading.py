"""L1B to swath beside h5py reading the same datasets, and a day's granules in a row."""

import resource
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
from tests.granules import make_swath, write_l1b

from benchmarks.measure import Row, interleaved, peak
from seaice.io.amsr import L1B_HIGH, L1B_LOW, LAND_HIGH, LATITUDE, LONGITUDE, QUALITY_HIGH
from seaice.io.readers import read_swath

SCANS = 2060  #: of a half orbit, overlap included
NOISE = 1.0  #: K, without which counts would be packed smaller than real ones
READ = (
    *L1B_HIGH.values(),
    *L1B_LOW.values(),
    *LATITUDE.values(),
    *LONGITUDE.values(),
    LAND_HIGH,
    QUALITY_HIGH,
)


def made_granule(folder: Path) -> Path:
    """A half orbit with noise, every dataset deflated and shuffled, as the simulator writes it."""
    swath, random = make_swath(SCANS, phase=0.0), np.random.default_rng(0)
    for name, values in swath.items():
        if str(name).startswith("tb"):
            swath[name] = values + random.normal(0, NOISE, values.shape).astype(np.float32)
    plain = write_l1b(folder, swath)
    packed = plain.with_suffix(".packed.h5")
    with h5py.File(plain) as options, h5py.File(packed, "w") as onto:
        onto.attrs.update(options.attrs)
        for name, dataset in options.items():
            how = {"compression": "gzip", "compression_opts": 1, "shuffle": True}
            result = onto.create_dataset(
                name, data=dataset[...], **(how if dataset.ndim > 1 else {})
            )
            result.attrs.update(dataset.attrs)
    plain.unlink()
    return packed.rename(plain)


def raw(path: Path) -> int:
    """What a swath is made of, as h5py reads it; how many bytes."""
    with h5py.File(path) as file:
        return sum(file[name][..., 30:-30, :].nbytes for name in READ)


def together(path: Path, threads: int, granules: int) -> None:
    """Granules read by several threads, each dropped once read."""

    def some() -> None:
        for _ in range(granules // threads):
            read_swath(path)

    workers = [threading.Thread(target=some) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def rows(runs: int) -> Iterator[Row]:
    """One granule, and sixteen by two threads."""
    with tempfile.TemporaryDirectory() as folder:
        path = made_granule(Path(folder))
        megabytes = raw(path) / 1e6
        sizes = f"{SCANS} scans, {megabytes:.0f} MB, {path.stat().st_size / 1e6:.0f} MB deflated"
        taken = interleaved({"ours": lambda: read_swath(path), "raw": lambda: raw(path)}, runs)
        once = peak()
        yield Row(
            subject="reading",
            what="L1B to swath",
            sizes=sizes,
            ours=taken["ours"],
            peer_is="h5py, the same datasets",
            peer=taken["raw"],
            limit_is="h5py, the same datasets",
            limit=taken["raw"].cpu,
            peak=once,
        )
        day = interleaved(
            {"one": lambda: together(path, 1, 16), "two": lambda: together(path, 2, 16)},
            max(runs // 3, 1),
        )
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        yield Row(
            subject="reading",
            what="16 granules, 2 threads",
            sizes=f"16 x {sizes}",
            ours=day["two"],
            peer_is="the same by 1 thread",
            peer=day["one"],
            peak=grown,
            note=f"memory {grown - once:+.0f} MB on one granule; HDF5 reads one dataset at a time, "
            f"so threads share only what is ours: wall {day['one'].wall:.2f} to "
            f"{day['two'].wall:.2f} s",
        )
