"""What every network promises of whole maps: no seams, no fill values, no dice."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import xarray as xr

from seaice.errors import PredictionError
from seaice.grid.masks import LAND_FRACTIONS
from seaice.models.inference import no_progress, refine, run_tiled
from seaice.models.inputs import SIC_CHANNELS, new_sic_card
from seaice.models.inputs import new_sr_card as blank_sr_card
from seaice.models.registry import create_model, find_model
from seaice.retrieval.concentrate import concentrate
from seaice.stack import NEIGHBOUR_PD_CHANNELS
from tests.test_network_contract import SMALL, learning, lively, sic_networks, sr_networks, windowed
from tests.test_sic_concentrate import daily_map
from tests.test_sr_refine import MACHINE, bicubic, stack

SHAPE = (40, 36)
#: what the windowed networks that ship are told; the bounds on seams are those of such networks
WINDOWED = SIC_CHANNELS[: -len(LAND_FRACTIONS)]
#: how far a map may depend on where windows begin, in standard deviations of the map: anywhere,
#: and root mean square
ANYWHERE, ON_THE_WHOLE = 0.5, 0.05
#: what is drawn anew in every step of training, as far as a network has it
DICE = {"dropkey": 0.3, "reflash": 0.5, "depth_dropout": 0.3, "drop_path": 0.3}


def made(name, channels=SIC_CHANNELS, **hyper):
    """A small lively network in eval, and its card."""
    torch.manual_seed(5)
    sizes = SMALL[name] | hyper
    if find_model(name).role == "sr":
        card = blank_sr_card(name, sizes)
    else:
        card = new_sic_card(name, sizes | {"outputs": 2}, channels)
    return lively(create_model(name, card.config)).eval(), card


def smooth(card, side):
    """A map of what a network takes: broad waves and a little noise."""
    random = np.random.default_rng(0)
    at = np.mgrid[:side, :side] / card.window
    planes = []
    for _ in range(card.frames * len(card.channels)):
        waves = random.normal(0, 4, (2, 3)), random.uniform(0, 6, 3)
        angles = np.einsum("ayx,aw->wyx", at, waves[0]) + waves[1][:, None, None]
        planes.append(0.5 * np.sin(angles).mean(0) + random.normal(0, 0.02, at.shape[1:]))
    whole = torch.from_numpy(np.stack(planes).astype(np.float32))
    return whole.unflatten(0, (card.frames, -1)) if card.role == "sr" else whole


def begun_twice(network, card):
    """The inside of a map, twice: windows begin in two places, half a window apart."""
    later = max(card.window // 2 // card.multiple_of, 1) * card.multiple_of
    whole = smooth(card, 3 * card.window + later)

    def inside(first):
        part = whole[..., first:, first:]
        needed = np.ones(part.shape[-2:], bool)
        told = run_tiled(
            network, card, lambda rows, cols: part[..., rows, cols], needed, MACHINE, no_progress
        )
        edge = later + card.window // 4
        kept = slice((edge - first) * card.scale, -edge * card.scale)
        return told[0, kept, kept]

    return inside(0), inside(later)


def differences(one, two):
    """The largest one and their root mean square, in standard deviations of the map."""
    return np.abs(one - two).max() / one.std(), np.sqrt(np.mean((one - two) ** 2)) / one.std()


@windowed
def test_stitched_windows_show_no_seam(name):
    """It hardly matters where windows begin: the same map, begun elsewhere, says the same."""
    anywhere, on_the_whole = differences(*begun_twice(*made(name, WINDOWED)))
    assert anywhere < ANYWHERE
    assert on_the_whole < ON_THE_WHOLE


def test_a_network_that_tells_where_in_its_window_it_is_would_show():
    network, card = made("hat")

    def telling(stack):
        told = network(stack)
        return told + torch.linspace(0, 1, told.shape[-1])

    anywhere, on_the_whole = differences(*begun_twice(telling, card))
    assert anywhere > ANYWHERE
    assert on_the_whole > ON_THE_WHOLE


def bounded_inputs(network):
    """Fill values are no numbers, or far from what is measured."""
    seen = []

    def look(_, given):
        seen.append(given[0].abs().max())
        assert torch.isfinite(given[0]).all()
        assert given[0].abs().max() < 10

    network.register_forward_pre_hook(look)
    return seen


def gappy_stack():
    options = stack(SHAPE)
    for name in ("tb89h", "tb89v"):
        options[f"{name}_quarter"][:, 1, ::3] = np.nan
        options[name][0, :, 5] = np.nan
        options[name][:, 10:14, 10:14] = np.nan
    return options


@sr_networks
def test_refining_never_sees_fill_values(name):
    network, card = made(name)
    seen = bounded_inputs(network)
    options = gappy_stack()
    refined = refine(options, network, card, MACHINE, "", no_progress)
    observed = np.isfinite(options["tb89h"][2]) & np.isfinite(options["tb89v"][2])
    assert seen
    assert np.array_equal(np.isfinite(refined["tb89h"][::4, ::4]), observed)


@sic_networks
def test_concentrating_never_sees_fill_values(name):
    network, card = made(name)
    seen = bounded_inputs(network)
    day = daily_map()
    for channel in NEIGHBOUR_PD_CHANNELS:
        day[channel] = ("y", "x"), np.full(SHAPE, np.nan, np.float32)
    for channel in (*NEIGHBOUR_PD_CHANNELS, "tb36h", "tb18v"):
        day[channel][::2, 3:30] = 10.0 if channel in NEIGHBOUR_PD_CHANNELS else 200.0
        day[channel][7:12] = np.nan
    land = np.zeros((4 * SHAPE[0], 4 * SHAPE[1]), bool)
    land[:20] = True
    refined = bicubic(gappy_stack())
    product = concentrate(refined, day, land, (network, card), MACHINE, no_progress)
    needed = np.isfinite(refined["pd"].values) & ~land
    assert seen
    assert np.array_equal(np.isfinite(product["sic"].values), needed)


@learning
def test_evaluation_throws_no_dice(name):
    known = find_model(name).config_class().__dataclass_fields__
    network, card = made(name, **{part: rate for part, rate in DICE.items() if part in known})
    frames = (card.frames,) if card.role == "sr" else ()
    image = torch.randn(1, *frames, len(card.channels), 32, 32)
    told = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        with torch.inference_mode():
            told.append(network(image))
    assert torch.equal(*told)


def test_tiles_made_together_are_those_made_one_after_another(monkeypatch):
    network, card = made("pmdrnet")
    machine = replace(MACHINE, tile=2 * card.margin * card.cell)
    options, before, result = stack((6 * card.margin, 40)), torch.get_num_threads(), []
    for together in (1, 2):
        monkeypatch.setattr("seaice.models.inference.CPU_TILE_WORKERS", together)
        torch.set_num_threads(together)  # a thread each
        result.append(refine(options, network, card, machine, "", no_progress))
        assert torch.get_num_threads() == together
    torch.set_num_threads(before)
    xr.testing.assert_identical(*result)


def test_a_tile_that_fails_ends_the_map_and_leaves_the_threads(monkeypatch):
    network, card = made("pmdrnet")
    before = torch.get_num_threads()
    torch.set_num_threads(2)

    def failing(rows, columns):
        raise MemoryError(rows)

    needed = np.ones((8 * card.margin, 8 * card.margin), bool)
    machine = replace(MACHINE, tile=2 * card.margin * card.cell)
    with pytest.raises(MemoryError):
        run_tiled(network, card, failing, needed, machine, no_progress)
    assert torch.get_num_threads() == 2
    torch.set_num_threads(before)


def test_convolutions_of_tiles_made_together_are_whole_float32_and_that_ends_with_the_map(
    monkeypatch,
):
    network, card = made("pmdrnet")
    seen, before = [], torch.get_num_threads()
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    network.register_forward_pre_hook(
        lambda *_: seen.append(torch.backends.cudnn.allow_tf32)  # of each tile
    )
    torch.set_num_threads(2)
    machine = replace(MACHINE, tile=2 * card.margin * card.cell)
    refine(stack((6 * card.margin, 40)), network, card, machine, "", no_progress)
    torch.set_num_threads(before)
    assert len(seen) > 2
    assert not any(seen)
    assert torch.backends.cudnn.allow_tf32


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_prediction_that_is_not_finite_ends_the_stage(value):
    """It would be a gap in the map, which no flag explains."""
    card = made("pmdrnet")[1]
    needed = np.zeros(SHAPE, bool)
    needed[3:5, 7:9] = True

    def predicting(where):
        def network(stack):
            refined = torch.zeros(1, 2, 4 * SHAPE[0], 4 * SHAPE[1])
            refined[0, 1, where[0], where[1]] = value
            return refined

        def cut(rows, columns):
            return torch.zeros(card.frames, len(card.channels), *SHAPE)

        return run_tiled(
            network, replace(card, window=None, margin=40), cut, needed, MACHINE, no_progress
        )

    predicting((11, 28))  # outside: nobody asked
    with pytest.raises(PredictionError, match=r"no finite tb89v in 1 of 4 observed cells"):
        predicting((12, 28))
