"""Maps of phases: markers that leave a boundary to be seen."""

import numpy as np

from spinscape.plot.phases import phase_map_figure


def test_points_that_were_added_near_others_are_drawn_smaller():
    line = np.linspace(0.0, 1.0, 6)
    even = np.stack(np.meshgrid(line, 3.0 * line, indexing="ij"), axis=-1).reshape(-1, 2)
    added = np.array([[0.51, 1.5], [0.52, 1.5]])
    place = np.concatenate([even, added])
    phase = (place[:, 0] > 0.5).astype(int)
    latent = np.column_stack([place, phase])
    figure = phase_map_figure(coordinates=place, names=["a", "b"], phase=phase, latent=latent)
    left, right = (half.axes[0].collections[0] for half in figure.subfigs)
    sizes = left.get_sizes()
    # Points of a grid alike, whatever the units of its axes, but beside those that were added; these smaller.
    far = np.hypot(even[:, 0] - 0.5, even[:, 1] / 3 - 0.5) > 0.25
    assert far.sum() == 32 and np.ptp(sizes[:36][far]) < 1e-6
    assert np.all(sizes[36:] < 0.5 * sizes[0]) and sizes.min() > 0
    assert np.array_equal(right.get_sizes(), sizes)
    # No colour of a latent number is white.
    assert right.get_facecolors()[:, :3].sum(axis=1).max() <= 2.7 + 1e-9
