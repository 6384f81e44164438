"""The crystal with its bonds and spins, and the paths through its Brillouin zones."""

import textwrap
from itertools import product

import numpy as np

from .style import colour, new_figure, stamp_simulated, styled
from .zone import plane_through, unique_edges, zone_outline, zone_polygons

MAX_DRAWN = 120
"""Sites that a drawing of the crystal may show before it takes fewer cells."""
EDGE = 1e-6


def crystal_figure(*, model, structure, paths=(), title="", simulated=False):
    """Draw the sites, spins and bonds of a model, and paths in the plane that they lie in.

    Parameters
    ----------
    model : Model
    structure : MagneticStructure, SpiralStructure, GroundStateSearch or None
        Without one, or where each point has its own, no spins are drawn.
    paths : sequence of QPath

    Returns
    -------
    matplotlib.figure.Figure
    """
    with styled():
        figure = new_figure(9.6 if paths else 5.0, 4.8)
        grid = figure.add_gridspec(1, 2 if paths else 1)
        _draw_crystal(figure.add_subplot(grid[0, 0], projection="3d"), model, structure)
        if paths:
            _draw_all_paths(figure, grid[0, 1], model, structure, paths)
        if title:
            figure.suptitle(textwrap.fill(title, 95 if paths else 48))
        if simulated:
            stamp_simulated(figure)
    return figure


def drawn_parts(structure):
    """Return what a drawing of the crystal shows; spins only of a structure that is the same for all points.

    >>> drawn_parts(None)
    'sites and bonds'
    """
    return "sites, spins and bonds" if hasattr(structure, "direction") else "sites and bonds"


def drawn_sites(model, *, max_drawn=MAX_DRAWN):
    """Return the sites of a box of cells: site index (n,), cell (n, 3), both int.

    The box is closed, so that bonds to the next cell find their end, and several cells long where bonds lead from cell
    to cell; along other axes it is one cell, so that layers that do not talk to each other are drawn once.
    """
    linked = np.any(model.bonds.offset != 0, axis=0) if model.bonds.n_bond else np.zeros(3, bool)
    for n in (3, 2, 1):
        site, cell = _sites_in_box(model.crystal.positions, np.where(linked, n, 1), linked)
        if len(site) <= max_drawn:
            break
    return site, cell


def _sites_in_box(positions, size, closed):
    site, cell = [], []
    high = size - np.where(closed, -EDGE, EDGE)
    for offset in product(*(range(-1, n + 1) for n in size)):
        for k, position in enumerate(positions):
            r = position + offset
            if np.all(r > -EDGE) and np.all(r < high):
                site.append(k)
                cell.append(offset)
    return np.array(site, dtype=int), np.array(cell, dtype=int).reshape(-1, 3)


def drawn_bonds(model, site, cell):
    """Return ends of the bonds among drawn sites, {coupling name: (n, 2, 3) Å}."""
    crystal, bonds = model.crystal, model.bonds
    known = {(int(s), *map(int, c)) for s, c in zip(site, cell, strict=True)}
    out = {name: [] for name in model.parameter_names}
    for k in range(bonds.n_bond):
        i, j = int(bonds.site_i[k]), int(bonds.site_j[k])
        for start in cell[site == i]:
            end = start + bonds.offset[k]
            if (j, *map(int, end)) in known:
                ends = np.array([crystal.positions[i] + start, crystal.positions[j] + end])
                out[model.parameter_names[bonds.parameter[k]]].append(ends @ crystal.vectors)
    return {name: np.array(ends).reshape(-1, 2, 3) for name, ends in out.items()}


def spin_directions(structure, site, cell):
    """Return unit vectors (n, 3) of the spins at sites and cells; zero where the structure names no spin.

    A cell belongs to the magnetic cell whose lattice vectors take it to a listed one. The spins of a spiral turn from
    cell to cell.
    """
    out = np.zeros((len(site), 3))
    if hasattr(structure, "k"):
        angle = 2.0 * np.pi * (cell @ structure.k)[:, None]
        start = structure.direction[site]
        along = (start @ structure.axis)[:, None] * structure.axis
        return along + np.cos(angle) * (start - along) + np.sin(angle) * np.cross(structure.axis, start)
    if not hasattr(structure, "direction"):
        return out
    inverse = np.linalg.inv(structure.magnetic_cell.astype(np.float64))
    for k in range(structure.n_sublattice):
        index = (cell - structure.cell[k]) @ inverse
        same = np.all(np.abs(index - np.round(index)) < EDGE, axis=1) & (site == structure.site[k])
        out[same] = structure.direction[k]
    return out


def _draw_crystal(axes, model, structure):
    crystal = model.crystal
    site, cell = drawn_sites(model)
    places = (crystal.positions[site] + cell) @ crystal.vectors
    seen = set()
    for k, (name, ends) in enumerate(drawn_bonds(model, site, cell).items()):
        for n, bond in enumerate(ends):
            # The label stands once in the legend; thin lines for later couplings, which are often longer bonds. A
            # second coupling of a bond is dashed, so that both colours show.
            place = frozenset(map(tuple, np.round(bond, 3).tolist()))
            how = {"linewidth": max(1.2, 2.8 - 0.6 * k), "label": name if n == 0 else None}
            if place in seen:
                how |= {"linestyle": (0, (1.2, 1.2)), "linewidth": 3.0}
            axes.plot(*bond.T, color=colour(k), **how)
            seen.add(place)
    for orbit in np.unique(crystal.orbit):
        rows = crystal.orbit[site] == orbit
        label = crystal.labels[int(np.argmax(crystal.orbit == orbit))]
        axes.scatter(*places[rows].T, s=45, color="0.25", marker="osD^v"[int(orbit) % 5], label=label, depthshade=False)
    spins = spin_directions(structure, site, cell)
    length = 0.45 * _shortest(places)
    axes.quiver(
        *(places - 0.5 * length * spins).T, *(length * spins).T, color="#A00000", linewidth=2.0, arrow_length_ratio=0.45
    )
    corners = _draw_cell_axes(axes, crystal, places)
    _frame(axes, np.concatenate([places, corners]), 0.5 * length, vectors=crystal.vectors)
    lengths = zip("abc", np.linalg.norm(crystal.vectors, axis=1), strict=True)
    axes.set_title(f"{drawn_parts(structure)}; " + ", ".join(f"{name} = {value:.3g}" for name, value in lengths) + " Å")
    axes.legend(loc="upper left", fontsize=8)


def _shortest(places):
    """Return the shortest distance between two drawn sites, Å."""
    if len(places) < 2:
        return 3.0
    distance = np.linalg.norm(places[:, None] - places[None], axis=2)
    return float(distance[distance > EDGE].min())


def _draw_cell_axes(axes, crystal, places):
    """Draw the directions of a, b, c from a corner; a long one is cut. Returns their ends, (4, 3), Å."""
    reach = np.ptp(places, axis=0).max() if len(places) > 1 else 0.0
    start = places.min(axis=0) - 0.22 * max(reach, 3.0)
    ends = [start]
    for name, vector in zip("abc", crystal.vectors, strict=True):
        length = np.linalg.norm(vector)
        shown = vector / length * min(length, 0.22 * max(reach, 6.0))
        ends.append(start + shown)
        axes.plot(*np.array([start, start + shown]).T, color="black", linewidth=1.0)
        axes.text(*(start + 1.1 * shown), name, weight="bold")
    return np.array(ends)


def _frame(axes, places, margin, *, vectors):
    """Give the three axes one scale and hide the box; look so that both of the first two vectors point to the right."""
    low, high = places.min(axis=0) - margin, places.max(axis=0) + margin
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), zlim=(low[2], high[2]))
    axes.set_box_aspect(high - low, zoom=1.1)
    (ax, ay), (bx, by) = vectors[:2, :2]
    middle = np.degrees(0.5 * (np.arctan2(ay, ax) + np.arctan2(by, bx)))
    axes.view_init(elev=32.0, azim=middle - 107.0)
    axes.set_axis_off()
    for artist in (*axes.lines, *axes.collections, *axes.texts):  # the box may reach beyond its share of the figure
        artist.set(clip_on=False, in_layout=False)


def _draw_all_paths(figure, place, model, structure, paths):
    """Draw paths in the plane that they lie in, or in space where they lie in none."""
    reciprocal = model.crystal.reciprocal
    known = hasattr(structure, "direction") and not hasattr(structure, "k")
    cell = structure.magnetic_cell if known else np.eye(3)
    plane = plane_through(np.concatenate([p.points for p in paths]) @ reciprocal, reciprocal=reciprocal)
    if plane.flat:
        _draw_paths(figure.add_subplot(place), plane, model, cell, paths)
    else:
        _draw_paths_in_space(figure.add_subplot(place, projection="3d"), reciprocal, paths)


def _draw_paths_in_space(axes, reciprocal, paths):
    """Draw paths and the outline of the zone about Γ."""
    shown = [np.zeros((1, 3))]
    for k, edge in enumerate(zone_outline(reciprocal)):
        axes.plot(*edge.T, color="0.6", linewidth=0.9, label="zone of the chemical cell" if k == 0 else None)
        shown.append(edge)
    for k, path in enumerate(paths):
        places = path.points @ reciprocal
        shown.append(places)
        for n, segment in enumerate(np.unique(path.segment)):
            rows = path.segment == segment
            axes.plot(*places[rows].T, color=colour(k), linewidth=2.0, label=path.name if n == 0 else None)
        for index, label in path.ticks:
            axes.scatter(*places[index], color=colour(k), s=14, depthshade=False)
            axes.text(*places[index], f" {label}", color=colour(k), weight="bold")
    for name, vector in zip("abc", reciprocal, strict=True):
        axes.plot(*np.stack([np.zeros(3), 0.5 * vector]).T, color="black", linewidth=0.8)
        axes.text(*(0.58 * vector), f"{name}*", fontsize=8)
    axes.legend(loc="upper left", fontsize=8)
    axes.set_title("paths through the zone")
    size = np.linalg.norm(reciprocal, axis=1).max()
    _frame(axes, np.concatenate(shown), 0.05 * size, vectors=reciprocal)


def _draw_paths(axes, plane, model, cell, paths):
    reciprocal = model.crystal.reciprocal
    magnetic = 2.0 * np.pi * np.linalg.inv(cell @ model.crystal.vectors).T
    all_points = np.concatenate([p.points for p in paths]) @ reciprocal
    placed = plane.project(all_points)
    low, high = placed.min(axis=0), placed.max(axis=0)
    room = 0.35 * max(float((high - low).max()), 0.3 * float(np.linalg.norm(reciprocal, axis=1).min()))
    extent = (low[0] - room, high[0] + room, low[1] - room, high[1] + room)
    _draw_zones(axes, plane, reciprocal, extent, color="0.35", linestyle="-", label="zone of the chemical cell")
    if abs(np.linalg.det(cell)) > 1.5:
        _draw_zones(axes, plane, magnetic, extent, color="0.6", linestyle="--", label="zone of the magnetic cell")
    for k, path in enumerate(paths):
        _draw_path(axes, plane.project(path.points @ reciprocal), path, k)
    axes.set(xlim=extent[:2], ylim=extent[2:], aspect="equal")
    axes.set_xlabel(f"{plane.names[0]} (1/Å)")
    axes.set_ylabel(f"{plane.names[1]} (1/Å)")
    axes.set_title("paths")
    axes.legend(loc="upper left", bbox_to_anchor=(0.0, -0.14), fontsize=8, ncols=2, frameon=False)


def _draw_zones(axes, plane, reciprocal, extent, *, label, **style):
    polygons = zone_polygons(plane, reciprocal=reciprocal, extent=extent)
    for k, edge in enumerate(unique_edges(polygons)):
        axes.plot(*edge.T, linewidth=1.0, label=label if k == 0 else None, **style)


def _draw_path(axes, places, path, k):
    for n, segment in enumerate(np.unique(path.segment)):
        rows = path.segment == segment
        axes.plot(*places[rows].T, color=colour(k), linewidth=2.0, label=path.name if n == 0 else None)
    for index, label in path.ticks:
        axes.plot(*places[index], "o", color=colour(k), markersize=4)
        text = axes.annotate(label, places[index], xytext=(5, 5), textcoords="offset points", color=colour(k))
        text.set_weight("bold")
