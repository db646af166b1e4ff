"""Page weight and load time of `synth report` and `synth view`, and how long each audit takes.

    python benchmarks/view.py [--rationales 1000000] [--folder /tmp/view-benchmark] [--only pages|audits|report] [--keep]

Makes a run of so many rationales (with their problems in splits, calls, checks, two reviews of what is right, labels of
steps, rejections, pairs, and some trees) directly in DuckDB, serves it with `synth view`, and prints seconds and kilobytes
of pages as a browser gets them and the memory of the server, seconds of each audit, and the report of 10,000 of them.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from http.cookiejar import CookieJar
from pathlib import Path

import duckdb

from synth.audit import load_audits, run_audits
from synth.store.database import open_store
from synth.store.sealed import make_tables

WORDS = ("the total is then so we add multiply first second apples coins each hour left remaining number gives").split()  # noqa: SIM905


def make(run: Path, n: int) -> None:
    """A run folder with `n` rationales, four to a problem, some 600 characters each."""
    shutil.rmtree(run, ignore_errors=True)
    (run / "journal").mkdir(parents=True)
    (run / "journal" / "000001.jsonl").touch()
    manifest = {"pipeline": "distil/fine-tune-cot", "synth": "benchmark", "fingerprint": "", "format": 1, "limit": None}
    manifest |= {"source": {"name": "made.jsonl", "mapping": {}}, "models": {}, "words": {}}
    manifest["corpus"] = [{"step": "split", "name": "part"}, {"step": "decontaminate", "name": "clean"}]
    (run / "run.json").write_text(json.dumps(manifest))
    con = duckdb.connect(str(run / "corpus.duckdb"))
    make_tables(con, "main")
    word = f"{WORDS}[1 + (hash(i, w) % {len(WORDS)})::INT]"
    ending = "CASE WHEN w % 9 = 0 THEN ' ' || (hash(w, i) % 997) || '.\n' ELSE '' END"
    text = f"(SELECT string_agg({word} || {ending}, ' ') FROM range(100) t(w))"
    con.execute("CREATE MACRO ident(kind, i) AS 'b2:' || md5(kind || i)")
    con.execute(
        f"""INSERT INTO problems BY NAME SELECT ident('p', i) AS owner, ident('p', i) AS id, ident('p', i) AS unit, 'input' AS step,
        'Problem ' || i || ': how many of ' || (hash(i) % 9973) || ' are left?' AS question, (i % 100)::VARCHAR AS answer, 'number' AS answer_kind,
        'made.jsonl:' || i AS source FROM range({n // 4}) t(i)"""
    )
    con.execute(
        f"""INSERT INTO rationales BY NAME SELECT *, string_split(text, chr(10)) AS steps FROM (
        SELECT ident('p', i // 4) AS owner, ident('r', i) AS id, ident('p', i // 4) AS unit, 'sample' AS step,
        ident('p', i // 4) AS problem, 'teacher' AS author, ['gpt', 'small', 'mine'][1 + (i % 3)::INT] AS model, 'free' AS style, {text} AS text,
        CASE WHEN i % 5 < 3 THEN (i // 4) % 100 ELSE i % 7 END::VARCHAR AS answer, false AS hinted, i % 4 AS sample, 120 + i % 90 AS tokens,
        ident('c', i) AS call FROM range({n}) t(i))"""
    )
    con.execute(
        f"""INSERT INTO calls BY NAME SELECT ident('c', i) AS id, ident('k', i) AS key, 1 AS attempt, ['gpt', 'small', 'mine'][1 + (i % 3)::INT] AS model,
        'http://localhost' AS endpoint, 'model' AS model, ident('p', i // 4) AS unit, 'sample' AS step,
        '[{{"role":"user","content":"Solve it. Problem ' || i // 4 || ': how many of ' || (hash(i // 4) % 9973) || ' are left?"}}]' AS messages,
        '{{}}' AS parameters, i % 4 AS sample, 'ok' AS status, 'The reply number ' || i AS reply, 80 AS prompt_tokens, 120 AS completion_tokens,
        0.0001 AS price, to_timestamp(1e9 + i) AS started, 1.5 AS latency FROM range({n}) t(i)"""
    )
    con.execute(
        f"""INSERT INTO scores BY NAME SELECT ident('p', i // 4) AS owner, ident('s', i) AS id, ident('p', i // 4) AS unit, 'verify_answer' AS step,
        ident('r', i) AS target, 'correct' AS name, (i % 5 < 3)::INT::DOUBLE AS value, CASE WHEN i % 5 < 3 THEN 'right' ELSE 'wrong' END AS label,
        'number/1' AS judge FROM range({n}) t(i)"""
    )
    reviewed = f"range({n}) t(i) WHERE i % 5 < 3"
    score = "SELECT ident('p', i // 4) AS owner, ident('p', i // 4) AS unit, ident('r', i) AS target"
    con.execute(
        f"""INSERT INTO scores BY NAME {score}, ident(j, i) AS id, 'review' AS step, 'review_single' AS name, j AS judge,
        1 + ((i % 5) + hash(i, j) % 3)::DOUBLE AS value, 'It is ' || WORD(i) || '.' AS reason FROM (SELECT i, unnest(['one', 'two']) AS j FROM {reviewed})
        """.replace("WORD(i)", f"{WORDS}[1 + (hash(i) % {len(WORDS)})::INT]")
    )
    con.execute(
        f"""INSERT INTO scores BY NAME {score}, ident('v', i) AS id, 'review' AS step, 'review' AS name, 'mean' AS judge,
        3.0 AS value, 'accepted' AS label FROM {reviewed}"""
    )
    con.execute(
        f"""INSERT INTO scores BY NAME {score}, ident('l' || k, i) AS id, 'judge' AS step, 'step' AS name, 'judge' AS judge, k AS step_index,
        ((hash(i, k) % 9) > 0)::INT::DOUBLE AS value FROM (SELECT i, unnest([0, 1, 2]) AS k FROM range({n}) t(i) WHERE i % 10 = 0)"""
    )
    con.execute(
        f"""INSERT INTO scores BY NAME SELECT 'corpus' AS owner, ident('o', i) AS id, ident('p', i) AS unit, 'part' AS step, ident('p', i) AS target,
        'split' AS name, 'split' AS judge, CASE WHEN i % 10 = 0 THEN 'test' ELSE 'train' END AS label FROM range({n // 4}) t(i)"""
    )
    con.execute(
        f"""INSERT INTO nodes BY NAME SELECT ident('p', i // 21) AS owner, ident('n', i) AS id, ident('p', i // 21) AS unit, 'think' AS step,
        ident('p', i // 21) AS problem, CASE WHEN i % 21 > 0 THEN ident('n', i // 21 * 21 + (i % 21 - 1) // 4) END AS parent,
        CASE WHEN i % 21 = 0 THEN 0 WHEN i % 21 < 5 THEN 1 ELSE 2 END AS depth, 'thought ' || i AS text, 'model' AS model,
        i % 21 >= 5 AS terminal, 0.5 AS value FROM range({min(n // 4, 1000) * 21}) t(i)"""
    )
    con.execute(
        f"""INSERT INTO rejections BY NAME SELECT ident('p', i // 4) AS owner, ident('j', i) AS id, ident('p', i // 4) AS unit, 'right' AS step,
        ident('r', i) AS target, 'rationales' AS target_table, 'score.correct' AS rule FROM range({n}) t(i) WHERE i % 5 >= 3"""
    )
    con.execute(
        f"""INSERT INTO pairs BY NAME SELECT ident('p', i) AS owner, ident('q', i) AS id, ident('p', i) AS unit, 'pair' AS step, ident('p', i) AS problem,
        ident('r', i * 4) AS chosen, ident('r', i * 4 + 3) AS rejected,
        'correctness' AS reason, (hash(i) % 400)::BIGINT - 200 AS length_difference FROM range({n // 4}) t(i)"""
    )
    con.execute("CREATE TABLE folded (segment BIGINT, byte_offset BIGINT)")
    con.execute("INSERT INTO folded VALUES (1, 0)")
    con.close()


def report_of(run: Path) -> None:
    """Time and size of the report."""
    begin = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", "from synth.cli import main; main()", "report", str(run)],
        check=True,
        capture_output=True,
    )
    print(
        f"{time.perf_counter() - begin:8.2f} s {(run / 'report.html').stat().st_size / 1024:8,.0f} KB  synth report, process included"
    )


def where(condition: str) -> str:
    """The list of rationales for which a condition holds."""
    return "/browse/rationales?where=" + urllib.parse.quote(condition)


def pages_of(run: Path) -> None:
    """Time and size of pages."""
    command = "from synth.cli import main; main()"
    server = subprocess.Popen(
        [sys.executable, "-c", command, "view", str(run), "--no-browser"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        address = server.stdout.readline().strip()
        base = address.split("/?")[0]
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        opener.open(f"{base}/static/view.js?{address.split('?')[1]}").read()
        some = f"b2:{hashlib.md5(b'r5000').hexdigest()}"
        after = urllib.parse.quote(json.dumps([None, "b2:8"]))
        for path, what in (
            ("/browse/rationales", "first page of rationales, store opened anew"),
            ("/browse/rationales", "first page again"),
            (f"/browse/rationales?after={after}", "a page in the middle"),
            ("/browse/rationales?state=out&model=gpt", "two facets"),
            (where("length(text) > 700 AND tokens < 130"), "a condition over columns"),
            (where("score_correct = 1 AND NOT kept"), "a condition over scores and state, none found"),
            (where("score_correct = 1 AND kept AND gold = '7'"), "a condition over scores, state and problem"),
            ("/browse/rationales?q=coins+apples+hour", "words in the text"),
            ("/facets/rationales", "counts of all facets"),
            ("/facets/rationales?state=out", "counts of all facets, one chosen"),
            (f"/record/rationales/{some}", "a record with its lineage"),
            ("/review?queue=random", "review, random"),
            ("/review?queue=uncertainty", "review, by uncertainty"),
            ("/review?queue=disagreement", "review, by disagreement"),
            ("/", "overview, what follows is fetched after it is there"),
            ("/figures/funnel", "its funnel"),
            ("/figures/figures", "its figures: reasons, cost, scores, lengths"),
            ("/figures/audits", "all audits"),
            ("/figures/judges", "agreement of judges"),
            ("/figures/figures", "its figures again"),
            ("/review?queue=uncertainty&of=pairs", "review of pairs, by margin"),
        ):
            begin, cpu = time.perf_counter(), cpu_of(server.pid)
            body = opener.open(base + path).read()
            seconds, cpu = time.perf_counter() - begin, cpu_of(server.pid) - cpu
            print(f"{seconds:8.2f} s {cpu:8.2f} s of CPU {len(body) / 1024:8,.0f} KB  {what}", flush=True)
        peak = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{server.pid}/status").read_text())
        print(f"{int(peak[1]) / 1024:8,.0f} MB the server at most" if peak else "")
    finally:
        server.terminate()
        server.wait()


def cpu_of(pid: int) -> float:
    """Seconds of CPU a process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def audits_of(run: Path) -> None:
    """Time of each audit."""
    with open_store(run) as store:
        begin_all, cpu_all = time.perf_counter(), time.process_time()
        for audit in load_audits():
            begin, cpu = time.perf_counter(), time.process_time()
            (verdict,) = run_audits(store, only=[audit.name])
            seconds, cpu = time.perf_counter() - begin, time.process_time() - cpu
            print(f"{seconds:8.2f} s {cpu:8.2f} s of CPU  {audit.name}, {verdict.status} over {verdict.n}", flush=True)
        print(f"{time.perf_counter() - begin_all:8.2f} s {time.process_time() - cpu_all:8.2f} s of CPU  all of them")
    print(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:8,.0f} MB at most")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rationales", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, default=Path("/tmp/view-benchmark"))
    parser.add_argument("--keep", action="store_true", help="use the run that is there")
    parser.add_argument("--only", choices=["report", "audits", "pages"], help="measure nothing else")
    given = parser.parse_args()
    small, large = given.folder / "small", given.folder / "large"
    if not given.keep:
        make(small, 10_000)
        make(large, given.rationales)
    measured = {"report": (report_of, small), "audits": (audits_of, large), "pages": (pages_of, large)}
    for name, (measure, run) in measured.items():
        if given.only in {None, name}:
            n = 10_000 if run is small else given.rationales
            print(f"{name} of a run of {n:,} rationales, {(run / 'corpus.duckdb').stat().st_size / 2**20:,.0f} MB")
            measure(run)


if __name__ == "__main__":
    main()
