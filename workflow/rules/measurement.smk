rule measurement:
    input:
        # A file that appears, changes or goes re-runs the rule; where there is none, the stage fetches or simulates it.
        files=of_study(data_files),
        model="<results>/{study}/model.json",
    output:
        "<results>/{study}/measurements/{name}.h5",
    log:
        "<results>/{study}/logs/measurements/{name}.log",
    benchmark:
        "<results>/{study}/benchmarks/measurements/{name}.tsv"
    conda:
        "../../envs/environment.yaml"
    resources:
        mem_mb=scaled(1000),
        runtime=10,
    params:
        section=built(build.measurement_section),
        downloads=str(RESULTS / "downloads"),
        seed=of_study(lambda study, wildcards: study.seed),
        code=of_study(measurement_code),
    script:
        "../scripts/measurement.py"
