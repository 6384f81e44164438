"""The ranks that do one point together: who does what, and what all of them must know."""


class Team:
    """Ranks that share the replicas of a point by number, so that results do not depend on how many ranks there are.

    Parameters
    ----------
    communicator : mpi4py communicator, or None for one process
    """

    def __init__(self, communicator=None):
        self.communicator = communicator
        self.rank = 0 if communicator is None else communicator.rank
        self.size = 1 if communicator is None else communicator.size

    def own(self, n):
        """Return which of ``n`` numbered things this rank does.

        >>> Team().own(3)
        [0, 1, 2]
        """
        return list(range(self.rank, n, self.size))

    def gather(self, own, n):
        """Return what all ranks have made of ``n`` numbered things, in their order, on every rank.

        Parameters
        ----------
        own : dict of int to anything
            What this rank has made, by number.
        n : int
        """
        parts = [own] if self.size == 1 else self.communicator.allgather(own)
        everything = {index: value for part in parts for index, value in part.items()}
        return [everything[index] for index in range(n)]

    def merge(self, own):
        """Return the union of all ranks' dictionaries, on every rank."""
        parts = [own] if self.size == 1 else self.communicator.allgather(own)
        return {key: value for part in parts for key, value in part.items()}

    def agree(self, value):
        """Return the first rank's value on every rank: decisions must not part over rounding."""
        return value if self.size == 1 else self.communicator.bcast(value, root=0)
