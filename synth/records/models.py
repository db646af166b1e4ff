"""The record types. Frozen; steps only ever add records, they never change one.

A record's `id` is the hash of what determines it, so running the same thing again gives the same ids.
Times and prices live in the ledger (`Call`) alone: everything else is equal between two equal runs.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from synth.records.identity import content_id
from synth.records.kinds import COMPARE, FORMS, AnswerKind
from synth.records.parts import BLANKS, solution_of, spans_of
from synth.records.program_tests import Test

__all__ = [
    "RECORD_TYPES",
    "Author",
    "Call",
    "CallStatus",
    "Constraint",
    "Critique",
    "Execution",
    "ExecutionStatus",
    "Failure",
    "Media",
    "Node",
    "Pair",
    "Part",
    "Problem",
    "Rationale",
    "Record",
    "Rejection",
    "Reward",
    "Score",
    "ThoughtKind",
    "UnitRecord",
    "record_fields",
]

Author = Literal["teacher", "student", "human", "reference", "perturbed", "program"]
"""Who wrote a text."""

CallStatus = Literal[
    "ok",
    "truncated",
    "thought_cut",
    "only_thought",
    "empty",
    "refused",
    "malformed",
    "rate_limit",
    "server",
    "connection",
    "timeout",
    "auth",
    "not_found",
    "bad_request",
    "raised",
    "cancelled",
]
"""How one attempt ended. `truncated`: the response was cut off at the limit of tokens; `thought_cut`: the thought was, so
that there is no response; `only_thought`: the endpoint sent the whole reply as reasoning; `raised`: the model is a Python
function, which raised an exception; `cancelled`: we gave it up while it was under way. Only `ok` is ever served again from the ledger.
"""

ExecutionStatus = Literal["ok", "error", "timeout", "memory", "output", "unsupported", "refused"]
"""How a run of a program ended; see `synth.sandbox.Status`. `ok` says that all of it ran, not that it is right."""

ThoughtKind = Literal["raw", "summary", "hidden"]
"""What is known of a thought. `raw`: the reasoning trace itself; `summary`: what the provider writes about it; `hidden`:
the model reasoned, and no text of it was sent."""


class Record(BaseModel):
    """What all records share."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="null")

    table: ClassVar[str]
    """The name of this record's table in SQL."""

    id: str
    """Content hash (`b2:` + 32 hexadecimal digits) of what determines this record."""

    def to_json(self) -> bytes:
        """It as a JSON object, less what is None."""
        return self.__pydantic_serializer__.to_json(self, exclude_none=True)


class UnitRecord(Record):
    """A record that belongs to a unit: a root problem with everything derived from it."""

    alias: ClassVar[str]
    """What expressions and prompts call a record of this type."""

    unit: str
    """Id of the root problem."""

    step: str
    """Name of the pipeline step that made it; `input` for what came from a source."""

    @classmethod
    def make(cls, *, unit: str, step: str, because: Any, **fields: Any) -> Self:
        """A record whose id is the hash of its type, its step and `because` (parents, call, sample index, version…)."""
        return cls(id=content_id([cls.table, step, because]), unit=unit, step=step, **fields)


class Media(BaseModel):
    """An image or a sound that belongs to a problem; referred to, never copied."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["image", "audio"]
    """What it is."""
    uri: str
    """Path or URL."""
    sha256: str | None = None
    """Of the file's content, by which the problem is known wherever the file lies; None for a URL."""
    transcript: str | None = None
    """What is said or written in it, where known."""


class Constraint(BaseModel):
    """Something that a reply has to comply with, beside being right, such as a length, a language or words that it may not use."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, Field(pattern=r"^[a-z_]+:[a-z_]+$")]
    """Which constraint of the catalogue, such as `punctuation:no_comma`; those of IFEval (arXiv:2311.07911) have its ids."""
    args: Annotated[dict[str, JsonValue], Field(default_factory=dict)]
    """Its arguments by name; empty where it has none."""
    on: Literal["response", "reasoning", "both"] = "response"
    """What has to comply: the visible reply, the reasoning (a thought, or of a reply without one what it says before its answer), or
    each of them."""


class Reward(BaseModel):
    """What rewards the completions of a problem in reinforcement learning, where it is not whether their answer is right."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^\w+$")]
    """Name of a function of `synth.rewards`, such as `numeric_smooth`."""
    args: Annotated[dict[str, JsonValue], Field(default_factory=dict)]
    """Its options by name; empty for their defaults."""


class Problem(UnitRecord):
    """Something to reason about."""

    table: ClassVar[str] = "problems"
    alias: ClassVar[str] = "problem"

    question: str
    """The question as the solver sees it, without the choices."""
    context: str | None = None
    """A passage the question is about."""
    choices: tuple[str, ...] = ()
    """The options in order, without letters; the letter of the first is A. Empty where there are none."""
    answer: str | None = None
    """The gold answer; for choices the letter. None where it is not known."""
    answer_kind: AnswerKind | None = None
    """How answers to this problem are compared. None where there is no answer."""
    reference_solution: str | None = None
    """A worked solution that came with the problem."""
    evidence: tuple[str, ...] = ()
    """Sentences or passages that bear on the answer."""
    rubric: JsonValue = None
    """A rubric, where the answer is scored by one."""
    media: tuple[Media, ...] = ()
    """Images and sounds, in the order in which the question speaks of them."""
    constraints: tuple[Constraint, ...] = ()
    """What a reply has to comply with; the question says it in words."""
    begun: str | None = None
    """The beginning of a reply, verbatim, from which a solver continues; None where it begins itself."""
    stage: Annotated[int, Field(ge=0)] | None = None
    """Position in a curriculum, from 0: what a trainer sees first has the lowest. None where there is none."""
    reward: Reward | None = None
    """What rewards its completions in reinforcement learning; None: whether their answer is right."""
    tests: tuple[Test, ...] = ()
    """What a program must pass that answers the question; empty where it asks for none."""
    meta: Annotated[dict[str, JsonValue], Field(default_factory=dict)]
    """The other columns of the input row, untouched."""
    parent: str | None = None
    """The problem this one was derived from (counterfactual, follow-up…)."""
    source: str | None = None
    """Where it came from: file and line, or the generator."""

    @classmethod
    def root(cls, *, source: str | None = None, meta: dict[str, JsonValue] | None = None, **fields: Any) -> Problem:
        """A problem that came from a source. Its id depends on its content, not on where it stood."""
        made = cls(id="", unit="", step="input", source=source, meta=meta or {}, **fields)
        known = cls.__pydantic_fields__
        content = {name: value for name in fields if (value := made.__dict__[name]) != known[name].default}
        if made.media:
            content["media"] = [[m.kind, m.sha256 or m.uri, m.transcript] for m in made.media]
        if made.constraints:
            content["constraints"] = [[c.id, c.args, c.on] for c in made.constraints]
        if made.reward is not None:
            content["reward"] = [made.reward.name, made.reward.args]
        if made.tests:
            content["tests"] = [test.model_dump(exclude_none=True) for test in made.tests]
        # Its content is known only now that it is validated; nobody has seen it yet.
        made.__dict__["id"] = made.__dict__["unit"] = content_id(["problems", content])
        return made

    @property
    def lettered_choices(self) -> tuple[tuple[str, str], ...]:
        """The choices as (letter, text)."""
        return tuple((chr(ord("A") + i), text) for i, text in enumerate(self.choices))

    @property
    def full_question(self) -> str:
        """All that a solver sees of it, as text: the context, the question and the lettered choices."""
        choices = "\n".join(f"{letter}) {text}" for letter, text in self.lettered_choices)
        asked = f"{self.question}\n{choices}" if choices else self.question
        return f"{self.context}\n\n{asked}" if self.context else asked

    @property
    def compared_as(self) -> AnswerKind:
        """How answers to this problem are read and compared, also where no gold answer says it."""
        return self.answer_kind or ("choice" if self.choices else "code" if self.tests else "text")

    @property
    def checkable(self) -> bool:
        """Whether there is something to compare an answer with: a gold answer, or tests of a program."""
        return self.answer is not None or bool(self.tests)

    @property
    def answer_form(self) -> str:
        """What a solver is to write as the final answer, in the words of a prompt."""
        return FORMS["choice" if self.choices else self.compared_as]

    @property
    def answer_stated(self) -> str | None:
        """The gold answer as a solution states it: of an action without what says how its fields are compared."""
        if self.answer is None or self.answer_kind != "action" or COMPARE not in self.answer:
            return self.answer
        fields = json.loads(self.answer)
        return json.dumps({name: value for name, value in fields.items() if name != COMPARE}, ensure_ascii=False)

    @property
    def answer_text(self) -> str | None:
        """The gold answer in words: for choices the text of the right option."""
        if self.answer is not None and self.choices and self.answer_kind == "choice":
            return self.choices[ord(self.answer) - ord("A")]
        return self.answer_stated

    @property
    def answer_shown(self) -> str | None:
        """The gold answer as it is shown to a reader: a letter alone says little, so its text stands beside it."""
        if self.answer is not None and self.choices and self.answer_kind == "choice":
            return f"{self.answer}) {self.answer_text}"
        return self.answer_stated


class Rationale(UnitRecord):
    """A worked solution by somebody."""

    table: ClassVar[str] = "rationales"
    alias: ClassVar[str] = "rationale"

    problem: str
    """Id of the problem it solves."""
    author: Author
    """What kind of author wrote it."""
    model: str | None = None
    """Name of the model that wrote it, where one did."""
    style: str = "free"
    """How it was asked for: `free`, `json`, or the name of a format."""
    thought: str | None = None
    """The reasoning trace of a reasoning model, verbatim and without its tags; None where there is none."""
    thought_kind: ThoughtKind | None = None
    """What the thought is: `raw`, a `summary` by the provider, or `hidden`: the model reasoned and its provider shows none
    of it. None where there is no sign of a thought."""
    response: str
    """The visible reply, verbatim, with the statement of its answer. Of a reply with named fields (JSON): the fields laid out
    as text."""
    answer: str | None = None
    """The final answer as the response states it; None where none could be read. Never read from the thought."""
    answer_span: tuple[int, int] | None = None
    """Where `response` states the answer, as (start, end) in characters; None where it states none in a place of its own, such
    as where the last number was taken."""
    steps: tuple[str, ...] = ()
    """The reasoning cut into steps; `segmenter` says how."""
    given: Annotated[int, Field(ge=0)] = 0
    """How many of the leading steps are not by its author: it continues from them."""
    segmenter: str | None = None
    """Definition of "step" used for the cut, with its version, such as `lines/1`, or `thought lines/1` where the thought was
    cut; None where it was not cut."""
    hinted: bool = False
    """Whether the author was shown the gold answer."""
    sample: int = 0
    """Which of several samples of the same question to the same model, from 0."""
    tokens: int | None = None
    """Completion tokens the reply took, where the endpoint said so."""
    parts: JsonValue = None
    """Its content in named parts, where the method gives it some: the decisions of a path, the premises…"""
    parent: str | None = None
    """The rationale this one revises, continues or perturbs."""
    node: str | None = None
    """The leaf of a thought tree whose path it verbalizes."""
    call: str | None = None
    """The ledger row that made it."""

    @property
    def text(self) -> str:
        """The reasoning that a reader is shown: the response without the statement of its answer; where nothing else is left of
        it, the thought. Empty where there is neither.
        """
        return solution_of(self.response, self.answer_span) or (self.thought or "").strip(BLANKS)

    @property
    def reasoning(self) -> str:
        """All the reasoning there is: the thought, and after a blank line the response without the statement of its answer."""
        both = ((self.thought or "").strip(BLANKS), solution_of(self.response, self.answer_span))
        return "\n\n".join(part for part in both if part)

    @property
    def steps_of_thought(self) -> bool:
        """Whether the thought was cut into steps, and not the response."""
        return (self.segmenter or "").startswith("thought ")

    @property
    def step_spans(self) -> tuple[tuple[int, int], ...] | None:
        """Where each step stands, as (start, end) in characters of the text that was cut: the thought if `steps_of_thought`, else
        the response. None where the steps are not slices of it in this order with nothing but white space and the statement of
        the answer between them, such as imported ones.
        """
        text, statement = (self.thought or "", None) if self.steps_of_thought else (self.response, self.answer_span)
        return spans_of(self.steps, text, statement)


class Node(UnitRecord):
    """A node of a thought tree."""

    table: ClassVar[str] = "nodes"
    alias: ClassVar[str] = "node"

    problem: str
    """Id of the problem the tree is about."""
    parent: str | None = None
    """The node above; None for a root."""
    depth: Annotated[int, Field(ge=0)] = 0
    """Distance from the root."""
    text: str
    """The thought itself."""
    decision: str | None = None
    """What was decided here, where nodes decide."""
    reason: str | None = None
    """Why it was decided so."""
    quote: str | None = None
    """The words of the context the reason rests on."""
    value: float | None = None
    """Estimate of how promising the node is; the step says on which scale."""
    visits: Annotated[int, Field(ge=0)] = 0
    """How often a search passed through."""
    terminal: bool = False
    """Whether the tree ends here."""
    answer: str | None = None
    """The answer reached, at a terminal node."""
    model: str | None = None
    """Name of the model that thought it, where one did."""
    call: str | None = None
    """The ledger row that made it."""


class Part(BaseModel):
    """A part of a record, which a score or a critique is about."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["step", "option", "span"]
    """`step`: a step of a rationale; `option`: one of the choices of its problem; `span`: some characters of its text."""
    index: Annotated[int, Field(ge=0)] | None = None
    """Which step or option, from 0."""
    start: Annotated[int, Field(ge=0)] | None = None
    """Of a span: its first character in `text`, from 0."""
    end: Annotated[int, Field(ge=0)] | None = None
    """Of a span: the character after its last one."""

    @model_validator(mode="after")
    def _is_one_place(self) -> Self:
        indexed = self.index is not None and self.start is None and self.end is None
        span = self.index is None and self.start is not None and self.end is not None and self.start <= self.end
        if not (span if self.kind == "span" else indexed):
            needed = "start and end, start first," if self.kind == "span" else "an index"
            raise ValueError(f"a {self.kind} has {needed} and nothing else")
        return self


class Score(UnitRecord):
    """One verdict on a record, or on a part of one."""

    table: ClassVar[str] = "scores"
    alias: ClassVar[str] = "score"

    target: str
    """Id of the record that is judged."""
    part: Part | None = None
    """The part of the target that is judged; None for the whole."""
    name: str
    """What is measured: `correct`, `review`, `value`, `confidence`…"""
    value: float | None = None
    """The verdict as a number (1 or 0 for yes and no); None where there is none."""
    label: str | None = None
    """The verdict as a word: `right`, `wrong`, `unparsed`, `timeout`…"""
    judge: str
    """Who judged: a model, or the name and version of a program."""
    reason: str | None = None
    """Why, in words."""
    call: str | None = None
    """The ledger row that made it, where a model judged."""


class Critique(UnitRecord):
    """An explained mistake."""

    table: ClassVar[str] = "critiques"
    alias: ClassVar[str] = "critique"

    target: str
    """Id of the rationale that is criticised."""
    part: Part | None = None
    """The part that is mistaken, where the critique names one: mostly a step."""
    mistake: str | None = None
    """The kind of mistake."""
    explanation: str
    """What is wrong and why."""
    correction: str | None = None
    """How it should have been."""
    critic: str
    """Who wrote it."""
    call: str | None = None
    """The ledger row that made it."""


class Pair(UnitRecord):
    """A preference between two rationales of one problem."""

    table: ClassVar[str] = "pairs"
    alias: ClassVar[str] = "pair"

    problem: str
    """Id of the problem."""
    chosen: str
    """Id of the preferred rationale."""
    rejected: str
    """Id of the other one."""
    reason: str
    """Why one is preferred: `correctness`, `score`, `siblings`…"""
    margin: float | None = None
    """By how much, in the units of the reason; None where it has none."""
    first_differing_step: int | None = None
    """Index of the first step in which the two differ, from 0."""
    length_difference: int
    """Characters of the chosen text minus those of the rejected one."""


class Rejection(UnitRecord):
    """Why a record was rejected. The record itself stays."""

    table: ClassVar[str] = "rejections"
    alias: ClassVar[str] = "rejection"

    target: str
    """Id of the rejected record."""
    target_table: str
    """Table of that record."""
    rule: str
    """The rule that put it out."""
    observed: JsonValue = None
    """What the rule saw: the value, the record it duplicates…"""


class Failure(UnitRecord):
    """What could not be made."""

    table: ClassVar[str] = "failures"
    alias: ClassVar[str] = "failure"

    target: str
    """Id of the record the step was working on."""
    cause: str
    """A stable word: `truncated`, `thought_cut`, `only_thought`, `refused`, `server`, …, how the last attempt ended (see the
    status of calls); `shape` where a reply was not valid by its response schema, `restarted` where it began again instead
    of continuing, `repeated` where a continuation is a loop."""
    message: str
    """What happened, in words."""
    raw: str | None = None
    """The reply as it came, if any."""
    attempts: Annotated[int, Field(ge=0)] = 0
    """How many attempts were made."""
    retriable: bool = False
    """Whether asking again may succeed (`synth retry`)."""
    call: str | None = None
    """The ledger row of the last attempt, where one was sent."""


class Call(Record):
    """One attempt that was sent: a row of the ledger."""

    table: ClassVar[str] = "calls"

    key: str
    """The replay key: hash of everything that is sent (less a short exclusion list) and the sample index."""
    attempt: Annotated[int, Field(ge=1)]
    """Which attempt at this key, from 1, counted over the whole life of the run folder."""
    model: str
    """Name of the model in the profile."""
    endpoint: str
    """Where it was sent: the base URL, or `local:MODEL` for the embedded model."""
    model_id: str
    """The model that was asked."""
    served_model: str | None = None
    """The model that said it answered, where the endpoint names one."""
    unit: str | None = None
    """The unit that asked first."""
    step: str | None = None
    """The step that asked first."""
    prompt: str | None = None
    """Name, version and content hash of the prompt template."""
    shape: str | None = None
    """The name of the response schema; None for free text."""
    repairs: str | None = None
    """Ledger row of the reply this call asks to repair, because it was not valid by its response schema."""
    messages: JsonValue
    """The messages as sent; for images and sounds their hashes."""
    parameters: Annotated[dict[str, JsonValue], Field(default_factory=dict)]
    """The parameters as sent."""
    sample: int = 0
    """The sample index, from 0."""
    status: CallStatus
    """How it ended."""
    reply: str | None = None
    """The visible text of the reply, without the thought."""
    thought: str | None = None
    """The reasoning trace, wherever in the endpoint's reply it stood; several parts are joined by a blank line."""
    thought_kind: ThoughtKind | None = None
    """What is known of the thought; None where there is no sign of one."""
    thought_from: str | None = None
    """Where the thought stood: the name of the field (`reasoning_content`, `reasoning`, `thinking`, `reasoning_details`),
    `parts` of the content, or the family of the tags within the content; None where no text came."""
    finish: str | None = None
    """The endpoint's `finish_reason`."""
    logprobs: JsonValue = None
    """Log-probabilities, where asked for."""
    prompt_tokens: int | None = None
    """Tokens read, as the endpoint counts them; None where it does not say."""
    completion_tokens: int | None = None
    """Tokens written, those of the thought included; None where the endpoint does not say."""
    reasoning_tokens: int | None = None
    """Of these, the tokens of the thought, where the endpoint counts them apart."""
    price: float | None = None
    """US dollars, at the price in the profile; None where the price or the tokens are unknown."""
    started: float
    """When the request left: seconds since the epoch; in SQL a TIMESTAMPTZ."""
    latency: float
    """Seconds from sending to the end of the reply, without any waiting of ours."""
    error: str | None = None
    """What went wrong, without secrets."""


class Execution(Record):
    """One run of a program in a sandbox."""

    table: ClassVar[str] = "executions"

    key: str
    """The replay key: hash of the program, its test, the limits, and the sandbox with its version."""
    unit: str | None = None
    """The unit that ran it first."""
    step: str | None = None
    """The step that ran it first."""
    rationale: str | None = None
    """Id of the rationale whose program it was first; others with the same program and test are not run again."""
    test: Annotated[int, Field(ge=0)] | None = None
    """Which test of the problem, from 0; None where a program was run for what it prints or returns."""
    program: str
    """Hash of the program."""
    sandbox: str
    """Name and version of the sandbox: `monty/1.4.0`, `bubblewrap/0.8.0 Python 3.11.7`."""
    status: ExecutionStatus
    """How it ended."""
    error: str | None = None
    """What went wrong, in one line; None where nothing did."""
    value: JsonValue = None
    """The value that was asked for, where there is one."""
    stdout: str = ""
    """What the program wrote, up to the limit of the step."""
    stderr: str = ""
    """What it wrote to standard error, with the traceback; up to the limit."""
    started: float
    """When it began: seconds since the epoch; in SQL a TIMESTAMPTZ."""
    seconds: float
    """How long it ran, the start of the sandbox included."""


RECORD_TYPES: tuple[type[Record], ...] = (
    Problem,
    Rationale,
    Node,
    Score,
    Critique,
    Pair,
    Rejection,
    Failure,
    Call,
    Execution,
)


def record_fields(kind: type[UnitRecord]) -> frozenset[str]:
    """What templates and expressions may read of a record of this type."""
    properties = {
        n for n in dir(kind) if not n.startswith(("_", "model_")) and isinstance(getattr(kind, n, None), property)
    }
    return frozenset(kind.model_fields) | properties
