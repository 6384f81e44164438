"""Crystals from a space group or from listed sites, and what the operations do to sites.

An operation x' = W x + t takes spins with it as axial vectors, S' = det(R) R S, where R is W in the Cartesian frame.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import spglib

from ..errors import ConfigError, SymmetryError
from .crystal import Crystal
from .invariants import FORBIDDEN, allowed_form_text, allowed_part, invariant_matrices, matrix_text, snapped
from .spacegroup import check_metric, space_group

SNAP = 2e-3
"""Å. A position this near to a special one is meant to be there: 0.3333 for 1/3."""
COINCIDE = 0.1
"""Å. No two magnetic ions are nearer than this."""
MAX_SITE = 1000


@dataclass(frozen=True)
class SiteSpec:
    """A declared magnetic site.

    Parameters
    ----------
    label, ion : str
    position : sequence of 3 float
        Fractional coordinates.
    spin : float
        Spin length.
    g : (3, 3) array
        g tensor in the Cartesian frame; the identity times 2 by default.
    kind : str
        One of :data:`spinscape.lattice.crystal.SPIN_KINDS`.
    axis : sequence of 3 float, optional
        Line of an Ising spin or normal of an XY spin's plane, Cartesian, of any length.
    """

    label: str
    ion: str
    position: tuple[float, float, float]
    spin: float
    g: np.ndarray | tuple = ((2.0, 0.0, 0.0), (0.0, 2.0, 0.0), (0.0, 0.0, 2.0))
    kind: str = "heisenberg"
    axis: tuple[float, float, float] | None = None

    @property
    def unit_axis(self):
        """The axis with length 1, (3,); zero where the site needs none."""
        if self.kind == "heisenberg":
            return np.zeros(3)
        axis = np.array((0.0, 0.0, 0.0) if self.axis is None else self.axis, dtype=np.float64)
        length = np.linalg.norm(axis)
        if not np.isfinite(length) or length < 1e-9:
            raise ConfigError(
                f"the {self.kind} site {self.label} has no axis",
                where="crystal.sites: axis",
                expected="a vector that is not zero",
                got=None if self.axis is None else list(self.axis),
                fix="give the line of the Ising spin, or the normal of the XY spin's plane",
            )
        return axis / length


def crystal_from_space_group(vectors: np.ndarray, name: str | int, sites: Sequence[SiteSpec]) -> Crystal:
    """Return the crystal with the whole orbit of every declared site.

    Parameters
    ----------
    vectors : (3, 3) float64, Å
        Lattice vectors as rows.
    name : str or int
        Space group as :func:`spinscape.lattice.spacegroup.space_group` reads it.
    sites : sequence of SiteSpec
        One of each orbit. It becomes the first site of its orbit, the others follow in rising order of x, y, z.

    Returns
    -------
    Crystal
    """
    vectors = np.asarray(vectors, dtype=np.float64)
    group = space_group(name)
    check_metric(group, vectors, name=name)
    return expand_sites(vectors, sites, group.rotations, group.translations)


def crystal_from_sites(vectors: np.ndarray, sites: Sequence[SiteSpec], *, find_symmetry: bool = True) -> Crystal:
    """Return the crystal of explicitly listed sites.

    Parameters
    ----------
    vectors : (3, 3) float64, Å
    sites : sequence of SiteSpec
        Every site of the cell; several may share a label.
    find_symmetry : bool
        Find the operations that map the listed sites (position, label, ion, spin and g) to themselves; otherwise take
        the identity alone. Ions that are not listed are not seen: a ligand can break what is found here, and then the
        space group should be named.

    Returns
    -------
    Crystal
        ``orbit`` numbers the sites that the operations connect.
    """
    vectors = np.asarray(vectors, dtype=np.float64)
    positions = _positions(sites)
    _check_apart(vectors, positions, [s.label for s in sites])
    rotations, translations = np.eye(3, dtype=np.int64)[None], np.zeros((1, 3))
    if find_symmetry:
        rotations, translations = _found_operations(vectors, positions, sites)
    g = np.array([s.g for s in sites], dtype=np.float64)
    maps = site_maps(vectors, positions, rotations, translations)
    cartesian = cartesian_rotations(vectors, rotations)
    lines = np.array([s.unit_axis for s in sites])
    kept = [
        k
        for k, R in enumerate(cartesian)
        if np.allclose(R @ g @ R.T, g[maps.site[k]], atol=FORBIDDEN * np.abs(g).max())
        and _same_lines(lines @ R.T, lines[maps.site[k]])
    ]
    first = maps.site[kept].min(axis=0)  # the lowest site that each one is connected with
    return Crystal(
        vectors,
        positions,
        tuple(s.label for s in sites),
        np.unique(first, return_inverse=True)[1],
        np.array([s.spin for s in sites]),
        tuple(s.ion for s in sites),
        g,
        rotations[kept],
        translations[kept],
        tuple(s.kind for s in sites),
        np.array([s.unit_axis for s in sites]),
    )


def _positions(sites):
    """Return the declared positions, (n_site, 3), finite; there is at least one."""
    positions = np.array([s.position for s in sites], dtype=np.float64).reshape(-1, 3)
    if len(positions) == 0 or not np.all(np.isfinite(positions)):
        raise ConfigError(
            "a crystal needs sites with positions",
            where="crystal.sites",
            expected="three finite fractional coordinates for each site",
            got=positions.tolist(),
        )
    return positions


def _found_operations(vectors, positions, sites):
    species = [(s.label, s.ion, float(s.spin), s.kind) for s in sites]
    numbers = [species.index(s) + 1 for s in species]
    try:
        found = spglib.get_symmetry((vectors, positions, numbers), symprec=SNAP)
    except spglib.SpglibError as error:
        raise SymmetryError(
            "no space group was found for the listed sites",
            where="crystal.sites",
            got=str(error),
            fix="name the space group, or take the sites without symmetry",
        ) from None
    return found["rotations"].astype(np.int64), found["translations"]


def expand_sites(
    vectors: np.ndarray, sites: Sequence[SiteSpec], rotations: np.ndarray, translations: np.ndarray
) -> Crystal:
    """Return the crystal of every image of ``sites`` under the operations.

    Parameters
    ----------
    vectors : (3, 3) float64, Å
    sites : sequence of SiteSpec
        Labels name orbits and are distinct.
    rotations : (n_operation, 3, 3) int64
    translations : (n_operation, 3) float64

    Returns
    -------
    Crystal
    """
    _positions(sites)
    labels = [s.label for s in sites]
    for label in labels:
        if labels.count(label) > 1:
            raise ConfigError(
                f"two sites have the label {label}",
                where="crystal.sites",
                expected="one site of each orbit, each with its own label",
                fix="rename one, or list each orbit once: the space group makes the others",
            )
    cartesian = cartesian_rotations(vectors, rotations)
    orbits = [_site_orbit(vectors, site, rotations, translations, cartesian) for site in sites]
    counts = [len(positions) for positions, *_ in orbits]
    positions = np.concatenate([positions for positions, *_ in orbits])
    names = tuple(np.repeat(labels, counts).tolist())
    _check_apart(vectors, positions, names)
    return Crystal(
        vectors,
        positions,
        names,
        np.repeat(np.arange(len(sites)), counts),
        np.repeat([float(s.spin) for s in sites], counts),
        tuple(np.repeat([s.ion for s in sites], counts).tolist()),
        np.concatenate([g for _, g, _ in orbits]),
        rotations,
        translations,
        tuple(np.repeat([s.kind for s in sites], counts).tolist()),
        np.concatenate([axis for *_, axis in orbits]),
    )


def _site_orbit(vectors, site, rotations, translations, cartesian):
    """Return positions (n, 3), g tensors (n, 3, 3) and axes (n, 3) of a site's orbit, the site itself first."""
    position = _positions([site])[0]
    step = rotations @ position + translations - position
    step -= np.round(step)
    fixed = np.linalg.norm(step @ vectors, axis=1) < SNAP
    # The mean over the operations that nearly fix a position is the special position itself.
    position = np.round(position + step[fixed].mean(axis=0), 14)
    g = _allowed_g(site, cartesian[fixed])
    images = rotations @ position + translations
    images = np.round(images - np.floor(images + 1e-9), 12) + 0.0
    difference = images[:, None] - images[None, :]
    same = np.linalg.norm((difference - np.round(difference)) @ vectors, axis=-1) < SNAP
    first = np.flatnonzero(same.argmax(axis=1) == np.arange(len(images)))
    home = same[np.flatnonzero(fixed)[0]]
    others = sorted((k for k in first if not home[k]), key=lambda k: tuple(np.round(images[k], 6)))
    tensors = np.stack([g, *(snapped(R @ g @ R.T, g) for R in cartesian[others])])
    axis = _allowed_axis(site, cartesian[fixed])
    axes = np.stack([axis, *(snapped(R @ axis, axis) for R in cartesian[others])])
    return np.vstack([position, images[others]]), tensors, _with_signs(axes)


def _same_lines(first, second):
    """Tell whether vectors (n, 3) agree in pairs but for their signs."""
    signs = np.where(np.sum(first * second, axis=1) < 0, -1.0, 1.0)
    return np.allclose(first, signs[:, None] * second, atol=FORBIDDEN)


def _allowed_axis(site, stabiliser):
    """Return the unit axis of a site, which the operations that fix the site must keep as a line."""
    axis = site.unit_axis
    images = stabiliser @ axis
    if not _same_lines(images, np.tile(axis, (len(images), 1))):
        raise SymmetryError(
            f"the symmetry of site {site.label} does not keep its axis",
            where="crystal.sites: axis",
            expected="a line that every operation which fixes the site maps to itself",
            got=axis.round(6).tolist(),
            fix="choose another axis, or list the sites without a space group",
        )
    return axis


MAX_LINES = 12


def _with_signs(axes):
    """Return the axes (n, 3) of an orbit with signs that make their sum shortest; parallel ones stay parallel.

    An operation that takes one site to another may turn a line around: the sign is ours to choose. The sum is
    shortest where the axes of a tetrahedron all point out of it. The first site keeps the declared sign; of equal
    choices that with the fewest turned lines, then the first, is taken.
    """
    line = np.array([[abs(abs(a @ b) - 1.0) < FORBIDDEN for b in axes] for a in axes]).argmax(axis=1)
    if not np.any(axes):
        return axes
    towards = np.sign(np.sum(axes * axes[line], axis=1))[:, None] * axes
    lines = np.unique(line)
    if len(lines) > MAX_LINES:
        return towards
    sums = np.array([towards[line == k].sum(axis=0) for k in lines])
    choices = np.array(list(product((1.0, -1.0), repeat=len(lines) - 1))).reshape(2 ** (len(lines) - 1), -1)
    choices = np.hstack([np.ones((len(choices), 1)), choices])
    length = np.linalg.norm(choices @ sums, axis=1).round(6)
    best = choices[np.lexsort((np.sum(choices < 0, axis=1), length))[0]]
    return best[np.searchsorted(lines, line)][:, None] * towards


def _allowed_g(site, stabiliser):
    g = np.asarray(site.g, dtype=np.float64)
    mean = allowed_part(g, stabiliser, np.zeros(len(stabiliser), dtype=bool))
    if np.abs(mean - g).max() <= FORBIDDEN * np.abs(g).max():
        return g
    basis = invariant_matrices(stabiliser, np.zeros(len(stabiliser), dtype=bool))
    raise SymmetryError(
        f"the symmetry of site {site.label} forbids its g tensor",
        where="crystal.sites",
        expected=allowed_form_text(basis),
        got=matrix_text(g),
        fix=f"the nearest allowed tensor is {matrix_text(mean)}",
    )


def _check_apart(vectors, positions, labels):
    if len(positions) > MAX_SITE:
        raise ConfigError(
            "too many sites in one cell", where="crystal.sites", expected=f"at most {MAX_SITE}", got=len(positions)
        )
    for i in range(len(positions) - 1):
        step = positions[i + 1 :] - positions[i]
        distance = np.linalg.norm((step - np.round(step)) @ vectors, axis=1)
        if distance.min() < COINCIDE:
            j = i + 1 + int(distance.argmin())
            raise SymmetryError(
                "two sites coincide",
                where="crystal.sites",
                expected=f"sites at least {COINCIDE} Å apart",
                got=f"{labels[i]} at {positions[i].round(5).tolist()} and {labels[j]} at "
                f"{positions[j].round(5).tolist()}, {distance.min():.3g} Å",
                fix="list each orbit once, and write special positions with all their digits (0.33333 for 1/3)",
            )


@dataclass(frozen=True, eq=False)
class SiteMaps:
    """Where operations take sites: site i of cell 0 goes to ``site[o, i]`` of cell ``cell[o, i]``.

    Parameters
    ----------
    site : (n_operation, n_site) int64
    cell : (n_operation, n_site, 3) int64
    """

    site: np.ndarray
    cell: np.ndarray


def site_maps(vectors: np.ndarray, positions: np.ndarray, rotations: np.ndarray, translations: np.ndarray) -> SiteMaps:
    """Return the :class:`SiteMaps` of operations that map a set of sites to itself."""
    n_site = len(positions)
    site = np.empty((len(rotations), n_site), dtype=np.int64)
    cell = np.empty((len(rotations), n_site, 3), dtype=np.int64)
    for o, (rotation, translation) in enumerate(zip(rotations, translations, strict=True)):
        step = (positions @ rotation.T + translation)[:, None] - positions[None, :]
        distance = np.linalg.norm((step - np.round(step)) @ vectors, axis=-1)
        site[o] = distance.argmin(axis=1)
        if distance.min(axis=1).max() > 5 * SNAP or len(set(site[o].tolist())) < n_site:
            raise SymmetryError(
                "an operation of the space group does not map the sites to themselves",
                where="crystal.sites",
                got=f"rotation {rotation.tolist()}, translation {translation.tolist()}",
                fix="list every site of the cell, or leave the symmetry out",
            )
        cell[o] = np.round(step[np.arange(n_site), site[o]])
    return SiteMaps(site, cell)


def cartesian_rotations(vectors: np.ndarray, rotations: np.ndarray) -> np.ndarray:
    """Return rotations of fractional coordinates as orthogonal matrices of the Cartesian frame.

        R = A^T W A^-T,   A the lattice vectors as rows

    Parameters
    ----------
    vectors : (3, 3) float64, Å
    rotations : (n_operation, 3, 3) int64

    Returns
    -------
    (n_operation, 3, 3) float64, determinant +1 or −1
    """
    frame = np.asarray(vectors).T
    u, _, vt = np.linalg.svd(frame @ rotations @ np.linalg.inv(frame))
    return snapped(u @ vt, [0.5, 1.0])
