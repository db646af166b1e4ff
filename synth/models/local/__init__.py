"""The embedded runtime: a model fetched by its content, and llama.cpp's server in a child process."""

from synth.models.local.catalogue import CATALOGUE, DEFAULT_MODEL, LocalModel
from synth.models.local.fetch import ModelFile, locate
from synth.models.local.server import LocalServer

__all__ = ["CATALOGUE", "DEFAULT_MODEL", "LocalModel", "LocalServer", "ModelFile", "locate"]
