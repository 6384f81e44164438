"""Binding of the rule ``fit``."""

from spinscape.stages import fit
from spinscape.stages.logged import logged

with logged(snakemake.log[0]):
    fit.run(
        snakemake.params.section,
        snakemake.wildcards.name,
        snakemake.input.model,
        list(snakemake.input.measurements),
        dict(zip(snakemake.params.files, snakemake.input.files, strict=True)),
        snakemake.params.seed,
        snakemake.output.result,
        snakemake.output.arrays,
        code=snakemake.params.code,
    )
