"""The quality page lists anomalies and nothing else, and needs no other files."""

import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest

from seaice.product.folder import list_product_files, product_name, quality_page_path, write_product
from seaice.product.quality import (
    QualityDay,
    alerts,
    collect_quality_day,
    flag_fractions,
    jump_limit,
    write_quality_page,
)
from seaice.product.series import SeriesRow, read_series, series_path
from seaice.retrieval.flags import Flag
from seaice.workflow.catalogue import update_series_and_page
from seaice.workflow.stages import silent
from tests.support.products import made_product

TODAY, YESTERDAY = "2020-03-03", "2020-03-02"
TIES = {"water pd": {"value": 47.0, "published": 47.0, "measured": 45.0, "cells": 9, "why": "day"}}


def on_disk(out, date, warnings=(), change=0.0):
    """A product as `make daily` leaves it, without what follows."""
    product = made_product(date=date)
    product["sic"] = (product["sic"] + np.float32(change)).clip(0, 1)
    names = ["GW1AM2_202003030123_035A_L1SGBTBR_2220220.h5", "<b>odd</b>.h5"]
    document = {
        "date": date,
        "hemisphere": "north",
        "region": "all",
        "status": "final",
        "granules": {date: [{"name": name} for name in names]},
        "warnings": list(warnings),
        "tie_points": {"algorithm": "asi", "tie_points": TIES},
    }
    product.attrs["provenance"] = json.dumps(document)
    folder = out / product_name("north", "all", date)
    return folder, write_product(product, folder, ("zarr",))


@pytest.fixture(scope="module")
def two_days(tmp_path_factory):
    out = tmp_path_factory.mktemp("products")
    update_series_and_page(*on_disk(out, YESTERDAY), silent)
    reason = f"{TODAY}: left out bad.h5: cut off"
    folder, files = on_disk(out, TODAY, [reason, "it snowed <script>"], change=0.05)
    return folder, update_series_and_page(folder, files, silent)


def test_a_day_leaves_its_rows_and_its_page_and_a_second_look_changes_nothing(two_days):
    folder, files = two_days
    page, series = quality_page_path(folder), series_path(folder.parent, "north")
    assert [file.name for file in files][-2:] == [page.name, f"{folder.name}.json"]
    assert {row.date for row in read_series(series)} == {YESTERDAY, TODAY}
    before = [path.stat().st_mtime_ns for path in (page, series)]
    assert update_series_and_page(folder, list_product_files(folder), silent) == files
    assert [path.stat().st_mtime_ns for path in (page, series)] == before


def test_writing_a_day_updates_the_page_of_the_next_day(two_days, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(two_days[0].parent, out)
    after = quality_page_path(out / two_days[0].name)
    before = after.read_text()
    update_series_and_page(*on_disk(out, YESTERDAY, change=0.3), silent)
    assert after.read_text() != before
    page_text = after.read_text()
    after.unlink()
    write_quality_page(after.parent)
    assert after.read_text() == page_text


def test_a_day_without_a_page_is_given_none_by_the_day_before(two_days, tmp_path):
    """It is still to come, with its rows of the series."""
    folder, _ = on_disk(tmp_path, TODAY)
    update_series_and_page(*on_disk(tmp_path, YESTERDAY), silent)
    assert not quality_page_path(folder).exists()


def test_the_page_is_no_part_of_the_product(two_days):
    folder, _ = two_days
    assert quality_page_path(folder).name not in (folder / f"{folder.name}.sha256").read_text()
    assert list_product_files(folder)  # the product is whole all the same


def test_the_page_is_self_contained_and_escapes_html(two_days):
    html = quality_page_path(two_days[0]).read_text()
    sources = re.findall(r'(?:src|href)="([^"]{0,30})', html)
    assert len(sources) == 4  # change, histogram, series, tie points
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert "<script>" not in html
    assert "<b>odd</b>" not in html
    assert len(html) < 1_500_000
    for words in ("bad.h5: cut off", "1 ascending, 1 gridded", "asi water pd", "Northern Hemis"):
        assert words in html, words


def test_the_page_is_reproducible(two_days):
    before = quality_page_path(two_days[0]).read_bytes()
    write_quality_page(two_days[0])
    assert quality_page_path(two_days[0]).read_bytes() == before


# What is unusual


@pytest.fixture(scope="module")
def good(two_days):
    """A day like the day before, observed everywhere, without unused granules."""
    day = collect_quality_day(two_days[0])
    normal = day.maps.copy()
    normal["status_flag"] = normal["status_flag"] & np.uint16(~Flag.NO_INPUT & 0xFFFF)
    same = [day.rows[0]._replace(date=date) for date in (YESTERDAY, TODAY)]
    document = {**day.document, "warnings": ()}
    return replace(day, maps=normal, rows=same, document=document)


def flagged(day, flag, share):
    """The day with a flag in this fraction of the cells, and some ice everywhere else."""
    maps = day.maps.copy()
    bits = maps["status_flag"].values.copy()
    bits[: int(share * bits.shape[0])] |= np.uint16(flag)
    maps["status_flag"] = ("y", "x"), bits
    return replace(day, maps=maps)


def test_a_good_day_is_quiet(good):
    assert alerts(good) == []


def changed(day, row):
    return replace(day, rows=[day.rows[0], day.rows[1]._replace(**row)])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda day: flagged(day, Flag.NO_INPUT, 0.1), "Missing swath"),
        (lambda day: flagged(day, Flag.GAP_FILLED, 0.1), "Missing swath"),
        (lambda day: flagged(day, Flag.WEATHER_DISAGREEMENT, 0.2), "weather filters disagree"),
        (lambda day: flagged(day, Flag.OUTSIDE_CLIMATOLOGY, 0.2), "none has been observed"),
        (lambda day: replace(day, document={**day.document, "status": "provisional"}), "Prov"),
        (lambda day: replace(day, yesterday=None), "No product of the day before"),
        (lambda day: changed(day, {"extent_km2": day.rows[0].extent_km2 + 3e5}), "Jump"),
        (
            lambda day: replace(
                day, points={TODAY: {"asi ice pd": {**TIES["water pd"], "measured": 60.0}}}
            ),
            "Tie point asi ice pd: 60.0 K",
        ),
        (
            lambda day: replace(
                day, document={**day.document, "warnings": [f"{TODAY}: left out x.h5: cut off"]}
            ),
            "1 granule of the day left out",
        ),
    ],
)
def test_each_anomaly_gives_its_alert_and_no_other(good, change, says):
    results = alerts(change(good))
    assert len(results) == 1
    assert says in results[0]


def test_a_filled_pole_hole_is_no_missing_swath(good):
    assert alerts(flagged(good, Flag.GAP_FILLED | Flag.POLE_HOLE, 0.3)) == []


def test_a_change_within_what_a_year_of_maps_shows_is_no_jump(good):
    limit = jump_limit(good.rows[0].observed_km2)
    calm = changed(good, {"extent_km2": good.rows[0].extent_km2 + 0.99 * limit})
    assert alerts(calm) == []
    assert len(alerts(changed(good, {"extent_km2": good.rows[0].extent_km2 + 1.01 * limit}))) == 1


def test_shares_are_of_sea_and_add_up(two_days):
    maps = collect_quality_day(two_days[0]).maps
    results = flag_fractions(maps)
    flags = maps["status_flag"].values
    sea = flags[(flags & 1) == 0]
    assert results["seen"] + results["filled"] + results["missing"] == pytest.approx(1)
    assert results["COAST"] == pytest.approx(np.mean((sea & 2) != 0))
    assert results["missing"] == pytest.approx(np.mean((sea & 4) != 0))


def test_without_a_previous_day_the_page_has_no_difference_map(tmp_path):
    folder, files = on_disk(tmp_path, TODAY)
    update_series_and_page(folder, files, silent)
    assert "No product of the day before" in quality_page_path(folder).read_text()
    assert isinstance(collect_quality_day(folder), QualityDay)
    assert all(isinstance(row, SeriesRow) for row in collect_quality_day(folder).rows)
