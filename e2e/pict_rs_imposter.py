"""An imposter of pict-rs 0.5.19: a real HTTP server that keeps pictures in a folder as pict-rs does, answers the routes that
Portcullis uses with pict-rs's statuses and bodies, and remembers every request. Statements about pict-rs: what its HTTP contract
says and what 0.5.19 was seen to do. It strips nothing and takes any picture that Pillow opens."""
import base64
import contextlib
import datetime
import email.parser
import email.policy
import hashlib
import http.server
import io
import json
import pathlib
import re
import threading
import urllib.parse
import urllib.request
import uuid

from PIL import Image

# Format of Pillow and whether it moves -> content type, extension, pict-rs's byte for it, its words for it.
KINDS = {
    ("JPEG", False): ("image/jpeg", ".jpeg", 5, ("Image", "jpeg")), ("PNG", False): ("image/png", ".png", 7, ("Image", "png")),
    ("WEBP", False): ("image/webp", ".webp", 8, ("Image", "webp")), ("GIF", False): ("image/gif", ".gif", 2, ("Animation", "gif")),
    ("GIF", True): ("image/gif", ".gif", 2, ("Animation", "gif")), ("WEBP", True): ("image/webp", ".webp", 3, ("Animation", "webp")),
    ("PNG", True): ("image/apng", ".apng", 0, ("Animation", "apng")),
}
PILLOW = {"jpg": "JPEG", "jpeg": "JPEG", "png": "PNG", "webp": "WEBP", "gif": "GIF"}


class Refused(Exception):
    def __init__(self, status, code, text):
        super().__init__(text)
        self.status, self.code, self.text = status, code, text


class Stored:
    """A file and everything that hangs on it."""

    def __init__(self, key, identifier, details, created, kind):
        self.key, self.identifier, self.details, self.created, self.kind = key, identifier, details, created, kind
        self.aliases = {}  # alias -> delete token


def now():
    return datetime.datetime.now(datetime.timezone.utc)


def rfc3339(when):
    return when.strftime("%Y-%m-%dT%H:%M:%S.%f") + "Z"


class PictRsImposter:
    def __init__(self, folder, api_key="a-key-for-tests"):
        self.folder = pathlib.Path(folder)
        self.files = self.folder / "files"
        self.files.mkdir(parents=True, exist_ok=True)
        self.api_key, self.process = api_key, None
        self.requests = []            # (method, target) of all of them, in their order
        self.failing = {}             # start of a path -> the status it is answered with
        self.by_key, self.by_alias, self.proxies, self.uploads = {}, {}, {}, {}
        self.not_found = None
        self.lock = threading.RLock()
        self.server, self.media = None, None

    # --- the same as e2e/pict_rs.py ---

    def start(self):
        imposter = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def answer(self):
                imposter.answer(self)

            do_GET = do_HEAD = do_POST = do_DELETE = do_PUT = answer

            def log_message(self, *_):
                pass

        # On the port that it had before, so that it may come back.
        self.server = http.server.ThreadingHTTPServer(self.media or ("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.media = self.server.server_address
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def end(self):
        if self.server is not None:
            self.server.shutdown()
            self.server.server_close()
            self.server = None

    @property
    def url(self):
        return f"http://{self.media[0]}:{self.media[1]}"

    # --- for tests ---

    def asked(self, part):
        """Targets of the requests that hold `part`."""
        return [target for _, target in self.requests if part in target]

    def path_of(self, alias):
        return self.files / self.by_alias[alias].identifier

    def add(self, data, alias=None, created=None, token=None, url=None):
        """A picture as if it had been uploaded (or fetched from `url`); its alias."""
        with self.lock:
            stored = self.store(data, created)
            alias = alias or str(uuid.uuid4()) + stored.kind[1]
            if alias in self.by_alias:
                raise Refused(400, "duplicate-alias", "Provided alias already exists")
            stored.aliases[alias] = token or str(uuid.uuid4())
            self.by_alias[alias] = stored
            if url:
                self.proxies[url] = alias
            return alias

    def store(self, data, created=None):
        if not data:
            raise Refused(400, "validate-file-empty", "Provided file was empty")
        try:
            with Image.open(io.BytesIO(data)) as image:
                image.load()
                frames = getattr(image, "n_frames", 1)
                kind = KINDS[image.format, frames > 1]
                width, height = image.size
        except Exception as error:
            raise Refused(500, "command-failure", "ffprobe Failed with exit status: 1") from error
        digest = hashlib.sha256(data).digest()
        key = digest + len(data).to_bytes(6, "big") + bytes([kind[2]])
        with self.lock:
            if key in self.by_key:
                return self.by_key[key]
            created = created or now()
            name = uuid.uuid4().hex
            identifier = "/".join([*(name[i:i + 2] for i in range(0, 20, 2)), name[20:] + kind[1]])
            path = self.files / identifier
            path.parent.mkdir(parents=True)
            path.write_bytes(data)
            details = {"width": width, "height": height, "frames": frames if frames > 1 else None, "content_type": kind[0],
                       "created_at": rfc3339(created), "format": kind[3][0], "blurhash": "LEHV6nWB2yk8pyo0adR*.7kCMdnj"}
            stored = self.by_key[key] = Stored(key, identifier, details, created, kind)
            return stored

    def rows(self):
        """What pict-rs's tables would hold: {table: [row, ...]}."""
        def database_details(stored):
            word, value = stored.kind[3]
            return json.dumps({**{k: v for k, v in stored.details.items() if k != "blurhash"}, "format": {word: value}})

        text = lambda key: base64.b64encode(key).decode().rstrip("=")
        return {
            "hashes": [(text(s.key), s.identifier, s.created.strftime("%Y-%m-%d %H:%M:%S.%f")) for s in self.by_key.values()],
            "aliases": [(a, text(s.key), t) for s in self.by_key.values() for a, t in s.aliases.items()],
            "details": [(s.identifier, database_details(s)) for s in self.by_key.values()],
            "proxies": [(url, alias) for url, alias in self.proxies.items()],
        }

    # --- requests ---

    def answer(self, handler):
        path, _, query = handler.path.partition("?")
        parameters = urllib.parse.parse_qsl(query, keep_blank_values=True)
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        if handler.headers.get("Transfer-Encoding", "").lower() == "chunked":
            body = self.read_chunks(handler.rfile)
        with self.lock:
            self.requests.append((handler.command, handler.path))
        for start, status in list(self.failing.items()):
            if path.startswith(start):
                return self.send(handler, status, {"msg": "it was told to fail", "code": "unknown-error"})
        try:
            if path.startswith("/internal/") and handler.headers.get("X-Api-Token") != self.api_key:
                raise Refused(401, "invalid-api-token", "Invalid API Key")
            self.route(handler, path, parameters, body)
        except Refused as refused:
            self.send(handler, refused.status, {"msg": refused.text, "code": refused.code})

    @staticmethod
    def read_chunks(stream):
        data = b""
        while size := int(stream.readline().split(b";")[0], 16):
            data += stream.read(size)
            stream.readline()
        stream.readline()
        return data

    def send(self, handler, status, body=None, headers=()):
        data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = dict(headers)
        if isinstance(body, dict):
            headers.setdefault("Content-Type", "application/json")
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(data)

    def route(self, handler, path, parameters, body):
        method, first = handler.command, dict(reversed(parameters))
        reads = method in ("GET", "HEAD")
        if path == "/healthz" and reads:
            return self.send(handler, 200)
        if path == "/image" and method == "POST":
            return self.send(handler, 201, self.uploaded(self.take(handler, body, first)))
        if path == "/image/backgrounded" and method == "POST":
            ids = []
            for alias in self.take(handler, body, first):
                ids.append(str(uuid.uuid4()))
                self.uploads[ids[-1]] = alias
            return self.send(handler, 202, {"msg": "ok", "uploads": [{"upload_id": i} for i in ids]})
        if path == "/image/backgrounded/claim" and reads:
            alias = self.uploads.pop(first.get("upload_id"), None)
            if alias is None:
                raise Refused(400, "already-claimed", "Upload was already claimed")
            return self.send(handler, 200, self.uploaded([alias]))
        if path == "/image/download" and reads:
            return self.send(handler, 201, self.uploaded([self.add(self.fetch(first.get("url", "")))]))
        if path == "/internal/import" and method == "POST":
            return self.send(handler, 201, self.uploaded(self.take(handler, body, first, named=True)))
        if match := re.fullmatch(r"/image/original(?:/([^/]+))?", path):
            if reads:
                stored = self.find(match[1], first, fetch=method == "GET")
                return self.send_file(handler, stored, (self.files / stored.identifier))
        if (match := re.fullmatch(r"/image/process\.(\w+)", path)) and reads:
            return self.send_variant(handler, match[1], parameters, first)
        if (match := re.fullmatch(r"/image/details/original(?:/([^/]+))?", path)) and reads:
            return self.send(handler, 200, self.find(match[1], first).details)
        if path == "/image/blurhash" and reads:
            return self.send(handler, 200, {"msg": "ok", "blurhash": self.find(None, first, fetch=True).details["blurhash"]})
        if (match := re.fullmatch(r"/image/delete/([^/]+)/([^/]+)", path)) and method in ("GET", "DELETE"):
            return self.delete(handler, match[2], match[1])
        if path.startswith("/internal/"):
            return self.internal(handler, method, path.removeprefix("/internal/"), first, body)
        self.send(handler, 404)

    def internal(self, handler, method, name, first, body):
        if name == "hashes" and method == "GET":
            return self.send(handler, 200, self.page(first))
        if name == "variants" and method == "DELETE":
            return self.send(handler, 204)
        if name == "set_not_found" and method == "POST":
            alias = json.loads(body or b"{}").get("alias")
            self.find(alias, {})
            self.not_found = alias
            return self.send(handler, 201, {"msg": "ok"})
        if name == "prune_missing" and method == "POST":
            return self.send(handler, 200, {"complete": True, "progress": len(self.by_key), "total": len(self.by_key)})
        if name not in ("delete", "purge", "aliases", "identifier") or method != ("POST" if name in ("delete", "purge") else "GET"):
            return self.send(handler, 404)
        stored = self.find(None, first)
        alias = first.get("alias") or self.proxies[first["proxy"]]
        if name == "aliases":
            return self.send(handler, 200, {"msg": "ok", "aliases": list(stored.aliases)})
        if name == "identifier":
            return self.send(handler, 200, {"msg": "ok", "identifier": stored.identifier})
        gone = list(stored.aliases) if name == "purge" else [alias]
        for one in gone:
            self.remove(one)
        self.send(handler, 200, {"msg": "ok", **({"aliases": gone} if name == "purge" else {})})

    def take(self, handler, body, first, named=False):
        parts = list(self.parts(handler.headers.get("Content-Type", ""), body))
        if not parts:
            raise Refused(400, "validate-no-files", "No files present in upload")
        if len(parts) > 1:
            raise Refused(400, "file-upload-error", "Error in multipart form: too many files")
        return [self.add(data, alias=name if named else None) for name, data in parts]

    @staticmethod
    def parts(content_type, body):
        message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(
            b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body)
        for part in message.iter_parts() if message.is_multipart() else ():
            if part.get_param("name", header="content-disposition") == "images[]":
                yield part.get_filename(), part.get_payload(decode=True)

    def uploaded(self, aliases):
        return {"msg": "ok", "files": [{"file": a, "delete_token": self.by_alias[a].aliases[a], "details": self.by_alias[a].details}
                                       for a in aliases]}

    def fetch(self, url):
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return answer.read()
        except (OSError, ValueError) as error:
            raise Refused(500, "download-file-error", f"Unable to download image: {error}") from error

    def find(self, alias, first, fetch=False):
        alias = alias or first.get("alias") or first.get("src")
        if alias is None and "proxy" in first:
            url = first["proxy"]
            if url not in self.proxies:
                if not fetch:
                    raise Refused(404, "proxy-not-found", "Provided proxy URL has not been cached")
                self.add(self.fetch(url), url=url)
            alias = self.proxies[url]
        if alias is None:
            raise Refused(400, "invalid-query", "data did not match any variant of untagged enum")
        stored = self.by_alias.get(alias)
        if stored is None:
            raise Refused(404, "alias-not-found", "No such alias")
        return stored

    def send_file(self, handler, stored, path, content_type=None):
        try:
            data = path.read_bytes()
        except OSError as error:
            raise Refused(500, "lost-file", "Lost file") from error
        headers = {"Content-Type": content_type or stored.details["content_type"], "Accept-Ranges": "bytes",
                   "Cache-Control": "public, max-age=604800, immutable",
                   "Last-Modified": stored.created.strftime("%a, %d %b %Y %H:%M:%S GMT")}
        wanted = re.fullmatch(r"bytes=(\d*)-(\d*)", handler.headers.get("Range", ""))
        if not wanted or wanted[0] == "bytes=-":
            return self.send(handler, 200, data, headers)
        begin, end = wanted[1], wanted[2]
        start = int(begin) if begin else max(0, len(data) - int(end))
        stop = min(int(end) + 1, len(data)) if begin and end else len(data)
        if start >= len(data) or stop <= start:
            return self.send(handler, 416, b"", headers)
        self.send(handler, 206, data[start:stop], {**headers, "Content-Range": f"bytes {start}-{stop - 1}/{len(data)}"})

    def send_variant(self, handler, extension, parameters, first):
        if extension not in PILLOW:
            raise Refused(400, "invalid-file-extension", "File extension is invalid")
        operations = [(k, v) for k, v in parameters if k not in ("src", "alias", "proxy")]
        for key, value in operations:
            if key in ("thumbnail", "resize") and not re.fullmatch(r"(?:\w+\.)?a?\d+", value):
                raise Refused(500, "invalid-process-path", "invalid digit found in string")
        stored = self.find(None, first, fetch=handler.command == "GET")
        with Image.open(self.files / stored.identifier) as image:
            image.load()
            for key, value in operations:
                if key in ("thumbnail", "resize") and "a" not in value:
                    image.thumbnail((int(value.split(".")[-1]),) * 2)
            made = io.BytesIO()
            image.convert("RGB" if PILLOW[extension] == "JPEG" else "RGBA").save(made, PILLOW[extension])
        path = self.folder / f"variant-{uuid.uuid4().hex}"
        path.write_bytes(made.getvalue())
        self.send_file(handler, stored, path, f"image/{'jpeg' if PILLOW[extension] == 'JPEG' else extension}")
        path.unlink()

    def delete(self, handler, alias, token):
        stored = self.by_alias.get(alias)
        if stored is not None and stored.aliases[alias] != token:
            raise Refused(403, "invalid-delete-token", "Invalid delete token")
        if stored is not None:
            self.remove(alias)
        self.send(handler, 204)

    def remove(self, alias):
        with self.lock:
            stored = self.by_alias.pop(alias)
            del stored.aliases[alias]
            self.proxies = {u: a for u, a in self.proxies.items() if a != alias}
            if not stored.aliases:
                del self.by_key[stored.key]
                with contextlib.suppress(OSError):
                    (self.files / stored.identifier).unlink()

    def page(self, first):
        limit = int(first.get("limit", 20))
        newest_first = sorted(self.by_key.values(), key=lambda s: (s.created, s.key), reverse=True)
        slug = lambda stored: base64.urlsafe_b64encode(stored.key).decode().rstrip("=")
        start = next((i for i, s in enumerate(newest_first) if slug(s) == first.get("slug")), 0)
        chosen = newest_first[start:start + limit]
        page = {"limit": limit, "hashes": [{"hex": s.key.hex(), "aliases": list(s.aliases), "details": s.details} for s in chosen]}
        if "slug" in first and chosen:
            page["current"] = slug(chosen[0])
        if start + limit < len(newest_first):
            page["next"] = slug(newest_first[start + limit])
        if start > 0:
            page["prev"] = slug(newest_first[max(0, start - limit)])
        return {"msg": "ok", "page": page}
