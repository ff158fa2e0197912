"""What files of a product are called."""

from pathlib import Path

from seaice import __version__

__all__ = ["named", "product_name"]


def product_name(hemisphere: str, region: str, date: str) -> str:
    """What every file name of a product begins with.

    >>> product_name("north", "svalbard", "2020-03-03")
    'seaice_sic_north_svalbard_20200303_v0.1'
    >>> product_name("south", "all", "2020-03-03")
    'seaice_sic_south_20200303_v0.1'
    """
    version = ".".join(__version__.split(".")[:2])
    place = [hemisphere] if region == "all" else [hemisphere, region]
    return "_".join(["seaice_sic", *place, date.replace("-", ""), f"v{version}"])


def named(stem: Path, ending: str) -> Path:
    """`Path.with_suffix` would cut the version off at its point.

    >>> named(Path("p/map_v0.1"), ".nc").as_posix()
    'p/map_v0.1.nc'
    """
    return stem.with_name(stem.name + ending)
