rule model:
    output:
        "<results>/{study}/model.json",
    log:
        "<results>/{study}/logs/model.log",
    benchmark:
        "<results>/{study}/benchmarks/model.tsv"
    conda:
        "../../envs/environment.yaml"
    resources:
        mem_mb=scaled(1000),
        runtime=10,
    params:
        section=sections(*build.MODEL_SECTIONS),
        code=code("model", "spinscape.stages.model"),
    script:
        "../scripts/model.py"
