"""Binding of the rule ``choose``."""

from spinscape.stages import choose
from spinscape.stages.logged import logged

with logged(snakemake.log[0]):
    choose.run(
        snakemake.params.section,
        snakemake.params.seed,
        int(snakemake.wildcards.round),
        dict(snakemake.input.items()),
        snakemake.output[0],
    )
