"""What every network in the catalogue promises."""

from dataclasses import asdict

import pytest
import torch

from seaice.errors import UnknownNameError, WeightsError
from seaice.models.card import Card
from seaice.models.registry import create_model, find_model, list_models
from seaice.models.weights import create_weightless_model, load_model, save_model, weights_hash

SMALL = {
    "pmdrnet": {"width": 8, "groups": 2, "extract_blocks": 1, "reconstruct_blocks": 1, "tail": 4},
    "edvr": {"width": 8, "groups": 2, "extract_blocks": 1, "reconstruct_blocks": 1, "tail": 4},
    "xception_aspp": {
        "outputs": 2,
        "stem": (4, 6),
        "entry": (6, 8, 10),
        "middle_blocks": 1,
        "exit": 10,
        "top": (10, 10, 12),
        "deep": 8,
        "low_level": 4,
        "context": 3,
        "fine": 4,
        "half": 3,
    },
    "xception_aligned": {"decoder": 8, "low_level": 4, "fine": 4}
    | {"stem": (4, 6), "entry": (6, 8, 10), "middle_blocks": 1}
    | {"exit": (10, 10, 12), "top": (12, 12, 14)},
    "repvgg": {"decoder": 8, "low_level": 4, "fine": 4, "blocks": (2, 1, 2)}
    | {"widths": (0.125, 0.125, 0.0625), "groups": 2},
    "cloformer": {
        "window": 64,
        "decoder": 8,
        "low_level": 4,
        "fine": 4,
        "depths": (1, 1, 2),
        "dropkey": 0.2,
    }
    | {"widths": (4, 6, 8, 10), "heads": (2, 3, 4), "global_heads": (1, 1, 2), "mlp_ratio": 2},
    "scnet": {"decoder": 8, "low_level": 4, "fine": 4, "layers": (1, 1, 2)}
    | {"planes": (4, 6, 8), "stem_width": 6},
    "scalablevit": {"decoder": 8, "low_level": 4, "fine": 4, "window": 64, "dropkey": 0.2}
    | {"widths": (4, 8, 8), "heads": (1, 2, 2), "depths": (2, 2, 3), "cells": 2, "mlp_ratio": 2},
    "convmixer": {"decoder": 8, "low_level": 4, "fine": 4}
    | {"width": 8, "depth": 2, "kernel": 5, "patch": 4},
    "mlp_mixer": {"decoder": 8, "low_level": 4, "fine": 4}
    | {"window": 32, "patch": 8, "width": 8, "depth": 2},
    "flowformer": {"decoder": 8, "low_level": 4, "fine": 4, "window": 64, "positions": 8}
    | {"widths": (4, 8, 8), "heads": 2, "depths": (1, 1, 2), "mlp_ratio": 2},
    "mae_vit": {"decoder": 8, "low_level": 4, "fine": 4, "dropkey": 0.2}
    | {"window": 96, "patch": 8, "width": 16, "depth": 2, "heads": 2},
    "espcn": {"width": 8, "inner": 6},
    "hat": {
        "frames": 5,
        "width": 8,
        "depths": (2, 1),
        "heads": 2,
        "attention_window": 4,
        "attention_squeeze": 2,
        "tail": 4,
        "window": 32,
        "depth_dropout": 0.0,
    },
    "bicubic": {},
    "bicubic_3km": {},
}
SMALL["published"] = SMALL["xception_aspp"]

sr_networks = pytest.mark.parametrize(
    "name", [name for name, entry in list_models().items() if entry.role == "sr"]
)
sic_networks = pytest.mark.parametrize(
    "name", [name for name, entry in list_models().items() if entry.role == "sic"]
)
learning = pytest.mark.parametrize(
    "name", [name for name, entry in list_models().items() if entry.has_weights]
)


exporting = pytest.mark.parametrize(
    "name", [name for name, entry in list_models().items() if entry.exportable]
)


def window(name: str) -> int | None:
    return getattr(find_model(name).config_class()(), "window", None)


windowed = pytest.mark.parametrize("name", [name for name in list_models() if window(name)])
of_any_size = pytest.mark.parametrize(
    "name",
    [name for name, entry in list_models().items() if entry.has_weights and not window(name)],
)


def network(name: str) -> torch.nn.Module:
    torch.manual_seed(5)
    return create_model(name, SMALL[name])


def lively(built: torch.nn.Module) -> torch.nn.Module:
    """Zero-initialised layers set going, so that every path carries something.

    The last one adds a few kelvin to interpolation, as a trained one does.
    """
    for parameter in built.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.02)
    return built


def image(name: str, rows: int, columns: int) -> torch.Tensor:
    if find_model(name).role == "sic":
        return torch.randn(1, 3, rows, columns)
    config = network(name).config
    stack = torch.randn(1, config.frames, config.channels, rows, columns)
    stack[:, :, 2] = 1  # every cell was seen
    return stack


def card(name: str) -> Card:
    entry = find_model(name)
    return Card(
        architecture=name,
        role=entry.role,
        config=asdict(network(name).config),
        scale=4 if entry.role == "sr" else 1,
        frames=network(name).config.frames if entry.role == "sr" else 1,
        channels=("tb89h", "tb89v", "valid"),
        outputs=("tb89h", "tb89v"),
        normalization={"tb89h": (200, 100), "tb89v": (200, 100), "valid": (0, 1)},
        multiple_of=entry.multiple_of,
        margin=entry.margin,
        cell=6250.0,
        training={"period": ["2018-01-01", "2018-12-31"]},
        seed=7,
        scores={"rmse": 0.05},
    )


@sr_networks
@pytest.mark.parametrize("size", [(8, 12), (9, 7), (5, 1)])
def test_refined_maps_are_four_times_as_large(name, size):
    with torch.inference_mode():
        fine = network(name).eval()(image(name, *size))
    assert fine.shape == (1, 2, 4 * size[0], 4 * size[1])
    assert fine.dtype == torch.float32


@sr_networks
def test_a_fresh_network_is_bicubic(name):
    stack = image(name, 8, 8)
    with torch.inference_mode():
        torch.testing.assert_close(network(name)(stack), create_weightless_model("bicubic")(stack))


@sic_networks
@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize("size", [(48, 33), (17, 16), (1, 5)])
def test_concentration_is_a_share_and_doubt_is_bounded(name, outputs, size):
    built = create_model(name, SMALL[name] | {"outputs": outputs}).eval()
    with torch.inference_mode():
        told = built(100 * image(name, *size))
    assert told.shape == (1, outputs, *size)
    assert told[:, 0].min() >= 0
    assert told[:, 0].max() <= 1
    assert told[:, 1:].ge(-10).all()
    assert told[:, 1:].le(1).all()


@learning
def test_every_parameter_learns(name):
    built = lively(network(name)).train()
    cells = (
        72 if find_model(name).multiple_of > 40 else 36
    )  # means of one cell cannot be normalized
    built(image(name, cells, 40)).square().sum().backward()
    for parameter_name, parameter in built.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert torch.isfinite(parameter.grad).all(), parameter_name
        assert parameter.grad.any(), parameter_name


@learning
def test_bfloat16_moves_nothing_by_more_than_two_percent_or_two_kelvin(name):
    built, options = lively(network(name)).eval(), image(name, 32, 32)
    with torch.inference_mode():
        precise = built(options)
        with torch.autocast("cpu", torch.bfloat16):
            rough = built(options)
    assert (rough - precise).abs().max() < 0.02


@learning
@pytest.mark.parametrize(("storage", "exact"), [("float32", True), ("bfloat16", False)])
def test_what_is_saved_comes_back(tmp_path, name, storage, exact):
    built, path = lively(network(name)).eval(), tmp_path / "weights.safetensors"
    save_model(path, built, card(name), storage)
    again, result = load_model(path)
    options = image(name, 20, 20)
    with torch.inference_mode():
        before, after = built(options), again(options)
    assert result == card(name)
    assert not again.training
    assert torch.equal(before, after) is exact
    torch.testing.assert_close(before, after, atol=0.02, rtol=0.02)
    assert len(weights_hash(path)) == 64


@of_any_size
def test_a_tile_with_margin_hardly_differs_from_the_whole(name):
    """Beyond its margin a tile feels its edge so little that the seam is lost in the noise."""
    built, entry = lively(network(name)).eval(), find_model(name)
    torch.manual_seed(1)
    side = 2 * entry.margin + 4 * entry.multiple_of
    whole = image(name, side, side)
    scale = 4 if entry.role == "sr" else 1
    cut = side - entry.multiple_of
    keep = scale * (cut - entry.margin)
    with torch.inference_mode():
        expected = built(whole)[..., :keep, :keep]
        result = built(whole[..., :cut, :cut])[..., :keep, :keep]
    assert (result - expected).abs().max() < 1e-3 * expected.std()


def for_a_graph(name: str) -> tuple[torch.nn.Module, torch.Tensor]:
    """A network and its input; of frames moved step by step, three need a third of the graph."""
    if name != "pmdrnet":
        return lively(network(name)).eval(), image(name, 32, 32)
    torch.manual_seed(5)
    built = lively(create_model(name, SMALL[name] | {"frames": 3})).eval()
    return built, torch.randn(1, 3, built.config.channels, 16, 16)


@pytest.mark.slow
@exporting
def test_it_is_exported_as_one_graph_that_tells_the_same(name):
    built, options = for_a_graph(name)
    graph = torch.export.export(built, (options,)).module()
    with torch.inference_mode():
        torch.testing.assert_close(graph(options), built(options), atol=1e-5, rtol=1e-5)


@pytest.mark.slow
@exporting
def test_it_is_compiled_as_one_graph_that_tells_the_same(name):
    """Captured and lowered as `torch.compile` does it, short of writing machine code."""
    built, options = for_a_graph(name)
    compiled = torch.compile(built, fullgraph=True, backend="aot_eager")
    with torch.inference_mode():
        torch.testing.assert_close(compiled(options), built(options), atol=1e-4, rtol=1e-4)


@pytest.mark.slow
def test_machine_code_tells_the_same():
    built, options = for_a_graph("espcn")
    with torch.inference_mode():
        told = torch.compile(built, fullgraph=True)(options)
        torch.testing.assert_close(told, built(options), atol=1e-4, rtol=1e-4)


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(UnknownNameError, match="write 'xception_aspp'"):
        find_model("xception-aspp")


def test_unknown_sizes_are_refused():
    with pytest.raises(WeightsError, match="widht"):
        create_model("pmdrnet", {"widht": 3})
