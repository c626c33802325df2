"""An HTTP/1.1 client that sends exactly the bytes it is told to: half a body, a lying length, two requests at once."""
import base64
import json
import socket
import time


class Gone(Exception):
    """The server closed the connection without an answer."""


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        return self.json()["code"]

    def __repr__(self):
        return f"<{self.status} {self.headers} {self.body[:300]!r}>"


class Headers:
    """Header lines in order; looked up without regard to case, all values of a name joined."""

    def __init__(self, lines):
        self.lines = lines

    def all(self, name):
        return [v for n, v in self.lines if n.lower() == name.lower()]

    def get(self, name):
        return ", ".join(self.all(name)) or None

    def __contains__(self, name):
        return bool(self.all(name))

    def __getitem__(self, name):
        if name not in self:
            raise KeyError(f"{name} is not in {self.lines}")
        return self.get(name)

    def __repr__(self):
        return repr(self.lines)


class Wire:
    """One connection."""

    def __init__(self, address, timeout=30.0):
        self.socket = socket.create_connection(address, timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.rest = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def vanish(self):
        """Closes with a reset, as a machine does that was switched off and on."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.socket.close()

    def drip(self, data, pause, most):
        """Sends a byte each `pause` seconds until the server answers, at most `most` seconds. How long it took."""
        begin = time.monotonic()
        for byte in data:
            self.socket.settimeout(pause)
            try:
                self.socket.recv(1, socket.MSG_PEEK)
                return time.monotonic() - begin
            except TimeoutError:
                pass
            if time.monotonic() - begin > most:
                raise AssertionError(f"no answer within {most} s of dripping")
            self.socket.settimeout(30)
            self.socket.sendall(bytes([byte]))
        raise AssertionError("the data ended before the server answered")

    def _more(self):
        data = self.socket.recv(256 * 1024)
        if not data:
            raise Gone(self.rest)
        self.rest += data

    def read(self, head_only=False):
        """The next answer; interim answers (100) are skipped."""
        try:
            while True:
                while b"\r\n\r\n" not in self.rest:
                    self._more()
                head, self.rest = self.rest.split(b"\r\n\r\n", 1)
                first, *lines = head.decode("latin-1").split("\r\n")
                status = int(first.split(" ")[1])
                headers = Headers([tuple(part.strip() for part in line.split(":", 1)) for line in lines])
                if status != 100:
                    break
            return Answer(status, headers, b"" if head_only or status in (204, 304) else self._body(headers))
        except (ConnectionResetError, BrokenPipeError) as error:
            raise Gone(self.rest) from error

    def _body(self, headers):
        if "Content-Length" in headers:
            length = int(headers["Content-Length"])
            while len(self.rest) < length:
                self._more()
            body, self.rest = self.rest[:length], self.rest[length:]
            return body
        if (headers.get("Transfer-Encoding") or "").lower() == "chunked":
            body = b""
            while True:
                size = int(self._line(), 16)
                while len(self.rest) < size + 2:
                    self._more()
                body, self.rest = body + self.rest[:size], self.rest[size + 2:]
                if size == 0:
                    return body
        while True:
            try:
                self._more()
            except Gone:
                body, self.rest = self.rest, b""
                return body

    def _line(self):
        while b"\r\n" not in self.rest:
            self._more()
        line, self.rest = self.rest.split(b"\r\n", 1)
        return line

    def ended(self, within=10.0):
        """Whether the server closes the connection without another byte."""
        self.socket.settimeout(within)
        try:
            return self.rest == b"" and self.socket.recv(1) == b""
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False


def head(method, target, headers=(), host="127.0.0.1"):
    """A request head. `headers` is a list of pairs or a dict; a Host in it replaces the usual one."""
    lines = list(headers.items() if isinstance(headers, dict) else headers)
    if not any(name.lower() == "host" for name, _ in lines):
        lines.insert(0, ("Host", host))
    return f"{method} {target} HTTP/1.1\r\n".encode() + b"".join(
        f"{name}: {value}\r\n".encode("latin-1") for name, value in lines) + b"\r\n"


def multipart(files, field="images[]", boundary="----WebKitFormBoundaryqXb0Xe7R4XrjBqWr"):
    """(content type, body) as a browser makes it. `files` is a list of bytes or of (name, content type, bytes)."""
    body = b""
    for number, file in enumerate(files):
        name, content_type, data = file if isinstance(file, tuple) else (f"{number}.jpg", "image/jpeg", file)
        body += (f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n'
                 f"Content-Type: {content_type}\r\n\r\n").encode() + data + b"\r\n"
    return f"multipart/form-data; boundary={boundary}", body + f"--{boundary}--\r\n".encode()


def session_of(account):
    """An Authorization header as Lemmy's clients send it; nobody but Lemmy can check the signature."""
    part = lambda value: base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
    return f"Bearer {part({'alg': 'HS256'})}.{part({'sub': str(account)})}.c2ln"


def as_lemmy_relays(headers=()):
    """What Lemmy makes of a browser's request: its headers copied, one X-Forwarded-For line added for each hop."""
    return [("User-Agent", "Mozilla/5.0"), ("Accept", "*/*"), ("Accept-Encoding", "gzip"),
            *(headers.items() if isinstance(headers, dict) else headers),
            ("X-Forwarded-For", "192.0.2.7"), ("X-Forwarded-For", "127.0.0.1:42624")]


def as_lemmy_asks(headers=()):
    """Lemmy's own calls."""
    return [("User-Agent", "Lemmy/0.19.20; +https://lemmy.example"), ("Accept", "*/*"), ("Accept-Encoding", "gzip"),
            *(headers.items() if isinstance(headers, dict) else headers)]
