"""Stage ``plan``: deal points into batches, and leave alone what has not changed.

Called while the workflow is parsed, so it imports little and writes a file only where its content changes:
a batch whose file keeps its time is not run again.
"""

import hashlib
import json
import os
import re
from pathlib import Path

import numpy as np

from ..errors import ConfigError, StoreError
from ..rng import digest_words

PLAN = "plan/1"
PLAN_INDEX = "plan-index/1"
_BATCH = re.compile(r"b(\d+)-[0-9a-f]{8}")
_HEADER = ("study", "seed", "kind", "settings", "parameter_names", "ranks_per_point", "failed_fraction")


def point_ids(theta, settings, *, replica=0):
    """Return the name of every point by its content: couplings, conditions, settings, replica.

    Parameters
    ----------
    theta : (n_point, n_parameter) float64, meV
    settings : dict
        The simulator's plain settings; ``conditions`` among them.
    replica : int

    Returns
    -------
    list of str
        32 hex digits each.

    Examples
    --------
    >>> point_ids([[1.0], [2.0]], {})[1:] == point_ids([[2.0]], {})
    True
    """
    conditions = _canonical(settings.get("conditions"))
    # The settings hold whole paths: hash them once, not once for each point.
    digest = hashlib.sha256(_canonical(settings).encode()).hexdigest()
    rows = np.atleast_2d(np.asarray(theta, dtype=np.float64))
    return ["".join(f"{word:08x}" for word in digest_words(row, conditions, digest, replica)) for row in rows]


def _canonical(data):
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def plan_batches(ids, batch_size, existing=None):
    """Deal points into batches.

    A batch that exists stays as it is while all of its points are wanted; other points go into new batches, in
    their order.

    Parameters
    ----------
    ids : sequence of str
        Points that are wanted, each once.
    batch_size : int
        Size of new batches.
    existing : dict of str to list of str, optional
        Point ids of each batch that exists, by name.

    Returns
    -------
    dict of str to list of str
        Point ids by batch name: ``b``, a running number, and eight hex digits of a hash over the ids.

    Examples
    --------
    >>> first = plan_batches(["a", "b", "c"], 2)
    >>> [points for points in first.values()]
    [['a', 'b'], ['c']]
    >>> list(plan_batches(["d", "c", "b", "a"], 2, first).values())
    [['a', 'b'], ['c'], ['d']]
    """
    if not isinstance(batch_size, int) or batch_size < 1:
        raise ConfigError("a batch holds at least one point", where="simulate.batch_size", got=batch_size)
    wanted = set(ids)
    kept = {name: points for name, points in (existing or {}).items() if wanted.issuperset(points)}
    held = {point for points in kept.values() for point in points}
    fresh = [point for point in ids if point not in held]
    numbers = [int(match[1]) for match in map(_BATCH.fullmatch, existing or ()) if match]
    number = max(numbers, default=-1) + 1
    for start in range(0, len(fresh), batch_size):
        points = fresh[start : start + batch_size]
        kept[f"b{number:04d}-{hashlib.sha256(' '.join(points).encode()).hexdigest()[:8]}"] = points
        number += 1
    return kept


def write_plan(out_dir, header, points, batch_size, *, replicas=None):
    """Write a plan file for each batch and ``index.json``; remove the files of batches that are gone.

    Parameters
    ----------
    out_dir : str or Path
    header : dict
        Plain values that every batch needs: study, seed, kind, settings, parameter_names, ranks_per_point,
        failed_fraction.
    points : (n_point, n_parameter) float64, meV
        Couplings; a point that stands twice is simulated once.
    batch_size : int
    replicas : dict, optional
        ``{"share", "n"}``: that share of the points is simulated ``n`` times, each run with random numbers of its own.

    Returns
    -------
    list of str
        Names of the batches.
    """
    out_dir = Path(out_dir)
    theta = _checked_points(header, points)
    rows = {point["id"]: point for point in _planned(header, theta, replicas)}
    batches = plan_batches(list(rows), batch_size, read_plan_index(out_dir / "index.json"))
    out_dir.mkdir(parents=True, exist_ok=True)
    # The header is long and the same for all: it is turned into text once.
    head = _head(header)
    for name, ids in batches.items():
        write_if_changed(out_dir / f"{name}.json", _with_points(head, [rows[point] for point in ids]))
    write_if_changed(out_dir / "index.json", json.dumps({"contract": PLAN_INDEX, "batches": batches}) + "\n")
    for path in out_dir.glob("b*-*.json"):
        if _BATCH.fullmatch(path.stem) and path.stem not in batches:
            path.unlink()
    return list(batches)


def plan_text(header, points):
    """Return the text of a batch's plan: the header of :func:`write_plan`, and points ``{"id", "theta"}``."""
    return _with_points(_head(header), points)


def _head(header):
    return json.dumps({"contract": PLAN, **{name: header[name] for name in _HEADER}}, ensure_ascii=False)[:-1]


def _with_points(head, points):
    return f'{head}, "points": {json.dumps(points)}}}\n'


def _planned(header, theta, replicas):
    """Return the points of a plan: ``{"id", "theta"}``, and ``"replica"`` where it is not the first run."""
    ids = point_ids(theta, header["settings"])
    out = [{"id": point, "theta": row} for point, row in zip(ids, theta.tolist(), strict=True)]
    if replicas is None:
        return out
    # By each point's own hash: more points change nothing for those that are there.
    chosen = [digest_words("replicas", header["seed"], point)[0] < replicas["share"] * 2.0**32 for point in ids]
    if not any(chosen):
        raise ConfigError(
            "no point is simulated more than once",
            where="replicas.share",
            expected=f"a share that chooses some of the {len(ids)} points",
            got=replicas["share"],
            fix="raise it",
        )
    for replica in range(1, replicas["n"]):
        again = point_ids(theta[chosen], header["settings"], replica=replica)
        pairs = zip(again, theta[chosen].tolist(), strict=True)
        out += [{"id": point, "theta": row, "replica": replica} for point, row in pairs]
    return out


def _checked_points(header, points):
    theta = np.asarray(points, dtype=np.float64)
    n_parameter = len(header["parameter_names"])
    if theta.ndim != 2 or theta.shape[1] != n_parameter or not len(theta) or not np.all(np.isfinite(theta)):
        raise ConfigError(
            "the grid gives no usable points",
            where="grid",
            expected=f"finite numbers of shape (n_point, {n_parameter}), at least one point",
            got=f"shape {theta.shape}",
            fix="check the section grid",
        )
    return theta


def read_plan_index(path):
    """Return the point ids of each planned batch by name; empty where there is no plan that can be read."""
    try:
        index = json.loads(Path(path).read_text())
        return index["batches"] if index["contract"] == PLAN_INDEX else {}
    except (OSError, ValueError, KeyError, TypeError):
        # An unreadable index is no loss: the plan follows from the study.
        return {}


def write_if_changed(path, text):
    """Write a text unless the file has it already; the file is whole at any moment.

    Returns
    -------
    bool
        Whether it was written.
    """
    path, data = Path(path), text.encode()
    try:
        if path.read_bytes() == data:
            return False
    except OSError:
        pass
    young = path.with_name(f".{path.name}.young-{os.getpid()}")
    try:
        young.write_bytes(data)
        young.replace(path)
    except OSError as error:
        young.unlink(missing_ok=True)
        raise StoreError(
            "the file cannot be written", where=str(path), got=str(error), fix="check the disk's space and permissions"
        ) from error
    return True


def read_plan(path):
    """Return a batch's plan as plain values, checked against its contract.

    Raises
    ------
    StoreError
        Where the file is unreadable, of another contract, incomplete, or where an id does not belong to its point.
    """
    try:
        plan = json.loads(Path(path).read_text())
        contract = plan.get("contract")
    except (OSError, ValueError, AttributeError) as error:
        raise StoreError("the plan cannot be read", where=str(path), got=str(error), fix="plan again") from None
    if contract != PLAN:
        raise StoreError(
            "the plan obeys another contract", where=str(path), expected=PLAN, got=contract, fix="plan again"
        )
    missing = [name for name in (*_HEADER, "points") if name not in plan]
    if missing or not plan["points"]:
        raise StoreError(
            "the plan is not complete", where=str(path), expected=[*_HEADER, "points"], got=f"without {missing}"
        )
    _check_plan_points(plan, path)
    return plan


def _check_plan_points(plan, path):
    try:
        theta = np.array([point["theta"] for point in plan["points"]], dtype=np.float64)
        ids = [point["id"] for point in plan["points"]]
        replica = np.array([point.get("replica", 0) for point in plan["points"]])
        if not np.issubdtype(replica.dtype, np.integer) or replica.min() < 0:
            raise ValueError(f"replicas are numbers from 0, not {replica.tolist()}")
    except (KeyError, TypeError, ValueError) as error:
        raise StoreError("a planned point is malformed", where=f"{path}: points", got=str(error)) from None
    if theta.shape != (len(ids), len(plan["parameter_names"])):
        raise StoreError(
            "a planned point has the wrong number of couplings",
            where=f"{path}: points",
            expected=(len(ids), len(plan["parameter_names"])),
            got=theta.shape,
            fix="plan again",
        )
    expected = np.empty(len(ids), dtype=object)
    for number in np.unique(replica):
        expected[replica == number] = point_ids(theta[replica == number], plan["settings"], replica=int(number))
    wrong = [k for k, (is_, id_) in enumerate(zip(ids, expected, strict=True)) if is_ != id_]
    if wrong or len(set(ids)) != len(ids):
        raise StoreError(
            "a planned point's id does not belong to its couplings and settings",
            where=f"{path}: points.{wrong[0] if wrong else 0}",
            got=ids[wrong[0] if wrong else 0],
            fix="plan again; do not edit plans by hand",
        )
