"""Pipelines: YAML, the static check, the catalogue."""

from synth.pipeline.catalogue import catalogue, find_pipeline
from synth.pipeline.code import allow_code
from synth.pipeline.draft import Draft, Finding
from synth.pipeline.load import load_pipeline, read_pipeline
from synth.pipeline.spec import Pipeline, pipeline_schema

__all__ = [
    "Draft",
    "Finding",
    "Pipeline",
    "allow_code",
    "catalogue",
    "find_pipeline",
    "load_pipeline",
    "pipeline_schema",
    "read_pipeline",
]
