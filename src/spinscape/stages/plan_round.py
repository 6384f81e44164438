"""Stage ``plan_round``: the plans of the batches of a further round, like any other."""

from ..errors import ConfigError
from .choose import read_points
from .plan import plan_text, point_ids, write_if_changed


def run(header, points, part, batch_size, output):
    """Write the plan of one batch of a round.

    Parameters
    ----------
    header : dict
        ``build.plan_header``.
    points : str or Path
        File of the round's points.
    part : int
        Of the batches, from 0.
    batch_size : int
    output : str or Path
    """
    theta = read_points(points).theta
    here = theta[part * batch_size : (part + 1) * batch_size]
    if here.ndim != 2 or not len(here) or here.shape[1] != len(header["parameter_names"]):
        raise ConfigError(
            "the points of a round do not make this batch",
            where=str(points),
            expected=f"more than {part * batch_size} points of {len(header['parameter_names'])} couplings",
            got=f"shape {theta.shape}",
            fix="run the rule choose again",
        )
    ids = point_ids(here, header["settings"])
    write_if_changed(
        output, plan_text(header, [{"id": i, "theta": row} for i, row in zip(ids, here.tolist(), strict=True)])
    )
