"""Detection services as their documentation describes them, for the gate and for the services' own clients to ask."""
import base64
import http.server
import json
import threading
import urllib.parse


class DetectionService:
    """Answers with `reply(method, path, query, headers, body)`: (status, content type, bytes). Remembers what it was asked. While
    `is_broken` every answer is 500."""

    def __init__(self):
        self.asked, self.is_broken = [], False
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                url = urllib.parse.urlsplit(self.path)
                query = dict(urllib.parse.parse_qsl(url.query))
                owner.asked.append((self.command, self.path, dict(self.headers), body))
                status, kind, text = (500, "text/plain", b"broken") if owner.is_broken else \
                    owner.reply(self.command, url.path, query, self.headers, body)
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = answer

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_port}/"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def bodies(self):
        return [body for _, _, _, body in self.asked]


def as_json(status, value):
    return status, "application/json", json.dumps(value).encode()


class Hma(DetectionService):
    """hasher-matcher-actioner 1.1.7 with `banks`: hexadecimal PDQ -> name of a bank."""

    def __init__(self):
        super().__init__()
        self.banks, self.is_ready = {}, True

    def reply(self, method, path, query, headers, body):
        if path == "/status":
            return (200, "text/plain", b"I-AM-ALIVE") if self.is_ready else (503, "text/plain", b"INDEX-NOT-LOADED")
        if (method, path) != ("GET", "/m/lookup"):
            return as_json(404, {"message": "Not Found"})
        if query.get("signal_type") != "pdq" or len(query.get("signal", "")) != 64:
            return as_json(400, {"message": "invalid signal"})
        if not self.is_ready:
            return as_json(503, {"message": "index not yet ready"})
        bank = self.banks.get(query["signal"])
        return as_json(200, {bank: [{"bank_content_id": 1001, "distance": "0"}]} if bank else {})


class ArachnidShield(DetectionService):
    """Project Arachnid Shield with `classes`: base64 PDQ, or the bytes of a picture -> classification."""

    USER, PASSWORD = "gate", "a secret of ours"

    def __init__(self):
        super().__init__()
        self.classes = {}

    def reply(self, method, path, query, headers, body):
        expected = "Basic " + base64.b64encode(f"{self.USER}:{self.PASSWORD}".encode()).decode()
        if headers.get("Authorization") != expected:
            return 401, "text/plain", b"Please supply your API username and password in the Authorization header"
        if (method, path) == ("POST", "/v1/pdq/"):
            hashes = json.loads(body)["hashes"]
            assert all(len(base64.b64decode(h, validate=True)) == 32 for h in hashes), hashes
            return as_json(200, {"scanned_hashes": {h: self._hash(h) for h in hashes}})
        if (method, path) == ("POST", "/v1/media/"):
            found = self.classes.get(body)
            return as_json(200, {
                "sha1_base32": "4523EFGHIJKLMNOPQRSTUVWXYZ723456", "sha256_hex": "00" * 32, "size_bytes": len(body),
                "classification": found or "no-known-match", "match_type": "exact" if found else None,
                "near_match_details": []})
        return as_json(404, {"detail": "Not found."})

    def _hash(self, one):
        found = self.classes.get(one)
        details = {"timestamp": 0.0, "sha1_base32": "A", "sha256_hex": "B", "classification": found} if found else None
        return {"classification": found or "no-known-match", "match_type": "near" if found else None,
                "near_match_details": details}
