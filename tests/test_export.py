"""Exported networks: folded exactly, rounded within bounds, the same when loaded, no pickle."""

import json
import os
import pickle
import struct
import subprocess
import sys
from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from typer.testing import CliRunner

from seaice.cli import app
from seaice.errors import SettingsError, WeightsError
from seaice.models.export import (
    ActivationRange,
    FakeQuantConv2d,
    Int8Conv2d,
    activation_ranges,
    backend_of,
    fake_quantize,
    float_backend_copy,
    fuse_layers,
    int8_is_exact,
    quantize,
)
from seaice.models.inputs import SIC_CHANNELS, new_sic_card
from seaice.models.registry import create_model
from seaice.models.weights import load_model, save_model
from seaice.workflow.model_export import ExportResult, markdown
from tests.support import tiny_samples
from tests.test_network_contract import SMALL, lively, network
from tests.test_network_fold import trained

CONVOLUTIONAL = pytest.mark.parametrize("name", ["repvgg", "scnet", "xception_aspp"])


def ready(name: str) -> nn.Module:
    return fuse_layers(trained(lively(network(name))))


def images(count: int = 3, rows: int = 64, columns: int = 64):
    random = torch.Generator().manual_seed(4)
    return [torch.randn(1, 3, rows, columns, generator=random) for _ in range(count)]


@given(st.floats(-5, 0), st.floats(0.01, 5), st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_what_is_read_is_rounded_by_half_a_step_at_most(low, high, seed):
    layer = nn.Conv2d(2, 2, 1, bias=False)
    layer.weight.data = torch.eye(2)[:, :, None, None]  # tells what it read
    eight = Int8Conv2d.of(FakeQuantConv2d.of(layer, ActivationRange(low, high)))
    values = torch.empty(1, 2, 8, 8).uniform_(low, high, generator=torch.manual_seed(seed))
    step = (high - low) / 255
    beyond = step  # the zero point is a whole number: an end may lie half a step outside
    with torch.inference_mode():
        error = (eight(values) - values).abs()
    inside = (values > low + beyond) & (values < high - beyond)
    assert error[inside].max() <= step / 2 * (1 + 1e-3) + 1e-6
    assert error.max() <= step * (1 + 1e-3) + 1e-6


def test_kernels_are_rounded_by_half_a_step_of_their_output_at_most():
    layer = nn.Conv2d(8, 5, 3)
    layer.weight.data *= torch.logspace(-3, 2, 5)[:, None, None, None]
    eight = Int8Conv2d.of(FakeQuantConv2d.of(layer, ActivationRange(0, 1)))
    error = (eight.kernel * eight.kernel_step[:, None, None, None] - layer.weight).abs()
    steps = layer.weight.abs().amax((1, 2, 3)) / 127
    assert (error.amax((1, 2, 3)) <= steps / 2 * (1 + 1e-5)).all()


@pytest.mark.parametrize(
    "form",
    [
        {"padding": 1},
        {"padding": 1, "stride": 2},
        {"padding": 2, "dilation": 2},
        {"padding": 1, "groups": 4},
        {"padding": "same"},
        {"padding": 0, "bias": False},
    ],
)
def test_integers_sum_to_what_rounded_floats_do(form):
    """Zeros of the padding are zeros, though 0 is counted as something else.

    Seeded: a kernel that lies halfway between two steps, one in some hundred thousand, may go
    either way.
    """
    torch.manual_seed(0)
    layer = nn.Conv2d(8, 12, 3, **form)
    learns = FakeQuantConv2d.of(layer, ActivationRange(-1.3, 2.1))
    eight = Int8Conv2d.of(learns)
    given = torch.randn(2, 8, 11, 14)
    with torch.inference_mode():
        expected = learns(given)
        torch.testing.assert_close(eight(given), expected, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(eight.by_floats(given), expected, atol=1e-5, rtol=1e-5)
        assert eight(given.bfloat16()).dtype == torch.bfloat16
        kept = deepcopy(eight)
        assert torch.equal(kept(given), eight(given))


@pytest.mark.parametrize("side", [1, 3])
@pytest.mark.parametrize("channels", [2, 8, 64])
def test_sums_of_the_largest_integers_are_exact(channels, side):
    """Pairs of products that are summed in 16 bits would saturate at 32767."""
    eight = Int8Conv2d(nn.Conv2d(channels, 4, side))
    eight.kernel[:2], eight.kernel[2:] = 127, -127
    expected = 255 * 127 * channels * side**2 * torch.tensor([1.0, 1.0, -1.0, -1.0])
    with torch.inference_mode():
        result = eight(torch.full((1, channels, side, side), 255.0)).flatten()
    torch.testing.assert_close(result, expected, rtol=1e-6, atol=0)


#: A processor without VNNI, as oneDNN sees it.
WITHOUT_VNNI = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}
SAME_NUMBERS = """
import torch
from torch import nn
from seaice.models.export import ActivationRange, FakeQuantConv2d, Int8Conv2d, backend_of

torch.manual_seed(0)
layer = FakeQuantConv2d.of(nn.Conv2d(64, 32, 3, padding=1), ActivationRange(0, 2))
eight, features = Int8Conv2d.of(layer), torch.rand(1, 64, 24, 24) * 2
with torch.inference_mode():
    torch.testing.assert_close(eight(features), layer(features), atol=1e-4, rtol=1e-4)
    saturated = not torch.allclose(eight.by_integers(features), layer(features), atol=1e-4)
assert (backend_of(eight, torch.device("cpu")) == "float") == saturated
"""


def assert_close_to_float_form(network: nn.Module) -> None:
    """A few values lie halfway between two steps, and may be rounded either way."""
    expected_of = float_backend_copy(network)
    with torch.inference_mode():
        for image in images():
            expected, result = expected_of(image)[:, :1], network(image)[:, :1]
            near = (result - expected).abs() < 0.05 * expected.std()
            assert near.float().mean() > 0.999


def in_a_process(*arguments: str, environment: dict[str, str]) -> None:
    """Run Python; oneDNN reads its limit when it is loaded, so that each needs a process."""
    done = subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_eight_bits_give_the_same_numbers_without_vnni():
    in_a_process("-c", SAME_NUMBERS, environment=WITHOUT_VNNI)


@pytest.mark.slow
def test_all_of_this_holds_without_vnni():
    arguments = ("-m", "pytest", "-n", "0", "-p", "no:cacheprovider", __file__)
    in_a_process(*arguments, environment=WITHOUT_VNNI)


def test_the_backend_is_told():
    simpler = ready("repvgg")
    eight = quantize(fake_quantize(simpler, activation_ranges(simpler, images())))
    cpu = torch.device("cpu")
    assert backend_of(simpler, cpu) == backend_of(float_backend_copy(eight), cpu) == "float"
    assert backend_of(eight, torch.device("cuda")) == "float"
    assert backend_of(eight, cpu) == ("int8" if int8_is_exact() else "float")


def test_gradients_pass_the_rounding():
    layer = FakeQuantConv2d.of(nn.Conv2d(3, 4, 3), ActivationRange(-1, 1))
    features = torch.zeros(1, 3, 8, 8).uniform_(-0.9, 0.9).requires_grad_()
    layer(features).square().sum().backward()
    assert layer.weight.grad.abs().sum() > 0
    assert features.grad.abs().sum() > 0


@CONVOLUTIONAL
def test_eight_bits_tell_nearly_the_same(name):
    simpler = ready(name)
    reads = activation_ranges(simpler, images())
    rounding = fake_quantize(simpler, reads)
    eight = quantize(rounding)
    assert sum(isinstance(layer, Int8Conv2d) for layer in eight.modules()) == len(reads) > 0
    with torch.inference_mode():
        for image in images():
            expected, learnt, result = simpler(image), rounding(image), eight(image)
            spread = float(expected[:, :1].std())
            error = (result - expected)[:, :1].square().mean().sqrt()
            assert 0 < float(error) < 0.1 * spread
            assert (result - learnt)[:, :1].square().mean().sqrt() < 0.02 * spread
    assert_close_to_float_form(eight)


def test_what_reads_the_image_and_what_tells_the_answer_stay_as_they_are():
    simpler = ready("repvgg")
    kept = set(activation_ranges(simpler, images()))
    all_of_them = {name for name, at in simpler.named_modules() if isinstance(at, nn.Conv2d)}
    assert all_of_them - kept == {"encoder.stage0.rbr_reparam", "fine.look", "fine.read"}


def test_a_network_without_convolutions_is_refused():
    with pytest.raises(SettingsError, match="without a convolution"):
        activation_ranges(nn.Sequential(nn.Conv2d(3, 2, 1)), images())


def held(path):
    """The header of a safetensors file, read without the library, and its other bytes."""
    whole = path.read_bytes()
    (length,) = struct.unpack("<Q", whole[:8])
    return json.loads(whole[8 : 8 + length]), whole[8 + length :]


@CONVOLUTIONAL
@pytest.mark.parametrize("form", ["folded", "int8"])
def test_a_file_answers_as_what_was_saved_and_holds_no_pickle(name, form, tmp_path):
    simpler = ready(name)
    result = simpler
    if form == "int8":
        result = quantize(fake_quantize(simpler, activation_ranges(simpler, images())))
    card = replace(new_sic_card(name, SMALL[name], SIC_CHANNELS[:3]), form=form)
    path = tmp_path / "file.safetensors"
    save_model(path, result, card)
    again, told = load_model(path, "sic")
    assert told == card
    with torch.inference_mode():
        for image in images(1, 70, 53):
            assert torch.equal(again(image), result(image))
    header, rest = held(path)
    end = max(one["data_offsets"][1] for key, one in header.items() if key != "__metadata__")
    assert end == len(rest)  # nothing but tensors
    with pytest.raises((pickle.UnpicklingError, EOFError, ValueError, KeyError, IndexError)):
        pickle.loads(path.read_bytes())


def test_a_file_of_eight_bits_is_read_as_what_its_card_says(tmp_path):
    simpler = ready("repvgg")
    eight = quantize(fake_quantize(simpler, activation_ranges(simpler, images())))
    card = new_sic_card("repvgg", SMALL["repvgg"], SIC_CHANNELS[:3])
    path = tmp_path / "file.safetensors"
    for wrong in ("training", "folded"):
        save_model(path, eight, replace(card, form=wrong))
        with pytest.raises(WeightsError, match="no tensor"):
            load_model(path)


def test_the_table_tells_loss_and_speed():
    base = {"change": 0.0, "size": 2000, "file": "a"}
    rows = [
        ExportResult(name="first", rmse=8.0, seconds=0.3, **base),
        ExportResult(name="second", rmse=8.25, seconds=0.1, **base),
    ]
    assert "| second | 8.250 | +0.250 | 0 | 0.1000 | 3.00 | 2 | a |" in markdown(rows)


def run(*told):
    return CliRunner(env={"COLUMNS": "300"}).invoke(app, ["export", *map(str, told)])


@pytest.mark.parametrize(
    ("told", "says"),
    [
        (("--model", "repvg"), "no network is called 'repvg'"),
        (("--model", "espcn"), "a network for 'sr'"),
        (("--model", "repvgg", "--qat-steps", "3"), "without --int8"),
        (("--model", "repvgg", "--weights", "absent.safetensors"), "cannot be read"),
        (("--model", "repvgg", "--weights", "FILE"), "holds scnet"),
        (("--model", "scnet", "--weights", "FILE"), "train.zarr"),
    ],
)
def test_what_is_missing_is_said(tmp_path, told, says):
    file = tmp_path / "scnet.safetensors"
    save_model(file, network("scnet"), new_sic_card("scnet", SMALL["scnet"], SIC_CHANNELS[:3]))
    told = [file if word == "FILE" else word for word in told]
    result = run(*told, "--out", tmp_path / "out", "--data", tmp_path)
    assert result.exit_code == 2
    assert says in result.output
    assert "Traceback" not in result.output


@pytest.mark.slow
def test_every_form_is_written_judged_and_told(tmp_path):
    for split in ("train", "valid"):
        tiny_samples.write(tmp_path / f"{split}.zarr", samples=2, side=32, seed=len(split))
    hyper = {**SMALL["repvgg"], "outputs": 2}
    card = new_sic_card("repvgg", hyper, SIC_CHANNELS)
    source, out = tmp_path / "weights" / "repvgg.safetensors", tmp_path / "out"
    save_model(source, trained(create_model("repvgg", card.config)), card)
    told = ["--model", "repvgg", "--data", tmp_path, "--out", out, "--int8", "--qat-steps", 2]
    result = run(*told, "--worlds", 2)
    assert result.exit_code == 0, result.output
    assert (out / "export.md").read_text() in result.output
    rows = [line for line in result.output.splitlines() if line.startswith("|")][2:]
    assert [row.split("|")[1].split(",")[0].strip() for row in rows] == [
        "training form",
        "folded",
        "folded",
        "int8",
        "int8",
    ]
    assert sorted(path.name for path in out.iterdir()) == [
        "export.md",
        *(f"repvgg_{form}.safetensors" for form in ("bfloat16", "folded", "int8", "int8_aware")),
    ]
    assert load_model(out / "repvgg_int8_aware.safetensors")[1].training["rounding"] == 2
    again = run("--model", "repvgg", "--weights", out / "repvgg_int8.safetensors", "--out", out)
    assert again.exit_code == 2
    assert "which is exported (int8)" in again.output
