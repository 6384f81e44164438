"""The stage ``phases`` on small stores: a circle of couplings with jumps, boundaries, and its part of the report."""

import json
from types import SimpleNamespace

import h5py
import numpy as np
import pytest

from spinscape.errors import DataError, StoreError
from spinscape.lattice.volumes import QGrid
from spinscape.observables.diffuse_template import signal_layout
from spinscape.plot.phases import phase_map_figure
from spinscape.plot.report import ReportContent, render_report
from spinscape.stages import collect, phases
from spinscape.stages.coordinates import grid_coordinates
from spinscape.stages.report_phases import phase_section_content
from spinscape.store.contracts import StoreHeader
from spinscape.store.seal import seal
from spinscape.store.write import WorkStore

N = 36
EDGES = np.radians([100.0, 250.0])
GRID = {
    "kind": "map",
    "axes": {"phi": {"first": 0.05, "last": 0.05 + 2 * np.pi * (N - 1) / N, "n": N}},
    "unit": "1.0 meV",
    "couplings": {"J": "cos(phi)", "K": "sin(phi)"},
}
SECTION = {
    "study": "demo",
    "name": "map",
    "phases": {"arrays": ["signal"]},
    "grid": GRID,
    "parameter_names": ["J", "D", "K"],
    "couplings": {"J": None, "D": 0.5, "K": None},
}


def energies(theta):
    """Two phases whose energies cross at the edges."""
    low = np.array([[np.cos(e), np.sin(e), 1.0] for e in EDGES])
    normal = np.linalg.svd(low)[2][-1]
    normal *= -np.sign(normal[2])
    return normal[0] * theta[:, 0] + normal[1] * theta[:, 2] + normal[2], np.zeros(len(theta))


@pytest.fixture
def index(tmp_path):
    angle = np.linspace(0.05, 0.05 + 2 * np.pi * (N - 1) / N, N)
    theta = grid_coordinates(SECTION).theta(angle[:, None])
    first, second = energies(theta)
    kind = (first > second).astype(int)
    rng = np.random.default_rng(1)
    template = {
        "signal": {"dims": ["h", "k"], "shape": [6, 5], "dtype": "float32", "unit": "", "coords": {}},
        "energy": {"dims": ["temperature"], "shape": [1], "dtype": "float64", "unit": "meV", "coords": {}},
    }
    header = StoreHeader(
        study="demo",
        parameter_names=("J", "D", "K"),
        point_ids=tuple(f"{k:032x}" for k in rng.permutation(N)),
        theta=theta,
        template=template,
        result_codes={"absent": 0, "done": 1},
        origin={"kind": "toy", "seed": 1, "code": "a"},
    )
    store = WorkStore.create(tmp_path / "w", header)
    for k in range(N):
        image = np.exp(3.0 * np.eye(2)[kind[k]].repeat(15).reshape(6, 5) + 0.02 * rng.normal(size=(6, 5)))
        energy = np.minimum(first, second)[k] + 1e-4 * rng.normal()
        store.write(k, "done", arrays={"signal": image.astype(np.float32), "energy": np.array([energy])})
    seal(store, tmp_path / "b0000.zarr.zip", provenance={})
    collect.run([tmp_path / "b0000.zarr.zip"], tmp_path / "index.json")
    return tmp_path / "index.json"


@pytest.fixture
def mapped(index, tmp_path):
    out = tmp_path / "map.json", tmp_path / "map.h5"
    phases.run(SECTION, 3, index, *out)
    return out


def test_two_phases_and_their_boundaries(mapped):
    found = json.loads(mapped[0].read_text())
    assert found["n_phase"] == 2 and found["coordinate_names"] == ["phi"]
    edges = sorted(found["boundaries"], key=lambda edge: edge["place"])
    np.testing.assert_allclose([edge["place"] for edge in edges], EDGES, atol=2e-3)
    # Two stated errors are the band; this draw may lie outside it, not outside four.
    assert all(abs(edge["place"] - e) < 4 * edge["std"] for edge, e in zip(edges, EDGES, strict=True))


def test_phases_that_take_turns_within_a_step_of_the_grid_meet_once():
    """0 0 1 1 with points between that stayed in the other phase; farther apart they are phases again."""
    place = np.array([0.0, 1.0, 1.40, 1.45, 1.50, 1.55, 2.0, 3.0])
    phase = np.array([0, 0, 0, 1, 0, 1, 1, 1])
    assert phases._meetings(place, phase, np.inf, 1.0) == [(0, 1, 1.40, 1.55)]
    assert phases._meetings(place, phase, np.inf, 0.1) == [(0, 1, 1.40, 1.45), (1, 0, 1.45, 1.50), (0, 1, 1.50, 1.55)]
    assert phases._meetings(place, phase, 4.0, 1.0) == [(0, 1, 1.40, 1.55), (1, 0, 3.0, 4.0)]
    evenly = np.arange(8.0)
    assert len(phases._meetings(evenly, phase, np.inf, 1.0)) == 3


def test_points_lie_where_their_couplings_put_them(mapped):
    with h5py.File(mapped[1]) as file:
        phi, theta, phase = (file[name][()] for name in ("coordinates", "theta", "phase"))
        assert file["array_signal"].shape == (2, 6, 5) and file["latent"].shape[0] == N
    np.testing.assert_allclose(theta[:, 0], np.cos(phi[:, 0]), atol=1e-14)
    np.testing.assert_allclose(theta[:, 1], 0.5)
    inside = (phi[:, 0] > EDGES[0]) & (phi[:, 0] < EDGES[1])
    assert len(set(zip(inside.tolist(), phase.tolist(), strict=True))) == 2


def test_clusters_by_density_give_the_same_phases(index, tmp_path, mapped):
    section = {**SECTION, "phases": {**SECTION["phases"], "method": "hdbscan"}}
    phases.run(section, 3, index, tmp_path / "d.json", tmp_path / "d.h5")
    found, other = (json.loads(path.read_text()) for path in (tmp_path / "d.json", mapped[0]))
    assert found["n_phase"] == 2 and "2 clusters by density" in found["reason"] and found["numbers"] == []
    with h5py.File(tmp_path / "d.h5") as a, h5py.File(mapped[1]) as b:
        assert (a["phase"][()] == b["phase"][()]).all()
    assert found["boundaries"] == other["boundaries"]
    assert len(phase_section_content(tmp_path / "d.json", tmp_path / "d.h5").figures) == 2


def test_a_boundary_that_cannot_be_placed_is_told(index, tmp_path):
    narrow = {**SECTION["phases"], "boundaries": {"near": 0.3, "far": 3.0}}
    out = tmp_path / "n.json", tmp_path / "n.h5"
    phases.run({**SECTION, "phases": narrow}, 3, index, *out)
    found = json.loads(out[0].read_text())
    assert (
        found["boundaries"] == []
        and [u["why"] for u in found["unplaced"]] == ["too few points to fit the energy of a phase"] * 2
    )
    facts = phase_section_content(*out).facts
    assert sum("too few points" in str(value) for value in facts.values()) == 2
    assert any(key.startswith("boundary between phases 1 and 2, at 1.6") for key in facts)


def test_its_part_of_the_report(mapped):
    content = phase_section_content(*mapped)
    page = render_report(ReportContent("demo", sections=(content,)))
    assert page.count("data:image/png") == 3 and "2 phases" in page and "boundary between phases" in page


def test_a_lattice_of_couplings_is_mapped_in_them(index, tmp_path):
    corners = [{"J": "-1.0 meV", "K": "-1.0 meV"}, {"J": "1.0 meV", "K": "1.0 meV"}]
    section = {**SECTION, "grid": {"kind": "list", "points": corners}}
    phases.run(section, 3, index, tmp_path / "a.json", tmp_path / "a.h5")
    found = json.loads((tmp_path / "a.json").read_text())
    assert found["coordinate_names"] == ["J", "K"] and found["n_phase"] == 2 and found["boundaries"] == []
    # On a circle J² + K² is the same everywhere: a quadratic function is not known.
    assert all(border["places"] == 0 and "too few" in border["reason"] for border in found["energy_borders"])
    content = phase_section_content(tmp_path / "a.json", tmp_path / "a.h5")
    assert len(content.figures) == 3 and "band" in content.figures[0].caption
    with h5py.File(tmp_path / "a.h5") as file:
        first, second, phase, share = (file[f"field_{part}"][()] for part in ("first", "second", "phase", "share"))
        theta, of_point = file["theta"][()][:, [0, 2]], file["phase"][()]
    # The boundary runs between the points: at each of them the field has its phase.
    at = [np.abs(axis[:, None] - column).argmin(axis=0) for axis, column in zip((first, second), theta.T, strict=True)]
    assert np.mean(phase[at[0], at[1]] == of_point) > 0.97 and np.mean(share > 0.99) > 0.5 > np.mean(share < 0.99) > 0


def two_couplings(folder):
    """A lattice of J and K whose phases' energies cross at J = 0.52 + 0.1 K."""
    line = np.linspace(0.0, 1.0, 9)
    theta = np.stack(np.meshgrid(line, [0.5], line, indexing="ij"), axis=-1).reshape(-1, 3)
    rng, gap = np.random.default_rng(5), theta[:, 0] - 0.1 * theta[:, 2] - 0.52
    images = np.exp(2.0 * np.eye(2)[(gap > 0).astype(int)].repeat(6, axis=1) + 0.02 * rng.normal(size=(81, 12)))
    energy = 0.3 * theta[:, 2] - np.abs(gap) + 1e-4 * rng.normal(size=81)
    template = {
        "signal": {"dims": ["h"], "shape": [12], "dtype": "float32", "unit": "", "coords": {}},
        "energy": {"dims": ["temperature"], "shape": [1], "dtype": "float64", "unit": "meV", "coords": {}},
    }
    ids, codes = tuple(f"{k:032x}" for k in range(81)), {"absent": 0, "done": 1}
    header = StoreHeader("demo", ("J", "D", "K"), ids, theta, template, codes, {"kind": "toy", "seed": 1, "code": "a"})
    store = WorkStore.create(folder / "w2", header)
    for k, image in enumerate(images):
        store.write(k, "done", arrays={"signal": image.astype(np.float32), "energy": energy[k : k + 1]})
    seal(store, folder / "b0001.zarr.zip", provenance={})
    collect.run([folder / "b0001.zarr.zip"], folder / "two.json")
    axes = {n: {"first": "0.0 meV", "last": "1.0 meV", "n": 9} for n in "JK"}
    return {**SECTION, "grid": {"kind": "lattice", "axes": axes}}, folder / "two.json"


def test_the_border_over_two_couplings_is_where_energies_cross(tmp_path):
    section, index = two_couplings(tmp_path)
    out = tmp_path / "m.json", tmp_path / "m.h5"
    phases.run(section, 3, index, *out)
    (border,) = json.loads(out[0].read_text())["energy_borders"]
    assert border["reason"] == "first order" and border["places"] >= 20 and border["half"][0] < 1e-3
    with h5py.File(out[1]) as file:
        places, half = file["edge_places"][()], file["edge_half"][()]
    off, bar = places @ [1.0, -0.1] - 0.52, np.abs(half @ [1.0, -0.1])
    assert np.mean(np.abs(off) < bar) > 0.8 and np.abs(off).max() < 1e-3
    content = phase_section_content(*out)
    assert "energies of both sides are equal" in content.figures[0].caption
    assert content.facts["border of phases 1 and 2 by energies"].startswith("first order, at 2")


def test_a_store_of_another_study_or_contract_is_refused(index, tmp_path):
    out = tmp_path / "x.json", tmp_path / "x.h5"
    with pytest.raises(StoreError, match="another study"):
        phases.run({**SECTION, "study": "other"}, 3, index, *out)
    old = json.loads(index.read_text()) | {"contract": "collection/0"}
    (tmp_path / "old.json").write_text(json.dumps(old))
    with pytest.raises(StoreError, match="another contract"):
        phases.run(SECTION, 3, tmp_path / "old.json", *out)
    assert not any(path.exists() for path in out)


def test_what_cannot_be_mapped_is_refused(index, tmp_path):
    out = tmp_path / "x.json", tmp_path / "x.h5"
    with pytest.raises(DataError, match="no array"):
        phases.run({**SECTION, "phases": {"arrays": ["signals"]}}, 3, index, *out)
    moved = {**SECTION, "grid": {**GRID, "unit": "2.0 meV"}}
    with pytest.raises(StoreError, match="no coordinate"):
        phases.run(moved, 3, index, *out)
    with pytest.raises(StoreError):
        phase_section_content(tmp_path / "none.json", tmp_path / "none.h5")


def three_couplings(folder):
    """A lattice of J, D and K with a jump at J + K = 1.05, whatever D is: images on a slice of a skewed zone."""
    line = np.linspace(0.0, 1.0, 5)
    theta = np.stack(np.meshgrid(line, line[:4], line, indexing="ij"), axis=-1).reshape(-1, 3)
    kind = (theta[:, 0] + theta[:, 2] > 1.05).astype(int)
    rng = np.random.default_rng(5)
    images = np.exp(2.0 * np.eye(2)[kind].repeat(6, axis=1).reshape(-1, 4, 3) + 0.02 * rng.normal(size=(100, 4, 3)))
    axes = {
        f"{n}_plane": {"dims": [f"{n}_plane"], "values": list(range(k)), "unit": ""} for n, k in (("u", 4), ("v", 3))
    }
    coords = axes | {"basis_plane": {"dims": ["axis", "hkl"], "values": np.eye(3).tolist(), "unit": "r.l.u."}}
    template = {"dims": ["u_plane", "v_plane"], "shape": [4, 3], "dtype": "float32", "unit": "", "coords": coords}
    order = {"dims": ["statistic"], "shape": [4], "dtype": "float64", "unit": "", "coords": {}}
    header = StoreHeader(
        "demo", ("J", "D", "K"), tuple(f"{k:032x}" for k in range(100)), theta,
        {"signal_plane": template, "order_stripe": order}, {"absent": 0, "done": 1},
        {"kind": "toy", "seed": 1, "code": "a"},
    )  # fmt: skip
    store = WorkStore.create(folder / "w", header)
    for k, image in enumerate(images):
        moment = np.array([0.9 * kind[k] + 0.01, 0.8, 0.7, 0.6])
        store.write(k, "done", arrays={"signal_plane": image.astype(np.float32), "order_stripe": moment})
    seal(store, folder / "b0000.zarr.zip", provenance={})
    collect.run([folder / "b0000.zarr.zip"], folder / "index.json")
    axes = {n: {"first": "0.0 meV", "last": "1.0 meV" if n != "D" else "0.75 meV", "n": 5} for n in "JDK"}
    return kind, {**SECTION, "grid": {"kind": "lattice", "axes": axes}, "couplings": dict.fromkeys("JDK")}


@pytest.mark.parametrize("method", ["ward", "graph_degree"])
def test_three_couplings_are_mapped_in_slices_of_the_third(method, tmp_path):
    kind, section = three_couplings(tmp_path)
    section["phases"] = {"arrays": ["signal_plane"], "method": method, "count": {"n_bootstrap": 10}}
    out = tmp_path / "m.json", tmp_path / "m.h5"
    phases.run(section, 3, tmp_path / "index.json", *out)
    found = json.loads(out[0].read_text())
    with h5py.File(out[1]) as file:
        phase, coordinates = file["phase"][()], file["coordinates"][()]
        assert file["latent"].shape == (100, 3) and file["array_signal_plane"].shape == (2, 4, 3)
    assert found["n_phase"] == 2 and len(set(zip(kind.tolist(), phase.tolist(), strict=True))) == 2
    assert found["coordinate_names"] == ["J", "D", "K"] and found["labels"] == [[], ["stripe"]]
    assert [axis["label"] for axis in found["shown"]["signal_plane"]["axes"]] == [
        "along (1 0 0) (r.l.u.)", "along (0 1 0) (r.l.u.)"
    ]  # fmt: skip
    with h5py.File(out[1]) as file:
        first, third, field, share = (file[f"field_{part}"][()] for part in ("first", "third", "phase", "share"))
    # The plane J + K = 1.05 in every slice, and a band about it that is not everywhere.
    known = (first[None, :] + third[:, None] > 1.05).astype(int)
    wrong = field != np.broadcast_to(known[:, :, None], field.shape)
    assert field.shape == (5, 61, 61) and wrong.mean() < 0.06 and 0.02 < np.mean(share < 1.0) < 0.6
    assert np.mean(share[wrong] < 1.0) > 0.9
    content = phase_section_content(*out)
    assert "band" in content.figures[0].caption
    assert len(content.figures) == 3 and content.facts["order of phase 2"] == "stripe"
    latent = coordinates.copy()
    names = {"names": found["coordinate_names"], "units": found["coordinate_units"]}
    halves = phase_map_figure(coordinates=coordinates, phase=phase, latent=latent, **names).subfigs
    panels = [[a for a in half.axes if a.get_visible()] for half in halves]
    assert [len(side) for side in panels] == [5, 5]
    for k, (left, right) in enumerate(zip(*panels, strict=True)):
        here = np.isclose(coordinates[:, 2], 0.25 * k)
        assert left.get_title() == f"K = {0.25 * k:.3g} meV" == right.get_title()
        np.testing.assert_allclose(left.collections[0].get_offsets(), coordinates[here][:, :2])
        # The first three latent numbers, here the couplings, are red, green and blue.
        shade = right.collections[0].get_facecolors()[:, :3]
        assert np.all(np.diff(shade[np.argsort(latent[here][:, 0], kind="stable")][::4, 0]) >= 0)
        assert np.ptp(shade[:, 2]) < 1e-12


def test_correlations_of_spins_at_several_temperatures_are_compared(tmp_path):
    """S(Q) of blocks of spins, at two temperatures, as Monte Carlo stores it: what is compared are ⟨S_0·S_r⟩."""
    rng, n_side = np.random.default_rng(7), 6
    line = np.linspace(0.0, 1.0, 12)
    x, y = np.meshgrid(np.arange(n_side), np.arange(n_side), indexing="ij")
    spins = np.empty((12, 2, n_side, n_side, 3))
    for k, at in enumerate(line):
        order = (-1.0) ** (x + y if at > 0.5 else x)
        for t, noise in enumerate((1.0, 0.2)):
            spins[k, t] = order[..., None] * [0, 0, 1.0] + noise * rng.normal(size=(n_side, n_side, 3))
    signal = (np.abs(np.fft.fft2(spins, axes=(2, 3))) ** 2).sum(axis=-1) / n_side**2
    q = np.arange(n_side) / n_side
    where = QGrid("zone", np.zeros(3), np.eye(3), (*[np.append(q, 1.0) - 0.5 / n_side] * 2, np.array([-0.1, 0.1])))
    dims, shape, coords = signal_layout(where)
    plain = {n: {"dims": list(d), "values": np.asarray(v).tolist(), "unit": u} for n, (d, v, u) in coords.items()}
    plain["temperature_of_signal"] = {"dims": ["temperature_of_signal"], "values": [2.0, 0.5], "unit": "K"}
    template = {
        "signal_zone": {
            "dims": ["temperature_of_signal", *dims], "shape": [2, *shape], "dtype": "float64", "unit": "",
            "coords": plain,
        }
    }  # fmt: skip
    store = SimpleNamespace(n_point=12, template=template, read_many=lambda name, index: signal[index])
    vectors = ((1, 0, 0), (1, 1, 0))
    found = phases._features(store, SimpleNamespace(correlations=vectors, arrays=("signal_zone",)))
    square = (spins**2).sum(axis=(2, 3, 4))
    for j, r in enumerate(vectors):
        by_hand = (spins * np.roll(spins, (-r[0], -r[1]), axis=(2, 3))).sum(axis=(2, 3, 4)) / square
        np.testing.assert_allclose(found[:, [j, j + 2]], by_hand, atol=1e-6)
