"""How a momentum axis is drawn: edges of pixels, ticks, its name, and where cuts are taken."""

import numpy as np

from ..lattice.momentum import n_momentum, segments
from ..lattice.powder_axis import PowderAxis
from ..lattice.qspace import QPath
from ..lattice.volumes import QGrid


def momentum_edges(axis):
    """Return pixel edges, (n_q + 1,): along a path or in |Q|, 1/Å; in the coordinate of a cut; else bin numbers."""
    if isinstance(axis, QPath):
        return path_edges(axis)
    if isinstance(axis, PowderAxis):
        return axis.edges
    along = _only_axis(axis)
    return np.arange(n_momentum(axis) + 1) - 0.5 if along is None else axis.edges[along]


def path_edges(path):
    """Return pixel edges along a path, (n_q + 1,), 1/Å.

    Within a segment an edge lies halfway between two points; the pixels at a segment's ends are half as wide, so that
    the two copies of a corner point meet at the corner.
    """
    edges = []
    for k in np.unique(path.segment):
        d = path.distance[path.segment == k]
        if len(d) == 1:
            d = np.array([d[0] - 1e-3, d[0] + 1e-3])
            edges.append(d)
            continue
        inner = 0.5 * (d[1:] + d[:-1])
        edges.append(np.concatenate([d[:1], inner, d[-1:]]))
    # A corner ends one segment and begins the next: it is one edge.
    return np.concatenate([edges[0], *(e[1:] for e in edges[1:])])


def momentum_positions(axis):
    """Return where each row is drawn, (n_q,)."""
    if isinstance(axis, QPath):
        return axis.distance
    if isinstance(axis, PowderAxis):
        return axis.centres
    edges = momentum_edges(axis)
    return 0.5 * (edges[1:] + edges[:-1])


def momentum_ticks(axis):
    """Return positions and labels of an axis's own ticks: a path's corners, its two copies joined; else none."""
    if not isinstance(axis, QPath):
        return [], []
    return [float(axis.distance[i]) for i, _ in axis.ticks], [label for _, label in axis.ticks]


def momentum_label(axis):
    """Return the words beside the axis.

    >>> momentum_label(PowderAxis("p", [1.0, 2.0]))
    '|Q| (1/Å)'
    """
    if isinstance(axis, QPath):
        return "wave vector along the path (corners)" if axis.ticks else "distance along the path (1/Å)"
    if isinstance(axis, PowderAxis):
        return "|Q| (1/Å)"
    along = _only_axis(axis)
    if along is None:
        return "bin of the grid"
    direction = " ".join(f"{x:g}" for x in axis.basis[along])
    return f"along ({direction}) (r.l.u.)"


def _only_axis(grid: QGrid):
    """Return the one axis of a grid that is not integrated over, None where there are several or none."""
    open_axes = [k for k, integrated in enumerate(grid.integrated) if not integrated]
    return open_axes[0] if len(open_axes) == 1 else None


def slice_corners(grid, reciprocal):
    """Return the corners of the pixels of a slice as they lie in space, and labels of the axes.

    Parameters
    ----------
    grid : QGrid
        With two axes that are not integrated over.
    reciprocal : (3, 3) float64, 1/Å

    Returns
    -------
    x, y : (n_u + 1, n_v + 1) float64, 1/Å
    labels : two str
    """
    seen = [k for k in range(3) if not grid.integrated[k]]
    u, v = np.meshgrid(*(grid.edges[k] for k in seen), indexing="ij")
    first, second = (grid.basis[k] @ reciprocal for k in seen)
    along = first / np.linalg.norm(first)
    across = second - (second @ along) * along
    x = u * np.linalg.norm(first) + v * (second @ along)
    text = " ".join(f"{c:g}" for c in grid.basis[seen[0]])
    return x, v * np.linalg.norm(across), (f"along ({text}) (1/Å)", "across (1/Å)")


def slice_mesh(axes, grid, image, reciprocal, **how):
    """Draw a slice on axes and label them: in r.l.u. where its axes are across each other, else as it lies in space.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    grid : QGrid
        With two axes that are not integrated over.
    image : (n_u, n_v) float64
    reciprocal : (3, 3) float64, 1/Å
    how
        Of ``pcolormesh``, whose result is returned.
    """
    seen, reciprocal = [k for k in range(3) if not grid.integrated[k]], np.asarray(reciprocal)
    first, second = (grid.basis[k] @ reciprocal for k in seen)
    if abs(first @ second) > 1e-6 * np.linalg.norm(first) * np.linalg.norm(second):
        x, y, labels = slice_corners(grid, reciprocal)
        mesh = axes.pcolormesh(x, y, np.asarray(image), **how)
        axes.set(aspect="equal", xlabel=labels[0], ylabel=labels[1])
        return mesh
    mesh = axes.pcolormesh(*(grid.edges[k] for k in seen), np.asarray(image).T, **how)
    axes.set_aspect(np.linalg.norm(second) / np.linalg.norm(first))
    for set_label, k in zip((axes.set_xlabel, axes.set_ylabel), seen, strict=True):
        set_label(f"along ({' '.join(f'{x:g}' for x in grid.basis[k])}) (r.l.u.)")
    return mesh


def cut_points(axis, *, n=3):
    """Return [(row, label)] of ``n`` rows to cut at: a path's first tick labels that differ, or evenly spread."""
    seen = {}
    for index, label in getattr(axis, "ticks", ()):
        seen.setdefault(label, int(index))
    if seen:
        return [(index, label) for label, index in seen.items()][:n]
    # In the middle of equal parts: the ends of |Q| are measured worst.
    rows = ((np.arange(n) + 0.5) / n * n_momentum(axis)).astype(int)
    return [(int(i), point_label(axis, i)) for i in rows]


def point_label(axis, index):
    """Return a row in words: its tick label, its |Q|, or its number."""
    if isinstance(axis, PowderAxis):
        return f"{axis.centres[index]:.3g} /Å"
    return dict(getattr(axis, "ticks", ())).get(int(index), f"point {index}")


def cut_through(values, *, momentum, valid, point, half_width):
    """Return the mean over valid pixels beside a row of its line, (n_energy,), and where there were any."""
    line = segments(momentum)
    near = np.abs(np.arange(n_momentum(momentum)) - point) <= half_width
    rows = near & (line == line[point])
    n_valid = valid[rows].sum(axis=0)
    total = np.where(valid[rows], values[rows], 0.0).sum(axis=0)
    return total / np.maximum(n_valid, 1), n_valid > 0
