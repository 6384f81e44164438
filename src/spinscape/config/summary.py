"""What ``spinscape check`` prints."""

import numpy as np

from . import build

MAX_BONDS = 48


def summary(study):
    """Return a readable summary of a study: crystal, expanded bonds, grid, data and fits."""
    model, structure = build.build_model(study)
    points = build.grid_points(study)
    blocks = [
        [f"{study.study}: {study.title}" if study.title else study.study],
        _crystal_rows(study, model),
        _bond_rows(model),
        _structure_rows(model, structure) + _stability_rows(study, model, structure),
        _grid_rows(study, points),
        _learning_rows(study),
        _data_rows(study),
    ]
    return "\n\n".join("\n".join(rows) for rows in blocks if rows)


def _crystal_rows(study, model):
    crystal = model.crystal
    declared = study.crystal
    lengths = np.linalg.norm(crystal.vectors, axis=1)
    unit = crystal.vectors / lengths[:, None]
    angles = np.degrees(np.arccos([unit[1] @ unit[2], unit[2] @ unit[0], unit[0] @ unit[1]]))
    group = declared.file if hasattr(declared, "file") else declared.space_group or "given by its sites"
    rows = [
        f"crystal   {group}, a b c = {' '.join(f'{x:g}' for x in lengths.round(9))} Å, "
        f"alpha beta gamma = {' '.join(f'{x:g}' for x in angles.round(9))} deg"
    ]
    for k in range(crystal.n_site):
        x, y, z = crystal.positions[k]
        rows.append(
            f"  site {k}  {crystal.labels[k]} ({crystal.ions[k]}), S = {crystal.spins[k]:g}, at {x:.4f} {y:.4f} {z:.4f}"
        )
    return rows


def _bond_rows(model):
    bonds, crystal = model.bonds, model.crystal
    rows = [f"bonds     {bonds.n_bond} in the chemical cell, each counted once"]
    for k in range(min(bonds.n_bond, MAX_BONDS)):
        i, j, offset = bonds.site_i[k], bonds.site_j[k], bonds.offset[k]
        length = np.linalg.norm((crystal.positions[j] + offset - crystal.positions[i]) @ crystal.vectors)
        name = model.parameter_names[bonds.parameter[k]]
        ends = f"{i} -> {j} + ({offset[0]:d} {offset[1]:d} {offset[2]:d})"
        rows.append(f"  {name:8s} {ends}  {length:7.4f} Å  {matrix_text(bonds.matrix[k])}")
    if bonds.n_bond > MAX_BONDS:
        rows.append(f"  and {bonds.n_bond - MAX_BONDS} more")
    for k in range(model.onsite.n_onsite):
        name = model.parameter_names[model.onsite.parameter[k]]
        rows.append(f"  {name:8s} on site {model.onsite.site[k]}  {matrix_text(model.onsite.matrix[k])}")
    squares = model.biquadratic
    for k in range(squares.n_bond):
        ends = f"{squares.site_i[k]} -> {squares.site_j[k]} + ({' '.join(str(n) for n in squares.offset[k])})"
        name = model.parameter_names[squares.parameter[k]]
        rows.append(f"  {name:8s} {ends}  {squares.factor[k]:g} (S·S)², {squares.form[k]}")
    for k in range(model.dipolar.n_row):
        name = model.parameter_names[model.dipolar.parameter[k]]
        rows.append(f"  {name:8s} dipoles of all spins, × {model.dipolar.factor[k]:g}")
    return rows


def matrix_text(matrix):
    """Return a 3×3 matrix on one line; a multiple of the identity as its factor.

    >>> matrix_text(np.eye(3))
    '1 (Heisenberg)'
    """
    if np.allclose(matrix, matrix[0, 0] * np.eye(3)):
        return f"{matrix[0, 0]:g} (Heisenberg)"
    return "[" + "; ".join(" ".join(f"{x + 0.0:g}" for x in row.round(6)) for row in matrix) + "]"


def _structure_rows(model, structure):
    if structure is None:
        return []
    if hasattr(structure, "k"):
        k, axis = (" ".join(f"{x:g}" for x in vector.round(6)) for vector in (structure.k, structure.axis))
        return [f"structure spiral of k = ({k}) about ({axis})"]
    if not hasattr(structure, "direction"):
        cell = structure.magnetic_cell or f"every cell of at most {structure.max_cell} chemical ones"
        return [f"structure the ground state of each point, searched in {cell} from {structure.n_start} starts"]
    cell = "; ".join(" ".join(str(x) for x in row) for row in structure.magnetic_cell)
    return [f"structure {structure.n_sublattice} spins in the magnetic cell [{cell}]"]


def _stability_rows(study, model, structure):
    """Return how stable the structure is where every coupling has a value; raises ``UnstableError``."""
    values, simulate = [coupling.value for coupling in study.couplings.values()], study.simulate
    as_declared = simulate.kind == "spinwave" and not simulate.relax and simulate.unstable == "code"
    if not as_declared or not hasattr(structure, "direction") or any(value is None for value in values):
        return []
    from ..simulate.stability import check_structure

    found = check_structure(model, structure, values, build.conditions(study))
    q = " ".join(f"{x:g}" for x in found.q)
    return [f"  stable at the couplings given: lowest eigenvalue {found.eigenvalue:.6g} meV at Q = ({q})"]


def _grid_rows(study, points):
    n_batch = -(-len(points) // study.simulate.batch_size)
    rows = [
        f"grid      {len(points)} points ({study.grid.kind}), {n_batch} batches of at most {study.simulate.batch_size}"
    ]
    for k, name in enumerate(build.parameter_names(study)):
        low, high = points[:, k].min(), points[:, k].max()
        text = f"{low:g} meV (fixed)" if study.couplings[name].value is not None else f"{low:g} .. {high:g} meV"
        rows.append(f"  {name:8s} {text}  {study.couplings[name].description}")
    rows.append(f"simulate  {study.simulate.kind} {study.simulate.summary(study)}")
    if study.refine is not None:
        rounds = f"{study.refine.rounds} rounds of {study.refine.points} points, {build.n_part(study)} batches each"
        rows.append(f"refine    {rounds}, {study.refine.summary()}")
    return rows


def _learning_rows(study):
    rows = []
    for name, section in study.learn.items():
        if section.kind == "siren":
            rows.append(f"learn     {name}: a network for spectra, from {section.n_train} points")
            continue
        methods = [f"{n} ({m.kind}, D = {', '.join(map(str, m.dimensions))})" for n, m in section.methods.items()]
        rows.append(f"learn     {name}: {', '.join(section.arrays)} compressed by {'; '.join(methods)}")
    for name, section in study.phases.items():
        what = f"latent numbers of {section.latent}" if section.latent else ", ".join(section.arrays)
        rows.append(f"phases    {name}: {section.method} on {', '.join([what, *section.beside])}")
    return rows


def _data_rows(study):
    rows = [
        f"measured  {name}: {', '.join(f.file for f in build.files_of(m)[:3])}{' (optional)' if m.optional else ''}"
        for name, m in study.measurements.items()
    ]
    for name, fit in study.fits.items():
        parts = " × ".join((fit.forward.kind, fit.objective.kind, fit.strategy.kind))
        rows.append(f"fit       {name}: {parts} on {', '.join(fit.measurements)}")
    for name, comparison in study.comparisons.items():
        rows.append(f"compare   {name}: {', '.join(comparison.fits)}")
    return rows


def symmetry_summary(study, *, n_shell=4):
    """Return the bond shells of a study's crystal and the exchange matrix that symmetry allows on each.

    The letters of a form are its free numbers; the form is that of the reference bond, which ``bond: {shell: ...}`` or
    the printed ends name in a study. Beside it stands where a Dzyaloshinskii-Moriya vector D·(S_i × S_j) may point, and
    below the anisotropy that each kind of site may have. All are Cartesian.
    """
    from ..lattice.bonds import neighbour_shells
    from ..lattice.invariants import allowed_form_text
    from ..lattice.orbits import allowed_exchange, allowed_onsite

    crystal = build.build_crystal(study)
    rows = ["shell  distance   bonds  reference bond         allowed exchange"]
    for shell in neighbour_shells(crystal, n_shell=n_shell):
        i, j, offset = shell.bond
        ends = f"{crystal.labels[i]}{i} -> {crystal.labels[j]}{j} + ({' '.join(str(n) for n in offset)})"
        basis = allowed_exchange(crystal, i, j, offset)
        form = allowed_form_text(basis)
        words = f"{form:42s} {dm_words(basis)}"
        rows.append(f"{shell.label:5s} {shell.distance:8.4f} Å  {shell.n_bond:5d}  {ends:22s} {words}")
    rows += ["", "site   allowed anisotropy"]
    for orbit in np.unique(crystal.orbit):
        site = int(np.argmax(crystal.orbit == orbit))
        rows.append(f"{crystal.labels[site] + str(site):6s} {allowed_form_text(allowed_onsite(crystal, site))}")
    return "\n".join(rows)


def dm_words(basis):
    """Return in words where the vector D of D·(S_i × S_j) may point, from allowed matrices (n, 3, 3).

    >>> dm_words(np.array([[[0.0, 2.0, 0.0], [-2.0, 0.0, 0.0], [0.0, 0.0, 0.0]]]))
    'DM along (0 0 1)'
    """
    anti = 0.5 * (basis - basis.transpose(0, 2, 1))
    vectors = np.array([[m[1, 2], m[2, 0], m[0, 1]] for m in anti]).reshape(-1, 3)
    size, rows = np.linalg.svd(vectors, full_matrices=False)[1:] if len(vectors) else (np.zeros(0), np.zeros((0, 3)))
    n = int(np.sum(size > 1e-9))
    if n == 2:
        return f"DM across {_direction(np.cross(*rows[:2]))}"
    return ("no DM", f"DM along {_direction(rows[0])}" if n else "", "", "any DM")[n]


def _direction(vector):
    """Return a unit vector as text, its largest component positive, in few digits."""
    largest = np.argmax(np.round(np.abs(vector), 6))
    scaled = vector / vector[largest]
    return "(" + " ".join(f"{x:.4g}" for x in np.round(scaled, 6) + 0.0) + ")"
