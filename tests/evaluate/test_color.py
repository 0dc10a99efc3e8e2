"""Lab against published values, and a distance that knows shading from a wrong color."""

import pytest
import torch

from splatsmith.evaluate.color import color_difference, color_distance, lab_from_rgb
from splatsmith.toybox import COLORS

# Bruce Lindbloom's CIE color calculator, sRGB, D65.
KNOWN = {
    (1.0, 1.0, 1.0): (100.0, 0.0, 0.0),
    (0.0, 0.0, 0.0): (0.0, 0.0, 0.0),
    (1.0, 0.0, 0.0): (53.2408, 80.0925, 67.2032),
    (0.0, 1.0, 0.0): (87.7347, -86.1827, 83.1793),
    (0.0, 0.0, 1.0): (32.2970, 79.1875, -107.8602),
}


@pytest.mark.parametrize(("rgb", "lab"), KNOWN.items())
def test_primaries_have_their_published_values(rgb, lab):
    found = lab_from_rgb(torch.tensor(rgb, dtype=torch.float64))
    torch.testing.assert_close(found, torch.tensor(lab, dtype=torch.float64), atol=0.02, rtol=0)


def test_grays_have_no_hue_and_the_lightness_of_the_definition():
    gray = torch.linspace(0, 1, 21, dtype=torch.float64)
    lab = lab_from_rgb(gray[:, None].expand(-1, 3))
    assert lab[:, 1:].abs().max() < 1e-4
    linear = torch.where(gray <= 0.04045, gray / 12.92, ((gray + 0.055) / 1.055) ** 2.4)
    dark = linear <= (6 / 29) ** 3
    expected = torch.where(dark, linear * 903.2963, 116 * linear ** (1 / 3) - 16)
    torch.testing.assert_close(lab[:, 0], expected, atol=1e-4, rtol=0)


def test_the_palette_itself_has_no_distance():
    everywhere = torch.ones(5, dtype=torch.bool)
    for color in COLORS.values():
        pixels = torch.tensor(color).expand(5, 3)
        assert color_distance(pixels, everywhere, color) == pytest.approx(0, abs=1e-4)


def test_shading_about_the_median_is_free_but_another_gray_is_not():
    everywhere = torch.ones(3, dtype=torch.bool)
    shaded = torch.tensor([0.3, 0.5, 0.7])[:, None].expand(3, 3).contiguous()
    assert color_distance(shaded, everywhere, (0.5, 0.5, 0.5)) == pytest.approx(0, abs=1e-3)
    distance = color_distance(shaded, everywhere, COLORS["black"])
    lightness = lab_from_rgb(torch.tensor([[0.5] * 3, COLORS["black"]]))[:, 0]
    assert distance == pytest.approx(float(lightness[0] - lightness[1]), abs=1e-3)


def test_only_the_mask_counts():
    pixels = torch.tensor([[0.86, 0.10, 0.10], [0.0, 0.0, 1.0]])
    red = COLORS["red"]
    assert color_distance(pixels, torch.tensor([True, False]), red) < 1e-3
    assert color_distance(pixels, torch.tensor([False, True]), red) > 50
    assert color_distance(pixels, torch.tensor([False, False]), red) is None


def test_two_pictures_differ_by_their_colors_and_not_by_where_the_light_falls(gen):
    color = torch.rand(6, 7, 3, generator=gen) * 0.2 + torch.tensor([0.7, 0.2, 0.1])
    where = torch.rand(6, 7, generator=gen) > 0.4
    everywhere = torch.ones(6, 7, dtype=torch.bool)
    assert color_difference(color, color, where) == 0
    red = torch.tensor([0.8, 0.3, 0.2]).expand(6, 7, 3)
    light = torch.linspace(0.3, 1.0, 42).view(6, 7, 1)
    shaded = srgb(linear(red) * light)
    assert color_difference(shaded, shaded.flip(0, 1), everywhere) == pytest.approx(0, abs=1e-3)
    middle = srgb(linear(red) * light.median())
    assert color_difference(shaded, middle, everywhere) == pytest.approx(0, abs=1e-3)
    assert color_difference(shaded, srgb(linear(shaded) * 0.5), everywhere) > 5  # too dark
    changed = torch.where(where[..., None], color, 1 - color)
    assert color_difference(changed, color, where) == 0
    assert color_difference(color, color, where & ~where) is None


def linear(color):
    """Linear light of display-referred sRGB."""
    return torch.where(color <= 0.04045, color / 12.92, ((color + 0.055) / 1.055) ** 2.4)


def srgb(light):
    return torch.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
