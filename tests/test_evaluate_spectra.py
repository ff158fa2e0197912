"""Resolution and likeness of maps, where filters and noise are known, and beside scikit-image."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from seaice.evaluate.brightness import brightness_sums, similarity
from seaice.evaluate.scores import overall
from seaice.evaluate.spectra import half_power, spectra_of, spectrum_sums
from seaice.evaluate.sums import total

CELL = 1.5625


def rough(shape=(512, 512), seed=0):
    """Noise of equal power at all wavelengths."""
    return np.random.default_rng(seed).standard_normal(shape)


def kept(field, longest):
    """Only what is longer than some wavelength, km."""
    y, x = (np.fft.fftfreq(n, CELL) for n in field.shape)
    needed = np.hypot(y[:, None], x[None]) < 1 / longest
    return np.fft.ifft2(np.fft.fft2(field) * needed).real


def test_power_adds_up_to_the_variance():
    """Parseval, of a field without the scales that tiles cannot hold."""
    field = rough()
    sums = spectrum_sums(field, field, 64)
    window = np.outer(np.hanning(64), np.hanning(64))
    fraction = np.pi * 32.5**2 / 64**2  # of all wavenumbers, those up to Nyquist in any direction
    result = sums[:, 2].sum() / len(sums)
    assert result == pytest.approx(fraction * (window**2).sum(), rel=0.03)


def test_a_map_is_wholly_coherent_with_itself_however_faint_or_blurred():
    field = rough()
    for other in (0.1 * field, gaussian_filter(field, 1.0, mode="wrap")):
        result = spectra_of(spectrum_sums(other, field, 128).sum(0), CELL)
        np.testing.assert_allclose(result.coherence[:40], 1, atol=0.02)
    blurred = spectra_of(
        spectrum_sums(gaussian_filter(field, 1.0, mode="wrap"), field, 128).sum(0), CELL
    )
    number = np.arange(1, 65) / 128
    needed = np.exp(-((2 * np.pi * number) ** 2))  # transfer of power of a Gaussian of one cell
    np.testing.assert_allclose(blurred.transfer[5:30], needed[5:30], rtol=0.1)


@pytest.mark.parametrize("longest", [6.25, 12.5, 25.0])
def test_half_power_is_where_the_estimate_stops_to_know(longest):
    """An estimate whose finer structure is somebody else's."""
    field, other = rough(), rough(seed=1)
    estimate = kept(field, longest) + other - kept(other, longest)
    result = half_power(spectrum_sums(estimate, field, 128).sum(0), CELL)
    assert result == pytest.approx(longest, rel=0.08)


def test_half_power_under_noise_is_where_the_signal_is_as_strong_as_the_noise():
    """Coherence is S / (S + N): one half where both are alike; red signal under white noise."""
    y, x = (np.fft.fftfreq(512, CELL) for _ in range(2))
    wavenumber = np.hypot(y[:, None], x[None])
    wavenumber[0, 0] = 1
    crossing = 10.0
    red = np.fft.ifft2(np.fft.fft2(rough()) * (1 / (crossing * wavenumber)) ** 1.5).real
    result = half_power(spectrum_sums(red + rough(seed=3), red, 128).sum(0), CELL)
    assert result == pytest.approx(crossing, rel=0.1)


def test_half_power_is_nan_where_coherence_never_falls():
    field = rough((256, 256))
    assert np.isnan(half_power(spectrum_sums(field, field, 64).sum(0), CELL))
    assert np.isnan(half_power(np.zeros((4, 32)), CELL))


def test_tiles_with_gaps_are_left_out():
    field = rough((128, 128))
    field[3, 70] = np.nan
    assert len(spectrum_sums(field, rough((128, 128)), 64)) == 3


def temperatures(seed=0, shape=(96, 110)):
    base = gaussian_filter(rough(shape, seed), 3) * 60 + 210
    return np.stack([base - 20, base + 5 * gaussian_filter(rough(shape, seed + 9), 2)])


def test_likeness_is_that_of_scikit_image():
    metrics = pytest.importorskip("skimage.metrics")
    one, other = temperatures()[0], temperatures()[0] + rough((96, 110), 5)
    told = {"data_range": 200.0, "gaussian_weights": True, "sigma": 1.5}
    _, needed = metrics.structural_similarity(
        one, other, full=True, use_sample_covariance=False, **told
    )
    result = similarity(one, other)
    inner = np.s_[5:-5, 5:-5]
    np.testing.assert_allclose(result[inner], needed[inner], rtol=1e-6)
    assert np.isnan(result[0]).all()


def test_a_gap_makes_likeness_unknown_as_far_as_the_window_reaches():
    one = temperatures()[0]
    one[50, 60] = np.nan
    result = similarity(one, temperatures()[0])
    assert np.isnan(result[45:56, 55:66]).all()
    assert np.isfinite(result[45:56, 66:70]).all()


def test_brightness_scores_are_what_their_formulas_say():
    truth, estimate = (
        temperatures(),
        temperatures() + np.stack([rough((96, 110)), np.zeros((96, 110))]),
    )
    truth[:, :10] = np.nan
    result = overall(total(brightness_sums(estimate, truth, 32)), CELL)
    error = (estimate - truth)[:, 10:]
    rmse_h = np.sqrt(np.mean(error[0] ** 2))
    assert result["rmse_h"] == pytest.approx(rmse_h)
    assert result["rmse_v"] == 0
    assert result["rmse_p"] == pytest.approx(rmse_h)
    assert result["psnr_h"] == pytest.approx(10 * np.log10(200**2 / rmse_h**2))
    assert result["ssim_v"] == pytest.approx(1)
    assert result["ssim_h"] < 1
