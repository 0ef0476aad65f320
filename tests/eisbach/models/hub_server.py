"""A hub on 127.0.0.1 that serves one repository at one commit, with the addresses and headers that a client reads."""

import hashlib
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"
REFUSALS = {  # repository -> HTTP status and the hub's error code
    "owner/gated": (403, "GatedRepo"),
    "owner/nowhere": (404, "RepoNotFound"),
    "owner/forbidden": (403, ""),
    "owner/halfway": (403, ""),  # refuses the file after HEAD has said that it exists
}


@contextmanager
def serving(repository: str, folder: Path, revisions: tuple[str, ...] = (COMMIT, "main")):
    """Serve `folder`; yield (address, requests), a list that grows by (method, path, Authorization header)."""
    requests = []

    class Hub(BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.answer()

        def do_GET(self):
            self.answer()

        def answer(self):
            requests.append((self.command, self.path, self.headers.get("Authorization")))
            name, _, rest = self.path.lstrip("/").partition("/resolve/")
            revision, _, path = rest.partition("/")
            if name == "owner/halfway" and self.command == "HEAD":
                name = repository
            if name in REFUSALS:
                return self.refuse(*REFUSALS[name])
            if name != repository:
                return self.refuse(404, "RepoNotFound")
            if revision not in revisions:
                return self.refuse(404, "RevisionNotFound")
            if not (folder / path).is_file():
                return self.refuse(404, "EntryNotFound")
            content = (folder / path).read_bytes()
            self.send_response(200)
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

        def refuse(self, status, code):
            self.send_response(status)
            if code:
                self.send_header("X-Error-Code", code)
            self.send_header("X-Error-Message", "refused")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", requests
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
