"""A hub on this machine: repositories in memory, served as huggingface_hub asks for them; and a laid-out cache."""

import hashlib
import json
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

Files = Mapping[str, bytes]
COMMIT = "1" * 40
REFUSALS = {"owner/gated": (403, "GatedRepo"), "owner/missing": (404, "RepoNotFound")}


class SmallHub(ThreadingHTTPServer):
    """Serves `repositories`, each at its branch `main` and the commit `COMMIT`."""

    def __init__(self, repositories: Mapping[str, Files]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repositories = repositories
        self.asked: list[str] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: SmallHub

    def do_GET(self) -> None:
        path = self.path.partition("?")[0].strip("/")
        self.server.asked.append(f"{self.command} {path}")
        words = path.removeprefix("api/models/").split("/")
        name, (revision, *rest) = "/".join(words[:2]), words[3:]
        file = "/".join(rest)
        files = self.server.repositories.get(name)
        if files is None:
            self._refuse(*REFUSALS.get(name, (404, "RepoNotFound")))
        elif revision not in ("main", COMMIT):
            self._refuse(404, "RevisionNotFound")
        elif words[2] == "tree":
            entries = [{"type": "file", "path": k, "size": len(v), "oid": _tag(v)} for k, v in files.items()]
            self._answer(json.dumps(entries).encode(), {"Content-Type": "application/json"})
        elif path.startswith("api/"):
            about = {"id": name, "sha": COMMIT, "siblings": [{"rfilename": k} for k in sorted(files)]}
            self._answer(json.dumps(about).encode(), {"Content-Type": "application/json"})
        elif file not in files:
            self._refuse(404, "EntryNotFound")
        else:
            self._answer(files[file], {"ETag": f'"{_tag(files[file])}"', "X-Repo-Commit": COMMIT})

    do_HEAD = do_GET

    def _answer(self, body: bytes, headers: Mapping[str, str], status: int = 200) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def _refuse(self, status: int, code: str) -> None:
        self._answer(b"", {"X-Error-Code": code, "X-Error-Message": f"refused: {code}"}, status)

    def log_message(self, *_: object) -> None:
        """Nothing is logged."""


def lay_cache(cache: Path, repository: str, files: Files, commit: str = COMMIT) -> Path:
    """A repository's `main` in a cache folder, as the hub's library leaves it; returns the snapshot."""
    root = cache / f"models--{repository.replace('/', '--')}"
    snapshot = root / "snapshots" / commit
    for name, content in files.items():
        blob = root / "blobs" / _tag(content)
        blob.parent.mkdir(parents=True, exist_ok=True)
        blob.write_bytes(content)
        (snapshot / name).parent.mkdir(parents=True, exist_ok=True)
        (snapshot / name).symlink_to(blob)
    (root / "refs").mkdir(exist_ok=True)
    (root / "refs/main").write_text(commit)
    return snapshot


def _tag(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:40]
