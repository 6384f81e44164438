"""Ranks that share a point: threads in the place of processes, with the two calls of mpi4py that are used."""

import threading

import numpy as np
import pytest

from spinscape.simulate.montecarlo_settings import Sampling, Tempering
from spinscape.simulate.moves import Move
from spinscape.simulate.protocol import StreamKey
from spinscape.simulate.team import Team


class Rehearsal:
    """One rank of several threads."""

    def __init__(self, rank, shared):
        self.rank, self.size, self._shared = rank, len(shared["slots"]), shared

    def allgather(self, value):
        self._shared["slots"][self.rank] = value
        self._shared["barrier"].wait()
        out = list(self._shared["slots"])
        self._shared["barrier"].wait()
        return out

    def bcast(self, value, root=0):
        return self.allgather(value)[root]


def on_ranks(n, function):
    """Return what ``function(communicator)`` returns on each of n ranks."""
    shared, out = {"slots": [None] * n, "barrier": threading.Barrier(n, timeout=120)}, [None] * n

    def work(rank):
        out[rank] = function(Rehearsal(rank, shared))

    threads = [threading.Thread(target=work, args=(rank,)) for rank in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return out


def test_things_are_done_once_and_known_to_all():
    def work(communicator):
        team = Team(communicator)
        own = {k: k**2 for k in team.own(5)}
        return team.gather(own, 5), team.merge(own), team.agree(communicator.rank), sorted(own)

    found = on_ranks(2, work)
    assert [f[:3] for f in found] == [([0, 1, 4, 9, 16], {k: k**2 for k in range(5)}, 0)] * 2
    assert [f[3] for f in found] == [[0, 2, 4], [1, 3]]


@pytest.mark.parametrize("tempering", [None, Tempering(5.0, 4, adaptations=1)])
def test_results_do_not_depend_on_the_number_of_ranks(small, tempering):
    settings = small.settings(
        temperatures=(3.0, 2.5), tempering=tempering, sampling=Sampling(replicas=3, samples=16, extensions=1)
    )
    key, theta = StreamKey(3, "a"), small.theta(-1.0)
    alone = small.simulator(settings).run(theta, key)
    for n in (2, 3):
        found = on_ranks(n, lambda c: small.simulator(settings, communicator=c).run(theta, key))[0]
        assert found.code == alone.code and found.diagnostics == alone.diagnostics
        for name, array in alone.arrays.items():
            np.testing.assert_array_equal(found.arrays[name], array, err_msg=name)


def test_widths_of_steps_go_with_their_temperatures(small):
    settings = small.settings(
        supercell=(3, 3, 3), temperatures=(0.3,), moves=(Move("small_step", 2),), correlations=None, orders=(),
        tempering=Tempering(6.0, 4, adaptations=1), sampling=Sampling(replicas=1, samples=8, extensions=0),
    )  # fmt: skip
    simulator = small.simulator(settings, kind="heisenberg", n_dimension=3)
    found = simulator.run(small.theta(1.0), StreamKey(3, "a"))
    # At 0.3 K steps are small: half of them are accepted all the same.
    assert 0.2 < found.arrays["acceptance"][0, 0] < 0.8
