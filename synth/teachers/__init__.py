"""Teachers: models that answer, and everything around asking them."""

from synth.teachers.base import Capability, Price, Teacher
from synth.teachers.budget import Budget
from synth.teachers.caller import CallCounts, Caller
from synth.teachers.ledger import Ledger
from synth.teachers.profile import Profile, TeacherProfile, bind_roles, load_profile, make_teacher
from synth.teachers.request import Completion, Message, Request, Task, replay_key
from synth.teachers.scripted import Script, ScriptedTeacher, World

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
    "Request",
    "Script",
    "ScriptedTeacher",
    "Task",
    "Teacher",
    "TeacherProfile",
    "World",
    "bind_roles",
    "load_profile",
    "make_teacher",
    "replay_key",
]
