"""Binding of the rule ``phases``."""

from spinscape.stages import phases
from spinscape.stages.logged import logged

with logged(snakemake.log[0]):
    phases.run(
        snakemake.params.section,
        snakemake.params.seed,
        snakemake.input.index,
        snakemake.output.map,
        snakemake.output.arrays,
        rounds=list(snakemake.input.rounds),
        model=snakemake.input.study,
        compressor=next(iter(snakemake.input.compressor), None),
    )
