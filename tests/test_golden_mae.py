"""Masking and the masked autoencoder against the official ones."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from seaice.models.layers.tokens import (
    PatchMask,
    masked_mse,
    normalized_patches,
    patchify,
    position_table,
    unpatchify,
)
from seaice.models.sic.mae_vit import MAEViTConfig, MaskedAutoencoder, ViTEncoder
from tests.support.golden_cases import assert_golden, read


def test_patches():
    case = read("mae", "patchify-a")
    side = case.config["patch_size"]
    assert torch.equal(patchify(case.io["input"], side), case.io["output_patchify"])
    rows, columns = (length // side for length in case.io["input"].shape[2:])
    image = unpatchify(case.io["input_tokens"], side, (rows, columns))
    assert torch.equal(image, case.io["output_unpatchify_of_input_tokens"])


def test_masking():
    case = read("mae", "masking-a")
    masking = PatchMask.of(case.io["input_noise"], case.config["mask_ratio"])
    assert torch.equal(masking.visible(case.io["input"]), case.io["output_x_masked"])
    assert torch.equal(masking.hidden(), case.io["output_mask"])
    assert torch.equal(masking.restore, case.io["output_ids_restore"].long())


def test_the_whole_autoencoder():
    case = read("mae", "net-a")
    config = case.config
    hyper = MAEViTConfig(
        window=config["img_size"],
        patch=config["patch_size"],
        width=config["embed_dim"],
        depth=config["depth"],
        heads=config["num_heads"],
        mlp_ratio=config["mlp_ratio"],
    )
    sizes = [config[f"decoder_{name}"] for name in ("embed_dim", "depth", "num_heads")]
    network = MaskedAutoencoder(ViTEncoder(hyper), hyper, *sizes).eval()
    assert_golden(network.encoder.pos_embed[0], case.io["mid_initial_pos_embed_sincos"])
    assert_golden(network.decoder_pos_embed[0], case.io["mid_initial_decoder_pos_embed_sincos"])
    own = ("decoder", "mask_token")
    state = {k if k.startswith(own) else f"encoder.{k}": v for k, v in case.weights.items()}
    network.load_state_dict(state, strict=True)
    masking = PatchMask.of(case.io["input_noise"], config["mask_ratio (forward argument)"])
    with torch.inference_mode():
        told = network(case.io["input"], masking)
    needed = patchify(case.io["input"], hyper.patch)
    assert_golden(told, case.io["output_pred"])
    assert_golden(needed, case.io["mid_target_patchify"])
    assert_golden(masked_mse(told, needed, masking.hidden())[None], case.io["output_loss"])


@given(st.integers(1, 400), st.floats(0.4, 0.8), st.integers(0, 9))
def test_as_many_patches_stay_as_the_official_code_keeps(patches, ratio, seed):
    noise = torch.rand((2, patches), generator=torch.Generator().manual_seed(seed))
    masking = PatchMask.of(noise, ratio)
    kept = int(patches * (1 - ratio))
    assert masking.hidden().sum(1).tolist() == [patches - kept] * 2
    assert masking.visible(noise[..., None]).shape == (2, kept, 1)


def test_what_stays_is_put_back_where_it_was():
    noise, tokens = torch.rand(3, 20), torch.randn(3, 20, 4)
    masking = PatchMask.of(noise, 0.75)
    back = masking.with_mask_tokens(masking.visible(tokens), torch.full((1, 1, 4), 9.0))
    expected = torch.where(masking.hidden()[..., None] > 0, 9.0, tokens)
    assert torch.equal(back, expected)


def test_normalized_patches_have_no_mean_and_unit_variance():
    told = normalized_patches(torch.randn(2, 5, 30) * 7 + 3)
    torch.testing.assert_close(told.mean(-1), torch.zeros(2, 5), atol=1e-5, rtol=0)
    torch.testing.assert_close(told.var(-1), torch.ones(2, 5), atol=1e-4, rtol=0)


def test_places_differ_and_columns_come_first():
    table = position_table(16, (3, 4))[0]
    assert not table[0].any()
    assert len({tuple(row.tolist()) for row in table}) == 13
    same_column = table[1 : 1 + 12].reshape(3, 4, 16)[:, 2]
    assert torch.equal(same_column[0, :8], same_column[2, :8])
