"""Metadata of products: CF 1.11 variables, ACDD 1.3 global attributes, STAC items and collections.

Source: CF Conventions 1.11; Attribute Convention for Data Discovery 1.3; SpatioTemporal Asset
Catalog 1.0.0, item and collection specification; STAC projection extension 2.0.0.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import xarray as xr
from pyproj import CRS, Transformer

from seaice import __version__
from seaice.cf import attrs
from seaice.grid.grid import Grid, grid_of
from seaice.io.granules import count_phrase
from seaice.product.folder import product_name
from seaice.product.provenance import creation_time
from seaice.retrieval.flags import Flag

__all__ = [
    "MAP_VARIABLES",
    "STAC_COLLECTION",
    "flag_attributes",
    "geospatial_extent",
    "global_attributes",
    "grid_mapping",
    "to_cf",
    "write_collection",
    "write_item",
]

#: Variables of a map, their CF cell methods (CF, appendix E) and their coverage content type
#: (ISO 19115-1).
MAP_VARIABLES = MappingProxyType(
    {
        "sic": ("time: mean area: mean", "physicalMeasurement"),
        "sic_uncertainty": ("", "qualityInformation"),
        "sic_uncertainty_95": ("", "qualityInformation"),
        "status_flag": ("", "qualityInformation"),
        "sic_raw": ("time: mean area: mean", "physicalMeasurement"),
        "sic_algorithm_uncertainty": ("", "qualityInformation"),
        "sic_smearing_uncertainty": ("", "qualityInformation"),
        "tb89h": ("time: mean area: mean", "physicalMeasurement"),
        "tb89v": ("time: mean area: mean", "physicalMeasurement"),
        "pd": ("time: mean area: mean", "physicalMeasurement"),
        "n_obs": ("time: sum", "auxiliaryInformation"),
        "real_frames": ("", "auxiliaryInformation"),
        "obs_time": ("time: mean", "auxiliaryInformation"),
    }
)
PRESERVED_ATTRIBUTES = ("least_significant_digit",)  #: copied from the input variables
ANCILLARY_VARIABLES = tuple(
    name
    for name, (_, kind) in MAP_VARIABLES.items()
    if kind != "physicalMeasurement" and name != "obs_time"
)


def grid_mapping(crs: str) -> dict[str, object]:
    """CF attributes of the map projection.

    `pyproj` omits `latitude_of_projection_origin`, which CF appendix F requires for a polar
    stereographic projection: the pole of the hemisphere of the standard parallel.

    >>> grid_mapping("EPSG:3412")["latitude_of_projection_origin"]
    -90.0
    """
    attributes: dict[str, object] = dict(CRS(crs).to_cf())
    parallel = attributes["standard_parallel"]
    if not isinstance(parallel, float):
        raise TypeError(f"standard_parallel={parallel!r} is not a latitude.")
    attributes["latitude_of_projection_origin"] = float(np.copysign(90.0, parallel))
    return attributes


def flag_attributes() -> dict[str, object]:
    """CF `flag_masks` and `flag_meanings` of the bits of `status_flag`."""
    return {
        "flag_masks": [int(flag) for flag in Flag],
        "flag_meanings": " ".join(str(flag.name).lower() for flag in Flag),
    }


#: Every day of the time axis has 86400 s.
NO_LEAP_SECONDS: dict[str, object] = {"units_metadata": "leap_seconds: none"}
ON_SCALE: dict[str, object] = {"units_metadata": "temperature: on_scale"}

#: Attributes that single variables need in addition.
EXTRA_ATTRIBUTES: Mapping[str, dict[str, object]] = MappingProxyType(
    {
        "sic_uncertainty_95": {
            "standard_error_multiplier": 1.96,
            "comment": "the multiplier is nominal: errors are not normal, the width is calibrated",
        },
        "status_flag": flag_attributes(),
        "tb89h": ON_SCALE,
        "tb89v": ON_SCALE,
        "pd": {"units_metadata": "temperature: difference"},
        "real_frames": {
            "flag_masks": [1, 2, 4, 8, 16],
            "flag_meanings": "two_days_before day_before day day_after two_days_after",
        },
        "obs_time": NO_LEAP_SECONDS,
    }
)


def to_cf(product: xr.Dataset) -> xr.Dataset:
    """Convert a product to a CF dataset: dims time (1), y, x, grid mapping, global attributes.

    Parameters
    ----------
    product : the product of docs/architecture.md, dims y, x

    Returns
    -------
    Dataset
        The same values, with `time`, `time_bnds` and `crs`, as the writers of NetCDF and Zarr
        expect it.
    """
    names = [name for name in MAP_VARIABLES if name in product]
    day = np.datetime64(product.attrs["date"], "ns")
    noon, hours = day + np.timedelta64(12, "h"), np.timedelta64(24, "h")
    cf = product[names].drop_vars("time", errors="ignore").expand_dims(time=[noon])
    for name in names:
        preserved = {
            key: cf[name].attrs[key] for key in PRESERVED_ATTRIBUTES if key in cf[name].attrs
        }
        cf[name].attrs = _variable_attributes(name, cf[name].dtype) | preserved
    cf["sic"].attrs["ancillary_variables"] = " ".join(
        n for n in ANCILLARY_VARIABLES if n in product
    )
    cf["time"].attrs = {
        "standard_name": "time",
        "long_name": "noon of the day",
        "axis": "T",
        "bounds": "time_bnds",
        **NO_LEAP_SECONDS,
        "coverage_content_type": "coordinate",
    }
    cf["time_bnds"] = ("time", "bnds"), np.array([[day, day + hours]])
    for name in ("time", "time_bnds"):
        cf[name].encoding = {"units": "seconds since 1970-01-01", "dtype": "int64"}
    cf["crs"] = (), np.int32(0), grid_mapping(product.attrs["crs"])
    cf = cf.assign_coords(
        {axis: _coordinate_variable(product[axis].variable) for axis in ("y", "x")}
    )
    cf.attrs = global_attributes(product)
    return cf


def _coordinate_variable(centres: xr.Variable) -> xr.Variable:
    """A coordinate variable without a fill value."""
    attributes = dict(centres.attrs) | {"coverage_content_type": "coordinate"}
    return xr.Variable(centres.dims, centres.values, attributes, {"_FillValue": None})


def _variable_attributes(name: str, dtype: np.dtype) -> dict[str, object]:
    """CF attributes of a variable; ranges and masks have the data type of the variable."""
    methods, content = MAP_VARIABLES[name]
    attributes = attrs(name) | {"grid_mapping": "crs", "coverage_content_type": content}
    attributes |= EXTRA_ATTRIBUTES.get(name, {})
    if methods:
        attributes["cell_methods"] = methods
    for key in ("valid_range", "flag_masks"):
        if key in attributes:
            attributes[key] = np.array(attributes[key], dtype)
    return attributes


REFERENCES = (
    "Feng et al. 2023, https://doi.org/10.1109/JSTARS.2022.3232533; "
    "Liu et al. 2022, https://doi.org/10.1109/TGRS.2022.3151623; "
    "Spreen et al. 2008, https://doi.org/10.1029/2005JC003384"
)

#: Global attributes of every product; the issuer's settings override `institution`,
#: `creator_name` and `license`.
ACDD_DEFAULTS = {
    "Conventions": "CF-1.11, ACDD-1.3",
    "summary": "Daily sea-ice concentration from AMSR2 swaths on cells of 1.5625 km, with "
    "uncertainty and the reason for every cell's value.",
    "keywords": "EARTH SCIENCE > CRYOSPHERE > SEA ICE > SEA ICE CONCENTRATION, "
    "EARTH SCIENCE > OCEANS > SEA ICE > SEA ICE CONCENTRATION",
    "keywords_vocabulary": "GCMD Science Keywords",
    "standard_name_vocabulary": "CF Standard Name Table",
    "cdm_data_type": "Grid",
    "processing_level": "L3",
    "project": "seaice",
    "institution": "seaice project",
    "creator_name": "seaice project",
    "creator_type": "institution",
    "publisher_type": "institution",
    "license": "Apache-2.0 for the software; the data under the terms of their inputs' provider",
    "acknowledgement": "AMSR2 level 1 data: Japan Aerospace Exploration Agency (JAXA)",
    "references": REFERENCES,
    "platform": "GCOM-W1",
    "platform_vocabulary": "GCMD Platforms",
    "instrument": "AMSR2",
    "instrument_vocabulary": "GCMD Instruments",
    "product_version": __version__,
    "geospatial_lat_units": "degrees_north",
    "geospatial_lon_units": "degrees_east",
    "time_coverage_duration": "P1D",
    "time_coverage_resolution": "P1D",
}


def global_attributes(product: xr.Dataset) -> dict[str, object]:
    """ACDD global attributes of a product: title, source, creator, extent, time coverage.

    Parameters
    ----------
    product : as docs/architecture.md; attrs["issuer"], where present, overrides the institution
        and creator (`seaice.config.WriteSettings.issuer`)

    Returns
    -------
    dict
        Reproducible: `date_created` is `created` of the provenance, not the time of writing.
    """
    attributes = product.attrs
    issuer = dict(attributes.get("issuer", {}))
    return (
        ACDD_DEFAULTS
        | {
            "title": f"Sea-ice concentration, {attributes['hemisphere']}, {attributes['date']}",
            "id": product_name(
                attributes["hemisphere"], attributes.get("region", "all"), attributes["date"]
            ),
        }
        | _source_attributes(attributes)
        | geospatial_extent(grid_of(product))
        | _publisher_attributes(issuer)
        | {
            name: attributes[name]
            for name in ("sr_name", "sic_name", "tie_points")
            if name in attributes
        }
        | {name: attributes[name] for name in ("crs", "hemisphere", "date")}
        | {"provenance": attributes.get("provenance", "{}")}
    )


def _source_attributes(attributes: Mapping[str, str]) -> dict[str, object]:
    """Source, status, warnings, creation time and time coverage."""
    document = json.loads(attributes.get("provenance", "{}"))
    status = attributes.get("status", "final")
    created = document.get("created") or creation_time(
        attributes["date"], attributes.get("granules", ())
    )
    granules = count_phrase(int(attributes.get("n_granules", 0)))
    return {
        "source": f"AMSR2 on GCOM-W1, {granules} on the day",
        "product_status": status,
        "comment": "; ".join([f"This product is {status}", *document.get("warnings", [])]),
        "date_created": created,
        "date_modified": created,
        "date_metadata_modified": created,
        "history": f"{created} made by seaice {__version__}; the time is that of the newest input",
        "time_coverage_start": f"{attributes['date']}T00:00:00Z",
        "time_coverage_end": f"{attributes['date']}T23:59:59Z",
    }


def _publisher_attributes(issuer: Mapping[str, str]) -> dict[str, str]:
    """Publisher and link of the metadata: the publisher is the creator; a DOI becomes the link."""
    attributes = {key: value for key, value in issuer.items() if value}
    name = attributes.get("creator_name", ACDD_DEFAULTS["creator_name"])
    attributes["publisher_name"] = name
    for contact in ("email", "url"):
        if f"creator_{contact}" in attributes:
            attributes[f"publisher_{contact}"] = attributes[f"creator_{contact}"]
    if "doi" in attributes:
        attributes["metadata_link"] = f"https://doi.org/{attributes['doi']}"
    return attributes


def geospatial_extent(grid: Grid) -> dict[str, object]:
    """Geographic limits of the cell centres in degrees, and the outer edges in map coordinates.

    A western limit greater than the eastern one means that the map crosses 180 degrees.
    """
    left, bottom, right, top = grid.bounds
    centres = grid.x[0], grid.y[-1], grid.x[-1], grid.y[0]
    to_ground = Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True)
    west, south, east, north = to_ground.transform_bounds(*centres, densify_pts=1001)
    return {
        "geospatial_lat_min": south,
        "geospatial_lat_max": north,
        "geospatial_lon_min": west,
        "geospatial_lon_max": east,
        "geospatial_lat_resolution": f"{grid.cell / 1000:g} km",
        "geospatial_lon_resolution": f"{grid.cell / 1000:g} km",
        "geospatial_bounds": f"POLYGON (({left} {bottom}, {left} {top}, {right} {top}, "
        f"{right} {bottom}, {left} {bottom}))",
        "geospatial_bounds_crs": grid.crs,
    }


STAC_COLLECTION = (
    "collection.json"  #: name of the STAC collection, in the folder that holds the product folders
)
STAC_VERSION = "1.0.0"
STAC_PROJECTION = "https://stac-extensions.github.io/projection/v2.0.0/schema.json"
SUMMARY = (
    "Daily sea-ice concentration from AMSR2 swaths on cells of 1.5625 km, with uncertainty and "
    "the reason for every cell's value."
)

#: Media type and role of a file by its suffix, longest first.
MEDIA_TYPES = {
    ".tif.aux.xml": ("application/xml", "metadata"),
    ".sha256": ("text/plain", "metadata"),
    ".gpkg": ("application/geopackage+sqlite3", "data"),
    ".json": ("application/json", "metadata"),
    ".zarr": ("application/vnd.zarr; version=3", "data"),
    ".tif": ("image/tiff; application=geotiff; profile=cloud-optimized", "data"),
    ".qml": ("application/xml", "metadata"),
    ".qgz": ("application/zip", "visual"),
    ".png": ("image/png", "thumbnail"),
    ".nc": ("application/netcdf", "data"),
}
Ring = list[list[float]]


def write_item(product: xr.Dataset, files: Iterable[tuple[str, str]], path: Path) -> None:
    """Write the STAC item of a product and its files.

    Parameters
    ----------
    product : as docs/architecture.md
    files : name and description of each file in the folder of `path`
    """
    attributes, grid = product.attrs, grid_of(product)
    outline = _outline(grid)
    left, bottom, right, top = grid.bounds
    properties = {
        "title": f"Sea-ice concentration, {attributes['hemisphere']}, {attributes['date']}",
        "datetime": f"{attributes['date']}T12:00:00Z",
        "start_datetime": f"{attributes['date']}T00:00:00Z",
        "end_datetime": f"{attributes['date']}T23:59:59Z",
        "platform": "gcom-w1",
        "instruments": ["amsr2"],
        "gsd": grid.cell,
        "proj:code": grid.crs,
        "proj:shape": list(grid.shape),
        "proj:bbox": [left, bottom, right, top],
        "proj:transform": [grid.cell, 0.0, left, 0.0, -grid.cell, top],
        "seaice:status": attributes.get("status", "final"),
        "seaice:methods": [attributes.get("sr_name", "?"), attributes.get("sic_name", "?")],
    }
    item = {
        "type": "Feature",
        "stac_version": STAC_VERSION,
        "stac_extensions": [STAC_PROJECTION],
        "id": product_name(
            attributes["hemisphere"], attributes.get("region", "all"), attributes["date"]
        ),
        "geometry": {"type": "Polygon", "coordinates": [outline]},
        "bbox": _bounding_box(outline),
        "properties": properties,
        "links": [
            {"rel": rel, "href": f"../{STAC_COLLECTION}", "type": "application/json"}
            for rel in ("collection", "parent", "root")
        ],
        "assets": {name: _asset(name, text) for name, text in files},
        "collection": "seaice-sic",
    }
    path.write_text(json.dumps(item, indent=1))


def write_collection(items: Sequence[Path], home: Path, path: Path) -> None:
    """Write a STAC collection of items (the files `STAC_ITEM` of product folders).

    Parameters
    ----------
    home : folder of the collection, the parent of the product folders
    path : file to write
    """
    documents = [json.loads(item.read_text()) for item in items]
    boxes = np.array([item["bbox"] for item in documents])
    days = sorted(item["properties"]["datetime"][:10] for item in documents)
    collection: dict[str, Any] = {
        "type": "Collection",
        "stac_version": STAC_VERSION,
        "id": "seaice-sic",
        "title": "Sea-ice concentration from AMSR2",
        "description": SUMMARY,
        "license": "other",
        "keywords": ["sea ice", "concentration", "AMSR2", "passive microwave", "super-resolution"],
        "extent": {
            "spatial": {"bbox": [[*boxes[:, :2].min(axis=0), *boxes[:, 2:].max(axis=0)]]},
            "temporal": {"interval": [[f"{days[0]}T00:00:00Z", f"{days[-1]}T23:59:59Z"]]},
        },
        "links": [
            {"rel": "root", "href": f"./{STAC_COLLECTION}", "type": "application/json"},
            *(
                {
                    "rel": "item",
                    "href": f"./{item.relative_to(home).as_posix()}",
                    "type": "application/geo+json",
                }
                for item in items
            ),
        ],
    }
    path.write_text(json.dumps(collection, indent=1))


def _asset(name: str, description: str) -> dict[str, object]:
    media, role = next(kind for ending, kind in MEDIA_TYPES.items() if name.endswith(ending))
    return {"href": f"./{name}", "title": description, "type": media, "roles": [role]}


def _outline(grid: Grid) -> Ring:
    """Outline of the map in degrees, anticlockwise.

    A map that holds a pole or crosses 180 degrees becomes a box over all longitudes.
    """
    left, bottom, right, top = grid.bounds
    steps = np.linspace(0, 1, 20, endpoint=False)
    across, up = left + steps * (right - left), bottom + steps * (top - bottom)
    edges = (across, np.full(20, right), left + right - across, np.full(20, left))
    x = np.concatenate(edges)
    y = np.concatenate([np.full(20, bottom), up, np.full(20, top), bottom + top - up])
    back = Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True)
    longitude, latitude = back.transform(x, y)
    if (left < 0 < right and bottom < 0 < top) or np.abs(np.diff(longitude)).max() > 180:
        poleward = 90.0 if latitude.mean() > 0 else -90.0
        low, high = sorted((poleward, min(latitude, key=lambda at: abs(at))))
        return [[-180, low], [180, low], [180, high], [-180, high], [-180, low]]
    ring = [[float(lon), float(lat)] for lon, lat in zip(longitude, latitude, strict=True)]
    return [*ring, ring[0]]


def _bounding_box(outline: Ring) -> list[float]:
    corners = np.array(outline)
    return [*corners.min(axis=0).tolist(), *corners.max(axis=0).tolist()]
