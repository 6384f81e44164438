"""From the terms of a study to the terms of the package: names become sites, expressions become matrices."""

from ..errors import ConfigError
from ..hamiltonian import terms as unit
from ..hamiltonian.assemble import model_from_terms
from ..hamiltonian.expression import linear_coefficients
from ..lattice.bonds import Bond, bond_site_indices, shell_bond, site_index


def build_terms(study, crystal):
    """Return the model of a study's Hamiltonian on its crystal.

    Parameters
    ----------
    study : ModelSections
    crystal : Crystal

    Returns
    -------
    Model
    """
    names = tuple(study.couplings)
    terms = [_term(declared, names, crystal, f"hamiltonian.{k}") for k, declared in enumerate(study.hamiltonian)]
    return model_from_terms(crystal, names, terms)


def _term(declared, names, crystal, where):
    try:
        if declared.kind == "dipolar":
            return unit.DipolarTerm(linear_coefficients(declared.value, names), where=where)
        if declared.kind == "biquadratic":
            factors, bond = linear_coefficients(declared.value, names), _bond(declared.bond, crystal)
            return unit.BiquadraticTerm(factors, bond, declared.form, symmetry=declared.symmetry, where=where)
        coefficients = _COEFFICIENTS[declared.kind](declared, names)
        if declared.kind == "anisotropy":
            site = site_index(crystal, declared.site)
            return unit.OnsiteTerm(declared.kind, coefficients, site, symmetry=declared.symmetry, where=where)
        bond = _bond(declared.bond, crystal)
        return unit.BondTerm(declared.kind, coefficients, bond, symmetry=declared.symmetry, where=where)
    except ConfigError as error:
        raise error.located(where) from None


def _bond(declared, crystal):
    if hasattr(declared, "shell"):
        return shell_bond(crystal, declared.shell)
    i, j = bond_site_indices(
        crystal,
        declared.from_site,
        declared.to_site,
        from_index=declared.from_index,
        to_index=declared.to_index,
    )
    return Bond(i, j, declared.offset)


_COEFFICIENTS = {
    "heisenberg": lambda term, names: unit.heisenberg(term.value, names),
    "matrix": lambda term, names: unit.matrix(term.value, names),
    "dm": lambda term, names: unit.dm(term.value, names),
    "kitaev": lambda term, names: unit.kitaev(term.value, term.axis, names, frame=term.frame),
    "gamma": lambda term, names: unit.gamma(term.value, term.axis, names, frame=term.frame),
    "anisotropy": lambda term, names: unit.easy_axis(term.value, term.axis, names),
}
