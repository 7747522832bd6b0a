"""A hub on the loopback address: what huggingface_hub needs of the protocol to make a repository, push and download.

Data sets have names of their own here: "datasets/USER/NAME".

Small files arrive within the commit, large ones and binary ones by git-lfs, as the real one wants them:
https://huggingface.co/docs/hub/api and https://github.com/git-lfs/git-lfs/blob/main/docs/api/batch.md
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

USER = "tester"


@dataclass
class Hub:
    """What was pushed. `asked`: (method, path, authorization) of every request, `unknown`: those without an answer."""

    token: str
    url: str = ""
    repositories: dict[str, dict[str, bytes]] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    stored: dict[str, bytes] = field(default_factory=dict)  # git-lfs objects by SHA-256
    asked: list[tuple[str, str, str | None]] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    private: set[str] = field(default_factory=set)
    lock: Any = field(default_factory=Lock)

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        """(status, JSON value) of a request."""
        for wanted, pattern, name in ROUTES:
            if wanted == method.replace("HEAD", "GET") and (found := re.fullmatch(pattern, path)):
                with self.lock:
                    told: tuple[int, Any] = getattr(self, name)(body, **found.groupdict())
                    return told
        self.unknown.append(f"{method} {path}")
        return 404, {"error": f"no such page: {method} {path}"}

    def whoami(self, body: bytes) -> tuple[int, Any]:
        return 200, {"type": "user", "name": USER, "orgs": [], "auth": {"type": "access_token"}}

    def create(self, body: bytes) -> tuple[int, Any]:
        asked = json.loads(body)
        name = f"{asked.get('organization') or USER}/{asked['name']}"
        kept = f"datasets/{name}" if asked.get("type") == "dataset" else name
        status = 409 if kept in self.repositories else 200
        self.repositories.setdefault(kept, {})
        if asked.get("private") or asked.get("visibility") == "private":
            self.private.add(kept)
        return status, {"url": f"{self.url}/{kept}", "name": name, "id": name}

    def validate(self, body: bytes) -> tuple[int, Any]:
        return 200, {"errors": [], "warnings": []}

    def info(self, body: bytes, repo: str) -> tuple[int, Any]:
        if repo not in self.repositories:
            return 404, {"error": "Repository not found"}
        files = [{"rfilename": name} for name in self.repositories[repo]]
        return 200, {"id": repo, "modelId": repo, "sha": self.head(), "private": False, "tags": [], "siblings": files}

    def tree(self, body: bytes, repo: str) -> tuple[int, Any]:
        if repo not in self.repositories:
            return 404, {"error": "Repository not found"}
        files = self.repositories[repo].items()
        return 200, [{"type": "file", "path": name, "size": len(kept), "oid": _oid(kept)} for name, kept in files]

    def resolve(self, body: bytes, repo: str, path: str) -> tuple[int, Any]:
        kept = self.repositories.get(repo, {}).get(path)
        return (404, {"error": "Entry not found"}) if kept is None else (200, kept)

    def preupload(self, body: bytes, repo: str) -> tuple[int, Any]:
        files = [
            {
                "path": file["path"],
                "uploadMode": "lfs"
                if file["path"].endswith((".safetensors", ".bin", ".pt", ".parquet"))
                else "regular",
                "shouldIgnore": False,
                "oid": None,
            }
            for file in json.loads(body)["files"]
        ]
        return 200, {"files": files}

    def batch(self, body: bytes, repo: str) -> tuple[int, Any]:
        objects = []
        for one in json.loads(body)["objects"]:
            href = f"{self.url}/lfs/{one['oid']}"
            actions = {} if one["oid"] in self.stored else {"actions": {"upload": {"href": href, "header": {}}}}
            objects.append({"oid": one["oid"], "size": one["size"], **actions})
        return 200, {"transfer": "basic", "objects": objects}

    def store(self, body: bytes, oid: str) -> tuple[int, Any]:
        if hashlib.sha256(body).hexdigest() != oid:
            return 422, {"error": "the content is not what its name says"}
        self.stored[oid] = body
        return 200, {}

    def commit(self, body: bytes, repo: str) -> tuple[int, Any]:
        lines = [json.loads(line) for line in body.splitlines() if line.strip()]
        files = self.repositories[repo]
        for line in lines:
            told = line["value"]
            if line["key"] == "header":
                self.messages.append(told["summary"])
            elif line["key"] == "file":
                files[told["path"]] = base64.b64decode(told["content"])
            elif line["key"] == "lfsFile":
                files[told["path"]] = self.stored[told["oid"]]
            elif line["key"] == "deletedFile":
                files.pop(told["path"], None)
        return 200, {"success": True, "commitOid": self.head(), "commitUrl": f"{self.url}/{repo}/commit/{self.head()}"}

    def head(self) -> str:
        return f"{len(self.messages):040x}"


REPO = r"(models/(?=[^/]+/[^/]+))?(?P<repo>(datasets/)?[^/]+/[^/]+?)"  # a model's name stands alone, as in its address
ROUTES = (
    ("GET", r"/api/whoami-v2", "whoami"),
    ("POST", r"/api/repos/create", "create"),
    ("POST", r"/api/validate-yaml", "validate"),
    ("GET", rf"/api/{REPO}(/revision/main)?", "info"),
    ("GET", rf"/api/{REPO}/tree/main", "tree"),
    ("POST", rf"/api/{REPO}/preupload/main", "preupload"),
    ("POST", rf"/api/{REPO}/commit/main", "commit"),
    ("POST", r"/(?P<repo>(datasets/)?[^/]+/[^/]+)\.git/info/lfs/objects/batch", "batch"),
    ("GET", r"/(?P<repo>(datasets/)?[^/]+/[^/]+)/resolve/main/(?P<path>.+)", "resolve"),
    ("PUT", r"/lfs/(?P<oid>[0-9a-f]{64})", "store"),
)


def _oid(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()


@contextmanager
def serve(token: str) -> Iterator[Hub]:
    """A hub that lets in who shows this token (git-lfs uploads need none: their addresses are signed)."""
    hub = Hub(token)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub))
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            path, said = self.path.partition("?")[0], self.headers.get("Authorization")
            body = self._body()
            hub.asked.append((self.command, path, said))
            allowed = path.startswith("/lfs/") or said == f"Bearer {hub.token}"
            status, told = hub.answer(self.command, path, body) if allowed else (401, {"error": "Invalid credentials"})
            content = told if isinstance(told, bytes) else json.dumps(told).encode()
            self.send_response(status)
            if isinstance(told, bytes):
                self.send_header("ETag", f'"{_oid(told)}"')
                self.send_header("X-Repo-Commit", hub.head())
                self.send_header("Content-Type", "application/octet-stream")
            else:
                self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)

        do_GET = do_POST = do_PUT = do_HEAD = _serve

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler
