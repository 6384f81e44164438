rule model:
    output:
        "<results>/{study}/model.json",
    params:
        section=of_study(lambda study, wildcards: model_section(study)),
        code=code("model", "spinscape.stages.model"),
    log:
        "<results>/{study}/logs/model.log",
    benchmark:
        "<results>/{study}/benchmarks/model.tsv"
    resources:
        mem_mb=scaled(1000),
        runtime=10,
    conda:
        "../../envs/environment.yaml"
    script:
        "../scripts/model.py"
