"""Figures: what is drawn where, masks, stamps, units, and nothing left behind in matplotlib's globals."""

import subprocess
import sys
from dataclasses import replace

import matplotlib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.collections import QuadMesh
from matplotlib.colors import to_rgba

from spinscape.errors import ShapeError
from spinscape.hamiltonian.model import BondTable, MagneticStructure, Model
from spinscape.lattice.crystal import Crystal, lattice_vectors
from spinscape.lattice.qspace import EnergyAxis, path_through
from spinscape.plot import crystal, landscape, momentum, spectra, style, training, zone
from spinscape.plot.region import charges_figure, region_figure

VECTORS = lattice_vectors(a=4.0, b=4.0, c=12.0)
RECIPROCAL = 2.0 * np.pi * np.linalg.inv(VECTORS).T
PATH = path_through(
    [[0.5, 0.5, 0], [0.5, 0, 0], [1, 0, 0]], n_point=[7, 5], reciprocal=RECIPROCAL, name="line", labels=["M", "X", "Γ"]
)
ENERGY = EnergyAxis.from_range(first=10.0, last=19.0, step=1.0)
SHAPE = (12, 10)
MODEL_IMAGE = 1.0 + np.outer(np.arange(12.0), np.linspace(0.0, 1.0, 10))
DATA_IMAGE = 2.0 * MODEL_IMAGE + np.random.default_rng(5).normal(0.0, 0.3, SHAPE)


@pytest.fixture(autouse=True)
def nothing_is_left_behind():
    before = dict(matplotlib.rcParams)
    yield
    assert dict(matplotlib.rcParams) == before


def square_model():
    one = np.eye(3)[None]
    site = Crystal(VECTORS, np.zeros((1, 3)), ("Ni",), [0], [1.0], ("Ni2+",), 2.0 * one, one, np.zeros((1, 3)))
    offsets = [[1, 0, 0], [0, 1, 0], [1, 1, 0], [1, -1, 0]]
    bonds = BondTable([0] * 4, [0] * 4, offsets, [0, 0, 1, 1], np.tile(one, (4, 1, 1)))
    neel = MagneticStructure(
        [[1, 1, 0], [1, -1, 0], [0, 0, 1]], [0, 0], [[0, 0, 0], [1, 0, 0]], [[0, 0, 1], [0, 0, -1]]
    )
    return Model(site, ("J", "Jp"), bonds), neel


def spectrum_figure(**changed):
    return spectra.data_model_figure(
        **{"momentum": PATH, "energy": ENERGY, "data": DATA_IMAGE, "model": MODEL_IMAGE, **changed}
    )


def landscape_figure(**changed):
    x, y = np.linspace(20, 40, 9), np.linspace(-5, 5, 7)
    settings_ = {
        "names": ("J", "Jp"),
        "axes_values": (x, y),
        "values": (x[:, None] - 30) ** 2 + y**2,
        "minima": [{"parameters": {"J": 30.0, "Jp": 0.0}, "objective": 0.0, "n_start": 3}],
        "covariance": [[0.04, 0.01], [0.01, 0.02]],
    }
    return landscape.landscape_figure(**{**settings_, **changed})


def profile_figure(**changed):
    x = np.linspace(-1.0, 1.0, 5)
    profile = {"name": "J", "unit": "meV", "values": x, "objective": x**2, "best": 0.0, "interval68": (-0.5, 0.5)}
    return landscape.profile_figure(profiles=[profile, {**profile, "name": "Jp"}], **changed)


def training_figure(**changed):
    steps = np.arange(1, 9)
    return training.training_figure(
        **{"curves": {"training": (steps, 1 / steps)}, "scores": {"held out": (steps, 0.1 / steps)}, **changed}
    )


def held_out_figure(**changed):
    generator = np.random.default_rng(2)
    return training.held_out_figure(
        names=("J", "Jp"), theta=generator.normal(size=(30, 2)), errors=generator.uniform(0.1, 0.2, 30), **changed
    )


def crystal_figure(**changed):
    model, structure = square_model()
    return crystal.crystal_figure(model=model, structure=structure, paths=[PATH], **changed)


FIGURES = [spectrum_figure, landscape_figure, profile_figure, training_figure, held_out_figure, crystal_figure]


def panels(figure):
    """The axes of a figure that hold a picture, without colour bars and three-dimensional drawings."""
    return [a for a in figure.axes if a.get_label() != "<colorbar>" and a.name != "3d"]


@pytest.mark.parametrize("make", FIGURES)
def test_simulated_figures_are_stamped_and_others_are_not(make):
    texts = [[t.get_text() for t in make(simulated=s, title="fit").texts] for s in (True, False)]
    assert "SIMULATED" in texts[0] and "SIMULATED" not in texts[1]


def test_the_stamp_is_seen():
    stamped, plain = (style.png_bytes(training_figure(simulated=s), dpi=50) for s in (True, False))
    assert stamped != plain and plain.startswith(b"\x89PNG")


@pytest.mark.parametrize("make", FIGURES)
def test_every_axis_has_a_label_and_numbers_of_physics_a_unit(make):
    for axes in panels(make()):
        above = axes.get_shared_x_axes().get_siblings(axes)
        assert any(a.get_xlabel() for a in above) and axes.get_ylabel()
        for label in (axes.get_xlabel(), axes.get_ylabel()):
            quantity = label.split(" (")[0]
            assert "(" in label or quantity not in {"J", "Jp", "energy transfer", "distance along the path"}, label


def test_equal_figures_give_equal_bytes():
    assert style.png_bytes(held_out_figure(), dpi=50) == style.png_bytes(held_out_figure(), dpi=50)


def test_pyplot_and_its_figures_are_never_touched():
    code = (
        "import sys, matplotlib\n"
        "from spinscape.plot import crystal, landscape, report, spectra, training\n"
        "training.training_figure(curves={'a': ([1, 2], [1.0, 0.5])})\n"
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


# Spectra


def meshes(figure):
    return [c for axes in panels(figure) for c in axes.collections if isinstance(c, QuadMesh)]


def test_pixels_lie_between_the_points_and_end_at_corners():
    edges = momentum.path_edges(PATH)
    d = PATH.distance
    assert len(edges) == len(d) + 1 and np.all(np.diff(edges) > 0)
    assert (edges[0], edges[7], edges[-1]) == (d[0], d[6], d[-1])
    np.testing.assert_allclose(edges[1:6], 0.5 * (d[:5] + d[1:6]))
    assert all(edges[i] <= d[i] <= edges[i + 1] for i in range(len(d)))


def test_ticks_carry_the_labels_of_the_path():
    axes = panels(spectrum_figure())[0]
    assert [t.get_text() for t in axes.get_xticklabels()] == ["M", "X", "Γ"]
    np.testing.assert_allclose(axes.get_xticks(), PATH.distance[[0, 6, 11]])


@pytest.mark.parametrize("hidden", [np.nan, np.inf, 1e30])
def test_masked_pixels_are_grey_and_enter_nothing(hidden):
    valid = np.ones(SHAPE, bool)
    valid[2:4, 3:6] = False
    residual = np.where(valid, DATA_IMAGE - MODEL_IMAGE, hidden)
    clean = spectrum_figure(data=np.where(valid, DATA_IMAGE, 0.0), valid=valid)
    dirty = spectrum_figure(data=np.where(valid, DATA_IMAGE, hidden), valid=valid)
    given_ = spectrum_figure(data=np.where(valid, DATA_IMAGE, hidden), valid=valid, residual=residual, scale_model=True)
    for a, b in zip(meshes(clean), meshes(dirty), strict=True):
        np.testing.assert_array_equal(a.get_array().filled(-1.0), b.get_array().filled(-1.0))
        assert (a.norm.vmin, a.norm.vmax) == (b.norm.vmin, b.norm.vmax)
    lines = [[line.get_ydata() for line in panels(figure)[-1].lines] for figure in (clean, dirty)]
    assert all(np.array_equal(a, b) for a, b in zip(*lines, strict=True))
    for figure in (dirty, given_):
        data, model, rest = meshes(figure)
        assert data.get_array().T.mask[2:4, 3:6].all() and data.get_array().mask.sum() == 6
        assert not np.ma.getmaskarray(model.get_array()).any() and rest.get_array().mask.sum() == 6
        assert panels(figure)[0].get_facecolor() == to_rgba(style.MASKED)
        assert "not measured" in panels(figure)[0].get_title()


def test_data_and_model_share_one_colour_scale():
    data, model, residual = meshes(spectrum_figure())
    assert data.norm is model.norm and data.norm.vmax <= DATA_IMAGE.max()
    assert residual.norm.vmin == -residual.norm.vmax
    np.testing.assert_array_equal(residual.get_array().T, DATA_IMAGE - MODEL_IMAGE)


def test_a_scaled_model_says_by_how_much():
    scale = (DATA_IMAGE * MODEL_IMAGE).sum() / (MODEL_IMAGE**2).sum()
    figure = spectrum_figure(scale_model=True)
    assert panels(figure)[1].get_title() == f"model × {scale:.3g}"
    np.testing.assert_allclose(meshes(figure)[1].get_array().T, scale * MODEL_IMAGE)
    assert spectra.least_squares_scale(DATA_IMAGE, np.zeros(SHAPE)) == 1.0


def test_cuts_average_valid_neighbours_within_the_segment():
    valid = np.ones(SHAPE, bool)
    valid[5, 4] = valid[4:7, 9] = False
    values = np.where(valid, DATA_IMAGE, np.nan)
    mean, there = momentum.cut_through(values, momentum=PATH, valid=valid, point=6, half_width=2)
    np.testing.assert_allclose(mean[0], DATA_IMAGE[4:7, 0].mean())
    np.testing.assert_allclose(mean[4], DATA_IMAGE[[4, 6], 4].mean())
    assert there[:9].all() and not there[9]
    assert momentum.cut_points(PATH) == [(0, "M"), (6, "X"), (11, "Γ")]


@pytest.mark.parametrize("name", ["data", "model", "residual", "valid"])
def test_images_of_another_shape_are_refused(name):
    with pytest.raises(ShapeError, match=name):
        spectrum_figure(**{name: np.ones((10, 12))})


def test_a_path_without_labels_and_data_without_signal():
    bare = path_through([[0, 0, 0], [1, 0, 0]], n_point=[12], reciprocal=RECIPROCAL)
    nothing = np.zeros(SHAPE)
    figure = spectrum_figure(momentum=bare, data=nothing, model=nothing, valid=nothing, curves=np.full((12, 2), 12.0))
    assert "1/Å" in panels(figure)[0].get_xlabel()
    assert style.png_bytes(figure, dpi=50)


# Landscapes


def test_landscape_shows_unstable_couplings_grey_and_keeps_orientation():
    x, y = np.linspace(20, 40, 9), np.linspace(-5, 5, 7)
    values = np.where(x[:, None] > 2 * y + 25, x[:, None] + 0 * y, np.inf)
    figure = landscape_figure(values=values, covariance=None)
    (mesh,) = meshes(figure)
    np.testing.assert_array_equal(mesh.get_array().T.mask, ~np.isfinite(values))
    assert mesh.get_array().T[8, 0] == 40.0 and "no stable structure" in panels(figure)[0].get_title()
    with pytest.raises(ShapeError, match="values"):
        landscape_figure(values=values.T)


def test_all_minima_are_drawn_and_the_best_listed():
    minima = [{"parameters": {"J": 21.0 + k, "Jp": 0.0}, "objective": float(k), "n_start": 1} for k in range(12)]
    axes = panels(landscape_figure(minima=minima))[0]
    assert sorted(line.get_xdata()[0] for line in axes.lines) == [21.0 + k for k in range(12)]
    listed = [t.get_text() for t in axes.get_legend().get_texts()]
    assert len(listed) == landscape.MAX_LISTED and listed[0] == "1: (21, 0), 0, 1 start"
    assert "of 12" in axes.get_legend().get_title().get_text()


def test_without_minima_there_is_no_neighbourhood():
    assert len(panels(landscape_figure(minima=[]))) == 1
    assert len(panels(landscape_figure(points=[("variant", 31.0, 0.5)]))) == 2


@settings(max_examples=50, deadline=None)
@given(st.floats(0.01, 5.0), st.floats(0.01, 5.0), st.floats(-0.99, 0.99))
def test_ellipses_are_contours_of_the_covariance(sx, sy, r):
    """Ends of both half axes lie at Δᵀ C⁻¹ Δ = level."""
    covariance = np.array([[sx**2, r * sx * sy], [r * sx * sy, sy**2]])
    width, height, angle = landscape.ellipse_of(covariance, level=2.5)
    t = np.radians(angle)
    ends = np.array([[width * np.cos(t), width * np.sin(t)], [-height * np.sin(t), height * np.cos(t)]]) / 2
    found = np.einsum("ki,ij,kj->k", ends, np.linalg.inv(covariance), ends)
    np.testing.assert_allclose(found, 2.5, rtol=1e-6)
    assert width >= height


def test_levels_hold_what_they_say():
    """For two Gaussian parameters P(Δχ² < x) = 1 − exp(−x/2)."""
    held = [1.0 - np.exp(-level / 2) for level in landscape.LEVEL.values()]
    np.testing.assert_allclose(held, [0.6827, 0.95], atol=1e-4)


# Training


def test_losses_are_logarithmic_where_they_can_be():
    figure = training_figure(chosen=4)
    assert [a.get_yscale() for a in figure.axes] == ["log", "log"] and figure.axes[-1].get_xlabel() == "step"
    flat = training_figure(curves={"training": ([1, 2, 3], [0.0, -1.0, np.nan])}, scores=None)
    assert [a.get_yscale() for a in flat.axes] == ["linear"]
    assert len(flat.axes[0].lines[0].get_xdata()) == 2


def test_held_out_errors_are_all_shown_the_largest_on_top():
    figure = held_out_figure()
    shown = figure.axes[0].collections[0].get_array()
    assert len(shown) == 30 and np.all(np.diff(shown) >= 0)
    assert sum(p.get_height() for p in figure.axes[1].patches) == 30
    with pytest.raises(ShapeError, match="theta"):
        training.held_out_figure(names=("J", "Jp"), theta=np.zeros((3, 1)), errors=np.ones(3))


# Crystal and zones


def test_square_lattice_is_drawn_as_one_layer_of_three_by_three_cells():
    model, structure = square_model()
    site, cell = crystal.drawn_sites(model)
    assert len(site) == 16 and np.all(cell[:, 2] == 0)
    bonds = crystal.drawn_bonds(model, site, cell)
    assert {name: len(ends) for name, ends in bonds.items()} == {"J": 24, "Jp": 18}
    for name, length in (("J", 4.0), ("Jp", 4.0 * np.sqrt(2.0))):
        np.testing.assert_allclose(np.linalg.norm(np.diff(bonds[name], axis=1), axis=-1), length)
    spins = crystal.spin_directions(structure, site, cell)
    np.testing.assert_array_equal(spins[:, 2], (-1.0) ** cell.sum(axis=1))


def test_large_cells_are_drawn_once():
    model, _ = square_model()
    assert len(crystal.drawn_sites(model, max_drawn=10)[0]) == 9
    assert len(crystal.drawn_sites(model, max_drawn=1)[0]) == 4


def test_a_path_in_a_plane_keeps_its_distances():
    q = PATH.points @ RECIPROCAL
    plane = zone.plane_through(q, reciprocal=RECIPROCAL)
    assert plane.flat and plane.names[0] == "along [1 0 0]*"
    placed = plane.project(q)
    np.testing.assert_allclose(
        np.linalg.norm(placed[:, None] - placed, axis=-1), np.linalg.norm(q[:, None] - q, axis=-1)
    )
    np.testing.assert_allclose(plane.project(RECIPROCAL[0]), [np.linalg.norm(RECIPROCAL[0]), 0.0], atol=1e-12)


@pytest.mark.parametrize("points", [[[0, 0, 0]], [[0, 0, 0], [0.3, 0.3, 0.3]], [[0, 0, 0.5], [0, 0, 1]]])
def test_a_line_or_a_point_is_completed_to_a_plane(points):
    q = np.array(points) @ RECIPROCAL
    plane = zone.plane_through(q, reciprocal=RECIPROCAL)
    assert plane.flat
    np.testing.assert_allclose(plane.axes @ plane.axes.T, np.eye(2), atol=1e-12)
    np.testing.assert_allclose(plane.origin + plane.project(q) @ plane.axes, q, atol=1e-12)


def test_a_path_out_of_any_plane_is_drawn_in_space():
    model, structure = square_model()
    bent = path_through([[0, 0, 0], [1, 0, 0], [1, 1, 0], [1, 1, 1]], n_point=[3] * 3, reciprocal=RECIPROCAL)
    figure = crystal.crystal_figure(model=model, structure=structure, paths=[bent])
    assert figure.axes[1].name == "3d" and "zone" in figure.axes[1].get_title()
    assert len(crystal.crystal_figure(model=model, structure=structure).axes) == 1


def area(polygon):
    x, y = polygon.T
    return 0.5 * abs(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)))


@pytest.mark.parametrize(("gamma", "corners"), [(90.0, 4), (120.0, 6), (75.0, 6)])
def test_zones_of_plane_lattices_have_their_area_and_corners(gamma, corners):
    """Area of a zone of a two-dimensional lattice = |a* × b*|; a square for 90°, else a hexagon."""
    reciprocal = 2 * np.pi * np.linalg.inv(lattice_vectors(a=4.0, b=4.0, c=9.0, gamma=gamma)).T
    plane = zone.plane_through(reciprocal[:2], reciprocal=reciprocal)
    polygons = zone.zone_polygons(plane, reciprocal=reciprocal, extent=(-0.1, 0.1, -0.1, 0.1))
    (polygon,) = [p for p in polygons if np.linalg.norm(p.mean(axis=0)) < 1e-9]
    np.testing.assert_allclose(area(polygon), np.linalg.norm(np.cross(*reciprocal[:2])), rtol=1e-9)
    assert len(zone.unique_edges([polygon])) == len(polygon) == corners
    assert len(zone.unique_edges([polygon, polygon[::-1]])) == corners


def outline(**lattice):
    reciprocal = 2 * np.pi * np.linalg.inv(lattice_vectors(**lattice)).T
    return reciprocal, zone.zone_outline(reciprocal)


@pytest.mark.parametrize(
    ("lattice", "n_edge"),
    [
        ({"a": 4.0, "b": 5.0, "c": 6.0}, 12),
        ({"a": 4.0, "b": 4.0, "c": 9.0, "gamma": 120.0}, 18),
        ({"a": 4.0, "b": 4.0, "c": 4.0, "alpha": 60.0, "beta": 60.0, "gamma": 60.0}, 36),
    ],
)
def test_the_outline_of_a_zone_is_a_box_a_prism_and_a_truncated_octahedron(lattice, n_edge):
    reciprocal, edges = outline(**lattice)
    assert len(edges) == n_edge
    # A corner is as near to Γ as to three other lattice points at least, and nearer to none.
    points = np.stack(np.meshgrid(*[np.arange(-2, 3)] * 3), axis=-1).reshape(-1, 3) @ reciprocal
    distance = np.linalg.norm(edges.reshape(-1, 1, 3) - points, axis=2)
    least = np.linalg.norm(edges.reshape(-1, 3), axis=1)[:, None]
    assert np.all(distance >= least - 1e-9)
    assert np.all(np.sum(distance <= least + 1e-9, axis=1) >= 4)


def test_two_couplings_of_one_bond_both_show():
    model, structure = square_model()
    twice = replace(model, parameter_names=("J", "K"), bonds=doubled(model.bonds))
    lines = crystal.crystal_figure(model=twice, structure=structure).axes[0].lines
    styles = {line.get_color(): line.get_linestyle() for line in lines if line.get_label() in ("J", "K")}
    assert len(styles) == 2 and set(styles.values()) == {"-", "--"}


def doubled(bonds):
    """The bonds twice, the second time with another coupling."""
    columns = {name: np.concatenate([getattr(bonds, name)] * 2) for name in ("site_i", "site_j", "offset", "matrix")}
    return type(bonds)(parameter=np.repeat([0, 1], bonds.n_bond), **columns)


def inside(polygon, point):
    following = np.roll(polygon, -1, axis=0) - polygon
    to_point = point - polygon
    side = following[:, 0] * to_point[:, 1] - following[:, 1] * to_point[:, 0]
    return np.all(side > 0) or np.all(side < 0)


@settings(max_examples=25, deadline=None)
@given(st.floats(70.0, 110.0), st.floats(70.0, 110.0), st.integers(0, 2**32 - 1))
def test_zones_tile_the_plane_and_share_their_nearest_lattice_point(alpha, gamma, seed):
    """A law for any plane of any lattice: a point lies in one zone, that of the lattice point nearest to it."""
    generator = np.random.default_rng(seed)
    reciprocal = 2 * np.pi * np.linalg.inv(lattice_vectors(a=4.0, b=5.0, c=6.0, alpha=alpha, gamma=gamma)).T
    plane = zone.plane_through(generator.normal(size=(3, 3)), reciprocal=reciprocal)
    polygons = zone.zone_polygons(plane, reciprocal=reciprocal, extent=(-1.0, 1.0, -1.0, 1.0))
    n = np.stack(np.meshgrid(*[np.arange(-4, 5)] * 3), axis=-1).reshape(-1, 3)
    nearest_of_zone = {}
    for point in generator.uniform(-1.0, 1.0, (20, 2)):
        (home,) = [k for k, polygon in enumerate(polygons) if inside(polygon, point)]
        q = plane.origin + point @ plane.axes
        nearest = int(np.argmin(np.linalg.norm(n @ reciprocal - q, axis=1)))
        assert nearest_of_zone.setdefault(home, nearest) == nearest
    assert len(set(nearest_of_zone.values())) == len(nearest_of_zone)


def test_regions_of_acceptable_couplings_show_every_pair():
    matrix = 1e-4 * np.array([[1.0, 0.8, 0.1], [0.8, 1.0, 0.2], [0.1, 0.2, 0.5]])
    regions = {"scattering": (np.zeros(3), matrix), "with heat capacity": (np.zeros(3), 0.3 * matrix)}
    figure = region_figure(names=("a", "b", "c"), units=("K",) * 3, regions=regions, truth=np.zeros(3), simulated=True)
    labels = [(axes.get_xlabel(), axes.get_ylabel()) for axes in figure.axes]
    assert labels == [("a (K)", "b (K)"), ("a (K)", "c (K)"), ("b (K)", "c (K)")]
    # Two levels of each region, filled and outlined.
    assert all(len(axes.patches) == 8 for axes in figure.axes)
    with pytest.raises(ShapeError):
        region_figure(names=("a", "b"), units=("K", "K"), regions=regions)


def test_charges_are_counted_in_the_legend():
    charges = np.array([0.0, 0.0, 1.0, -1.0, -1.0, 2.0])
    figure = charges_figure(positions=np.random.default_rng(1).random((6, 3)), charges=charges)
    texts = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert texts == ["0: 2", "+1: 1", "-1: 2", "+2: 1"]
