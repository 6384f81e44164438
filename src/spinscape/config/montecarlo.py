"""The ``simulate:`` section of Monte Carlo, and the settings of its simulator."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from ..errors import ConfigError, SpinscapeError
from ..simulate.montecarlo_settings import (
    Correlations,
    MonteCarloSettings,
    Order,
    Sampling,
    Step,
    Tempering,
    Thermal,
    check_temperatures,
)
from ..simulate.moves import Move
from .axes import conditions, path, volume
from .build_model import build_model
from .quantities import IntVector, Name, Temperature, Vector
from .simulation import SimulationSection
from .strict import Strict

MAX_SPIN = 4_000_000
"""Spins of a supercell: 100 MB for each replica."""


class LadderSection(Strict):
    """Temperatures from one to another, both included."""

    first: Temperature
    last: Temperature
    n: int = Field(ge=2, le=10_000)
    spacing: Literal["linear", "geometric", "inverse"] = "geometric"


Temperatures = tuple[Temperature, ...] | LadderSection


class MoveSection(Strict):
    """One part of a round: sweeps of single spins, or tries of loops or slabs."""

    kind: Literal[
        "uniform", "small_step", "reflection", "flip", "heat_bath", "over_relaxation", "short_loop", "long_loop", "slab"
    ]
    n: int = Field(1, ge=1, le=1_000_000)
    width: float | None = Field(None, gt=0, description="of small steps, in spin lengths; adapted where left out")


Moves = Annotated[tuple[MoveSection, ...], Field(min_length=1)]


class StepSection(Strict):
    """Rounds at one temperature of an annealing, with moves of its own where they are named."""

    temperature: Temperature
    rounds: int = Field(1, ge=1)
    moves: Moves | None = None


class AnnealingSection(LadderSection):
    """An annealing through a ladder, with equally many rounds at each temperature."""

    rounds: int = Field(1, ge=1)
    moves: Moves | None = None


Annealing = tuple[StepSection | AnnealingSection, ...] | AnnealingSection
"""One ladder, or steps and ladders that follow each other."""


class SamplingSection(Strict):
    """How much is sampled, and what is enough."""

    replicas: int = Field(4, ge=1, le=1000)
    samples: int = Field(50, ge=8, le=1_000_000, description="of each replica, before it is first judged")
    rounds: int = Field(1, ge=1, description="rounds of moves between two samples")
    extensions: int = Field(3, ge=0, le=20, description="how often sampling may go on; each time doubles it")
    r_hat: float = Field(1.05, gt=1)
    sample_size: float = Field(50.0, gt=0, description="least effective sample size")
    frozen: float = Field(1e-4, ge=0, lt=1, description="relative spread below which chains count as equal")
    hopeless: float = Field(1e6, gt=1, description="R-hat above which sampling is not extended")


class ThermalSection(Strict):
    """What is done at temperatures where no correlations are gathered; the replicas are the same."""

    moves: Moves | None = Field(None, description="those of the study where left out")
    equilibration: int = Field(10, ge=0)
    samples: int = Field(50, ge=8, le=1_000_000)
    rounds: int = Field(1, ge=1)
    extensions: int = Field(0, ge=0, le=20)
    r_hat: float = Field(1.05, gt=1)
    sample_size: float = Field(50.0, gt=0)
    frozen: float = Field(1e-4, ge=0, lt=1)
    hopeless: float = Field(1e6, gt=1)


class TemperingSection(Strict):
    """Exchange of temperatures between replicas."""

    highest: Temperature
    n: int = Field(ge=2, le=1000, description="temperatures, the sampled ones among them")
    rounds: int = Field(1, ge=1, description="rounds of moves between two exchanges")
    adaptations: int = Field(4, ge=0, le=100)
    when: Literal["always", "rescue"] = "always"
    moves: Moves | None = Field(None, description="one round between exchanges; those of the study where left out")


class OrderSection(Strict):
    """An order parameter: a Fourier component of the spins."""

    q: Vector = (0.0, 0.0, 0.0)
    direction: Vector | Literal["all", "axis"] = "all"


class ClassesSection(Strict):
    """Largest S_perp per spin of a disordered point, and least of an ordered one."""

    disordered: float = Field(gt=0)
    ordered: float = Field(gt=0)


class CorrelationsSection(Strict):
    """Correlations between sublattices, and how S(Q) is made of them."""

    temperatures: tuple[Temperature, ...] | Literal["all"] = "all"
    pairs: bool = Field(True, description="keep the correlations, from which any S(Q) follows")
    component: Literal["trace", "perp", "xx", "yy", "zz"] = "perp"
    form_factor: bool = False
    moments: bool = False
    rule: Literal["nearest", "linear"] = "nearest"
    symmetry: bool = True
    n_sub: int = Field(1, ge=1, le=100)
    classes: ClassesSection | None = None


class MonteCarloSection(SimulationSection):
    """Monte Carlo of classical spins."""

    kind: Literal["montecarlo"]
    supercell: IntVector | tuple[IntVector, IntVector, IntVector]
    temperatures: Temperatures | None = Field(None, description="left out: that of the conditions")
    moves: Moves | None = Field(
        None, description="one round; left out: flips of Ising spins, else heat bath and over-relaxation"
    )
    equilibration: int = Field(10, ge=0, description="rounds at each temperature before sampling")
    annealing: Annealing = ()
    slow: Annealing = Field((), description="a slower way down, where replicas do not agree")
    slow_above: float = Field(0.0, ge=0, description="R-hat above which it is taken: others want more samples")
    slow_moves: Moves | None = Field(None, description="one round after it; that of the study where left out")
    population: int = Field(1, ge=1, le=1000, description="copies of each replica that compete on the slow way down")
    sampling: SamplingSection = SamplingSection()
    tempering: TemperingSection | None = None
    order_parameters: dict[Name, OrderSection] = Field(default_factory=dict)
    correlations: CorrelationsSection | None = None
    thermal: ThermalSection | None = None
    volumes: tuple[Name, ...] = ()
    keep: tuple[Literal["series", "configurations"], ...] = ()
    vacancies: dict[Name, Annotated[float, Field(ge=0, lt=1)]] = Field(default_factory=dict)
    demagnetisation: tuple[Vector, Vector, Vector] | Literal["none", "sphere"] = "none"
    ranks_per_point: int = Field(1, ge=1, le=1024)

    @property
    def group_size(self):
        """Ranks that do one point together."""
        return self.ranks_per_point

    @property
    def needs_structure(self):
        """Monte Carlo finds its own states."""
        return False

    def settings(self, study):
        """Return the plain settings of the simulator (``MonteCarloSimulator.from_settings`` reads them)."""
        return {"montecarlo": montecarlo_settings(self, study).to_dict()}

    def summary(self, study):
        """Return what is simulated, in a line."""
        settings = montecarlo_settings(self, study)
        cold, hot = min(settings.temperatures), max(settings.temperatures)
        moves = " + ".join(f"{move.n} {move.kind}" for move in settings.moves)
        return f"at {len(settings.temperatures)} temperatures, {cold:g} to {hot:g} K, by {moves}"

    def check(self, study):
        """Raise :class:`ConfigError` where the simulation could not run."""
        from ..simulate.schedule_checks import check_schedule
        from ..simulate.spin_system import block, spin_system

        settings = montecarlo_settings(self, study)
        model, _ = build_model(study)
        self._check_order(settings, model.crystal)
        self._check_demagnetisation(model)
        cell = block(model, settings.supercell)
        if cell.n_spin > MAX_SPIN:
            raise ConfigError("too many spins", where="simulate.supercell", expected=MAX_SPIN, got=cell.n_spin)
        unknown = sorted(set(self.vacancies) - set(model.crystal.labels))
        if unknown:
            expected = ", ".join(sorted(set(model.crystal.labels)))
            raise ConfigError("no such site", where=f"simulate.vacancies.{unknown[0]}", expected=expected, got=unknown)
        self._check_vacancies(model.crystal.labels, cell.n_cell)
        try:
            system = spin_system(model, cell)
        except SpinscapeError as error:
            raise error.located("simulate") from None
        vacancies = any(part > 0 for part in self.vacancies.values())
        check_schedule(system, settings.all_moves, field=conditions(study).field, vacancies=vacancies)

    def _check_vacancies(self, labels, n_cell):
        left = 0
        for label in set(labels):
            sites = labels.count(label) * n_cell
            left += sites - round(self.vacancies.get(label, 0.0) * sites)
        if left == 0:
            raise ConfigError(
                "no spin is left", where="simulate.vacancies", expected=f"fewer than {len(labels) * n_cell} vacancies",
                got=dict(self.vacancies), fix="take a larger supercell, or fewer vacancies",
            )  # fmt: skip

    def _check_demagnetisation(self, model):
        from ..hamiltonian.dipole_sums import checked_demagnetisation

        if self.demagnetisation == "none":
            return
        if not model.dipolar.n_row:
            raise ConfigError(
                "a demagnetising field without dipoles", where="simulate.demagnetisation",
                expected="a term of kind dipolar", got="none", fix="add the term, or leave out the demagnetisation",
            )  # fmt: skip
        try:
            checked_demagnetisation(_demagnetisation(self.demagnetisation))
        except ConfigError as error:
            raise error.located("simulate") from None

    def _check_order(self, settings, crystal):
        along_axis = [order.name for order in settings.orders if order.direction == "axis"]
        if along_axis and np.any(np.all(crystal.axis == 0, axis=1)):
            raise ConfigError(
                "an order parameter along axes that not every site has",
                where=f"simulate.order_parameters.{along_axis[0]}",
                expected="direction: all or a vector", got="axis", fix="name a direction, or the axes of the sites",
            )  # fmt: skip
        kinds = {order.direction for order in settings.orders if isinstance(order.direction, tuple)}
        if any(not np.any(direction) for direction in kinds):
            raise ConfigError("an order parameter has no direction", where="simulate.order_parameters", got=[0, 0, 0])
        classes = self.correlations.classes if self.correlations is not None else None
        if classes is not None and classes.disordered > classes.ordered:
            raise ConfigError(
                "the classes overlap", where="simulate.correlations.classes",
                expected="disordered at most as large as ordered", got=[classes.disordered, classes.ordered],
            )  # fmt: skip


def temperatures(declared, *, where):
    """Return the temperatures of a list or of a ladder, tuple of float, K."""
    if not isinstance(declared, LadderSection):
        return check_temperatures(declared, where=where)
    first, last = check_temperatures((declared.first, declared.last), where=where)
    if declared.spacing == "linear":
        values = np.linspace(first, last, declared.n)
    elif declared.spacing == "geometric":
        values = np.geomspace(first, last, declared.n)
    else:
        values = 1.0 / np.linspace(1.0 / first, 1.0 / last, declared.n)
    # Ends as they were written; others without the digits that come of dividing.
    inner = [float(f"{value:.6g}") for value in values[1:-1]]
    return check_temperatures((first, *inner, last), where=where)


def montecarlo_settings(declared, study) -> MonteCarloSettings:
    """Return the settings of a Monte Carlo section, checked as far as they go without the model."""
    sampled = _sampled(declared, study)
    try:
        return MonteCarloSettings(
            supercell=declared.supercell,
            temperatures=sampled,
            moves=_moves(declared.moves or default_moves(study)),
            equilibration=declared.equilibration,
            annealing=_steps(declared.annealing, where="annealing"),
            slow=_steps(declared.slow, where="slow"),
            slow_above=declared.slow_above,
            population=declared.population,
            slow_moves=_moves(declared.slow_moves or ()),
            sampling=Sampling(**declared.sampling.model_dump()),
            tempering=_tempering(declared.tempering),
            orders=tuple(Order(name, o.q, o.direction) for name, o in declared.order_parameters.items()),
            correlations=_correlations(declared, study, sampled),
            thermal=_thermal(declared, study),
            keep=declared.keep,
            vacancies=tuple(declared.vacancies.items()),
            demagnetisation=_demagnetisation(declared.demagnetisation),
        )
    except ConfigError as error:
        raise error.located("simulate") from None


def default_moves(study):
    """Return the round of a study that names no moves: what suits its kinds of spins, tuple of MoveSection."""
    kinds = {site.kind for site in getattr(study.crystal, "sites", ())}
    if kinds == {"ising"}:
        return (MoveSection(kind="flip", n=10),)
    return (MoveSection(kind="heat_bath"), MoveSection(kind="over_relaxation", n=3))


def _sampled(declared, study):
    if declared.temperatures is not None:
        return temperatures(declared.temperatures, where="simulate.temperatures")
    if study.conditions.temperature is None:
        raise ConfigError(
            "a Monte Carlo simulation needs a temperature", where="simulate.temperatures",
            expected="temperatures: [1 K], or conditions: {temperature: 1 K}", got="neither",
            fix="name the temperatures",
        )  # fmt: skip
    return check_temperatures((study.conditions.temperature,), where="conditions.temperature")


def _moves(declared):
    return tuple(Move(**move.model_dump()) for move in declared)


def _steps(declared, *, where):
    steps: list[Step] = []
    for part in (declared,) if isinstance(declared, AnnealingSection) else declared:
        ladder = isinstance(part, AnnealingSection)
        every = temperatures(part, where=f"simulate.{where}") if ladder else (part.temperature,)
        steps += [Step(t, part.rounds, _moves(part.moves or ())) for t in every]
    return tuple(steps)


def _thermal(declared, study):
    if declared.thermal is None:
        return None
    values = declared.thermal.model_dump(exclude={"moves", "equilibration"})
    how = Sampling(replicas=declared.sampling.replicas, **values)
    return Thermal(
        how, _moves(declared.thermal.moves or declared.moves or default_moves(study)), declared.thermal.equilibration
    )


def _tempering(declared):
    if declared is None:
        return None
    rescue, moves = declared.when == "rescue", _moves(declared.moves or ())
    return Tempering(declared.highest, declared.n, declared.rounds, declared.adaptations, rescue, moves)


def _correlations(declared, study, sampled):
    kept = declared.correlations
    if kept is None and not (declared.paths or declared.volumes):
        return None
    kept = kept or CorrelationsSection(pairs=False)
    where = [path(study, name) for name in declared.paths] + [volume(study, name) for name in declared.volumes]
    names = ("component", "form_factor", "moments", "rule", "symmetry", "n_sub")
    return Correlations(
        temperatures=sampled if kept.temperatures == "all" else kept.temperatures,
        pairs=kept.pairs,
        where=tuple(where),
        settings={name: getattr(kept, name) for name in names},
        classes=None if kept.classes is None else (kept.classes.disordered, kept.classes.ordered),
    )


def _demagnetisation(declared):
    if isinstance(declared, str):
        return None if declared == "none" else tuple(tuple(row) for row in (np.eye(3) / 3.0).tolist())
    return declared
