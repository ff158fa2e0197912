"""A shelf of products in, a folder of static files out, for any web server."""

import json
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path

from seaice.browse.index import Shelf, lines_of
from seaice.browse.server import PAGE
from seaice.browse.tiles import SIDE, TILES, deepest, tile
from seaice.files import atomic_folder
from seaice.product.folder import read_provenance

__all__ = ["export", "tiles_of"]

Place = tuple[str, int, int, int]  #: kind, level, column, row


def tiles_of(shape: tuple[int, int]) -> Iterator[Place]:
    """All tiles of a map of this many rows and columns.

    >>> len(list(tiles_of((200, 256)))), len(list(tiles_of((300, 256))))
    (3, 9)
    """
    top = deepest(shape)
    for level in range(top + 1):
        reach = SIDE * 2 ** (top - level)
        for row in range(-(-shape[0] // reach)):
            for column in range(-(-shape[1] // reach)):
                for kind in TILES:
                    yield kind, level, column, row


def export(shelf: Shelf, folder: Path, told: Callable[[int, int], None]) -> int:
    """Write the page with all its tiles into `folder`, in one step; how many files it holds.

    Parameters
    ----------
    told : called with the tiles written and their number

    Raises
    ------
    OutputError
        If the disk refuses; `folder` is then as it was.
    """
    shapes = {
        name: tuple(read_provenance(place)["grid"]["shape"])
        for name, place in shelf.folders.items()
    }
    total = sum(sum(1 for _ in tiles_of(shape)) for shape in shapes.values())
    done = 0
    with atomic_folder(folder) as out:
        for name in PAGE:
            (out / name).write_bytes((files("seaice.browse") / "page" / name).read_bytes())
        (out / "index.json").write_text(json.dumps(shelf.index()))
        (out / "lines").mkdir()
        for name, place in shelf.folders.items():
            (out / "lines" / f"{name}.json").write_text(json.dumps(lines_of(place)))
            for kind, level, column, row in tiles_of(shapes[name]):
                path = out / "tiles" / name / kind / str(level) / str(column) / f"{row}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(tile(place / place.name, kind, level, column, row) or b"")
                done += 1
                told(done, total)
    return sum(1 for path in folder.rglob("*") if path.is_file())


def _shape(folder: Path) -> tuple[int, int]:
    rows, columns = read_provenance(folder)["grid"]["shape"]
    return rows, columns
