"""How much of a model's concurrency a search uses: rollouts and trees over many problems, with a model of known latency.

    python benchmarks/search_speed.py [--problems 96] [--concurrency 64] [--latency 0.5]

Each unit waits for its own replies, one probe after the other; what keeps an endpoint busy is that many units are under way. Used:
calls times latency, over wall time times concurrency; 1 would be an endpoint that never waits. The tail, in which fewer units are left than
there are places, is a part of it.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import synth
from synth.models import ScriptedModel, World

PIPELINES = {
    "rollout, every step, k = 8": """
  - {step: generate, name: solve, by: student, samples: 4, temperature: 0.7}
  - {step: rollout, of: solve, by: student, samples: 8}
""",
    "rollout, first zero, k = 4": """
  - {step: generate, name: solve, by: student, samples: 4, temperature: 0.7}
  - {step: rollout, of: solve, by: student, samples: 4, probe: first_zero}
""",
    "search, omega, 100 rollouts": """
  - {step: search, by: student, policy: omega, expand: rollouts, evaluate: rollout, samples: 8, root_samples: 8, max_calls: 100}
""",
    "search, uct, 100 calls": """
  - {step: search, by: student, policy: uct, expand: rollouts, evaluate: outcome, max_calls: 100, at_once: 4}
""",
}


def measured(steps: str, problems: int, concurrency: int, latency: float) -> tuple[int, float]:
    """Calls made, and seconds."""
    world = World(solve_rate=0.5, steps=8, lucky_rate=0, recover_rate=0.05, step_error_rate=0.2)
    model = ScriptedModel(world, name="student", latency=latency, concurrency=concurrency)
    with tempfile.TemporaryDirectory() as made:
        file = Path(made) / "p.yaml"
        file.write_text(f"pipeline: benchmarks/search-speed\nroles: {{student: solves}}\nsteps:{steps}")
        rows = [
            {"question": f"Case {i}: what is {i} and {i * i} (r{i * 7})?", "answer": str(i)} for i in range(problems)
        ]
        began = time.perf_counter()
        done = synth.run(str(file), rows, Path(made) / "run", models={"student": model})
        seconds = time.perf_counter() - began
        with done.open() as store:
            ((calls,),) = store.sql("SELECT count(*) FROM calls").fetchall()
    return calls, seconds


def main() -> None:
    """Parse the words and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=int, default=96)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--latency", type=float, default=0.5)
    given = parser.parse_args()
    print("| pipeline | problems | calls | s | calls/s | of the concurrency used |")
    print("|---|---:|---:|---:|---:|---:|", flush=True)
    for name, steps in PIPELINES.items():
        calls, seconds = measured(steps, given.problems, given.concurrency, given.latency)
        used = calls * given.latency / (seconds * given.concurrency)
        print(
            f"| {name} | {given.problems} | {calls:,} | {seconds:.1f} | {calls / seconds:.0f} | {used:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
