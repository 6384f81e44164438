"""The figure of coupling space and latent spaces: which numbers it draws, and in which colours."""

import numpy as np
import pytest

from spinscape.errors import ShapeError
from spinscape.plot.latents import colours_of_couplings, latent_space_figure, leading

GRID = np.stack(np.meshgrid(*[np.linspace(-1, 1, 4)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)


def test_numbers_of_the_largest_variance_are_drawn():
    latent = GRID @ np.diag([1.0, 5.0, 3.0])
    assert leading(latent).tolist() == [1, 2, 0] and leading(latent[:, :2]).tolist() == [1, 0]


@pytest.mark.parametrize("n", [1, 2, 3])
def test_far_couplings_have_colours_of_their_own(n):
    place = np.unique(GRID[:, :n], axis=0)
    shades = colours_of_couplings(place)
    assert shades.shape == (len(place), 3) and shades.min() >= 0 and shades.max() <= 1
    assert len(np.unique(shades.round(6), axis=0)) == len(place)


def test_couplings_that_do_not_vary_are_left_out():
    theta = np.column_stack([np.full(len(GRID), 7.0), GRID])
    names, latents = ["D", "J1", "J2", "J3"], {"pca": GRID[:, :2], "dense": GRID**3}
    figure = latent_space_figure(couplings=theta, names=names, units=["K"] * 4, latents=latents)
    space, flat, cube = figure.axes
    assert (space.get_xlabel(), space.get_ylabel(), space.get_zlabel()) == ("J1 (K)", "J2 (K)", "J3 (K)")
    assert [one.get_title() for one in (space, flat, cube)] == ["couplings", "pca", "dense"]
    assert np.asarray(flat.collections[0].get_offsets()).shape == (64, 2) and cube.name == "3d"
    # One point has one colour in all spaces.
    shades = [np.asarray(one.collections[0].get_facecolor()) for one in (flat, space)]
    np.testing.assert_allclose(shades[0][:, :3], colours_of_couplings(GRID), atol=1e-6)


def test_latent_numbers_of_other_points_are_refused():
    with pytest.raises(ShapeError):
        latent_space_figure(couplings=GRID, names=["a", "b", "c"], latents={"pca": GRID[:5]})
