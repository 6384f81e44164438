rule compress:
    input:
        index="<results>/{study}/collect/index.json",
        study="<results>/{study}/model.json",
    output:
        model="<results>/{study}/compress/{name}.pt",
        generator="<results>/{study}/compress/{name}_generator.pt",
        metrics="<results>/{study}/compress/{name}.json",
    log:
        "<results>/{study}/logs/compress/{name}.log",
    benchmark:
        "<results>/{study}/benchmarks/compress/{name}.tsv"
    conda:
        "../../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=scaled(8000),
        runtime=240,
    params:
        section=built(build.compression_section),
        seed=of_study(lambda study, wildcards: study.seed),
        code=code("compress", "spinscape.stages.compress"),
        work=work_folder("compress"),
    script:
        "../scripts/compress.py"
