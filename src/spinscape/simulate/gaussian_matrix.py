"""The quadratic form of a Hamiltonian in the amplitudes of its primitive sublattices.

    E = ½ Σ_q A(q)† K(q) A(q)/n_cell,   K_mn(q) = Σ_k θ_k Σ_R u_m·M_k(R)·u_n exp(iq·R)

A mode m is a site of the primitive cell with a direction u: the axis of an Ising spin, two directions of an XY spin's
plane, x, y and z of a Heisenberg spin. Where the Hamiltonian does not tell x, y and z apart, one mode stands for three.
"""

import numpy as np

from ..errors import ConfigError, check_shape
from ..hamiltonian.dipole_sums import dipole_sums
from ..hamiltonian.links import link_table
from ..hamiltonian.model import Model
from ..hamiltonian.operations import model_operations
from ..lattice.primitive import primitive_cell
from ..lattice.symmetry import site_maps

_SAME = 1e-12


class QuadraticMatrix:
    """K(q) of a model, linear in the couplings.

    Parameters
    ----------
    model : Model
        Bonds, on-site terms and dipoles; no biquadratic terms.

    Attributes
    ----------
    operations : (n_operation,) int64
        Operations of the crystal that the model has.
    primitive : PrimitiveCell
    site : (n_mode,) int64
        Site of the primitive cell of each mode.
    direction : (n_mode, 3) float64
        Zero where one mode stands for three.
    degeneracy : int
        Modes that each one stands for: 3 or 1.
    equivalent : (n_primitive,) int64
        Number of the class of sites that the model's operations connect.
    offset : (n_offset, 3) int64
        Primitive cells that bonds reach.
    unit : (n_parameter, n_offset, n_mode, n_mode) float64, dimensionless
    """

    def __init__(self, model: Model):
        if model.biquadratic.n_bond:
            raise ConfigError(
                "biquadratic terms are not quadratic in the spins",
                where="hamiltonian",
                expected="bonds, on-site terms and dipoles",
                got=f"{model.biquadratic.n_bond} biquadratic bonds",
                fix="leave them out of the self-consistent Gaussian approximation",
            )
        self.model = model
        self.operations = model_operations(model)
        self.primitive = primitive_cell(model.crystal, self.operations)
        self.equivalent = self._classes()
        table = link_table(model)
        self.degeneracy = 3 if _isotropic(model, table) else 1
        self.site, self.direction = self._modes()
        self.offset, self.unit = self._bonds(table)

    @property
    def n_mode(self):
        """Modes of the primitive cell that are calculated with."""
        return len(self.site)

    @property
    def chemical_site(self):
        """Chemical site of each mode, (n_mode,) int64."""
        return self.primitive.representative[self.site]

    def _classes(self):
        crystal, chosen = self.model.crystal, self.operations
        maps = site_maps(crystal.vectors, crystal.positions, crystal.rotations[chosen], crystal.translations[chosen])
        first = maps.site.min(axis=0)[self.primitive.representative]
        return np.unique(first, return_inverse=True)[1].reshape(-1)

    def _modes(self):
        crystal, sites = self.model.crystal, self.primitive.representative
        if self.degeneracy == 3:
            return np.arange(len(sites)), np.zeros((len(sites), 3))
        frames = [_frame(crystal.kind[s], crystal.axis[s]) for s in sites]
        return np.repeat(np.arange(len(sites)), [len(f) for f in frames]), np.concatenate(frames)

    def _bonds(self, table):
        """Return offsets and unit matrices of the bonds that start in one primitive cell."""
        primitive, source = self.primitive, table.source
        kept = np.isin(source, primitive.representative)
        first, second = source[kept], table.target[kept]
        reach = table.offset[kept] @ primitive.matrix + primitive.cell[second] - primitive.cell[first]
        offset, where = np.unique(np.vstack([np.zeros((1, 3), dtype=np.int64), reach]), axis=0, return_inverse=True)
        home, where = where.reshape(-1)[0], where.reshape(-1)[1:]
        pairs = np.zeros((len(table.unit), len(offset), primitive.n_site, primitive.n_site, 3, 3))
        np.add.at(pairs, (slice(None), where, primitive.site[first], primitive.site[second]), table.unit[:, kept])
        site = np.arange(primitive.n_site)
        pairs[:, home, site, site] += 2.0 * table.onsite_unit[:, primitive.representative]
        return offset, self._between(pairs)

    def _between(self, pairs):
        """Return what tensors between sites (..., n_primitive, n_primitive, 3, 3) are between modes."""
        if self.degeneracy == 3:
            return pairs[..., 0, 0]
        of_modes = pairs[..., self.site[:, None], self.site[None, :], :, :]
        return np.einsum("mx,...mnxy,ny->...mn", self.direction, of_modes, self.direction, optimize=True)

    def lengths(self, square: str):
        """Return |S|² of each site of the primitive cell: S², or S(S+1) for ``square = "S(S+1)"``."""
        s = self.model.crystal.spins[self.primitive.representative]
        return s * (s + 1.0) if square == "S(S+1)" else s**2

    def at(self, q) -> "Waves":
        """Return K(q) at wave vectors (n_q, 3), r.l.u. of the chemical cell, to be contracted with couplings."""
        return Waves(self, q)


class Waves:
    """K(q) at some wave vectors: what of it does not depend on the couplings.

    Parameters
    ----------
    matrix : QuadraticMatrix
    q : (n_q, 3) float64, r.l.u. of the chemical cell
    """

    def __init__(self, matrix: QuadraticMatrix, q):
        self.matrix = matrix
        self.q = np.asarray(q, dtype=np.float64)
        check_shape("q", self.q, ("n_q", 3), hint="one row (h, k, l) for each wave vector")
        angle = 2.0 * np.pi * (self.q @ matrix.primitive.vectors.T @ matrix.offset.T)
        self.cosine, self.sine = np.cos(angle), np.sin(angle)
        self.dipoles = self._dipoles() if matrix.model.dipolar.n_row else None

    def _dipoles(self):
        """Return K(q) of dipoles at unit strength, (n_q, n_mode, n_mode)."""
        crystal, primitive = self.matrix.model.crystal, self.matrix.primitive
        position = crystal.positions[primitive.representative]
        vectors = primitive.vectors @ crystal.vectors
        sums = dipole_sums(vectors, position @ crystal.vectors, self.q @ crystal.reciprocal)
        g = crystal.g[primitive.representative]
        sums = np.swapaxes(g, 1, 2)[:, None] @ sums @ g
        # From exp(iq·r) between the sites themselves to exp(iq·R) between their cells.
        phase = np.exp(2j * np.pi * (self.q @ position.T))
        return self.matrix._between(sums * (phase[:, :, None] * phase[:, None, :].conj())[..., None, None])

    def sum(self, theta):
        """Return K(q), (n_q, n_mode, n_mode) complex128, at couplings (n_parameter,), meV."""
        matrix = self.matrix
        coefficients = np.tensordot(theta, matrix.unit, 1).reshape(len(matrix.offset), -1)
        out = np.empty((len(self.q), matrix.n_mode**2), dtype=np.complex128)
        out.real, out.imag = self.cosine @ coefficients, self.sine @ coefficients
        out = out.reshape(-1, matrix.n_mode, matrix.n_mode)
        if self.dipoles is not None:
            table = matrix.model.dipolar
            out += float(np.asarray(theta)[table.parameter] @ table.factor) * self.dipoles
        return out

    def derivative(self, k):
        """Return ∂K/∂θ_k, (n_q, n_mode, n_mode) complex128, dimensionless."""
        unit = np.zeros(self.matrix.model.n_parameter)
        unit[k] = 1.0
        return self.sum(unit)


def _isotropic(model, table):
    """Tell whether the Hamiltonian and g do not tell x, y and z apart."""
    crystal = model.crystal
    tensors = np.concatenate([table.unit.reshape(-1, 3, 3), table.onsite_unit.reshape(-1, 3, 3), crystal.g])
    scalar = tensors[:, 0, 0, None, None] * np.eye(3)
    plain = bool(np.all(np.abs(tensors - scalar) <= _SAME * max(1.0, float(np.abs(tensors).max(initial=0.0)))))
    return plain and not model.dipolar.n_row and all(kind == "heisenberg" for kind in crystal.kind)


def _frame(kind, axis):
    """Return the directions in which a spin of a kind may point, as rows."""
    if kind == "ising":
        return axis[None]
    if kind == "heisenberg":
        return np.eye(3)
    across = np.cross(axis, np.eye(3)[np.abs(axis).argmin()])
    across /= np.linalg.norm(across)
    return np.stack([across, np.cross(axis, across)])


class Mesh:
    """A mesh over the zone, reduced to waves that symmetry does not connect.

    Parameters
    ----------
    matrix : QuadraticMatrix
    n_mesh : int
        Points along each axis of the primitive reciprocal cell; an axis that no bond goes along has one. Γ is a point.
    symmetry : bool
        Reduce by the operations of the model; otherwise by q and −q alone.

    Attributes
    ----------
    q : (n_q, 3) float64, r.l.u. of the chemical cell
    weight : (n_q,) float64
        Share of the mesh that each stands for; they sum to 1.
    n_point : int
        Points of the whole mesh.
    """

    def __init__(self, matrix: QuadraticMatrix, n_mesh: int, *, symmetry: bool = True):
        if not 1 <= n_mesh <= 128:
            raise ConfigError("not a mesh over the zone", where="n_mesh", expected="1 to 128 points", got=n_mesh)
        used = np.any(matrix.offset != 0, axis=0) | bool(matrix.model.dipolar.n_row)
        shape = np.where(used, n_mesh, 1)
        primitive = matrix.primitive
        self.shape = (int(shape[0]), int(shape[1]), int(shape[2]))
        points = np.stack([axis.ravel() for axis in np.indices(self.shape)], axis=1)
        lowest = np.arange(len(points))
        for turn in self._turns(matrix, shape) if symmetry else np.eye(3, dtype=np.int64)[None]:
            for sign in (1, -1):
                images = (sign * points @ turn.T) % shape
                lowest = np.minimum(lowest, np.ravel_multi_index(tuple(images.T), self.shape))
        first, count = np.unique(lowest, return_counts=True)
        self.q = points[first] / shape @ np.linalg.inv(primitive.vectors).T
        self.weight = count / len(points)
        self.n_point = len(points)

    @staticmethod
    def _turns(matrix, shape):
        """Return what operations do to the integers of the mesh, (n, 3, 3) int64: those that keep it."""
        primitive = matrix.primitive
        rotations = matrix.model.crystal.rotations[matrix.operations]
        turned = primitive.vectors @ rotations.swapaxes(1, 2) @ np.linalg.inv(primitive.vectors)
        turned = shape[:, None] * turned / shape[None, :]
        kept = np.all(np.abs(turned - np.round(turned)) < 1e-6, axis=(1, 2))
        return np.unique(np.round(turned[kept]).astype(np.int64), axis=0)
