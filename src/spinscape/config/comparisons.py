"""The ``comparisons:`` section: which of several fits' models the data prefer."""

from pydantic import Field

from ..errors import ConfigError
from .checks import known
from .fits import fit_files, fit_modules, fit_section
from .quantities import Name
from .strict import Strict


class ComparisonSection(Strict):
    """Fits of the same pixels by one likelihood, of models that differ: in what is ``fixed``, or in the forward."""

    fits: tuple[Name, ...] = Field(min_length=2, max_length=16)
    block: tuple[int, int] = Field((12, 18), description="pixels along momentum and energy that are left out together")
    n_fold: int = Field(5, ge=2, le=50, description="parts that the blocks are dealt into; each is left out once")


SAME = ("measurements", "window", "background", "objective")
"""What the fits of a comparison have in common."""


def check_comparisons(study):
    """Raise :class:`ConfigError` where a comparison's fits cannot be compared."""
    for name, comparison in study.comparisons.items():
        where = f"comparisons.{name}"
        for fit in comparison.fits:
            known(fit, study.fits, what="fit", where=f"{where}.fits")
        first = study.fits[comparison.fits[0]]
        if not first.objective.is_likelihood:
            raise ConfigError(
                "only likelihoods can be compared", where=f"{where}.fits",
                expected="objective: {kind: likelihood, ...}, poisson, gaussian or student",
                got=f"objective.kind {first.objective.kind}",
            )  # fmt: skip
        for fit in comparison.fits[1:]:
            for part in SAME:
                if getattr(study.fits[fit], part) != getattr(first, part):
                    raise ConfigError(
                        f"fits that are compared have the same {part}", where=f"{where}.fits",
                        expected=f"{part} of {comparison.fits[0]}", got=f"another one in {fit}",
                    )  # fmt: skip


def comparison_section(study, name):
    """Return what the stage ``compare`` needs of a study, as plain data."""
    comparison = study.comparisons[name]
    return {
        "comparison": study.section("comparisons")[name],
        "fits": {fit: fit_section(study, fit) for fit in comparison.fits},
    }


def comparison_modules(study, name):
    """Return the modules of ``spinscape.stages`` that the kinds of its fits are made by."""
    return tuple(dict.fromkeys(m for fit in study.comparisons[name].fits for m in fit_modules(study, fit)))


def names_of_compared_files(study, name):
    """Return what each of its fits reads of other stages: name → path below the study's results."""
    return [fit_files(study, fit) for fit in study.comparisons[name].fits]


def compared_files(study, name):
    """Return these paths, each once, in one order."""
    return tuple(dict.fromkeys(path for own in names_of_compared_files(study, name) for path in own.values()))
