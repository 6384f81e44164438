"""Spin waves by magnopy, to be run by the Python of its own environment: a peer, never a part of the package.

Reads one problem as JSON from standard input (all energies in meV, bonds once) and prints JSON: CPU seconds for each
wave vector, of numpy's batched eigh of matrices of the same size for each, and the energies.
"""

import json
import statistics
import sys
import time

import magnopy
import numpy as np

REPEAT = 5


def hamiltonian(problem):
    n = len(problem["positions"])
    atoms = {
        "names": [f"A{k}" for k in range(n)],
        "species": ["X"] * n,
        "spins": [1.0] * n,
        "g_factors": [2.0] * n,
        "positions": problem["positions"],
    }
    convention = magnopy.Convention(spin_normalized=False, multiple_counting=False, c21=1.0, c22=1.0)
    out = magnopy.SpinHamiltonian(cell=np.array(problem["vectors"]), atoms=atoms, convention=convention)
    for i, j, offset, matrix in problem["bonds"]:
        out.add(nus=[tuple(offset)], alphas=[i, j], parameter=np.array(matrix), when_present="sum")
    for i, matrix in problem["onsite"]:
        out.add(nus=[(0, 0, 0)], alphas=[i, i], parameter=np.array(matrix), when_present="sum")
    return out


def cpu(action):
    start = time.process_time()
    action()
    return time.process_time() - start


def main():
    problem = json.load(sys.stdin)
    waves = magnopy.LSWT(spinham=hamiltonian(problem), spin_directions=problem["directions"])
    q = np.array(problem["q"])
    size = 2 * len(problem["positions"])
    noise = np.random.default_rng(0).normal(size=(2, len(q), size, size))
    matrices = noise[0] + 1j * noise[1]
    matrices = matrices + matrices.conj().swapaxes(1, 2)

    def energies():
        return [sorted(np.real(waves.omega(k, relative=True)).tolist()) for k in q]

    found = energies()
    rounds = [(cpu(energies), cpu(lambda: np.linalg.eigh(matrices))) for _ in range(REPEAT)]
    mine, eigh = (statistics.median(column) / len(q) for column in zip(*rounds, strict=True))
    print(json.dumps({"magnopy": mine, "eigh": eigh, "energies": found}))


if __name__ == "__main__":
    main()
