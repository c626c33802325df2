"""Lemmy as its image server and its clients see it: the routes for pictures and posts of 0.19 and of 1.0, and nothing else.

Everything lives in memory. What it sends to the image server is what Lemmy sends: relayed requests carry the client's
headers and X-Forwarded-For, its own calls neither. The answers to clients have Lemmy's shapes and statuses.
"""
import http.client
import http.server
import itertools
import json
import re
import threading
import urllib.parse
import urllib.request
from dataclasses import dataclass, field

FORMATS = ("apng", "avif", "gif", "jpg", "jxl", "png", "webp")
REQUEST_TIMEOUT, UPLOAD_TIMEOUT = 10, 30  # seconds
PICTURE_LINK = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)\)")
PREVIEW_IMAGE = re.compile(rb'<meta[^>]+property="og:image"[^>]+content="([^"]+)"')


class Refused(Exception):
    """An answer in Lemmy's shape for errors."""

    def __init__(self, status, error, message=None, cause=None):
        body = {"error": error, "message": message, "cause": cause}
        super().__init__(status, {name: value for name, value in body.items() if value is not None})


@dataclass
class Person:
    id: int
    name: str
    admin: bool = False
    avatar: str | None = None
    token: str = ""


@dataclass
class LocalImage:
    alias: str
    delete_token: str
    person: Person | None
    thumbnail_for: int | None = None


@dataclass
class Reply:
    """An answer of the image server."""
    status: int
    headers: list = field(default_factory=list)
    body: bytes = b""

    def header(self, name):
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def json(self):
        """None for what is no JSON object."""
        try:
            value = json.loads(self.body)
        except ValueError:
            return None
        return value if isinstance(value, dict) else None


class PictrsClient:
    """Both kinds of request to the image server; `asked` remembers (method, target, headers) of each."""

    def __init__(self, url, user_agent, api_key):
        self.url, self.user_agent, self.api_key, self.asked = urllib.parse.urlsplit(url), user_agent, api_key, []

    def send(self, method, target, headers, body=None, timeout=REQUEST_TIMEOUT):
        connection = http.client.HTTPConnection(self.url.hostname, self.url.port, timeout=timeout)
        try:
            target = self.url.path + target
            self.asked.append((method, target, headers))
            connection.putrequest(method, target, skip_accept_encoding=True)
            for name, value in headers:
                connection.putheader(name, value)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            return Reply(answer.status, answer.getheaders(), answer.read())
        finally:
            connection.close()

    def own(self, method, target, headers=()):
        return self.send(method, target, [("User-Agent", self.user_agent), ("Accept", "*/*"), ("Accept-Encoding", "gzip"), *headers])

    def internal(self, action, alias, header):
        return self.own("POST", f"internal/{action}?alias={alias}", [(header, self.api_key), ("Content-Length", "0")])

    def relay(self, method, target, request, body=None, timeout=REQUEST_TIMEOUT):
        """The client's headers, less those that belong to the connection."""
        dropped = {"host", "accept-encoding", "content-length", "transfer-encoding", "connection"}
        headers = [(name, value) for name, value in request.headers.items() if name.lower() not in dropped]
        peer = "{}:{}".format(*request.client_address[:2])
        headers += [("X-Forwarded-For", peer)] * (2 if method == "GET" else 1)
        return self.send(method, target, [*headers, ("Accept-Encoding", "gzip")], body, timeout)


def encoded(url):
    """Percent-encoded, every character but letters and digits."""
    return "".join(chr(byte) if chr(byte).isalnum() and byte < 128 else f"%{byte:02X}" for byte in url.encode())


class Lemmy:
    """What both versions share. `image_mode`: none, store_link_previews or proxy_all_images."""

    def __init__(self, pictrs, api_key="", image_mode="store_link_previews"):
        self.image_mode, self.people, self.posts, self.local_images = image_mode, {}, {}, {}
        self.remote_images, self.numbers = set(), itertools.count(1)
        self.pictrs = PictrsClient(pictrs, f"Lemmy/{self.version}; +https://lemmy.example", api_key)
        self.admin = self.add_person("admin", admin=True)
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self):
                owner.handle(self)

            do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = handle_any

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.hostname, self.base = "127.0.0.1", f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def end(self):
        self.server.shutdown()
        self.server.server_close()

    def add_person(self, name, admin=False):
        number = next(self.numbers)
        person = Person(number, name, admin, token=f"jwt-of-{name}-{number}")
        self.people[person.token] = person
        return person

    # --- requests of clients ---

    def handle(self, request):
        url = urllib.parse.urlsplit(request.path)
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        try:
            for method, pattern, action in self.routes:
                if method == request.command and (found := re.fullmatch(pattern, url.path)):
                    reply = getattr(self, action)(Call(self, request, url.query, body), *map(urllib.parse.unquote, found.groups()))
                    break
            else:
                known = any(re.fullmatch(pattern, url.path) for _, pattern, _ in self.routes)
                reply = Reply(405 if known else 404)
        except Refused as refused:
            reply = as_json(*refused.args)
        except (OSError, http.client.HTTPException) as error:  # the image server is not there, or too slow
            reply = as_json(400, {"error": "unknown", "message": str(error)})
        request.send_response_only(reply.status)
        if reply.header("Cache-Control") is None:
            request.send_header("Cache-Control", "public, max-age=60")
        for name, value in reply.headers:
            if name.lower() not in ("connection", "content-length", "transfer-encoding"):
                request.send_header(name, value)
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        if request.command != "HEAD":
            chunk = b"%x\r\n%s\r\n" % (len(reply.body), reply.body) if reply.body else b""
            request.wfile.write(chunk + b"0\r\n\r\n")

    def person_of(self, request):
        """Bearer first, then the cookie; a token that is not known is nobody."""
        bearer = request.headers.get("Authorization", "")
        cookies = dict(part.strip().split("=", 1) for part in request.headers.get("Cookie", "").split(";") if "=" in part)
        return self.people.get(bearer.removeprefix("Bearer ") if bearer.startswith("Bearer ") else cookies.get("jwt"))

    def picture(self, call, alias):
        shape, size = call.query.get(self.format_key), call.query.get(self.size_key)
        if shape is None and size is None:
            return self.relayed_picture(call, f"image/original/{encoded_alias(alias)}")
        if shape is None:
            shape = alias.rpartition(".")[2].replace("jpeg", "jpg")
        shape = shape if shape in FORMATS else "jpg"
        thumbnail = f"&thumbnail={size}" if size else ""
        return self.relayed_picture(call, f"image/process.{shape}?src={encoded_alias(alias)}{thumbnail}")

    def proxied_picture(self, call):
        url, shape, size = call.query.get("url"), call.query.get(self.format_key), call.query.get(self.size_key)
        if url not in self.remote_images:
            raise Refused(404, "not_found")
        written = self.written_in_proxy(url)
        if shape is None and size is None:
            return self.relayed_picture(call, f"image/original?proxy={written}")
        shape = shape if shape in FORMATS else "jpg"
        return self.relayed_picture(call, f"image/process.{shape}?proxy={written}" + (f"&thumbnail={size}" if size else ""))

    def relayed_picture(self, call, target):
        reply = self.pictrs.relay("GET", target, call.request)
        return Reply(404) if reply.status == 404 else reply

    def store_upload(self, call, reply):
        """Notes the pictures of an upload; the body as Lemmy reads it."""
        read = reply.json()
        if read is None or "msg" not in read:
            raise Refused(400, "unknown", "the image server's answer is not understood")
        for file in read.get("files") or []:
            details = file["details"]
            if not (0 <= details["width"] < 65536 and 0 <= details["height"] < 65536):
                raise Refused(400, "unknown", "invalid value: width or height")
            self.local_images[file["file"]] = LocalImage(file["file"], file["delete_token"], call.person)
        return read

    # --- posts ---

    def create_post(self, call):
        return self.post_answer(self.save_post(next(self.numbers), call.form, call.person))

    def edit_post(self, call):
        post = self.posts[call.form["post_id"]]
        return self.post_answer(self.save_post(post["id"], {**post["form"], **call.form}, call.person))

    def get_post(self, call):
        return self.post_answer(self.posts[int(call.query["id"])])

    def post_answer(self, post):
        return as_json(200, {"post_view": {"post": {name: value for name, value in post.items() if name not in ("form", "person")}}})

    def receive_post(self, **form):
        """A post of another site arrives by federation."""
        return self.save_post(next(self.numbers), {"name": "from elsewhere", "community_id": 1, **form}, None)

    def save_post(self, number, form, person):
        url, body = form.get("url"), form.get("body")
        kind, preview = self.metadata_of(url) if url else (None, None)
        is_picture = bool(kind and kind.startswith("image/"))
        custom = form.get("custom_thumbnail") if not is_picture else None
        post = {"id": number, "name": form["name"], "form": form, "person": person, "local": person is not None,
                "url": self.proxied_link(url) if is_picture else url, "body": self.proxied_markdown(body) if body else body,
                "thumbnail_url": None, "url_content_type": kind}
        self.posts[number] = post
        source = url if is_picture else preview
        if custom:
            post["thumbnail_url"] = self.proxied_link(custom)
        elif source and not form.get("nsfw"):
            post["thumbnail_url"] = self.thumbnail_of(source, number)
        return post

    def metadata_of(self, url):
        """(content type, og:image): Lemmy asks the address itself, or its own public one for own pictures."""
        request = urllib.request.Request(url, headers={"User-Agent": self.pictrs.user_agent, "Range": "bytes=0-1048575"})
        try:
            with urllib.request.urlopen(request, timeout=REQUEST_TIMEOUT) as answer:
                kind, head = answer.headers.get_content_type(), answer.read(1 << 20)
        except OSError:
            return None, None
        found = PREVIEW_IMAGE.search(head) if kind == "text/html" else None
        return kind, urllib.parse.urljoin(url, found[1].decode()) if found else None

    def thumbnail_of(self, source, post):
        """A failure is soft: the post then shows the picture where it lies."""
        if self.image_mode == "proxy_all_images":
            return self.proxied_link(source)
        if self.image_mode == "none":
            return source
        try:
            reply = self.pictrs.own("GET", f"image/download?url={encoded(source)}&resize=512")
            if not self.is_good_thumbnail(reply):
                return source
            file = reply.json()["files"][0]
            for name in ("width", "height", "content_type", "created_at"):
                file["details"][name]  # Lemmy cannot read an answer without it
        except (OSError, http.client.HTTPException, TypeError, KeyError, IndexError):
            return source
        self.local_images[file["file"]] = LocalImage(file["file"], file.get("delete_token", ""), None, post)
        return self.base + self.picture_path + file["file"]

    def proxied_link(self, link):
        """What is written into the database for a picture's address."""
        if self.image_mode != "proxy_all_images" or urllib.parse.urlsplit(link).hostname == self.hostname:
            return link
        self.announce(link)
        return f"{self.base}{self.proxy_path}?url={urllib.parse.quote(link, safe='')}"

    def proxied_markdown(self, text):
        def replaced(found):
            link = found[2]
            if urllib.parse.urlsplit(link).hostname == self.hostname and self.image_mode == "proxy_all_images":
                self.announce(link)  # not rewritten, and probed all the same
            return f"![{found[1]}]({self.proxied_link(link)})"

        return PICTURE_LINK.sub(replaced, text)

    def announce(self, link):
        """Puts a picture into the image server's cache and asks for its size; no failure is told to anybody."""
        self.remote_images.add(link)
        try:
            if 200 <= self.pictrs.own("GET", f"image/original?proxy={encoded(link)}").status < 300:
                self.pictrs.own("GET", f"image/details/original?proxy={encoded(link)}")
        except (OSError, http.client.HTTPException):
            pass

    # --- deleting ---

    def purge_post(self, call):
        self.must_be_admin(call)
        post = self.posts.pop(call.form["post_id"])
        for link in (post["url"], post["thumbnail_url"]):
            if link:
                self.purge_link(link)
        return as_json(200, {"success": True})

    def purge_link(self, link):
        """Only of what the public address shows as a picture; a failure is soft."""
        try:
            with urllib.request.urlopen(link, timeout=REQUEST_TIMEOUT) as answer:
                if answer.headers.get_content_maintype() != "image":
                    return
        except OSError:
            return
        reply = self.pictrs.internal("purge", link.rpartition("/")[2], "x-api-token")
        if self.is_good_purge(reply):
            for alias in reply.json()["aliases"]:
                self.local_images.pop(alias, None)

    def purge_person(self, call):
        self.must_be_admin(call)
        for image in [i for i in self.local_images.values() if i.person and i.person.id == call.form["person_id"]]:
            self.delete_image(image)
        self.people = {token: person for token, person in self.people.items() if person.id != call.form["person_id"]}
        return as_json(200, {"success": True})

    def must_be_admin(self, call):
        if not call.person.admin:
            raise Refused(400, "not_an_admin")

    def owned_image(self, call, alias):
        image = self.local_images.get(alias)
        if image is None:
            raise Refused(404, "not_found")
        if not call.person.admin and (image.person is None or image.person.id != call.person.id):
            raise Refused(400, "not_found")
        return image


class Call:
    """A request of a client. `person` is whoever is logged in; nobody is 401."""

    def __init__(self, lemmy, request, query, body):
        self.lemmy, self.request, self.body = lemmy, request, body
        self.query = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))

    @property
    def person(self):
        person = self.lemmy.person_of(self.request)
        if person is None:
            raise Refused(401, "incorrect_login")
        return person

    @property
    def form(self):
        return json.loads(self.body)


def as_json(status, value):
    return Reply(status, [("Content-Type", "application/json")], json.dumps(value).encode())


def encoded_alias(alias):
    return urllib.parse.quote(alias, safe="")


class Lemmy019(Lemmy):
    version, format_key, size_key = "0.19.20", "format", "thumbnail"
    picture_path, proxy_path = "/pictrs/image/", "/api/v3/image_proxy"
    routes = [
        ("POST", "/pictrs/image", "upload"), ("GET", "/pictrs/image/delete/([^/]+)/([^/]+)", "delete"),
        ("GET", "/pictrs/image/([^/]+)", "picture"), ("GET", "/pictrs/healthz", "health"),
        ("GET", "/api/v3/image_proxy", "proxied_picture"), ("POST", "/api/v3/post", "create_post"),
        ("PUT", "/api/v3/post", "edit_post"), ("GET", "/api/v3/post", "get_post"),
        ("PUT", "/api/v3/user/save_user_settings", "save_user_settings"), ("GET", "/api/v3/account/list_media", "list_media"),
        ("GET", "/api/v3/admin/list_all_media", "list_all_media"), ("POST", "/api/v3/admin/purge/post", "purge_post"),
        ("POST", "/api/v3/admin/purge/person", "purge_person"),
    ]

    def upload(self, call):
        call.person  # who is not logged in gets no further
        reply = self.pictrs.relay("POST", "image", call.request, call.body, UPLOAD_TIMEOUT)
        read = self.store_upload(call, reply)
        files = read.get("files")
        if files is not None:
            files = [{"file": file["file"], "delete_token": file["delete_token"],
                      "details": {name: file["details"][name] for name in ("width", "height", "content_type", "created_at")}}
                     for file in files]
        return as_json(reply.status, {"files": files, "msg": read["msg"]})

    def delete(self, call, _token, alias):
        self.delete_image(self.owned_image(call, alias))
        return Reply(204)

    def delete_image(self, image):
        self.pictrs.own("DELETE", f"image/delete/{image.delete_token}/{image.alias}")  # its status does not matter
        del self.local_images[image.alias]

    def save_user_settings(self, call):
        avatar, old = call.form.get("avatar"), call.person.avatar
        if avatar is not None:
            if old and (image := self.local_images.get(old.rpartition("/")[2])):
                self.delete_image(image)
            call.person.avatar = self.proxied_link(avatar) if avatar else None
        return as_json(200, {"success": True})

    def list_media(self, call):
        return self.media(image for image in self.local_images.values() if image.person and image.person.id == call.person.id)

    def list_all_media(self, call):
        self.must_be_admin(call)
        return self.media(image for image in self.local_images.values() if image.person)

    def media(self, images):
        return as_json(200, {"images": [{"local_image": {
            "local_user_id": image.person.id, "pictrs_alias": image.alias, "pictrs_delete_token": image.delete_token},
            "person": {"id": image.person.id, "name": image.person.name}} for image in images]})

    def health(self, call):
        return self.pictrs.relay("GET", "healthz", call.request)

    def written_in_proxy(self, url):
        return url  # as it is

    def is_good_thumbnail(self, reply):
        return True

    def is_good_purge(self, reply):
        return (reply.json() or {}).get("msg") == "ok"


class Lemmy1(Lemmy):
    version, format_key, size_key = "1.0.0", "file_type", "max_size"
    picture_path, proxy_path = "/api/v4/image/", "/api/v4/image/proxy"
    routes = [
        ("POST", "/api/v4/image", "upload"), ("GET", "/api/v4/image/health", "health"), ("GET", "/api/v4/image/list", "list_all_media"),
        ("GET", "/api/v4/image/proxy", "proxied_picture"), ("GET", "/api/v4/image/([^/]+)", "picture"),
        ("DELETE", "/api/v4/image", "delete_any"), ("DELETE", "/api/v4/account/media", "delete"),
        ("GET", "/api/v4/account/media/list", "list_media"), ("POST", "/api/v4/account/avatar", "upload_avatar"),
        ("POST", "/api/v4/post", "create_post"), ("PUT", "/api/v4/post", "edit_post"), ("GET", "/api/v4/post", "get_post"),
        ("POST", "/api/v4/admin/purge/post", "purge_post"), ("POST", "/api/v4/admin/purge/person", "purge_person"),
    ]

    def upload(self, call):
        return self.uploaded(call, "image?allow_video=true&resize=1024")

    def upload_avatar(self, call):
        answer = self.uploaded(call, "image?resize=512&allow_animation=false&allow_video=false")
        if old := self.local_images.get((call.person.avatar or "").rpartition("/")[2]):
            self.delete_image(old)
        call.person.avatar = answer.json()["image_url"]
        return answer

    def uploaded(self, call, target):
        call.person  # who is not logged in gets no further
        read = self.store_upload(call, self.pictrs.relay("POST", target, call.request, call.body, UPLOAD_TIMEOUT))
        if not read.get("files"):
            raise Refused(400, "pictrs_invalid_image_upload", read["msg"], "no files")
        alias = read["files"][0]["file"]
        return as_json(200, {"image_url": self.base + self.picture_path + alias, "filename": alias})

    def delete(self, call):
        self.delete_image(self.owned_image(call, call.form["filename"]))
        return as_json(200, {"success": True})

    def delete_image(self, image):
        if not 200 <= self.pictrs.internal("delete", image.alias, "X-Api-Token").status < 300:
            raise Refused(400, "unknown", "the image server did not delete it")
        del self.local_images[image.alias]

    def delete_any(self, call):
        self.must_be_admin(call)
        reply = self.pictrs.internal("purge", call.form["filename"], "x-api-token")
        if not self.is_good_purge(reply):
            raise Refused(400, "unknown", "the image server did not purge it")
        for alias in reply.json()["aliases"]:
            self.local_images.pop(alias, None)
        return as_json(200, {"success": True})

    def list_media(self, call):
        return self.media(image for image in self.local_images.values() if image.person and image.person.id == call.person.id)

    def list_all_media(self, call):
        self.must_be_admin(call)
        return self.media(self.local_images.values())

    def media(self, images):
        return as_json(200, {"items": [{"local_image": {
            "pictrs_alias": image.alias, "person_id": image.person and image.person.id, "thumbnail_for_post_id": image.thumbnail_for},
            "person": image.person and {"id": image.person.id, "name": image.person.name}} for image in images]})

    def health(self, call):
        if self.pictrs.own("GET", "healthz").status != 200:
            raise Refused(400, "pictrs_unhealthy")
        return as_json(200, {"success": True})

    def proxied_picture(self, call):
        reply = super().proxied_picture(call)
        name = urllib.parse.urlsplit(call.query["url"]).path.rpartition("/")[2]
        reply.headers.append(("Content-Disposition", f'inline; filename="{name}"'))
        return reply

    def written_in_proxy(self, url):
        return encoded(url)

    def is_good_thumbnail(self, reply):
        return 200 <= reply.status < 300

    def is_good_purge(self, reply):
        return 200 <= reply.status < 300 and (reply.json() or {}).get("msg") == "ok"
