"""A stack becomes a refined map: whole, in place, and absent where the day was."""

from datetime import date

import numpy as np
import pytest
import torch
import xarray as xr

from seaice.grid.blocks import space_to_depth
from seaice.grid.grid import NORTH, coordinates, grid_of
from seaice.grid.gridding import daily_map_from_au_si6
from seaice.models.inference import Machine, no_progress, refine, run_tiled
from seaice.models.inputs import assemble_sr_input, new_sr_card
from seaice.models.registry import create_model
from seaice.models.weights import create_weightless_model
from seaice.stack import five_frames
from seaice.train.super_resolution import reconstruction_loss
from tests.support.granules import write_au_si6
from tests.test_network_contract import SMALL, lively

MACHINE = Machine(device=torch.device("cpu"))


def stack(shape=(40, 36), seed=0) -> xr.Dataset:
    random = np.random.default_rng(seed)
    v = random.normal(220, 15, (5, *shape)).astype(np.float32)
    h = v - random.uniform(5, 50, v.shape).astype(np.float32)
    h[2, 3:5, 6:9] = np.nan
    v[2, 20, 30] = np.nan
    v[1] = np.nan
    frames, quarters = ("frame", "y", "x"), ("frame", "quarter", "y", "x")
    difference = np.arange(4, dtype=np.float32)[:, None, None]
    return xr.Dataset(
        {
            "tb89h": (frames, h),
            "tb89v": (frames, v),
            "tb89h_quarter": (quarters, h[:, None] + difference),
            "tb89v_quarter": (quarters, v[:, None] + difference),
        },
        coords=coordinates(NORTH.crop(slice(600, 600 + shape[0]), slice(500, 500 + shape[1]))),
        attrs={"crs": NORTH.crs, "date": "2020-03-03", "status": "final"},
    )


def bicubic(given: xr.Dataset, machine=MACHINE) -> xr.Dataset:
    network, card = create_weightless_model("bicubic"), new_sr_card("bicubic", {})
    return refine(given, network, card, machine, "none", no_progress)


def small() -> tuple[torch.nn.Module, object]:
    torch.manual_seed(0)
    hyper = SMALL["pmdrnet"]
    return lively(create_model("pmdrnet", hyper)).eval(), new_sr_card("pmdrnet", hyper)


def test_it_lies_on_the_refined_grid():
    refined = bicubic(stack())
    assert grid_of(refined) == grid_of(stack()).refine(4)
    assert refined.attrs["sr_name"] == "bicubic"
    assert refined.attrs["date"] == "2020-03-03"
    assert refined["pd"].attrs["units"] == "K"


def test_it_is_absent_where_the_day_lacks_either_polarization_and_nowhere_else():
    options = stack()
    observed = np.isfinite(options["tb89h"][2]) & np.isfinite(options["tb89v"][2])
    expected = observed.values.repeat(4, 0).repeat(4, 1)
    for name in ("tb89h", "tb89v", "pd"):
        assert np.array_equal(np.isfinite(bicubic(options)[name]), expected)


def test_the_difference_is_the_difference():
    refined = bicubic(stack())
    xr.testing.assert_allclose(
        refined["pd"].drop_attrs(), (refined["tb89v"] - refined["tb89h"]).drop_attrs()
    )


def test_a_plane_stays_in_its_place():
    """Cubic convolution with a = -0.75 ripples a little; one fine cell's shift would be 0.125 K."""
    options = stack()
    rows, columns = np.mgrid[:40, :36]
    for name in ("tb89h", "tb89v"):
        options[name][:] = (200 + rows / 2 + columns / 4).astype(np.float32)
        finer = 200 + (np.mgrid[:80, :72] / 2 - 0.25).transpose(1, 2, 0) @ (0.5, 0.25)
        options[f"{name}_quarter"][:] = space_to_depth(finer).astype(np.float32)
    fine_rows, fine_columns = (np.mgrid[:160, :144] - 1.5) / 4
    expected = 200 + fine_rows / 2 + fine_columns / 4
    inner = (slice(8, -8), slice(8, -8))
    assert np.allclose(bicubic(options)["tb89h"].values[inner], expected[inner], atol=0.04)


@pytest.mark.parametrize("name", ["bicubic", "pmdrnet"])
def test_tiles_do_not_show(name):
    network, card = (
        small() if name == "pmdrnet" else (create_weightless_model(name), new_sr_card(name, {}))
    )
    options, small_tiles = stack((110, 92)), Machine(device=torch.device("cpu"), tile=300_000.0)
    assert len(list(small_tiles.tiling(card).over((110, 92)))) > 1
    one, many = (
        refine(options, network, card, machine, "", no_progress)
        for machine in (MACHINE, small_tiles)
    )
    assert float(abs(one - many).to_array().max()) < 0.01  # K


def test_it_is_repeatable_and_tells_how_far_it_is():
    network, card = small()
    told = []
    machine = Machine(device=torch.device("cpu"), tile=300_000.0)
    one, two = (
        refine(stack((110, 40)), network, card, machine, "", lambda *at: told.append(at))
        for _ in range(2)
    )
    xr.testing.assert_identical(one, two)
    assert told[0] == (0, told[0][1])
    assert told[-1] == (told[0][1], told[0][1])
    assert told[0][1] > 1


def test_tiles_without_anything_wanted_are_not_computed():
    needed = np.zeros((200, 40), bool)
    needed[:10] = True
    seen = []
    card = new_sr_card("bicubic", {})

    def cut(rows, columns):
        seen.append(rows)
        tb = torch.full((5, 2, rows.stop - rows.start, 40), 250.0)
        return assemble_sr_input(tb, tb[:, :, None].repeat(1, 1, 4, 1, 1), card)

    machine = Machine(device=torch.device("cpu"), tile=300_000.0)
    out = run_tiled(create_weightless_model("bicubic"), card, cut, needed, machine, no_progress)
    assert [rows.start for rows in seen] == [0]
    assert np.isfinite(out[:, :40]).all()
    assert np.isnan(out[:, -40:]).all()


def test_bfloat16_stays_within_a_kelvin():
    network, card = small()
    rough = Machine(device=torch.device("cpu"), precision="bfloat16")
    precise, quick = (
        refine(stack(), network, card, machine, "", no_progress) for machine in (MACHINE, rough)
    )
    assert float(abs(precise - quick).to_array().max()) < 1


def test_absent_cells_carry_no_temperature_into_the_network():
    tb, quarters = torch.full((5, 2, 3, 3), 250.0), torch.full((5, 2, 4, 3, 3), 240.0)
    tb[0, 0, 1, 1] = torch.nan
    planes = assemble_sr_input(tb, quarters, new_sr_card("pmdrnet", {}))
    assert planes.shape[1] == 11
    assert not planes[0, :, 1, 1].any()
    assert planes[1, :, 1, 1].tolist() == pytest.approx([0.5, 0.5, 1, *[0.4] * 8])


def test_a_day_of_whole_cells_only_is_refined_too(tmp_path):
    """Maps of others have no quarters: what is refined is between what their cells say."""
    kelvin = 210 + 10 * np.sin(np.arange(NORTH.shape[1]) / 7) + np.zeros(NORTH.shape)
    path = write_au_si6(tmp_path, {"NH": (kelvin - 40, kelvin)})
    day = daily_map_from_au_si6(path, NORTH.crop(slice(600, 630), slice(500, 540)))
    refined = bicubic(five_frames({date(2020, 3, 3): day}, date(2020, 3, 3)))
    across = np.interp(refined["x"], day["x"], day["tb89v"][15])
    assert refined["tb89v"].notnull().all()
    assert np.abs(refined["tb89v"].values[:, 8:-8] - across[8:-8]).max() < 0.2


def test_the_loss_sees_errors_of_the_difference_twice():
    """H and V wrong by the same cost less than wrong by the opposite, and unknown cells nothing.

    They are wrong by far more than what counts as small.
    """
    truth, valid = torch.zeros(1, 2, 4, 4), torch.ones(1, 1, 4, 4, dtype=torch.bool)
    together, difference = torch.full((1, 2, 4, 4), 1.0), torch.full((1, 2, 4, 4), 1.0)
    difference[:, 1] = -1.0
    assert reconstruction_loss(together, truth, valid) < 0.4 * reconstruction_loss(
        difference, truth, valid
    )
    assert reconstruction_loss(difference, truth, ~valid) == 0
    assert reconstruction_loss(difference, truth, valid, 0.0) == reconstruction_loss(
        together, truth, valid, 0.0
    )


def test_only_what_is_wanted_is_refined_and_that_as_if_all_were():
    network, card = small()
    options, where = stack((110, 92)), np.zeros((110, 92), bool)
    where[20:25, 30:70] = where[80:90, :12] = True
    few = Machine(device=torch.device("cpu"), tile=300_000.0)
    whole = refine(options, network, card, MACHINE, "", no_progress)
    part = refine(options, network, card, few, "", no_progress, where)
    fine = where.repeat(4, 0).repeat(4, 1)
    for name in ("tb89h", "tb89v", "pd"):
        assert np.array_equal(np.isfinite(part[name].values), fine & np.isfinite(whole[name]))
        assert float(np.abs(part[name] - whole[name]).max()) < 0.01  # K
