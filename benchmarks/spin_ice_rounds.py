"""Rounds of simulations that a Gaussian process chooses for measurements of dipolar spin ices.

    python benchmarks/spin_ice_rounds.py INDEX FOLDER [--truths 0 20] [--rounds 2] [--points 8]

INDEX is ``collect/index.json`` of the study dy2ti2o7_fit, FOLDER that of ``spin_ice_truths.py``. Each truth's own
rounds begin with the study's points, which all truths share; what is chosen is simulated once and kept in FOLDER,
where ``spin_ice_fit.py --part rounds`` reads it.
"""

import argparse

import numpy as np

import spin_ice_fit as fit
from spin_ice_truths import box_of_study, simulated
from spinscape.infer.gaussian_process import GaussianProcessRounds, objective_process
from spinscape.infer.robust_tiled import robust_tiled

EVERY = "0.68 to 4 K"
"""Of ``spin_ice_fit.SEEN``: the temperatures that the objective is made of."""
KEEP = (16, 12)
"""Rank of the point whose objective is the cut-off, in the first round and in later ones."""


def known_points(setting, number, rounds, points):
    """Return couplings (n, 3) and images (n, n_temperature, n_pixel) of the study's points and of earlier rounds."""
    theta, images = setting.train.theta, setting.train.images
    own = [simulated(setting.folder, name(number, r, j), None) for r in range(rounds) for j in range(points)]
    own = [one for one in own if str(one["code"]) == "done"]
    if not own:
        return theta, images
    more = fit.Points.of_files(own)
    return np.vstack([theta, more.theta]), np.concatenate([images, more.images])


def name(number, round_, point):
    """Return the name of a simulation."""
    return f"round-{number:03d}-{round_}-{point:02d}"


def chosen(setting, k, number, round_, points):
    """Return the couplings of a truth's next round, (points, 3)."""
    low, high = box_of_study()
    theta, images = known_points(setting, number, round_, points)
    which = fit.SEEN[EVERY]
    objective = robust_tiled(setting.measured(k, 0.0, which), model_error=0.02)
    values = np.array([objective.value(tuple(one[t][:, None] for t in which)) for one in images])
    known = objective_process((theta - low) / (high - low), values)
    keep = KEEP[min(round_, len(KEEP) - 1)]
    return low + (high - low) * GaussianProcessRounds(n_new=points, keep=keep).next(known, seed=100 * number + round_)


def main():
    """Choose and simulate."""
    parser = argparse.ArgumentParser()
    parser.add_argument("index")
    parser.add_argument("folder")
    parser.add_argument("--truths", type=int, nargs=2, default=(0, 20))
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--points", type=int, default=8)
    asked = parser.parse_args()
    setting = fit.Setting(asked.index, asked.folder, asked.truths[1])
    for round_ in range(asked.rounds):
        for k, number in list(enumerate(setting.numbers))[slice(*asked.truths)]:
            for j, theta in enumerate(chosen(setting, k, number, round_, asked.points)):
                simulated(setting.folder, name(number, round_, j), theta)
            print(f"truth {number}, round {round_}", flush=True)


if __name__ == "__main__":
    main()
