"""Stand-ins for litellm, transformers and vllm, with the signatures of litellm 1.110, transformers 5.24 and vllm 0.11.

They compute what is asked of them, `What is 3 + 3?`, and note what they were given. What the real ones refuse they refuse.
"""

from __future__ import annotations

import asyncio
import functools
import re
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest


def answer(question: str) -> str:
    """The reply to a question about a sum."""
    left, right = re.search(r"What is (\d+) \+ (\d+)\?", question).groups()  # type: ignore[union-attr]
    return f"{left} + {right} = {int(left) + int(right)}.\nThe answer is {int(left) + int(right)}."


class Engines:
    """What the stand-ins were given, in the order they were asked."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.litellm: list[dict[str, Any]] = []
        self.transformers: list[dict[str, Any]] = []
        self.vllm: list[SamplingParams] = []
        self.most_at_once = 0
        self._at_once = 0
        patch.setitem(sys.modules, "litellm", module("litellm", acompletion=self._litellm()))
        patch.setitem(
            sys.modules,
            "transformers",
            module(
                "transformers", AutoTokenizer=Tokenizer, AutoModelForCausalLM=self._network(), pipeline=self._pipeline
            ),
        )
        engine = self._async_engine()
        vllm = module("vllm", LLM=self._engine(), SamplingParams=SamplingParams, AsyncEngineArgs=AsyncEngineArgs)
        patch.setitem(sys.modules, "vllm", vllm)
        patch.setitem(sys.modules, "vllm.v1", module("vllm.v1"))
        patch.setitem(sys.modules, "vllm.v1.engine", module("vllm.v1.engine"))
        patch.setitem(sys.modules, "vllm.v1.engine.async_llm", module("vllm.v1.engine.async_llm", AsyncLLM=engine))
        kinds = SimpleNamespace(CUMULATIVE=0, DELTA=1, FINAL_ONLY=2)
        patch.setitem(sys.modules, "vllm.sampling_params", module("vllm.sampling_params", RequestOutputKind=kinds))

    def _litellm(self) -> Any:
        """`litellm.acompletion`, wrapped as `litellm.utils.client` wraps it."""

        async def acompletion(
            model: str,
            messages: list = [],  # noqa: B006  # as it is there
            timeout: float | None = None,
            temperature: float | None = None,
            top_p: float | None = None,
            n: int | None = None,
            stream: bool | None = None,
            stop=None,
            max_tokens: int | None = None,
            response_format: dict | None = None,
            seed: int | None = None,
            logprobs: bool | None = None,
            api_key: str | None = None,
            **kwargs,
        ):
            self.litellm.append({"model": model, "temperature": temperature, "max_tokens": max_tokens, **kwargs})
            message = {"content": answer(messages[-1]["content"]), "role": "assistant", "reasoning_content": "Twice."}
            body = {
                "id": "chatcmpl-1",
                "created": 1,
                "model": model.rpartition("/")[2] + "-20250929",
                "object": "chat.completion",
                "choices": [{"finish_reason": "stop", "index": 0, "message": message}],
                "usage": {"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 30},
            }
            return SimpleNamespace(model_dump=lambda: body)

        @functools.wraps(acompletion)
        async def wrapper_async(*args, **kwargs):
            return await acompletion(*args, **kwargs)

        return wrapper_async

    def _network(self) -> Any:
        engines = self

        class AutoModelForCausalLM:
            device = "cpu"

            @classmethod
            def from_pretrained(cls, name: str, **kwargs: Any) -> Any:
                assert kwargs == {"device_map": "auto"}
                return cls()

            def generate(
                self, *, input_ids: Ids, attention_mask: Ids, max_new_tokens: int, do_sample: bool, **sampling: Any
            ):
                assert set(sampling) <= ({"temperature"} if do_sample else set())
                engines.transformers.append({"max_new_tokens": max_new_tokens, "do_sample": do_sample, **sampling})
                written = answer("".join(map(chr, input_ids[0])))[:max_new_tokens]
                return [[*input_ids[0], *map(ord, written)]]

        return AutoModelForCausalLM

    def _pipeline(self, task: str, model: str) -> Any:
        assert task == "text-generation"

        def generate(text_inputs: list[dict[str, str]], **kwargs: Any) -> list[dict[str, Any]]:
            assert set(kwargs) <= {"max_new_tokens", "do_sample", "temperature", "return_full_text"}
            self.transformers.append(kwargs)
            written = answer(text_inputs[-1]["content"])
            said = (
                written
                if kwargs["return_full_text"] is False
                else [*text_inputs, {"role": "assistant", "content": written}]
            )
            return [{"generated_text": said}]

        return generate

    def _engine(self) -> Any:
        engines = self

        class LLM:
            def __init__(self, model: str) -> None:
                pass

            def chat(self, messages: list[Any], sampling_params: SamplingParams, use_tqdm: bool = True) -> list[Any]:
                engines.vllm.append(sampling_params)
                return [output(list(map(ord, messages[-1]["content"])))]

        return LLM

    def _async_engine(self) -> Any:
        engines = self

        class AsyncLLM:
            @classmethod
            def from_engine_args(cls, engine_args: AsyncEngineArgs) -> Any:
                assert engine_args.model
                return cls()

            async def generate(
                self, prompt: dict[str, list[int]], sampling_params: SamplingParams, request_id: str
            ) -> AsyncIterator[Any]:
                engines.vllm.append(sampling_params)
                engines._at_once += 1
                engines.most_at_once = max(engines.most_at_once, engines._at_once)
                await asyncio.sleep(0.01)
                engines._at_once -= 1
                yield output(prompt["prompt_token_ids"])

        return AsyncLLM


def module(name: str, **members: Any) -> ModuleType:
    """A module with these members, as an installed one."""
    made = ModuleType(name)
    vars(made).update(members)
    made.__file__ = f"/site-packages/{name}.py"
    return made


class Ids(list):
    """A tensor of token ids, one row."""

    @property
    def shape(self) -> tuple[int, int]:
        return 1, len(self[0])


class Encoded(dict):
    """As `BatchEncoding` is."""

    def to(self, device: str) -> Encoded:
        assert device == "cpu"
        return self


class Tokenizer:
    """One token for each letter."""

    @classmethod
    def from_pretrained(cls, name: str) -> Tokenizer:
        return cls()

    def apply_chat_template(
        self,
        conversation: list[dict[str, str]],
        *,
        add_generation_prompt: bool,
        return_dict: bool,
        return_tensors: str | None = None,
    ) -> Encoded:
        assert add_generation_prompt
        assert return_dict
        ids = list(map(ord, conversation[-1]["content"]))
        if return_tensors == "pt":
            return Encoded(input_ids=Ids([ids]), attention_mask=Ids([[1] * len(ids)]))
        return Encoded(input_ids=ids, attention_mask=[1] * len(ids))

    def decode(self, ids: list[int], skip_special_tokens: bool = False) -> str:
        assert skip_special_tokens
        return "".join(map(chr, ids))


@dataclass
class AsyncEngineArgs:
    model: str


@dataclass
class SamplingParams:
    """Some of the fields of vLLM's; another name is a TypeError there too."""

    n: int = 1
    temperature: float = 1.0
    top_p: float = 1.0
    seed: int | None = None
    stop: str | list[str] | None = None
    max_tokens: int | None = 16
    output_kind: int = 0


def output(prompt: list[int]) -> Any:
    """As `vllm.RequestOutput` is."""
    text = answer("".join(map(chr, prompt)))
    written = SimpleNamespace(
        index=0, text=text, token_ids=list(map(ord, text)), finish_reason="stop", stop_reason=None
    )
    return SimpleNamespace(request_id="1", prompt=None, prompt_token_ids=prompt, outputs=[written], finished=True)
