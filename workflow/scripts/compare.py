"""Binding of the rule ``compare``."""

from spinscape.stages import compare
from spinscape.stages.logged import logged

with logged(snakemake.log[0]):
    found = dict(zip(snakemake.params.files, snakemake.input.files, strict=True))
    compare.run(
        snakemake.params.section,
        snakemake.wildcards.name,
        snakemake.input.model,
        list(snakemake.input.measurements),
        list(snakemake.input.fits),
        [{key: found[path] for key, path in own.items()} for own in snakemake.params.names],
        snakemake.params.seed,
        snakemake.output[0],
        code=snakemake.params.code,
    )
