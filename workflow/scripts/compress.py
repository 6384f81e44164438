"""Binding of the rule ``compress``."""

from spinscape.stages import compress
from spinscape.stages.logged import logged

with logged(snakemake.log[0]):
    compress.run(
        snakemake.params.section,
        snakemake.params.seed,
        snakemake.input.index,
        snakemake.output.model,
        snakemake.output.generator,
        snakemake.output.metrics,
        snakemake.params.work,
        model=snakemake.input.study,
    )
