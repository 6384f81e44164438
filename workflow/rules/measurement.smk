rule measurement:
    input:
        # A file that appears, changes or goes re-runs the rule; where there is none, the stage fetches or simulates it.
        files=of_study(lambda study, wildcards: data_files(study, wildcards.name)),
        model="<results>/{study}/model.json",
    output:
        "<results>/{study}/measurements/{name}.h5",
    params:
        section=measurement_section,
        seed=of_study(lambda study, wildcards: study.seed),
        code=measurement_code,
    log:
        "<results>/{study}/logs/measurements/{name}.log",
    benchmark:
        "<results>/{study}/benchmarks/measurements/{name}.tsv"
    resources:
        mem_mb=scaled(1000),
        runtime=10,
    conda:
        "../../envs/environment.yaml"
    script:
        "../scripts/measurement.py"
