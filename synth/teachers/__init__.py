"""Teachers: models that answer, and everything around asking them."""

from synth.teachers.base import Capability, Price, Teacher
from synth.teachers.budget import Budget
from synth.teachers.caller import CallCounts, Caller
from synth.teachers.ledger import Ledger
from synth.teachers.media import attach
from synth.teachers.probe import probe
from synth.teachers.profile import Profile, TeacherProfile, bind_roles, load_profile, make_teacher
from synth.teachers.request import Completion, Message, Request, Task, replay_key
from synth.teachers.scripted import Script, ScriptedTeacher, World
from synth.teachers.stages import next_stage
from synth.teachers.structured import Reply, Unreadable, read_structured, repair_turn

__all__ = [
    "Budget",
    "CallCounts",
    "Caller",
    "Capability",
    "Completion",
    "Ledger",
    "Message",
    "Price",
    "Profile",
    "Reply",
    "Request",
    "Script",
    "ScriptedTeacher",
    "Task",
    "Teacher",
    "TeacherProfile",
    "Unreadable",
    "World",
    "attach",
    "bind_roles",
    "load_profile",
    "make_teacher",
    "next_stage",
    "probe",
    "read_structured",
    "repair_turn",
    "replay_key",
]
