rule collect:
    input:
        batches,
    output:
        "<results>/{study}/collect/index.json",
    params:
        code=code("collect", "spinscape.stages.collect"),
    log:
        "<results>/{study}/logs/collect.log",
    benchmark:
        "<results>/{study}/benchmarks/collect.tsv"
    resources:
        mem_mb=scaled(2000),
        runtime=30,
    conda:
        "../../envs/environment.yaml"
    script:
        "../scripts/collect.py"
