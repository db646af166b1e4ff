"""A small Hub on loopback: accounts, repositories with branches and commits, large files, as `huggingface_hub` speaks to it."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from support import serve

TOKEN = "hf_" + "TestOnly0" * 5


@dataclass
class Repo:
    """A data set."""

    private: bool
    branches: dict[str, list[tuple[str, dict[str, bytes]]]] = field(default_factory=dict)
    """By name their commits, each with all files."""

    def files(self, branch: str = "main") -> dict[str, bytes]:
        """What is there now."""
        return self.branches[branch][-1][1]

    def at(self, revision: str) -> tuple[str, dict[str, bytes]] | None:
        """A branch, or a commit by its name."""
        if revision in self.branches:
            return self.branches[revision][-1]
        return next((c for commits in self.branches.values() for c in commits if c[0] == revision), None)

    def commit(self, branch: str, files: dict[str, bytes]) -> str:
        """All files anew."""
        commits = self.branches.setdefault(branch, [])
        name = hashlib.sha1(repr((branch, len(commits), sorted(files))).encode()).hexdigest()
        commits.append((name, files))
        return name


class FakeHub:
    """What the server holds and has seen."""

    def __init__(self) -> None:
        self.repos: dict[str, Repo] = {}
        self.large: dict[str, bytes] = {}
        self.seen: list[tuple[str, str]] = []
        self.received: list[bytes] = []
        """Every request, headers and body."""
        self.messages: list[tuple[str, str]] = []
        self.url = ""
        self.fault: Callable[[str, str], web.Response | None] = lambda _method, _path: None
        """Asked before each request; what it gives is answered instead, and `DROP` closes the connection."""

    def make(self, name: str, files: dict[str, bytes] | None = None, *, private: bool = True) -> Repo:
        """A repository, as somebody else made it."""
        repo = self.repos[name] = Repo(private)
        repo.commit("main", {".gitattributes": b"*.parquet filter=lfs\n", **(files or {})})
        return repo

    @property
    def writes(self) -> list[tuple[str, str]]:
        """Requests that change something."""
        return [(m, p) for m, p in self.seen if m not in {"GET", "HEAD"}]

    def copy(self, name: str, folder: Path, branch: str = "main") -> Path:
        """What a repository holds, as a folder."""
        for path, content in self.repos[name].files(branch).items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
        return folder


DROP = web.Response(status=599)


def _blob(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def _is_large(path: str) -> bool:
    return path.endswith(".parquet")


def _listed(path: str, content: bytes) -> dict[str, Any]:
    entry: dict[str, Any] = {"type": "file", "path": path, "size": len(content), "oid": _blob(content)}
    if _is_large(path):
        pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{hashlib.sha256(content).hexdigest()}\nsize {len(content)}\n"
        entry["oid"] = _blob(pointer.encode())
        entry["lfs"] = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": len(pointer)}
    return entry


def _error(status: int, message: str, code: str | None = None) -> web.Response:
    headers = {"X-Error-Message": message, **({"X-Error-Code": code} if code else {})}
    return web.json_response({"error": message}, status=status, headers=headers)


@contextmanager
def fake_hub() -> Iterator[FakeHub]:
    """The server, on a free port."""
    hub = FakeHub()

    @web.middleware
    async def outside(request: web.Request, handler: Any) -> web.StreamResponse:
        hub.seen.append((request.method, request.path))
        hub.received.append(repr(dict(request.headers)).encode() + await request.read())
        fault = hub.fault(request.method, request.path)
        if fault is DROP:
            assert request.transport is not None
            request.transport.close()
            return web.Response()
        if fault is not None:
            return fault
        if not request.path.startswith("/large/") and request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return _error(401, "Invalid credentials in Authorization header")
        return await handler(request)

    def found(request: web.Request) -> tuple[Repo, str, dict[str, bytes]] | web.Response:
        repo = hub.repos.get(request.match_info["repo"])
        if repo is None:
            return _error(404, "Repository not found", "RepoNotFound")
        at = repo.at(request.match_info.get("revision", "main"))
        return (repo, *at) if at is not None else _error(404, "Invalid rev id", "RevisionNotFound")

    async def whoami(_: web.Request) -> web.Response:
        return web.json_response({"type": "user", "name": "me", "fullname": "Me", "orgs": [], "auth": {}})

    async def create(request: web.Request) -> web.Response:
        asked = await request.json()
        name = f"{asked.get('organization') or 'me'}/{asked['name']}"
        if asked.get("organization") not in {None, "me"}:
            return _error(
                403, f"You don't have the rights to create a dataset under the namespace {asked['organization']}"
            )
        if asked["name"].endswith("-refused"):
            return _error(400, f"Invalid repo name: {asked['name']} - the Hub does not like it")
        if name in hub.repos:
            return _error(409, "You already created this dataset repo")
        assert asked["type"] == "dataset"
        hub.make(name, private=asked.get("visibility", "private" if asked.get("private") else "public") == "private")
        return web.json_response({"url": f"{hub.url}/datasets/{name}", "name": name})

    async def info(request: web.Request) -> web.Response:
        at = found(request)
        if isinstance(at, web.Response):
            return at
        repo, sha, files = at
        siblings = [{"rfilename": path} for path in files]
        told = {"id": request.match_info["repo"], "_id": "0", "private": repo.private, "sha": sha, "siblings": siblings}
        return web.json_response({**told, "downloads": 0, "likes": 0, "tags": [], "gated": False, "disabled": False})

    async def tree(request: web.Request) -> web.Response:
        at = found(request)
        return at if isinstance(at, web.Response) else web.json_response([_listed(*item) for item in at[2].items()])

    async def resolve(request: web.Request) -> web.Response:
        at = found(request)
        if isinstance(at, web.Response):
            return at
        content = at[2].get(request.match_info["path"])
        if content is None:
            return _error(404, "Entry not found", "EntryNotFound")
        headers = {"ETag": f'"{_blob(content)}"', "X-Repo-Commit": at[1], "Accept-Ranges": "bytes"}
        return web.Response(body=content, headers=headers, content_type="application/octet-stream")

    async def validate(request: web.Request) -> web.Response:
        content = (await request.json())["content"]
        if "license: not a licence" in content:
            return web.json_response({"errors": [{"message": '"license" must be one of [apache-2.0, …]'}]}, status=400)
        return web.json_response({"errors": [], "warnings": []})

    async def preupload(request: web.Request) -> web.Response:
        at = found(request)
        if isinstance(at, web.Response):
            return at
        told = []
        for file in (await request.json())["files"]:
            path, mode = file["path"], "lfs" if _is_large(file["path"]) else "regular"
            oid = _listed(path, at[2][path])["oid"] if path in at[2] else None
            told.append({"path": path, "uploadMode": mode, "shouldIgnore": False, "oid": oid})
        return web.json_response({"files": told})

    async def batch(request: web.Request) -> web.Response:
        objects = []
        for one in (await request.json())["objects"]:
            actions = {"upload": {"href": f"{hub.url}/large/{one['oid']}"}}
            objects.append({**one, **({} if one["oid"] in hub.large else {"actions": actions})})
        return web.json_response({"transfer": "basic", "objects": objects})

    async def put(request: web.Request) -> web.Response:
        content = await request.read()
        assert hashlib.sha256(content).hexdigest() == request.match_info["oid"]
        hub.large[request.match_info["oid"]] = content
        return web.Response()

    async def branch(request: web.Request) -> web.Response:
        at = found(request)
        if isinstance(at, web.Response):
            return at
        if request.match_info["branch"] in at[0].branches:
            return _error(409, "Reference already exists")
        at[0].commit(request.match_info["branch"], dict(at[2]))
        at[0].branches[request.match_info["branch"]][0] = (at[1], dict(at[2]))
        return web.Response(status=201)

    async def commit(request: web.Request) -> web.Response:
        at = found(request)
        if isinstance(at, web.Response):
            return at
        repo, sha, files = at[0], at[1], dict(at[2])
        for line in (await request.text()).splitlines():
            item = json.loads(line)
            value = item["value"]
            if item["key"] == "header":
                if value.get("parentCommit") not in {None, sha}:
                    return _error(412, "A commit has happened since. Please refresh and try again.")
                hub.messages.append((value["summary"], value["description"]))
            elif item["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif item["key"] == "lfsFile":
                files[value["path"]] = hub.large[value["oid"]]
            else:
                assert item["key"] == "deletedFile"
                del files[value["path"]]
        made = repo.commit(request.match_info["revision"], files)
        url = f"{hub.url}/datasets/{request.match_info['repo']}/commit/{made}"
        return web.json_response({"success": True, "commitOid": made, "commitUrl": url})

    app = web.Application(middlewares=[outside], client_max_size=2**28)
    name = r"{repo:[^/]+/[^/]+}"
    app.router.add_get("/api/whoami-v2", whoami)
    app.router.add_post("/api/repos/create", create)
    app.router.add_post("/api/validate-yaml", validate)
    app.router.add_get(f"/api/datasets/{name}", info)
    app.router.add_get(f"/api/datasets/{name}/revision/{{revision}}", info)
    app.router.add_get(f"/api/datasets/{name}/tree/{{revision}}", tree)
    app.router.add_post(f"/api/datasets/{name}/preupload/{{revision}}", preupload)
    app.router.add_post(f"/api/datasets/{name}/commit/{{revision}}", commit)
    app.router.add_post(f"/api/datasets/{name}/branch/{{branch}}", branch)
    app.router.add_get(f"/datasets/{name}/resolve/{{revision}}/{{path:.+}}", resolve)
    app.router.add_post(f"/datasets/{name}.git/info/lfs/objects/batch", batch)
    app.router.add_put("/large/{oid}", put)
    with serve(app) as url:
        hub.url = url.removesuffix("/v1")
        yield hub
