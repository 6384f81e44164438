"""Plane geometry of reciprocal space for figures: Brillouin zones cut by the plane of a path."""

from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.spatial import Voronoi


@dataclass(frozen=True, eq=False)
class Plane:
    """A plane in reciprocal space.

    Parameters
    ----------
    origin : (3,) float64, 1/Å
    axes : (2, 3) float64
        Orthonormal directions drawn to the right and upwards.
    names : tuple of 2 str
        What to call them.
    flat : bool
        False where the points it was laid through do not lie in one plane, so that they are projected on it.
    """

    origin: np.ndarray
    axes: np.ndarray
    names: tuple[str, str]
    flat: bool

    def project(self, q):
        """Return coordinates in the plane (..., 2), 1/Å, of wave vectors (..., 3), 1/Å."""
        return (q - self.origin) @ self.axes.T


def plane_through(q, *, reciprocal):
    """Return the plane that wave vectors lie in, one axis along a reciprocal vector where it holds one.

    Parameters
    ----------
    q : (n_q, 3) float64, 1/Å
    reciprocal : (3, 3) float64, 1/Å
        Reciprocal vectors as rows. They complete the plane where the points form a line, or one point only.
    """
    spread = np.asarray(q) - q[0]
    scale = np.linalg.norm(reciprocal, axis=1).max()
    chosen = np.linalg.svd(spread, full_matrices=False)
    inside = list(chosen[2][chosen[1] > 1e-6 * scale][:2])
    flat = int(np.sum(chosen[1] > 1e-6 * scale)) < 3
    for row in reciprocal:
        candidate = row / np.linalg.norm(row)
        if len(inside) < 2 and np.linalg.matrix_rank([*inside, candidate], tol=1e-6) > len(inside):
            inside.append(candidate)
    normal = np.cross(*inside)
    normal /= np.linalg.norm(normal)
    right, name = inside[0] / np.linalg.norm(inside[0]), "in the plane"
    for row, text in zip(reciprocal, ("[1 0 0]*", "[0 1 0]*", "[0 0 1]*"), strict=True):
        if abs(row @ normal) < 1e-6 * np.linalg.norm(row):
            right, name = row / np.linalg.norm(row), f"along {text}"
            break
    up = np.cross(normal, right)
    other = reciprocal[np.argmax(np.abs(reciprocal @ up))]
    up = up if other @ up > 0 else -up
    return Plane(_nearest_gamma_plane(q[0], right, up), np.array([right, up]), (name, "perpendicular to it"), flat)


def _nearest_gamma_plane(point, right, up):
    """Return the point of the plane nearest to Γ, so that a plane through Γ has it at (0, 0)."""
    return point - right * (point @ right) - up * (point @ up)


def clipped(polygon, *, normal, offset):
    """Return the part of a convex polygon (n, 2) with x·normal ≤ offset; empty (0, 2) where there is none."""
    beyond = polygon @ normal - offset
    if beyond.max() <= 0.0:
        return polygon
    out = []
    for k in range(len(polygon)):
        here, there = beyond[k - 1], beyond[k]
        if (here <= 0) != (there <= 0):
            out.append(polygon[k - 1] + (polygon[k] - polygon[k - 1]) * here / (here - there))
        if there <= 0:
            out.append(polygon[k])
    return np.array(out).reshape(-1, 2)


def without_doubles(polygon, *, tolerance):
    """Return a polygon without corners that stand on the one before: a cut through a corner leaves it twice."""
    apart = np.linalg.norm(polygon - np.roll(polygon, 1, axis=0), axis=1) > tolerance
    return polygon[apart]


def zone_polygons(plane, *, reciprocal, extent):
    """Return the Brillouin zones that meet a plane, as polygons (n_corner, 2) in its coordinates, 1/Å.

    Parameters
    ----------
    plane : Plane
    reciprocal : (3, 3) float64, 1/Å
        Rows; of the chemical or of the magnetic cell.
    extent : (x_low, x_high, y_low, y_high), 1/Å
        Zones that do not meet this rectangle are left out; the others are whole.

    Notes
    -----
    The zone about G holds the q that no lattice point G + g is nearer to: q·g ≤ G·g + g²/2. On the plane q = o + x·a
    each is a half-plane, and a large square is clipped by all of them. g runs over ±2 in each index, which suffices for
    cells that are reduced, as those of crystals are.
    """
    steps = np.array([n for n in product(range(-2, 3), repeat=3) if any(n)]) @ reciprocal
    # The nearest neighbours cut most: with them first, zones that miss the plane vanish at once.
    steps = steps[np.argsort(np.linalg.norm(steps, axis=1), kind="stable")]
    radius = 0.5 * float(np.linalg.norm(reciprocal, axis=1).sum())
    square = (np.abs(extent).max() + 3.0 * radius) * np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
    out = []
    for centre in _lattice_points_near(plane, reciprocal, extent, radius):
        polygon = square
        for g in steps:
            limit = centre @ g + 0.5 * (g @ g) - plane.origin @ g
            polygon = clipped(polygon, normal=plane.axes @ g, offset=limit)
            if len(polygon) < 3:
                break
        polygon = without_doubles(polygon, tolerance=1e-9 * radius)
        if len(polygon) >= 3 and _meets(polygon, extent):
            out.append(polygon)
    return out


def zone_outline(reciprocal):
    """Return the edges of the Brillouin zone about Γ in space, (n_edge, 2, 3), 1/Å.

    Parameters
    ----------
    reciprocal : (3, 3) float64, 1/Å
        Rows, of a reduced cell as in :func:`zone_polygons`.
    """
    index = np.array(list(product(range(-2, 3), repeat=3)))
    middle = int(np.flatnonzero(np.all(index == 0, axis=1))[0])
    cells = Voronoi(index @ reciprocal)
    edges = {}
    for pair, corners in zip(cells.ridge_points, cells.ridge_vertices, strict=True):
        if middle in pair and -1 not in corners:
            for a, b in zip(corners, [*corners[1:], corners[0]], strict=True):
                edges[frozenset((a, b))] = cells.vertices[[a, b]]
    size = np.linalg.norm(reciprocal, axis=1).max()
    return np.array([edge for edge in edges.values() if np.linalg.norm(edge[1] - edge[0]) > 1e-9 * size])


def unique_edges(polygons):
    """Return the edges of polygons, (n_edge, 2, 2), those that two share once."""
    found = {}
    for polygon in polygons:
        for edge in np.stack([polygon, np.roll(polygon, -1, axis=0)], axis=1):
            ends = sorted(tuple(float(x) + 0.0 for x in end) for end in np.round(edge, 6))
            found[tuple(ends)] = edge
    return np.array(list(found.values())).reshape(-1, 2, 2)


def _meets(polygon, extent):
    x_low, x_high, y_low, y_high = extent
    (x0, y0), (x1, y1) = polygon.min(axis=0), polygon.max(axis=0)
    return x0 < x_high and x1 > x_low and y0 < y_high and y1 > y_low


def _lattice_points_near(plane, reciprocal, extent, radius):
    """Return the reciprocal lattice points nearer than ``radius`` to the rectangle, (n, 3), 1/Å.

    Half the sum of the lengths of the reciprocal vectors bounds the distance of a zone's corners from its centre.
    """
    corners = np.array([[x, y] for x in extent[:2] for y in extent[2:]]) @ plane.axes + plane.origin
    margin = radius * np.linalg.norm(np.linalg.inv(reciprocal), axis=0)
    index = corners @ np.linalg.inv(reciprocal)
    low = np.floor(index.min(axis=0) - margin).astype(int)
    high = np.ceil(index.max(axis=0) + margin).astype(int)
    points = np.array(list(product(*(range(a, b + 1) for a, b in zip(low, high, strict=True))))) @ reciprocal
    x, y = plane.project(points).T
    off_plane = np.linalg.norm(points - plane.origin - np.stack([x, y], axis=1) @ plane.axes, axis=1)
    beside = np.maximum(np.maximum(extent[0] - x, x - extent[1]), np.maximum(extent[2] - y, y - extent[3]))
    return points[(off_plane <= radius) & (beside <= radius)]
