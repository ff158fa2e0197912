"""What a product says of itself as a whole: ACDD 1.3, ready for a catalogue and a DOI."""

import json
from collections.abc import Mapping

import xarray as xr
from pyproj import Transformer

from seaice import __version__
from seaice.grid.grid import Grid, grid_of
from seaice.io.granules import count_phrase
from seaice.write.metadata.clock import made_at
from seaice.write.names import product_name

__all__ = ["extent", "global_attributes"]

REFERENCES = (
    "Feng et al. 2023, https://doi.org/10.1109/JSTARS.2022.3232533; "
    "Liu et al. 2022, https://doi.org/10.1109/TGRS.2022.3151623; "
    "Spreen et al. 2008, https://doi.org/10.1029/2005JC003384"
)

#: True of every product; an issuer's settings overrule `institution`, `creator_name`, `license`.
ALWAYS = {
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
    """Global attributes of a product: what it is, of what, by whom, where and when.

    Parameters
    ----------
    product : as docs/architecture.md; attrs["issuer"], where present, says who signs for it
        (`seaice.config.WriteSettings.issuer`)

    Returns
    -------
    dict
        Without the clock's time: `date_created` is `created` of the provenance.
    """
    given = product.attrs
    issuer = dict(given.get("issuer", {}))
    return (
        ALWAYS
        | {
            "title": f"Sea-ice concentration, {given['hemisphere']}, {given['date']}",
            "id": product_name(given["hemisphere"], given.get("region", "all"), given["date"]),
        }
        | _origin(given)
        | extent(grid_of(product))
        | _publisher(issuer)
        | {name: given[name] for name in ("sr_name", "sic_name", "tie_points") if name in given}
        | {name: given[name] for name in ("crs", "hemisphere", "date")}
        | {"provenance": given.get("provenance", "{}")}
    )


def _origin(given: Mapping[str, str]) -> dict[str, object]:
    """What it was made of, when, and what to keep in mind."""
    document = json.loads(given.get("provenance", "{}"))
    status = given.get("status", "final")
    created = document.get("created") or made_at(given["date"], given.get("granules", ()))
    return {
        "source": f"AMSR2 on GCOM-W1, {count_phrase(int(given.get('n_granules', 0)))} on the day",
        "product_status": status,
        "comment": "; ".join([f"This product is {status}", *document.get("warnings", [])]),
        "date_created": created,
        "date_modified": created,
        "date_metadata_modified": created,
        "history": f"{created} made by seaice {__version__}; the time is that of the newest input",
        "time_coverage_start": f"{given['date']}T00:00:00Z",
        "time_coverage_end": f"{given['date']}T23:59:59Z",
    }


def _publisher(issuer: Mapping[str, str]) -> dict[str, str]:
    """Who made it signs for it too; a DOI leads to where it is described."""
    told = {key: value for key, value in issuer.items() if value}
    name = told.get("creator_name", ALWAYS["creator_name"])
    told["publisher_name"] = name
    for contact in ("email", "url"):
        if f"creator_{contact}" in told:
            told[f"publisher_{contact}"] = told[f"creator_{contact}"]
    if "doi" in told:
        told["metadata_link"] = f"https://doi.org/{told['doi']}"
    return told


def extent(grid: Grid) -> dict[str, object]:
    """Where it lies: degrees of cell centres, and the outer edges on the plane.

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
