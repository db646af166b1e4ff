"""Models: what can be asked, and how each is reached."""

from synth.models.base import Capability, Model, Price
from synth.models.function import FunctionModel
from synth.models.media import attach
from synth.models.probe import probe
from synth.models.profile import ModelProfile, Profile, bind_roles, load_profile, make_model
from synth.models.request import Completion, Message, Request, Task, TaskKind, replay_key
from synth.models.scripted import ScriptedModel
from synth.models.simulators import Script, Simulator, simulates
from synth.models.structured import NUMBERED_BY, Reply, Unreadable, read_structured, repair_turn
from synth.models.world import World

__all__ = [
    "NUMBERED_BY",
    "Capability",
    "Completion",
    "FunctionModel",
    "Message",
    "Model",
    "ModelProfile",
    "Price",
    "Profile",
    "Reply",
    "Request",
    "Script",
    "ScriptedModel",
    "Simulator",
    "Task",
    "TaskKind",
    "Unreadable",
    "World",
    "attach",
    "bind_roles",
    "load_profile",
    "make_model",
    "probe",
    "read_structured",
    "repair_turn",
    "replay_key",
    "simulates",
]
