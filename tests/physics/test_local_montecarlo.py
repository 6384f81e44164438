"""Moves of single spins against closed forms, integrals and enumeration, each move alone and in mixtures.

Expected values: the table of closed forms that the project was given (Kaufman's finite Ising lattices; chains and rings
by the Langevin function), and sums over states made here. Tolerances are four block errors of the run itself.
"""

from functools import partial
from itertools import product

import numpy as np
import pytest
from scipy.special import i0, i1

from spinscape.hamiltonian.biquadratic import BiquadraticTable
from spinscape.hamiltonian.conditions import Conditions
from spinscape.hamiltonian.energy import energy
from spinscape.hamiltonian.model import BondTable, Model, OnsiteTable
from spinscape.lattice.symmetry import SiteSpec, crystal_from_sites
from spinscape.simulate.ising_engine import IsingEngine
from spinscape.simulate.local_engine import LocalEngine
from spinscape.simulate.moves import Move
from spinscape.simulate.spin_system import block, spin_system
from spinscape.units import MU_B

SEED = np.array([2026, 11], dtype=np.uint64)
N_SIGMA = 4.0
ZERO = Conditions()
VECTOR = {
    "uniform": (Move("uniform"),),
    "small steps": (Move("small_step", width=0.8),),
    "heat bath": (Move("heat_bath"),),
    "over-relaxation": (Move("over_relaxation", 2), Move("uniform")),
    "mixture": (Move("small_step", 2, 0.5), Move("reflection"), Move("over_relaxation"), Move("heat_bath")),
}
FLIPS = {"flip": (Move("flip"),), "heat bath": (Move("heat_bath"),), "mixture": (Move("flip", 2), Move("heat_bath"))}


def blocks(values, n_block=40):
    """Return mean and block error of rows of samples."""
    values = np.asarray(values)
    means = values[: len(values) // n_block * n_block].reshape(n_block, -1, *values.shape[1:]).mean(axis=1)
    return means.mean(axis=0), means.std(axis=0, ddof=1) / np.sqrt(n_block)


def agrees(values, expected, *, own=0.0):
    """Raise unless a mean is within four block errors, and errors of the expected value's own."""
    mean, error = blocks(values)
    deviation = np.abs(mean - expected) / np.hypot(error, own)
    assert np.all(deviation < 4), f"{mean} +- {error}, expected {expected}"


def sampled(engine, moves, beta, measure, *, n=4000, n_round=2, n_warm=100):
    engine.run(moves, beta, n_warm)
    out = []
    for _ in range(n):
        engine.run(moves, beta, n_round)
        out.append(measure(engine))
    return np.array(out)


def crystal(vectors, sites):
    return crystal_from_sites(np.asarray(vectors, dtype=float), sites, find_symmetry=False)


def chain(n, *, along=1, kind="heisenberg", axis=(0, 0, 1), copies=1):
    """A periodic chain (or square, or cube) of n sites along each of the first ``along`` axes, far from its copies."""
    spec = {} if kind == "heisenberg" else {"kind": kind, "axis": axis}
    vectors = np.diag([3.0 if k < along else 10.0 for k in range(3)])
    site = crystal(vectors, [SiteSpec("A", "Ni2+", (0, 0, 0), 1.0, **spec)])
    bonds = BondTable(
        np.zeros(along), np.zeros(along), np.eye(3)[:along], np.zeros(along), np.tile(np.eye(3), (along, 1, 1))
    )
    model = Model(site, ("J",), bonds)
    return spin_system(model, block(model, [n if k < along else copies for k in range(3)]))


def cluster(matrices, *, kinds, lengths, onsite=None, squares=(), numbers=(2, 2, 2)):
    """Sites in a row in a cell so large that it stands alone: bonds (i, j, matrix), (n, 3, 3) on-site matrices."""
    specs = [{} if kind == "heisenberg" else {"kind": kind[0], "axis": kind[1]} for kind in kinds]
    sites = [
        SiteSpec(f"S{k}", "Ni2+", (0.01 * k, 0, 0), s, **spec)
        for k, (s, spec) in enumerate(zip(lengths, specs, strict=True))
    ]
    n, first, second = len(matrices), [b[0] for b in matrices], [b[1] for b in matrices]
    bonds = BondTable(first, second, np.zeros((n, 3)), np.zeros(n), np.array([b[2] for b in matrices]).reshape(n, 3, 3))
    own = OnsiteTable(np.arange(len(onsite)), np.zeros(len(onsite)), onsite) if onsite is not None else None
    biquadratic = BiquadraticTable(
        [s[0] for s in squares],
        [s[1] for s in squares],
        np.zeros((len(squares), 3)),
        np.zeros(len(squares)),
        [s[2] for s in squares],
        "large_s",
    )
    tables = {"biquadratic": biquadratic} | ({} if own is None else {"onsite": own})
    model = Model(crystal(200 * np.eye(3), sites), ("J",), bonds, **tables)
    return spin_system(model, block(model, numbers))


def engines(kind, system, conditions=ZERO, theta=(1.0,)):
    """Return the fast and the plain engine of a system."""
    return [kind(system, np.array(theta), conditions, SEED, plain=plain) for plain in (False, True)]


# --- Ising spins ---


@pytest.mark.parametrize("n, e, c", [(4, -1.5656237876, 0.7832668259), (8, -1.4915891074, 1.1455592399)])
@pytest.mark.parametrize("moves", FLIPS.values(), ids=FLIPS)
@pytest.mark.parametrize("plain", [False, True])
def test_square_ising_lattice(n, e, c, moves, plain):
    beta = 0.5 * np.log(1 + np.sqrt(2))
    engine = IsingEngine(chain(n, along=2, kind="ising"), [-1.0], ZERO, SEED, plain=plain)
    values = sampled(engine, moves, beta, lambda engine: engine.energy / n**2, n=8000, n_round=3)
    agrees(values, e)
    # C = β² N (⟨e²⟩ − e²): with the exact mean, the mean of squares is an average like any other.
    agrees(beta**2 * n**2 * (values - e) ** 2, c)


@pytest.mark.slow
@pytest.mark.parametrize("n, e, c", [(4, -1.5656237876, 0.7832668259), (8, -1.4915891074, 1.1455592399)])
def test_square_ising_lattice_to_one_part_in_a_hundred(n, e, c):
    beta = 0.5 * np.log(1 + np.sqrt(2))
    engine = IsingEngine(chain(n, along=2, kind="ising"), [-1.0], ZERO, SEED)
    values = sampled(engine, FLIPS["mixture"], beta, lambda engine: engine.energy / n**2, n=400_000, n_round=3)
    squares = beta**2 * n**2 * (values - e) ** 2
    for one, expected in ((values, e), (squares, c)):
        agrees(one, expected)
        assert N_SIGMA * blocks(one)[1] < 0.015 * abs(expected)


def random_ising(numbers):
    """Seven Ising spins with axes of their own, random exchange matrices between all, and a field on them."""
    rng = np.random.default_rng(4)
    kinds = [("ising", axis) for axis in rng.normal(size=(7, 3))]
    pairs = [(i, j, 0.8 * rng.normal(size=(3, 3))) for i in range(7) for j in range(i)]
    return cluster(pairs, kinds=kinds, lengths=np.full(7, 1.0), numbers=numbers), Conditions(None, (0.0, 4.0, -3.0))


def distance_from_boltzmann(engine, moves, beta, conditions):
    """Return how many block errors the probabilities of states are off; all that are rare count as one state."""
    system, states = engine.system, np.array(list(product([-1.0, 1.0], repeat=7)))
    axis, lonely = system.axis, block(system.model, (1, 1, 1))
    at = partial(energy, system.model, theta=[1.0], cell=lonely, conditions=conditions)
    weight = np.exp(-beta * np.array([at(spins=signs[:, None] * axis) for signs in states]))
    expected, powers, n = weight / weight.sum(), 2 ** np.arange(6, -1, -1), 6000
    rare = expected * n * system.cell.n_cell < 100

    def together(x):
        return np.append(x[~rare], x[rare].sum())

    def histogram(engine):
        codes = ((engine.signs.reshape(-1, 7) > 0) @ powers).astype(int)
        return together(np.bincount(codes, minlength=128) / len(codes))

    mean, error = blocks(sampled(engine, moves, beta, histogram, n=n, n_round=3))
    return (mean - together(expected)) / error


@pytest.mark.parametrize("moves", FLIPS.values(), ids=FLIPS)
@pytest.mark.parametrize("plain", [False, True])
def test_all_states_of_seven_spins(moves, plain):
    system, conditions = random_ising((2, 2, 2))
    off = distance_from_boltzmann(IsingEngine(system, [1.0], conditions, SEED, plain=plain), moves, 0.5, conditions)
    assert np.abs(off).max() < 4


class WrongAcceptance(IsingEngine):
    """Accepts as if it were a tenth colder."""

    def run(self, moves, beta, n_round):
        return super().run(moves, 1.1 * beta, n_round)


class ForgetsItsNeighbours(IsingEngine):
    """Reads copies of its neighbours that nobody renews."""

    def run(self, moves, beta, n_round):
        empty = np.zeros_like(self._lattice.copy_start)
        self._lattice = self._lattice._replace(copy_start=empty)
        return super().run(moves, beta, n_round)


@pytest.mark.parametrize("wrong", [WrongAcceptance, ForgetsItsNeighbours])
def test_the_check_finds_wrong_moves(wrong):
    if wrong is ForgetsItsNeighbours:
        engine = wrong(chain(8, along=2, kind="ising"), [-1.0], ZERO, SEED)
        values = sampled(engine, FLIPS["flip"], 0.5 * np.log(1 + np.sqrt(2)), lambda e: e.coupling_energies()[0] / -64)
        with pytest.raises(AssertionError):
            agrees(values, -1.4915891074)
        return
    system, conditions = random_ising((2, 2, 2))
    off = distance_from_boltzmann(wrong(system, [1.0], conditions, SEED), FLIPS["flip"], 0.5, conditions)
    assert np.abs(off).max() > 6


# --- Vector spins ---


@pytest.mark.parametrize("b, e", [(1.0, -0.3130353080), (2.0, -0.5373616004), (5.0, -0.8039902743)])
@pytest.mark.parametrize("moves", VECTOR.values(), ids=VECTOR)
def test_ring_of_sixteen(b, e, moves):
    """Sixteen rings at once: one part in fifty would be seen by each move, one in eighty by the mixture."""
    for engine in engines(LocalEngine, chain(16, copies=4), theta=[-1.0]):
        values = sampled(engine, moves, b, lambda engine: engine.energy / 256, n=1600)
        agrees(values, e)
        assert N_SIGMA * blocks(values)[1] < (0.02 if len(moves) < 3 else 0.013) * abs(e)


@pytest.mark.parametrize(("b", "length"), [(1.0, 0.8610), (2.0, 1.6099)])
@pytest.mark.parametrize("plain", [False, True])
def test_open_chain(b, length, plain):
    """Energy −L(b) and heat capacity 1 − b²/sinh²b of each bond, ⟨S_0·S_r⟩ = L(b)^r = exp(−r/ξ): 512 chains at once."""
    n = 8**3
    bonds = [(k, k + 1, -np.eye(3)) for k in range(3)]
    system = cluster(bonds, kinds=["heisenberg"] * 4, lengths=[1.0] * 4, numbers=(8, 8, 8))
    mean = 1 / np.tanh(b) - 1 / b
    expected = np.array([-mean, 1 - b**2 / np.sinh(b) ** 2, mean, mean**2, mean**3])

    def measure(engine):
        spins = engine.spins.reshape(n, 4, 3)
        products = np.einsum("nra,nsa->nrs", spins, spins)
        energies = -np.trace(products[:, :-1, 1:], axis1=1, axis2=2)
        assert engine.energy == pytest.approx(energies.sum(), rel=1e-9)
        along = [np.trace(products[:, :-r, r:], axis1=1, axis2=2).mean() / (4 - r) for r in (1, 2, 3)]
        return [energies.mean() / 3, b**2 / 3 * np.mean((energies - 3 * expected[0]) ** 2), *along]

    engine = LocalEngine(system, [1.0], ZERO, SEED, plain=plain)
    values = sampled(engine, VECTOR["mixture"], b, measure, n=1000)
    agrees(values, expected)
    error = N_SIGMA * blocks(values)[1]
    # One part in a hundred would be seen: in the energy, the heat capacity and the correlation length.
    assert np.all(error[:2] < 0.01 * np.abs(expected[:2])), error / expected
    far, of_log = -np.log(blocks(values)[0][2:]), error[2:] / expected[2:]
    assert -1 / np.log(mean) == pytest.approx(length, abs=6e-5)
    assert of_log[0] / far[0] < 0.01 and np.all(np.abs(np.arange(1, 4) / far - length) < of_log / far * length * 1.1)


@pytest.mark.parametrize("moves", VECTOR.values(), ids=VECTOR)
def test_pairs_of_spins_in_planes(moves):
    """Two XY spins of one plane, −I1(b)/I0(b); and one whose partner is an Ising spin in that plane: the same."""
    flat, straight = ("xy", (1, 2, 2)), ("ising", (2, -1, 0))
    for partner in (flat, straight):
        system = cluster([(0, 1, -np.eye(3))], kinds=[flat, partner], lengths=[1.0, 1.0])
        for engine in engines(LocalEngine, system):
            agrees(sampled(engine, moves, 1.7, lambda engine: engine.energy / 8), -i1(1.7) / i0(1.7))


@pytest.mark.parametrize("moves", VECTOR.values(), ids=VECTOR)
def test_a_spin_and_its_mirror_of_unlike_length(moves):
    """x = S_1·S_2/(S_1 S_2) has the density exp(−β (J x + B x²)): biquadratic terms, lengths 1 and 3/2."""
    j, b, beta, x = -0.6, 0.9, 1.3, np.linspace(-1, 1, 20001)
    system = cluster([(0, 1, j * np.eye(3))], kinds=["heisenberg"] * 2, lengths=[1.0, 1.5], squares=[(0, 1, b)])
    weight = np.exp(-beta * (1.5 * j * x + b * 2.25 * x * x))
    for engine in engines(LocalEngine, system):
        values = sampled(engine, moves, beta, lambda engine: np.mean(np.prod(engine.spins.reshape(8, 2, 3), 1).sum(1)))
        agrees(values, 1.5 * np.sum(weight * x) / weight.sum())


@pytest.mark.parametrize("moves", VECTOR.values(), ids=VECTOR)
def test_one_spin_with_anisotropy_in_a_field(moves):
    """⟨S⟩ and ⟨S Sᵀ⟩ of exp(−β E) with a general on-site matrix, by quadrature over the sphere."""
    rng, beta = np.random.default_rng(8), 1.5
    onsite = (lambda a: a + a.T)(rng.normal(size=(3, 3)))[None]
    system = cluster([], kinds=["heisenberg"], lengths=[1.0], onsite=onsite)
    conditions = Conditions(None, (3.0, -4.0, 2.0))
    nodes, weights = np.polynomial.legendre.leggauss(60)
    phi = np.arange(120) * 2 * np.pi / 120
    z, p = (x.ravel() for x in np.meshgrid(nodes, phi, indexing="ij"))
    s = np.stack([np.sqrt(1 - z * z) * np.cos(p), np.sqrt(1 - z * z) * np.sin(p), z], axis=1)
    at = np.sum((s @ onsite[0]) * s, axis=1) + 2.0 * MU_B * s @ conditions.field
    w = np.repeat(weights, 120) * np.exp(-beta * at)
    expected = np.concatenate([w @ s, (s.T * w @ s)[np.triu_indices(3)]]) / w.sum()

    def moments(engine):
        spins = engine.spins
        return np.concatenate([spins.mean(0), (spins.T @ spins / len(spins))[np.triu_indices(3)]])

    for engine in engines(LocalEngine, system, conditions):
        agrees(sampled(engine, moves, beta, moments), expected)


def test_cold_and_hot_cubic_magnet():
    system = chain(6, along=3)
    engine = LocalEngine(system, [-1.0], ZERO, SEED)
    engine.set_spins(np.tile([0.0, 0.0, 1.0], (216, 1)))
    moves, t = (Move("heat_bath"), Move("over_relaxation", 3)), 0.01
    values = sampled(engine, moves, 1 / t, lambda engine: engine.energy / 216, n_warm=500)
    # Equipartition: two modes for each spin, less the two of the direction of the whole; more of the order T.
    agrees((values + 3) / t, 1 - 1 / 216, own=t / 2)
    agrees(216 / t**2 * (values - values.mean()) ** 2, 1 - 1 / 216, own=t)
    beta = 0.02
    values = sampled(engine, moves, beta, lambda engine: engine.energy / 216)
    agrees(values, -3 * beta / 3, own=beta**3)
    agrees(beta**2 * 216 * (values - values.mean()) ** 2, 6 * beta**2 / 6, own=beta**4)


@pytest.mark.parametrize("n, expected, own", [(6, 0.6237, 0.0008), (8, 0.6221, 0.0006)])
def test_binder_cumulant_of_the_cubic_ferromagnet(n, expected, own):
    engine = LocalEngine(chain(n, along=3), [-1.0], ZERO, SEED)
    moves = (Move("heat_bath"), Move("over_relaxation", 2))
    total = sampled(engine, moves, 0.693003, lambda engine: engine.spins.sum(axis=0), n=16000, n_warm=300)
    square = np.sum(total**2, axis=1)
    # A ratio of means: errors by leaving out blocks.
    parts = square.reshape(40, -1)
    left = [1 - np.mean(p**2) / 3 / np.mean(p) ** 2 for p in (np.delete(parts, k, axis=0) for k in range(40))]
    error = np.std(left) * np.sqrt(39)
    cumulant = 1 - np.mean(square**2) / 3 / np.mean(square) ** 2
    assert abs(cumulant - expected) < 4 * np.hypot(error, own)
