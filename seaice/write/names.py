"""What files of a product are called."""

from pathlib import Path

from seaice import __version__

__all__ = ["ITEM", "named", "place_name", "product_name", "season_name"]

ITEM = "stac.json"  #: beside the files of a product, its description for STAC catalogues


def product_name(hemisphere: str, region: str, date: str) -> str:
    """What every file name of a product begins with.

    >>> product_name("north", "svalbard", "2020-03-03")
    'seaice_sic_north_svalbard_20200303_v0.1'
    >>> product_name("south", "all", "2020-03-03")
    'seaice_sic_south_20200303_v0.1'
    """
    return _name(hemisphere, region, date.replace("-", ""))


def season_name(hemisphere: str, region: str, year: int) -> str:
    """What the store of a year is called.

    >>> season_name("north", "svalbard", 2020)
    'seaice_sic_north_svalbard_2020_v0.1.zarr'
    """
    return _name(hemisphere, region, str(year)) + ".zarr"


def place_name(hemisphere: str, region: str) -> str:
    """What all products of one place begin with.

    >>> place_name("north", "svalbard")
    'seaice_sic_north_svalbard'
    """
    return "_".join(["seaice_sic", hemisphere, *([] if region == "all" else [region])])


def _name(hemisphere: str, region: str, time: str) -> str:
    version = ".".join(__version__.split(".")[:2])
    return f"{place_name(hemisphere, region)}_{time}_v{version}"


def named(stem: Path, ending: str) -> Path:
    """`Path.with_suffix` would cut the version off at its point.

    >>> named(Path("p/map_v0.1"), ".nc").as_posix()
    'p/map_v0.1.nc'
    """
    return stem.with_name(stem.name + ending)
