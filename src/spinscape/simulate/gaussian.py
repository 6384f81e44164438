"""The self-consistent Gaussian approximation: spins of any length, held at their length on the average.

S(Q), χ(T) and C(T) of any quadratic Hamiltonian above its ordering, in closed form but for one multiplier for each
class of sites; derivatives by couplings and temperature are exact. Spins in zero field, classical.
"""

from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np

from ..errors import ConfigError, check_shape
from ..hamiltonian.model import Model
from ..observables.diffuse_projection import DiffuseSettings, mode_vectors
from ..observables.structure_factor import COMPONENTS, polarisation_weights
from ..units import K_B, MU_B
from .gaussian_matrix import Mesh, QuadraticMatrix, Waves
from .gaussian_solve import Multipliers, OrderedError, Sums, solve

MULTIPLIERS = ("orbit", "site")
LENGTHS = ("S^2", "S(S+1)")
_CHUNK = 20_000
"""Wave vectors that are held at a time."""


@dataclass(frozen=True)
class GaussianSettings:
    """How the approximation is made and what is seen of it.

    Parameters
    ----------
    n_mesh : int
        Points along each axis of the primitive zone.
    multipliers : str
        One for each ``"orbit"`` of sites that the Hamiltonian's symmetry connects, or for each ``"site"`` of the
        primitive cell.
    length : str
        |S|²: ``"S^2"``, or ``"S(S+1)"``.
    component : str
        One of :data:`spinscape.observables.structure_factor.COMPONENTS`.
    form_factor : bool
    moments : bool
        Correlate g·S in place of S.
    max_share : float
        Largest share of the spins' length that one point of the mesh may hold; more is an ordered state, or a mesh
        that is coarser than the correlations. At the ordering of a simple cubic lattice the share is 1.06/n_mesh.
    n_sub : int
        Points along each integrated axis of a slice.
    """

    n_mesh: int = 16
    multipliers: str = "orbit"
    length: str = "S^2"
    component: str = "perp"
    form_factor: bool = False
    moments: bool = False
    max_share: float = 0.2
    n_sub: int = 1

    def __post_init__(self):
        checks = {
            "n_mesh": (1 <= self.n_mesh <= 128, "1 to 128 points"),
            "multipliers": (self.multipliers in MULTIPLIERS, " or ".join(MULTIPLIERS)),
            "length": (self.length in LENGTHS, " or ".join(LENGTHS)),
            "component": (self.component in COMPONENTS, f"one of {', '.join(COMPONENTS)}"),
            "max_share": (0 < self.max_share <= 1, "more than 0, at most 1"),
            "n_sub": (1 <= self.n_sub <= 100, "1 to 100 points"),
        }
        for name, (fits, expected) in checks.items():
            if not fits:
                raise ConfigError(
                    f"{name} is out of range", where=f"gaussian.{name}", expected=expected, got=getattr(self, name)
                )

    def to_dict(self):
        """Return plain values, for JSON; ``GaussianSettings(**data)`` is the inverse."""
        return asdict(self)


class Gradient(NamedTuple):
    """A value with its derivatives.

    Parameters
    ----------
    value : (...) float64
    by_theta : (n_parameter, ...) float64, per meV
    by_temperature : (...) float64, per K
    """

    value: np.ndarray
    by_theta: np.ndarray
    by_temperature: np.ndarray


class GaussianState(NamedTuple):
    """The solution at one point, from :meth:`GaussianModel.state`.

    Parameters
    ----------
    theta : (n_parameter,) float64, meV
    solution : Multipliers
    sums : Sums
    """

    theta: np.ndarray
    solution: Multipliers
    sums: Sums

    @property
    def multiplier(self):
        """λ of each mode, (n_mode,), meV."""
        return self.solution.value @ self.sums.member


class View:
    """Wave vectors and how they are seen: all of S(Q) that does not depend on couplings and temperature.

    Parameters
    ----------
    gaussian : GaussianModel
    q : (n_q, 3) float64, r.l.u. of the chemical cell
    """

    def __init__(self, gaussian, q):
        self.waves = Waves(gaussian.matrix, q)
        self.vectors = gaussian._vectors(self.waves.q)


class GaussianModel:
    """S(Q), susceptibility and heat capacity of a model, with derivatives.

    Parameters
    ----------
    model : Model
    settings : GaussianSettings
    """

    def __init__(self, model: Model, settings: GaussianSettings | None = None):
        self.model = model
        self.settings = settings = settings or GaussianSettings()
        self.matrix = matrix = QuadraticMatrix(model)
        by_orbit = settings.multipliers == "orbit"
        classes = matrix.equivalent if by_orbit else np.arange(matrix.primitive.n_site)
        self.classes = classes
        of_class = np.arange(classes.max() + 1)[:, None]
        self._member = (classes[matrix.site][None] == of_class).astype(np.float64)
        self._target = (classes[None] == of_class) @ matrix.lengths(settings.length)
        if not np.all(self._target > 0):
            raise ConfigError("a spin without length", where="crystal.sites: spin", got=model.crystal.spins.tolist())
        self.mesh = Mesh(matrix, settings.n_mesh, symmetry=by_orbit)
        self._mesh_waves = Waves(matrix, self.mesh.q)
        self._centre = Waves(matrix, np.zeros((1, 3)))

    def view(self, q) -> View:
        """Return a :class:`View` of wave vectors (n_q, 3), to be used again and again."""
        return View(self, q)

    def state(self, theta, temperature) -> GaussianState:
        """Return the multipliers at couplings (n_parameter,) in meV and a temperature in K.

        Raises
        ------
        OrderedError
            Below the ordering: where one point of the mesh holds more than ``max_share`` of the spins' length.
        """
        theta = np.asarray(theta, dtype=np.float64)
        check_shape("theta", theta, (self.model.n_parameter,), hint=", ".join(self.model.parameter_names))
        if not 0 < temperature < np.inf or not np.all(np.isfinite(theta)):
            raise ConfigError(
                "a temperature must be positive and couplings finite", where="point", got=(theta.tolist(), temperature)
            )
        sums = Sums(self._mesh_waves.sum(theta), self.mesh.weight, self._member, self.matrix.degeneracy, self._target)
        solution = solve(sums, K_B * float(temperature))
        self._check_share(solution, temperature)
        return GaussianState(theta, solution, sums)

    def shares(self, solution: Multipliers) -> np.ndarray:
        """Return the share of the spins' length that one wave of each star of the mesh holds, (n_q,)."""
        trace = np.einsum("qmm->q", solution.inverse).real * self.matrix.degeneracy * solution.thermal
        return trace / (self.mesh.n_point * self._target.sum())

    def _check_share(self, solution, temperature):
        share = self.shares(solution)
        worst = int(np.argmax(share))
        if share[worst] > self.settings.max_share:
            place = " ".join(f"{x:.4g}" for x in self.mesh.q[worst])
            raise OrderedError(
                f"the spins order, or nearly: one wave holds {share[worst]:.0%} of their length",
                where=f"self-consistent Gaussian approximation at {temperature:g} K, Q = ({place})",
                expected=f"at most {self.settings.max_share:.0%}",
                fix="raise the temperature, or refine the mesh (n_mesh)",
            )

    def _vectors(self, q):
        """Return b of I(Q) = k_B T Σ_k b_k† G b_k per chemical cell, (n_q, n_form, n_mode)."""
        matrix, crystal, site = self.matrix, self.model.crystal, self.matrix.chemical_site
        seen = DiffuseSettings(self.settings.component, self.settings.form_factor, self.settings.moments)
        scale = np.sqrt(matrix.primitive.n_copy)
        if matrix.degeneracy == 1:
            return scale * mode_vectors(crystal, site, crystal.positions[site], matrix.direction, q, seen).conj()
        # x, y and z are alike: one form with the trace of the polarisation factor.
        along = np.tile([0.0, 0.0, 1.0], (len(site), 1))
        plain = DiffuseSettings("zz", seen.form_factor, seen.moments)
        vectors = mode_vectors(crystal, site, crystal.positions[site], along, q, plain).conj()
        weight = polarisation_weights(seen.component, q @ crystal.reciprocal)
        return scale * vectors * np.sqrt(np.einsum("qxx->q", weight))[:, None, None]

    def _chunks(self, q):
        if isinstance(q, View):
            yield q
            return
        q = np.asarray(q, dtype=np.float64)
        check_shape("q", q, ("n_q", 3), hint="one row (h, k, l) for each wave vector")
        for start in range(0, len(q), _CHUNK):
            yield self.view(q[start : start + _CHUNK])

    def predict_structure_factor(self, theta, temperature, q, *, state: GaussianState | None = None) -> np.ndarray:
        """Return S(Q) per chemical cell.

        Parameters
        ----------
        theta : (n_parameter,) float64, meV
        temperature : float, K
        q : (n_q, 3) float64, r.l.u., or a :class:`View` of them
        state : GaussianState, optional
            Of the same point, if it is known.

        Returns
        -------
        (n_q,) float64
        """
        state = state or self.state(theta, temperature)
        parts = []
        for view in self._chunks(q):
            turned = self._turned(view.waves, state, view.vectors)
            parts.append(state.solution.thermal * np.einsum("qkm,qkm->q", view.vectors.conj(), turned).real)
        return np.concatenate(parts)

    def predict_tensor(self, theta, temperature, q, *, state: GaussianState | None = None) -> np.ndarray:
        """Return S^αβ(Q) = ⟨S^α(Q)* S^β(Q)⟩ per chemical cell, (n_q, 3, 3) complex128, Hermitian.

        Without form factor and g; arguments as of :meth:`predict_structure_factor`.
        """
        state = state or self.state(theta, temperature)
        matrix = self.matrix
        position = self.model.crystal.positions[matrix.chemical_site]
        parts = []
        for view in self._chunks(q):
            # The transpose of G, between amplitudes with the phases of the sites themselves.
            phase = np.exp(-2j * np.pi * view.waves.q @ position.T)
            c = self._turned(view.waves, state, np.tile(np.eye(matrix.n_mode, dtype=complex), (len(phase), 1, 1)))
            c *= phase.conj()[:, :, None] * phase[:, None, :] * (state.solution.thermal * matrix.primitive.n_copy)
            if matrix.degeneracy == 3:
                parts.append(c.sum(axis=(1, 2))[:, None, None] * np.eye(3))
            else:
                parts.append(matrix.direction.T @ c @ matrix.direction)
        return np.concatenate(parts)

    def _turned(self, waves, state, vectors):
        """Return G b of vectors (n_q, n_form, n_mode)."""
        k = waves.sum(state.theta)
        k[:, np.arange(k.shape[1]), np.arange(k.shape[1])] += state.multiplier
        return np.linalg.solve(k, vectors.swapaxes(1, 2)).swapaxes(1, 2)

    def structure_factor_gradient(self, theta, temperature, q) -> Gradient:
        """Return S(Q), (n_q,), with its derivatives: :class:`Gradient`; arguments as of the prediction."""
        state = self.state(theta, temperature)
        solution = state.solution
        by_theta, by_thermal = self._multiplier_slopes(state)
        value, slopes, by_t = [], [], []
        for view in self._chunks(q):
            y = self._turned(view.waves, state, view.vectors)
            one = solution.thermal * np.einsum("qkm,qkm->q", view.vectors.conj(), y).real
            density = np.einsum("qkm,qkm->qm", y.conj(), y).real
            rows = [
                np.einsum("qkm,qmn,qkn->q", y.conj(), view.waves.derivative(k), y, optimize=True).real
                + density @ change
                for k, change in enumerate(by_theta)
            ]
            value.append(one)
            slopes.append(-solution.thermal * np.array(rows))
            by_t.append(K_B * (one / solution.thermal - solution.thermal * (density @ by_thermal)))
        return Gradient(np.concatenate(value), np.concatenate(slopes, axis=1), np.concatenate(by_t))

    def _multiplier_slopes(self, state):
        """Return ∂λ/∂θ and ∂λ/∂(k_B T) of the multiplier of each mode, (n_parameter, n_mode) and (n_mode,)."""
        solution, sums = state.solution, state.sums
        by_theta = [
            solution.by_matrix(sums, self._mesh_waves.derivative(k)) @ sums.member
            for k in range(self.model.n_parameter)
        ]
        return np.array(by_theta), solution.by_thermal(sums) @ sums.member

    def _moment_vectors(self):
        """Return g·u of each mode for the three components of the moment, (3, n_mode); for one mode of three, g."""
        g = self.model.crystal.g[self.matrix.chemical_site]
        if self.matrix.degeneracy == 3:
            return g[:, 0, 0][None]
        return np.einsum("mxy,my->xm", g, self.matrix.direction)

    def susceptibility(self, theta, temperature, *, state: GaussianState | None = None) -> np.ndarray:
        """Return the susceptibility tensor, (3, 3) float64, μ_B/T per spin.

            χ_ab = μ_B ⟨M_a M_b⟩/(k_B T)/N = μ_B v_a† G(0) v_b/n_site,   v_a = (g·u)_a

        Times :data:`spinscape.observables.thermodynamics.EMU_PER_MOL`: emu/(mol Oe) per mole of spins. To the inner
        field where there are dipoles (no demagnetisation).
        """
        state = state or self.state(theta, temperature)
        v = self._moment_vectors()
        return self._tensor(v @ self._turned(self._centre, state, v[None].astype(np.complex128))[0].T)

    def _tensor(self, forms):
        """Return forms (n, n) of the moment's components as a tensor, μ_B/T per spin."""
        out = MU_B / self.matrix.primitive.n_site * np.real(forms)
        return out[0, 0] * np.eye(3) if self.matrix.degeneracy == 3 else out

    def susceptibility_gradient(self, theta, temperature) -> Gradient:
        """Return the susceptibility tensor with its derivatives: :class:`Gradient`."""
        state = self.state(theta, temperature)
        v = self._moment_vectors()
        y = self._turned(self._centre, state, v[None].astype(np.complex128))[0]
        by_theta, by_thermal = self._multiplier_slopes(state)
        rows = [
            -self._tensor(y.conj() @ (self._centre.derivative(k)[0] + np.diag(change)) @ y.T)
            for k, change in enumerate(by_theta)
        ]
        by_t = -K_B * self._tensor((y.conj() * by_thermal) @ y.T)
        return Gradient(self._tensor(v @ y.T), np.array(rows), by_t)

    def energy(self, theta, temperature, *, state: GaussianState | None = None) -> float:
        """Return the energy, meV per spin: ½ (k_B T n_mode − Σ λ_a Σ_a|S|²)/n_site."""
        state = state or self.state(theta, temperature)
        modes = self.matrix.degeneracy * self.matrix.n_mode
        held = float(state.solution.value @ self._target)
        return 0.5 * (state.solution.thermal * modes - held) / self.matrix.primitive.n_site

    def heat_capacity(self, theta, temperature, *, state: GaussianState | None = None) -> float:
        """Return the heat capacity dE/dT, k_B per spin."""
        state = state or self.state(theta, temperature)
        modes = self.matrix.degeneracy * self.matrix.n_mode
        moving = float(state.solution.by_thermal(state.sums) @ self._target)
        return 0.5 * (modes - moving) / self.matrix.primitive.n_site

    def heat_capacity_gradient(self, theta, temperature) -> Gradient:
        """Return the heat capacity with its derivatives: :class:`Gradient`.

        Notes
        -----
        x = ∂λ/∂(k_B T) = M⁻¹ t/(k_B T)² with the constraints t, so that ∂x/∂θ = −M⁻¹ (∂M/∂θ) x.
        """
        state = self.state(theta, temperature)
        solution, sums = state.solution, state.sums
        x = solution.by_thermal(sums)
        scale = -0.5 / self.matrix.primitive.n_site
        rows = []
        for k in range(self.model.n_parameter):
            derivative = self._mesh_waves.derivative(k)
            change = solution.by_matrix(sums, derivative) @ sums.member
            moved = solution.slope_by_matrix(sums, derivative + change[:, None] * np.eye(len(change)))
            rows.append(scale * float(self._target @ -np.linalg.solve(solution.slope, moved @ x)))
        moved = solution.slope_by_matrix(sums, np.diag(x @ sums.member)[None] + np.zeros_like(sums.k))
        by_thermal = -2.0 * x / solution.thermal - np.linalg.solve(solution.slope, moved @ x)
        value = np.asarray(self.heat_capacity(theta, temperature, state=state))
        return Gradient(value, np.array(rows), np.asarray(scale * K_B * float(self._target @ by_thermal)))
