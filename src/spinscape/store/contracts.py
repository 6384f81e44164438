"""The contracts of stored simulations: what stands in a file, checked when written and when read."""

import hashlib
import json
from dataclasses import dataclass, field

import numpy as np

from ..errors import StoreError, check_shape
from ..lattice.crystal import read_only

SIMULATIONS = "simulations/1"
COLLECTION = "collection/1"
WITH_ARRAYS = ("done", "not_equilibrated")
"""Codes of points that have arrays, among the codes that a file names."""
RESERVED = ("theta", "state", "message", "diagnostics")
MESSAGE_WIDTH = 400
DIAGNOSTICS_WIDTH = 2048
CONVENTIONS = (
    "E = Σ_bonds(once) θ S_i·M·S_j + Σ_i θ S_i·A·S_i + μ_B Σ_i B·g_i·S_i (electrons: the moment is antiparallel to "
    "the spin); J > 0 is antiferromagnetic; spins have length S, or 1 where the study says unit_spins; theta and "
    "energies in meV, time in ps, lengths in Å, temperature in K, field in T; energy labels are bin centres"
)


def canonical_json(data):
    """Return the one text that plain data have: sorted keys, no spaces, exact floats.

    >>> canonical_json({"b": 0.1, "a": [1]})
    '{"a":[1],"b":0.1}'
    """
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(data):
    """Return 32 hex digits of plain data.

    >>> len(digest({"a": 1}))
    32
    """
    return hashlib.sha256(canonical_json(data).encode()).hexdigest()[:32]


@dataclass(frozen=True, eq=False)
class StoreHeader:
    """What a store of simulated points says of itself before any point is there.

    Parameters
    ----------
    study : str
    parameter_names : tuple of str
    point_ids : tuple of str
        Hex names by content, one for each point.
    theta : (n_point, n_parameter) float64, meV
    template : dict
        For each array its ``dims``, ``shape``, ``dtype``, ``unit`` and ``coords`` (name to ``dims``, ``values``,
        ``unit``): plain values.
    result_codes : dict of str to int
        Meaning of ``state``; ``absent`` is 0.
    origin : dict
        What the values depend on beside θ: kind, seed, hashes of settings and model, code fingerprint.
    settings : dict
        The simulator's settings in full, for the reader.
    replica : (n_point,) int, optional
        Which run of its couplings each point is; 0, the only one, where left out.
    """

    study: str
    parameter_names: tuple[str, ...]
    point_ids: tuple[str, ...]
    theta: np.ndarray
    template: dict
    result_codes: dict
    origin: dict = field(default_factory=dict)
    settings: dict = field(default_factory=dict)
    replica: np.ndarray = ()  # type: ignore[assignment]

    def __post_init__(self):
        object.__setattr__(self, "parameter_names", tuple(self.parameter_names))
        object.__setattr__(self, "point_ids", tuple(self.point_ids))
        object.__setattr__(self, "theta", read_only(self.theta))
        check_shape("theta", self.theta, (len(self.point_ids), len(self.parameter_names)))
        replica = self.replica if len(self.replica) else np.zeros(len(self.point_ids))
        object.__setattr__(self, "replica", read_only(replica, np.int64))
        check_shape("replica", self.replica, (len(self.point_ids),))
        check_header(self)

    @property
    def n_point(self):
        """Number of points."""
        return len(self.point_ids)

    @property
    def states_with_arrays(self):
        """Values of ``state`` of the points that have arrays."""
        return [self.result_codes[code] for code in WITH_ARRAYS if code in self.result_codes]

    @property
    def coordinates(self):
        """Coordinates of all arrays by name: ``dims``, ``values``, ``unit``."""
        return {name: c for array in self.template.values() for name, c in array["coords"].items()}

    @property
    def result_key(self):
        """Hash of all that a value depends on beside θ: two stores that share it may share points."""
        return digest([SIMULATIONS, self.study, self.parameter_names, self.result_codes, self.origin, self.template])

    @property
    def key(self):
        """Hash of the result key and of the points in their order."""
        return digest([self.result_key, self.point_ids, self.theta.tolist()])

    def to_attributes(self):
        """Return the attributes of the stored group; the numbers of θ and coordinates go into arrays."""
        arrays = {n: {**spec, "coords": sorted(spec["coords"])} for n, spec in self.template.items()}
        coordinates = {n: {"dims": list(c["dims"]), "unit": c["unit"]} for n, c in self.coordinates.items()}
        # A file without repeated points is as it was before there were any.
        repeated = {"replica": self.replica.tolist()} if np.any(self.replica) else {}
        return {
            "contract": SIMULATIONS,
            "conventions": CONVENTIONS,
            "study": self.study,
            "parameter_names": list(self.parameter_names),
            "point_ids": list(self.point_ids),
            "result_codes": dict(self.result_codes),
            "arrays": arrays,
            "coordinates": coordinates,
            "origin": self.origin,
            "settings": self.settings,
            **repeated,
        }


def check_header(header):
    """Raise :class:`StoreError` where a header contradicts itself."""
    if len(set(header.point_ids)) != header.n_point:
        raise StoreError("two points have the same id", where="point_ids", fix="list each point once")
    if header.result_codes.get("absent") != 0 or "done" not in header.result_codes:
        raise StoreError("the result codes lack absent = 0 or done", where="result_codes", got=header.result_codes)
    clash = sorted(
        set(RESERVED) & {*header.template, *header.coordinates} | set(header.template) & {*header.coordinates}
    )
    if clash:
        raise StoreError("an array's name is taken", where="template", got=clash, fix="give it another name")
    for name, array in header.template.items():
        for label, coordinate in array["coords"].items():
            if canonical_json(coordinate) != canonical_json(header.coordinates[label]):
                raise StoreError(
                    f"two arrays give the coordinate {label!r} different values",
                    where=f"template.{name}",
                    fix="arrays that share a name share the axis: put the path's name into the axis's name",
                )


def check_contract(found, expected, *, where):
    """Raise :class:`StoreError` unless a file obeys the contract that the reader knows."""
    if found != expected:
        raise StoreError(
            "the file obeys another contract" if found else "the file names no contract",
            where=where,
            expected=expected,
            got=found,
            fix="make the file again with this version of the program, or read it with the one that wrote it",
        )


def check_study(found, expected, *, where):
    """Raise :class:`StoreError` unless a file belongs to the expected study (None: any)."""
    if expected is not None and found != expected:
        raise StoreError(
            "the file belongs to another study", where=where, expected=expected, got=found, fix="name the right file"
        )


def differences(header, other):
    """Return the names of the fields in which two stores of one collection may not differ but do."""
    pairs = {
        "study": (header.study, other.study),
        "parameter_names": (header.parameter_names, other.parameter_names),
        "result_codes": (header.result_codes, other.result_codes),
        "arrays and coordinates": (canonical_json(header.template), canonical_json(other.template)),
        **{f"origin.{k}": (header.origin.get(k), other.origin.get(k)) for k in header.origin if k != "code"},
    }
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
