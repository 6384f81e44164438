"""Every reference case of linear spin-wave theory at its own tolerance.

The cases lie in the folder that SPINSCAPE_CASES names: self-contained JSON, from closed forms and from other programs.
"""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from spinscape.hamiltonian.biquadratic import BiquadraticTable
from spinscape.hamiltonian.conditions import Conditions
from spinscape.hamiltonian.dipolar import DipolarTable, empty_dipolar
from spinscape.hamiltonian.model import BondTable, MagneticStructure, Model, OnsiteTable
from spinscape.hamiltonian.spiral import SpiralStructure
from spinscape.lattice.crystal import Crystal
from spinscape.observables.structure_factor import intensity, polarisation_weights
from spinscape.simulate.modes import complex_frequencies
from spinscape.simulate.spinwave import modes, quadratic_form
from spinscape.simulate.spiral import spiral_form, spiral_modes
from spinscape.units import MU_B

FOLDER = Path(os.environ.get("SPINSCAPE_CASES", Path(__file__).parents[3] / "shared" / "reference" / "lswt"))
CASES = sorted(FOLDER.glob("*.json"))
# The classical energy is a sum of a few products; where a case states no tolerance, rounding is all there is.
TOL_CLASSICAL = 1e-9
# What the cases call μ_B, meV/T, differs from CODATA 2022 in the ninth digit: the energy is what they mean.
CASE_MU_B = 0.057883818066


def crystal_of(case):
    sites = case["sites"]
    n = len(sites)
    g = [np.eye(3) * site.get("g", 2.0) if np.isscalar(site.get("g", 2.0)) else site["g"] for site in sites]
    return Crystal(
        vectors=case["lattice_vectors"],
        positions=[site["pos"] for site in sites],
        labels=tuple(f"site{k}" for k in range(n)),
        orbit=range(n),
        spins=[site["S"] for site in sites],
        ions=("",) * n,
        g=g,
        rotations=np.eye(3)[None],
        translations=np.zeros((1, 3)),
    )


def model_of(case):
    """One coupling, worth 1 meV: the matrices of the case carry the meV."""
    bonds, onsite = case["bonds"], case.get("anisotropy", [])
    table = BondTable(
        [b["i"] for b in bonds],
        [b["j"] for b in bonds],
        [b["offset"] for b in bonds],
        [0] * len(bonds),
        [b["J"] for b in bonds],
    )
    single = OnsiteTable([a["i"] for a in onsite], [0] * len(onsite), np.reshape([a["A"] for a in onsite], (-1, 3, 3)))
    dipolar = DipolarTable([0], [case["dipolar"]["mu0_muB2"] / (4 * np.pi)]) if "dipolar" in case else empty_dipolar()
    return Model(crystal_of(case), ("unit",), table, single, dipolar, biquadratic_of(case))


def structure_of(case):
    structure = case["structure"]
    moments = structure["moments"]
    return MagneticStructure(
        structure.get("magnetic_cell") or np.eye(3),
        [m["site"] for m in moments],
        [m["cell"] for m in moments],
        [m["dir"] for m in moments],
    )


def spiral_of(case):
    structure = case["structure"]
    return SpiralStructure(structure["k"], structure["axis"], structure["dirs"])


def biquadratic_of(case):
    rows = case.get("biquadratic", [])
    columns = ([row[name] for row in rows] for name in ("i", "j", "offset", "B"))
    i, j, offset, factor = columns
    return BiquadraticTable(i, j, offset, [0] * len(rows), factor)


def form_of(case):
    """Return the quadratic form of a case, and the function that solves it."""
    # The cases have the field term -μ_B B·g·S, the project the opposite sign.
    field = tuple(-float(b) * CASE_MU_B / MU_B for b in case.get("field_T", (0, 0, 0)))
    q, conditions = np.array(case["Q"], dtype=float), Conditions(field=field)
    if case["structure"]["type"] == "spiral":
        return spiral_form(model_of(case), spiral_of(case), q, conditions), spiral_modes
    apply_g = bool(case["expected"].get("apply_g", False))
    return quadratic_form(model_of(case), structure_of(case), q, conditions, apply_g=apply_g), modes


def check_energies(computed, expected, tolerance):
    """Compare as sorted lists; where a case lists the modes that are not zero, the others must be."""
    computed, expected = np.sort(computed), np.sort(expected)
    n_zero = len(computed) - len(expected)
    assert n_zero >= 0
    np.testing.assert_allclose(computed[:n_zero], 0.0, atol=tolerance)
    np.testing.assert_allclose(computed[n_zero:], expected, rtol=0.0, atol=tolerance)


def check_groups(energies, values, groups, *, width, tolerance):
    """Compare sums over the modes within ``width`` of each group's energy.

    Every mode must belong to a group or be dark, but for zero modes, whose intensity has no limit.
    """
    claimed = energies <= width
    for energy, expected in groups:
        inside = np.abs(energies - energy) <= width
        claimed |= inside
        size = max(1.0, float(np.max(np.abs(expected))))
        np.testing.assert_allclose(values[inside].sum(axis=0), expected, rtol=0.0, atol=tolerance * size)
    np.testing.assert_allclose(np.abs(values[~claimed]).sum(), 0.0, atol=tolerance)


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_case(path):
    case = json.loads(path.read_text())
    expected = case["expected"]
    form, solved = form_of(case)
    if expected.get("hermit", True):
        found = solved(form, [1.0])
        energies = expected.get("energy_scale", 1.0) * found.energies
        check_intensities(case, energies, found)
    else:
        # Known not to be a ground state: the non-Hermitian route, at Q, Q + k and Q - k.
        frequencies = complex_frequencies(form, [1.0]).real[:, form.n_mode :]
        energies = np.concatenate(np.split(frequencies, 3), axis=1)
    for row, wanted in zip(energies, expected["energies"], strict=True):
        check_energies(row, wanted, expected["tol_energy"])
    if "energy_per_site" in expected:
        tolerance = expected.get("tol_energy_per_site", TOL_CLASSICAL)
        assert form.classical_energy([1.0]) == pytest.approx(expected["energy_per_site"], abs=tolerance)


def check_intensities(case, energies, found):
    expected, reciprocal = case["expected"], 2 * np.pi * np.linalg.inv(np.array(case["lattice_vectors"])).T
    if "intensities" in expected:
        wanted = expected["intensities"]
        weights = polarisation_weights(
            {"trace": "trace", "Sperp": "perp"}[wanted["kind"]], np.array(case["Q"]) @ reciprocal
        )
        values = intensity(found.s_ab, weights)
        # A list without groups states nothing about its Q.
        for k, groups in ((k, groups) for k, groups in enumerate(wanted["groups"]) if groups):
            width, tolerance = wanted["group_tol"], expected["tol_intensity"]
            check_groups(energies[k], values[k], groups, width=width, tolerance=tolerance)
    if "Sab" in expected:
        for k, rows in enumerate(expected["Sab"]):
            groups = [(energy, np.array(real) + 1j * np.array(imag)) for energy, real, imag in rows]
            width, tolerance = expected["Sab_group_tol"], expected["tol_Sab"]
            check_groups(energies[k], found.s_ab[k], groups, width=width, tolerance=tolerance)


def test_the_folder_is_found_or_said_to_be_absent():
    if not CASES:
        pytest.skip(f"no reference cases in {FOLDER}; SPINSCAPE_CASES names another folder")
    assert all(path.suffix == ".json" for path in CASES)
