"""What a study's sections must agree on, beyond the type of each."""

from ..errors import ConfigError
from ..hamiltonian.expression import linear_coefficients
from .build_model import site_labels
from .checks import check_names_of_couplings, check_range, known
from .comparisons import check_comparisons
from .fits import changed_fit
from .learning import check_learning
from .measurements import check_measurement
from .next_options import check_next
from .phases import check_phases
from .refine import check_refine


def cross_check(study):
    """Raise :class:`ConfigError` where two sections of a study contradict each other."""
    _check_couplings(study)
    _check_grid(study)
    _check_sites(study)
    _check_paths(study)
    _check_simulation(study)
    check_phases(study)
    check_refine(study)
    check_learning(study)
    _check_measurements(study)
    for name, fit in study.fits.items():
        _check_fit(study, name, fit)
    check_comparisons(study)
    check_next(study)


def term_expressions(term):
    """Return the expressions of a Hamiltonian term as a flat list of text."""
    value = term.value
    rows = value if isinstance(value, tuple) else (value,)
    flat = [x for row in rows for x in (row if isinstance(row, tuple) else (row,))]
    return [x for x in flat if isinstance(x, str)]


def _check_couplings(study):
    used = set()
    for index, term in enumerate(study.hamiltonian):
        for text in term_expressions(term):
            try:
                coefficients = linear_coefficients(text, tuple(study.couplings))
            except ConfigError as error:
                raise error.located(f"hamiltonian.{index}.value") from None
            used |= {name for name, factor in coefficients.items() if factor != 0}
    unused = sorted(set(study.couplings) - used)
    if unused:
        raise ConfigError(
            f"a coupling without a bond: {', '.join(unused)}",
            where=f"couplings.{unused[0]}",
            expected="each coupling in at least one term of the hamiltonian",
            fix="add a term, or remove the coupling",
        )


def _check_grid(study):
    grid = study.grid
    if grid.kind in ("random", "sobol"):
        check_names_of_couplings(study, grid.box, where="grid.box")
        for name, pair in grid.box.items():
            check_range(pair, where=f"grid.box.{name}")
    elif grid.kind == "lattice":
        check_names_of_couplings(study, grid.axes, where="grid.axes")
    elif grid.kind == "map":
        check_names_of_couplings(study, grid.couplings, where="grid.couplings")
    else:
        for index, point in enumerate(grid.points):
            check_names_of_couplings(study, point, where=f"grid.points.{index}")


def _check_sites(study):
    labels = site_labels(study)
    for index, term in enumerate(study.hamiltonian):
        where = f"hamiltonian.{index}"
        if term.kind == "anisotropy":
            known(term.site, labels, what="site", where=f"{where}.site")
        elif term.kind != "dipolar" and hasattr(term.bond, "from_site"):
            known(term.bond.from_site, labels, what="site", where=f"{where}.bond.from")
            known(term.bond.to_site, labels, what="site", where=f"{where}.bond.to")
    for index, site in enumerate(study.structure.sites if study.structure is not None else ()):
        known(site, labels, what="site", where=f"structure.moments.{index}.site")


def _check_paths(study):
    for name, path in study.paths.items():
        if path.like is not None:
            known(path.like, study.paths, what="path", where=f"paths.{name}.like")
            if study.paths[path.like].like is not None:
                raise ConfigError(
                    "a path may be like one with vertices of its own only", where=f"paths.{name}.like", got=path.like
                )
    for name in study.simulate.paths:
        known(name, study.paths, what="path", where="simulate.paths")
    # Not every kind of simulation has volumes or powders.
    for name in getattr(study.simulate, "volumes", ()):
        known(name, study.volumes, what="volume", where="simulate.volumes")
    for name in getattr(study.simulate, "powders", ()):
        known(name, study.powders, what="powder", where="simulate.powders")
    both = sorted(set(study.paths) & set(study.volumes))
    if both:
        raise ConfigError("a path and a volume have the same name", where=f"volumes.{both[0]}", got=both)
    both = sorted((set(study.paths) | set(study.volumes)) & set(study.powders))
    if both:
        raise ConfigError("a powder has the name of a path or a volume", where=f"powders.{both[0]}", got=both)


def _check_simulation(study):
    simulate = study.simulate
    if simulate.needs_structure and study.structure is None:
        raise ConfigError(
            f"a simulation of kind {simulate.kind!r} starts from a magnetic structure",
            where="structure",
            expected="structure: {kind: ..., ...}",
            got="none",
            fix="declare the structure",
        )
    if simulate.ranks % simulate.group_size:
        raise ConfigError(
            "the ranks cannot be divided among the points",
            where="simulate.ranks",
            expected=f"a multiple of the {simulate.group_size} ranks of a point",
            got=simulate.ranks,
        )
    simulate.check(study)


def _check_measurements(study):
    for name, measurement in study.measurements.items():
        check_measurement(study, name, measurement)


def _check_fit(study, name, fit):
    where = f"fits.{name}"
    for measurement in fit.measurements:
        known(measurement, study.measurements, what="measurement", where=f"{where}.measurements")
    if all(study.measurements[m].optional for m in fit.measurements):
        raise ConfigError("a fit needs a measurement that is not optional", where=f"{where}.measurements")
    both = sorted(set(fit.box) & set(fit.fixed))
    if both:
        raise ConfigError("a coupling is both free and held", where=f"{where}.fixed", got=both)
    check_names_of_couplings(study, {**fit.box, **fit.fixed}, where=f"{where}.box")
    for coupling, pair in fit.box.items():
        check_range(pair, where=f"{where}.box.{coupling}")
    fit.forward.check(study, fit, where)
    fit.objective.check(study, fit, where)
    _check_search(fit, where)
    _check_errors(fit, where)
    if fit.background is not None and fit.background.window <= fit.background.order:
        raise ConfigError(
            "a Savitzky-Golay window must be longer than its order",
            where=f"{where}.background.window",
            expected=f"an odd number above {fit.background.order}",
            got=fit.background.window,
        )
    for index, variant in enumerate(fit.variants):
        changed_fit(fit, variant.change, where=f"{where}.variants.{index}.change")


def _check_errors(fit, where):
    """Raise where an error is asked for that only a likelihood has."""
    asked = fit.uncertainty
    of_likelihoods = {"information": asked.information, "freer_background": asked.freer_background}
    of_likelihoods |= {"line_shape": asked.line_shape, "clip": fit.clip}
    for name, value in of_likelihoods.items():
        if value and not (fit.objective.is_likelihood or fit.objective.sums_likelihoods):
            raise ConfigError(
                f"only a likelihood knows {name}",
                where=f"{where}.{name}" if name == "clip" else f"{where}.uncertainty.{name}",
                expected="objective: {kind: likelihood, ...}, poisson, gaussian, student, or a weighted_sum of these",
                got=f"objective.kind {fit.objective.kind}",
                fix=f"give every measurement a likelihood, or leave {name} out",
            )


def _check_search(fit, where):
    """Raise where a search asks for what the forward model cannot do."""
    if fit.strategy.kind == "adam" and not fit.forward.by_pixel:
        raise ConfigError(
            "the strategy adam needs a forward that is differentiated by pixel",
            where=f"{where}.strategy.kind",
            expected="forward: {kind: siren, ...}",
            got=f"forward.kind {fit.forward.kind}",
            fix="use the strategy multistart, or a siren",
        )
    if fit.strategy.kind == "descents" and not fit.forward.can_blur:
        raise ConfigError(
            f"descents begin with wide lines, which a forward model of kind {fit.forward.kind!r} does not know",
            where=f"{where}.strategy.kind",
            expected="multistart, or another search",
            got="descents",
        )
