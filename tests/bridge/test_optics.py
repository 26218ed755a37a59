from dataclasses import replace

import numpy as np
import pytest

from bridge.body import Grid
from bridge.camera import Lamp, camera
from bridge.field import channel_coverage, wall_field
from bridge.microscope import Microscope
from bridge.optics import bright_field, illumination
from bridge.records import DatasetError
from sim.config import ChannelConfig

UM = 1e-6
PIXEL = UM / 6
COHERENT = Microscope(without=("coherence",))
SHAPE = (128, 160)


def propagate(field, distance, pixel_size, wavelength, index):
    """Slow twin: a field after free propagation by its angular spectrum (Goodman, Fourier Optics, eq. 3-74)."""
    fy, fx = (np.fft.fftfreq(n, pixel_size) for n in field.shape)
    along = np.sqrt((index / wavelength) ** 2 - fy[:, None] ** 2 - fx**2 + 0j)
    turns = distance * np.real(along) + 1j * abs(distance) * np.imag(along)
    return np.fft.ifft2(np.fft.fft2(field) * np.exp(2j * np.pi * turns))


def bump(height: float, width: float) -> np.ndarray:
    """A smooth phase object (radians)."""
    y, x = (np.arange(n) - n / 2 for n in SHAPE)
    return height * np.exp(-0.5 * (x**2 + y[:, None] ** 2) * (PIXEL / width) ** 2)


@pytest.mark.parametrize("defocus", [0.0, 3e-6, -8e-6])
def test_nothing_gives_a_uniform_picture(defocus):
    picture = bright_field(np.ones(SHAPE, complex), PIXEL, Microscope(), defocus)
    np.testing.assert_allclose(picture, 1.0, atol=2e-5)


def test_uniform_phase_gives_a_uniform_picture():
    picture = bright_field(np.full(SHAPE, np.exp(2.1j)), PIXEL, Microscope(), 2e-6)
    np.testing.assert_allclose(picture, 1.0, atol=2e-5)


def test_propagation_conserves_energy_and_can_be_undone():
    field = np.exp(1j * bump(2.0, 1.0 * UM))
    away = propagate(field, 20e-6, PIXEL, 546e-9, 1.336)
    assert np.abs(away - field).max() > 0.1
    assert (np.abs(away) ** 2).mean() == pytest.approx(1.0, abs=1e-3)
    np.testing.assert_allclose(propagate(away, -20e-6, PIXEL, 546e-9, 1.336), field, atol=0.02)


def test_free_propagation_of_a_plane_wave_is_a_phase():
    field = np.exp(2j * np.pi * 5 * np.arange(160) / 160) * np.ones(SHAPE)
    frequency = 5 / (160 * PIXEL)
    phase = 2 * np.pi * 7e-6 * np.sqrt((1.336 / 546e-9) ** 2 - frequency**2)
    np.testing.assert_allclose(propagate(field, 7e-6, PIXEL, 546e-9, 1.336), field * np.exp(1j * phase), atol=1e-9)


def test_no_light_is_lost_from_a_smooth_phase_object():
    field = np.exp(1j * bump(1.0, 2.0 * UM))
    for defocus in (0.0, 4e-6):
        assert bright_field(field, PIXEL, Microscope(), defocus).mean() == pytest.approx(1.0, abs=1e-3)


def test_smooth_phase_object_in_focus_is_invisible_and_contrast_changes_sign_with_defocus():
    field = np.exp(1j * bump(0.5, 1.2 * UM))
    focus, above, below = (bright_field(field, PIXEL, COHERENT, z) for z in (0.0, 2e-6, -2e-6))
    assert np.abs(focus - 1).max() < 0.01
    middle = SHAPE[0] // 2, SHAPE[1] // 2
    assert above[middle] - 1 > 0.03
    assert below[middle] - 1 < -0.03


def test_weak_phase_contrast_is_that_of_the_transport_of_intensity_equation():
    height, width, defocus = 0.05, 3.0 * UM, 0.5e-6
    picture = bright_field(np.exp(1j * bump(height, width)), PIXEL, COHERENT, defocus)
    # dI/dz = -(λ/2πn) ∇²φ; at the top of a Gaussian ∇²φ = -2 φ/w²
    expected = defocus * 546e-9 / (2 * np.pi * 1.336) * 2 * height / width**2
    assert picture[SHAPE[0] // 2, SHAPE[1] // 2] - 1 == pytest.approx(expected, rel=0.05)


def test_coherent_picture_equals_propagation_within_the_aperture():
    field = np.exp(1j * bump(1.0, 1.0 * UM))
    slow = np.abs(propagate(field, 3e-6, PIXEL, 546e-9, 1.336)) ** 2
    np.testing.assert_allclose(bright_field(field, PIXEL, COHERENT, 3e-6), slow, atol=0.02)


@pytest.mark.parametrize(("periods", "passes"), [(20, True), (21, True), (24, False), (60, False)])
def test_detail_is_seen_up_to_the_aperture_averaged_over_the_pixel(periods, passes):
    # 160 pixels hold 22 periods of the finest detail that passes, λ/NA
    stripes = 1 + 0.01 * np.cos(2 * np.pi * periods * np.arange(160) / 160) * np.ones(SHAPE)
    for field in (stripes, stripes.T):
        contrast = np.ptp(bright_field(field + 0j, PIXEL, COHERENT, 0.0)) / 2
        assert contrast == pytest.approx(0.02 * np.sinc(periods / 160) if passes else 0.0, rel=0.005, abs=1e-5)


def test_wider_condenser_softens_the_fringes():
    edge = np.where(np.arange(160) < 80, 1.0, np.exp(2.5j)) * np.ones(SHAPE)
    narrow, wide = (
        bright_field(edge, PIXEL, Microscope(condenser_na=na, condenser_y=0.0), 6e-6)[64, 85:110].std()
        for na in (0.02, 0.35)
    )
    assert wide < 0.5 * narrow


def test_illumination_fills_its_disc():
    light = illumination(replace(Microscope(), condenser_x=0.05), 400)
    radius = np.hypot(light[:, 0] - 0.05, light[:, 1] - Microscope().condenser_y)
    assert radius.max() <= Microscope().condenser_na
    assert (radius**2).mean() == pytest.approx(Microscope().condenser_na ** 2 / 2, rel=0.01)


def test_too_coarse_pixels_are_refused():
    with pytest.raises(ValueError, match="too coarse"):
        bright_field(np.ones(SHAPE, complex), 1e-6, Microscope(), 0.0)


def test_walls_are_dark_lines_where_the_channel_ends():
    channel = ChannelConfig()
    grid = Grid.centred(10 * UM, 0.0, PIXEL, (160, 192))
    field = wall_field(channel, grid, Microscope())
    profile = bright_field(field, PIXEL, Microscope(), 0.0)[:, 96]
    y = grid.axes()[1]
    for side in (-1, 1):
        near = np.abs(y - side * channel.gap / 2) < 1.5 * UM
        darkest = y[near][np.argmin(profile[near])]
        assert darkest == pytest.approx(side * channel.gap / 2, abs=0.4 * UM)
        assert profile[near].min() < 0.7
    assert profile[np.abs(y) < 0.5 * UM].mean() == pytest.approx(1.0, abs=0.1)


def test_channel_coverage_follows_the_configuration():
    channel = ChannelConfig()
    grid = Grid.centred(channel.constriction_length / 2, 0.0, PIXEL, (200, 420))
    height = channel_coverage(channel, grid, 0.0).sum(axis=0) * PIXEL
    x = grid.axes()[0]
    inside = (x > 0) & (x < channel.constriction_length)
    np.testing.assert_allclose(height[inside], channel.gap, rtol=1e-6)
    np.testing.assert_allclose(height[x < -channel.entry_taper], channel.width, rtol=1e-6)
    straight = channel_coverage(ChannelConfig(kind="straight"), grid, 0.0).sum(axis=0) * PIXEL
    np.testing.assert_allclose(straight, channel.gap, rtol=1e-6)


def test_camera_noise_is_that_of_the_electrons():
    microscope = Microscope()
    picture = camera(np.ones((300, 300)), microscope, np.random.default_rng(0))
    assert picture.dtype == np.uint8
    assert picture.mean() == pytest.approx(255 * microscope.background, abs=0.1)
    electrons = microscope.background * microscope.full_well
    expected = np.sqrt(electrons + microscope.read_noise**2) * 255 / microscope.full_well
    assert picture.std() == pytest.approx(expected, rel=0.02)


def test_camera_saturates_and_repeats():
    dark, bright = np.zeros((8, 8)), np.full((8, 8), 9.0)
    assert camera(dark, Microscope(), np.random.default_rng(0)).max() < 10
    assert camera(bright, Microscope(), np.random.default_rng(0)).min() == 255
    first, again, other = (camera(np.ones((9, 9)), Microscope(), np.random.default_rng(s)).tobytes() for s in (1, 1, 2))
    assert first == again
    assert first != other


def test_lamp_is_one_in_the_middle_of_the_channel_and_uneven_away_from_it():
    lamp = Lamp.draw(Microscope(), np.random.default_rng(3))
    grid = Grid.centred(0.0, 0.0, 10 * UM, (3, 3))
    assert lamp.on(grid)[1, 1] == pytest.approx(1.0)
    assert lamp.on(Grid.centred(0.0, 0.0, 80 * UM, (3, 3))).std() > 0


def test_a_drawn_channel_is_refused_and_a_second_constriction_is_drawn():
    drawn = ChannelConfig(kind="polygon", file="channel.csv", unit="um")
    grid = Grid(-30e-6, -16e-6, 0.5e-6, (64, 300))
    with pytest.raises(DatasetError, match="polygon"):
        channel_coverage(drawn, grid, 0.0)
    one, two = (channel_coverage(ChannelConfig(count=n), grid, 0.0).sum(axis=0) for n in (1, 2))
    x = grid.axes()[0]
    second = int(np.argmin(abs(x - ChannelConfig().period - 15e-6)))
    assert x[second] > 80e-6
    assert two[second] == pytest.approx(5.2 / 0.5, rel=0.02)
    assert one[second] > 3 * two[second]
