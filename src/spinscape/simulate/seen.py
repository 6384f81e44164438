"""What neutrons see of spins: form factors, moments and the cross section, put on the amplitudes of each site.

The amplitude of spins is <n|Σ_i f_i(|Q|) S_i(Q)|0>, that of moments has g_i·S_i in place of S_i, in μ_B. The cross
section is (γ r_0/2)² times the intensity of moments: d²σ/dΩ dE without k_f/k_i. All are for one chemical cell.
"""

from dataclasses import replace

import numpy as np
from scipy.constants import physical_constants

from ..errors import ConfigError
from ..hamiltonian.spiral import SpiralStructure
from ..observables.formfactor import FormFactor, form_factor, magnetic_form_factor

_GAMMA = physical_constants["neutron mag. mom. to nuclear magneton ratio"][0]
_RADIUS = physical_constants["classical electron radius"][0]
BARN_PER_MOMENT = (0.5 * _GAMMA * _RADIUS) ** 2 * 1e28
"""(γ r_0/2)², barn for each μ_B²: 0.07265."""
UNIT_TEXT = {"spin": "1/meV", "moment": "μ_B²/meV", "cross_section": "b/(sr meV)"}
"""Unit of a spectrum, by ``SpinwaveSettings.units``; all are for one chemical cell."""


def form_factors_of(crystal, declared):
    """Return the form factor and its g for each site.

    Parameters
    ----------
    crystal : Crystal
    declared : dict
        ``g``: ``"spin_only"`` (2), ``"sites"`` (the mean of the site's g tensor), or a mapping of ion to g, 2 for those
        that it lacks. ``coefficients``: mapping of ion to ``j0`` and ``j2`` (7 numbers or None), in place of the table.

    Returns
    -------
    list of n_site (FormFactor, float)

    Raises
    ------
    DataError
        Where an ion has no form factor.
    """
    own = declared.get("coefficients") or {}
    unknown = sorted(set(own) - set(crystal.ions))
    if unknown:
        raise ConfigError(
            f"coefficients of an ion that no site has: {unknown[0]}",
            where="form_factor.coefficients",
            expected=f"some of {', '.join(sorted(set(crystal.ions)))}",
            got=", ".join(unknown),
        )
    known = {
        ion: FormFactor(ion, _row(own[ion], "j0"), _row(own[ion], "j2")) if ion in own else form_factor(ion)
        for ion in dict.fromkeys(crystal.ions)
    }
    rule = declared.get("g", "spin_only")
    return [(known[ion], _g_of(rule, ion, g)) for ion, g in zip(crystal.ions, crystal.g, strict=True)]


def _row(coefficients, name):
    row = coefficients.get(name)
    return None if row is None else tuple(row)


def _g_of(rule, ion, tensor):
    if rule == "spin_only":
        return 2.0
    return float(np.trace(tensor) / 3.0) if rule == "sites" else float(rule.get(ion, 2.0))


def site_form_factors(crystal, q_modulus, declared):
    """Return f(|Q|) of each site.

    Parameters
    ----------
    crystal : Crystal
    q_modulus : (n_q,) float64, 1/Å
    declared : dict or None
        See :func:`form_factors_of`; None for no form factor.

    Returns
    -------
    (n_q, n_site) float64
    """
    if declared is None:
        return np.ones((len(q_modulus), crystal.n_site))
    known, columns = form_factors_of(crystal, declared), {}
    for one in known:
        if one not in columns:
            columns[one] = magnetic_form_factor(q_modulus, ion=one[0], g=one[1])
    return np.stack([columns[one] for one in known], axis=1)


def seen_form(form, *, crystal, structure, settings):
    """Return a quadratic form whose correlations are those that the settings ask for.

    Parameters
    ----------
    form : QuadraticForm
        Of spins, from :func:`~spinscape.simulate.lines.form_of`.
    crystal : Crystal
    structure : MagneticStructure or SpiralStructure
    settings : SpinwaveSettings

    Returns
    -------
    QuadraticForm
        With other ``vectors``; the energies are those of ``form``.
    """
    if settings.form_factor is None and settings.units == "spin":
        return form
    spiral = isinstance(structure, SpiralStructure)
    site = np.arange(crystal.n_site) if spiral else structure.site
    # A spiral shows magnons of three wave vectors, but the neutron knows its own Q alone: the first third.
    n_part = 3 if spiral else 1
    q = form.q[: len(form.q) // n_part]
    modulus = np.linalg.norm(q @ crystal.reciprocal, axis=1)
    factor = site_form_factors(crystal, modulus, settings.form_factor)[:, site]
    vectors = form.vectors.reshape(len(form.q), 3, 2, len(site)) * np.tile(factor, (n_part, 1))[:, None, None]
    if settings.units != "spin":
        vectors = np.einsum("iab,qbxi->qaxi", crystal.g[site], vectors)
    if settings.units == "cross_section":
        vectors = np.sqrt(BARN_PER_MOMENT) * vectors
    return replace(form, vectors=np.ascontiguousarray(vectors.reshape(form.vectors.shape)))
