"""What a study says about a Monte Carlo simulation, as plain frozen data."""

from dataclasses import asdict, dataclass, field
from itertools import pairwise

import numpy as np

from ..errors import ConfigError
from ..lattice.qspace import QPath
from ..lattice.volumes import QGrid
from .moves import Move

KEEP = ("series", "configurations")
"""What is kept of the samples beside their means: values of each sample, last configurations of each replica."""


COLDEST = 1e-9
"""K. Below it, energies over k_B T are no numbers to count with."""


def check_temperatures(values, *, where):
    """Return temperatures as a tuple of float, or raise where they are not positive or not sorted."""
    values = tuple(float(t) for t in values)
    if not values:
        raise ConfigError("no temperature is named", where=where, expected="[1 K], say", got="an empty list")
    steps = np.diff(values)
    if not all(COLDEST <= t < np.inf for t in values):
        raise ConfigError(
            "temperatures must be positive", where=where, expected=f"kelvin, above 0 (at least {COLDEST:g})",
            got=list(values)[:8],
        )  # fmt: skip
    if not (np.all(steps > 0) or np.all(steps < 0)):
        raise ConfigError(
            "temperatures must be sorted", where=where, expected="all rising or all falling, each once",
            got=list(values)[:8], fix="sort them",
        )  # fmt: skip
    return values


def _check_positive(values, *, where):
    for name, value in values.items():
        if not 0 < value < np.inf:
            raise ConfigError("a number must be positive", where=f"{where}.{name}", expected="above 0", got=value)


@dataclass(frozen=True)
class Step:
    """Some rounds at one temperature, on the way down.

    Parameters
    ----------
    temperature : float, K
    rounds : int
    moves : tuple of Move
        One round; empty for the moves of the study.
    """

    temperature: float
    rounds: int = 1
    moves: tuple[Move, ...] = ()

    def __post_init__(self):
        _check_positive({"temperature": self.temperature, "rounds": self.rounds}, where="annealing")


@dataclass(frozen=True)
class Sampling:
    """How much is sampled at each temperature, and what is enough.

    Parameters
    ----------
    replicas : int
        Independent chains.
    samples : int
        Of each chain before it is first judged.
    rounds : int
        Rounds of moves between two samples.
    extensions : int
        How often sampling may go on. What was sampled before the first time counts as equilibration, and twice as many
        samples are taken; each further time doubles what is kept.
    r_hat : float
        Largest split-chain R̂ of energy, order parameters and star-averaged S(Q).
    sample_size : float
        Least effective sample size of each of these.
    frozen : float
        What varies less than this part of its mean, over all chains, is frozen and agrees.
    hopeless : float
        R̂ above which sampling is not extended: chains so far apart need another way down.
    """

    replicas: int = 4
    samples: int = 50
    rounds: int = 1
    extensions: int = 3
    r_hat: float = 1.05
    sample_size: float = 50.0
    frozen: float = 1e-4
    hopeless: float = 1e6

    def __post_init__(self):
        counts = {"replicas": self.replicas, "rounds": self.rounds, "sample_size": self.sample_size}
        _check_positive({**counts, "r_hat": self.r_hat - 1.0}, where="sampling")
        if self.samples < 8 or not 0 <= self.extensions <= 20 or not 0 <= self.frozen < 1:
            raise ConfigError(
                "sampling is out of range", where="sampling",
                expected="at least 8 samples, 0 to 20 extensions, frozen in [0, 1)", got=asdict(self),
            )  # fmt: skip


@dataclass(frozen=True)
class Thermal:
    """What is done at temperatures where no correlations are gathered, in place of what is done where they are.

    Parameters
    ----------
    sampling : Sampling
        With as many replicas as elsewhere.
    moves : tuple of Move
    equilibration : int
    """

    sampling: Sampling
    moves: tuple[Move, ...]
    equilibration: int = 10


@dataclass(frozen=True)
class Tempering:
    """Exchange of temperatures between replicas.

    Parameters
    ----------
    highest : float, K
        Top of the ladder.
    n : int
        Temperatures of the ladder, those that are sampled among them.
    rounds : int
        Rounds of moves between two exchanges.
    adaptations : int
        How often the ladder is set anew during equilibration.
    rescue : bool
        Only where chains that were annealed do not agree; otherwise always.
    moves : tuple of Move
        One round; empty for the moves of the study.
    """

    highest: float
    n: int
    rounds: int = 1
    adaptations: int = 4
    rescue: bool = False
    moves: tuple[Move, ...] = ()

    def __post_init__(self):
        _check_positive({"highest": self.highest, "n": self.n - 1, "rounds": self.rounds}, where="tempering")


@dataclass(frozen=True)
class Order:
    """An order parameter, m = Σ_i c_i S_i exp(−2πi q·r_i)/N.

    Parameters
    ----------
    name : str
    q : tuple of 3 float, r.l.u.
    direction : tuple of 3 float, "axis" or "all"
        Component of the spins, Cartesian; along the axis of each site; or all three.
    """

    name: str
    q: tuple[float, float, float] = (0.0, 0.0, 0.0)
    direction: tuple[float, float, float] | str = "all"


@dataclass(frozen=True, eq=False)
class Correlations:
    """Which correlations between sublattices are gathered, and what is made of them.

    Parameters
    ----------
    temperatures : tuple of float, K
        Some of those that are sampled.
    pairs : bool
        Keep the correlations themselves, from which ``spinscape.observables.diffuse_projection`` makes any S(Q).
    where : tuple of QPath and QGrid
        Where S(Q) is stored.
    settings : dict
        What :class:`~spinscape.observables.diffuse_projection.DiffuseSettings` takes.
    classes : tuple of 2 float, or None
        Largest S_perp per spin of a disordered point, and the least of an ordered one; between them order competes.
    """

    temperatures: tuple[float, ...]
    pairs: bool = True
    where: tuple[QPath | QGrid, ...] = ()
    settings: dict = field(default_factory=dict)
    classes: tuple[float, float] | None = None


@dataclass(frozen=True, eq=False)
class MonteCarloSettings:
    """A whole simulation of one point.

    Parameters
    ----------
    supercell : (3,) or (3, 3) tuple of int
    temperatures : tuple of float, K
        Sampled ones, sorted either way.
    moves : tuple of Move
        One round.
    equilibration : int
        Rounds at each sampled temperature before sampling begins.
    annealing : tuple of Step
        What is run before the first sampled temperature below each step.
    slow : tuple of Step
        A slower way down, for temperatures at which the chains did not agree; empty for none.
    slow_above : float
        R̂ above which it is taken: chains that are closer want more samples, not another way down.
    population : int
        Copies of each replica on the slow way down to the first of those temperatures
        (:mod:`~spinscape.simulate.population`).
    slow_moves : tuple of Move
        One round of chains that came down slowly; empty for that of the others.
    sampling : Sampling
    tempering : Tempering or None
    orders : tuple of Order
    correlations : Correlations or None
    thermal : Thermal or None
    keep : tuple of str
        Of :data:`KEEP`.
    vacancies : tuple of (str, float)
        Part of the sites of a label that are empty, drawn once for each point.
    demagnetisation : (3, 3) tuple of float, or None
        Of the dipoles; None for no demagnetising field.
    """

    supercell: tuple
    temperatures: tuple[float, ...]
    moves: tuple[Move, ...]
    equilibration: int = 10
    annealing: tuple[Step, ...] = ()
    slow: tuple[Step, ...] = ()
    slow_above: float = 0.0
    population: int = 1
    slow_moves: tuple[Move, ...] = ()
    sampling: Sampling = Sampling()
    tempering: Tempering | None = None
    orders: tuple[Order, ...] = ()
    correlations: Correlations | None = None
    thermal: Thermal | None = None
    keep: tuple[str, ...] = ()
    vacancies: tuple[tuple[str, float], ...] = ()
    demagnetisation: tuple | None = None

    def __post_init__(self):
        object.__setattr__(self, "temperatures", check_temperatures(self.temperatures, where="temperatures"))
        for name, steps in (("annealing", self.annealing), ("slow", self.slow)):
            falling = [step.temperature for step in steps]
            if falling:
                check_temperatures(falling, where=name)
            if any(a < b for a, b in pairwise(falling)):
                raise ConfigError("annealing goes from high to low", where=name, got=falling[:8], fix="reverse it")
        _check_positive({"population": self.population}, where="settings")
        if not self.moves:
            raise ConfigError("a round has at least one move", where="moves", expected="[{kind: ...}]", got="none")
        self._check_tempering()
        if self.thermal is not None and self.thermal.sampling.replicas != self.sampling.replicas:
            raise ConfigError(
                "replicas go through all temperatures", where="thermal.sampling.replicas",
                expected=self.sampling.replicas, got=self.thermal.sampling.replicas,
            )  # fmt: skip
        self._check_names()

    def _check_tempering(self):
        if self.tempering is None:
            return
        # As a rescue it serves the temperatures below its top.
        limit = (min if self.tempering.rescue else max)(self.temperatures)
        if self.tempering.highest <= limit:
            raise ConfigError(
                "tempering goes above the sampled temperatures", where="tempering.highest",
                expected=f"above {limit:g} K", got=self.tempering.highest,
            )  # fmt: skip

    def at(self, temperature, how="annealed") -> Thermal:
        """Return how a temperature is sampled by chains that came to it by some way (``chains.Sample.how``)."""
        correlated = self.correlations is not None and temperature in self.correlations.temperatures
        if self.thermal is None or correlated:
            slow = how == "slow" and self.slow_moves
            return Thermal(self.sampling, self.slow_moves if slow else self.moves, self.equilibration)
        return self.thermal

    @property
    def all_moves(self):
        """Every move that may be made, in the order in which they are declared."""
        more = [self.slow_moves, *(step.moves for step in (*self.annealing, *self.slow))]
        more += [self.tempering.moves] if self.tempering is not None else []
        more += [self.thermal.moves] if self.thermal is not None else []
        return (*self.moves, *(move for moves in more for move in moves))

    def _check_names(self):
        names = [order.name for order in self.orders]
        if len(set(names)) < len(names):
            raise ConfigError("two order parameters have the same name", where="order_parameters", got=names)
        if not set(self.keep) <= set(KEEP):
            raise ConfigError("this cannot be kept", where="keep", expected=", ".join(KEEP), got=list(self.keep))
        if self.correlations is None:
            return
        named = self.correlations.temperatures
        strange = [t for t in named if t not in self.temperatures or named.count(t) > 1]
        if strange or not named:
            raise ConfigError(
                "correlations are gathered at temperatures that are sampled", where="correlations.temperatures",
                expected=f"some of {[f'{t:g} K' for t in self.temperatures]}, each once",
                got=[f"{t:g} K" for t in strange],
            )  # fmt: skip

    @property
    def falling(self):
        """Sampled temperatures from high to low."""
        return tuple(sorted(self.temperatures, reverse=True))

    def to_dict(self):
        """Return plain values, for JSON; :meth:`from_dict` is the inverse."""
        out = {name: getattr(self, name) for name in self.__dataclass_fields__}
        for name in ("moves", "slow_moves", "annealing", "slow", "orders"):
            out[name] = [asdict(item) for item in out[name]]
        for name in ("sampling", "tempering", "thermal"):
            out[name] = None if out[name] is None else asdict(out[name])
        if self.correlations is not None:
            kept = self.correlations
            out["correlations"] = {
                "temperatures": kept.temperatures,
                "pairs": kept.pairs,
                "paths": [one.to_dict() for one in kept.where if isinstance(one, QPath)],
                "volumes": [one.to_dict() for one in kept.where if isinstance(one, QGrid)],
                "settings": dict(kept.settings),
                "classes": kept.classes,
            }
        return out

    @classmethod
    def from_dict(cls, data):
        """Rebuild settings from :meth:`to_dict`, also after a passage through JSON."""
        data = dict(data)
        for name in ("annealing", "slow"):
            data[name] = tuple(Step(**{**step, "moves": _moves(step["moves"])}) for step in data.get(name, ()))
        data["moves"], data["slow_moves"] = _moves(data["moves"]), _moves(data.get("slow_moves", ()))
        data["sampling"] = Sampling(**data.get("sampling", {}))
        if data.get("tempering") is not None:
            how = dict(data["tempering"])
            data["tempering"] = Tempering(**{**how, "moves": _moves(how["moves"])})
        if data.get("thermal") is not None:
            how = dict(data["thermal"])
            data["thermal"] = Thermal(Sampling(**how["sampling"]), _moves(how["moves"]), how["equilibration"])
        data["orders"] = tuple(_order(order) for order in data.get("orders", ()))
        if data.get("correlations") is not None:
            kept = dict(data["correlations"])
            where = [QPath.from_dict(path) for path in kept.pop("paths")]
            where += [QGrid.from_dict(grid) for grid in kept.pop("volumes")]
            kept["classes"] = None if kept["classes"] is None else tuple(kept["classes"])
            data["correlations"] = Correlations(
                **{**kept, "temperatures": tuple(kept["temperatures"])}, where=tuple(where)
            )
        for name in ("supercell", "keep", "vacancies", "demagnetisation"):
            if data.get(name) is not None:
                data[name] = _tuples(data[name])
        return cls(**data)


def _moves(rows):
    return tuple(Move(**row) for row in rows)


def _order(data):
    direction = data["direction"]
    return Order(data["name"], tuple(data["q"]), direction if isinstance(direction, str) else tuple(direction))


def _tuples(value):
    return tuple(_tuples(x) for x in value) if isinstance(value, list | tuple) else value
