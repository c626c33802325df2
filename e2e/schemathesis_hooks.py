"""What schemathesis is told besides docs/openapi.yaml: words that mean something to the running gate, and what a
description cannot say. Loaded by test_schemathesis.py through SCHEMATHESIS_HOOKS; PORTCULLIS_SITE describes the gate."""
import io
import itertools
import json
import os
import random
import re

import pictures
import requests
import schemathesis
from PIL import Image

SITE = json.loads(os.environ["PORTCULLIS_SITE"])  # {"url", "api_key", "aliases": [...], "origins": [addresses]}
ALIAS = re.compile(r"\.*[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}")
PICTURES = [pictures.tiny(1), pictures.png(2, 64, 48), pictures.webp(3, 64, 48), pictures.animation(4, 3, 48, 32)]


def upload(path, data):
    return requests.post(SITE["url"] + path, files={"images[]": ("a.jpg", data)}, timeout=30)


class Words:
    """The same from run to run. Of three words that the schema made two become real ones."""

    def __init__(self):
        self.dice = random.Random(1)
        self.seeds = itertools.count(100)

    def real(self):
        return self.dice.random() < 2 / 3

    def alias(self):
        return self.dice.choice(SITE["aliases"])

    def short_lived(self):
        """An upload to be deleted, of a picture that has no other; nothing while none are taken."""
        answer = upload("/image", pictures.tiny(next(self.seeds)))
        return answer.json()["files"][0] if answer.status_code == 201 else {}

    def upload_id(self):
        answer = upload("/image/backgrounded", PICTURES[0])
        return answer.json()["uploads"][0]["upload_id"] if answer.status_code == 202 else None


words = Words()


def is_alias(value):
    return isinstance(value, str) and ALIAS.fullmatch(value) is not None


@schemathesis.hook
def before_call(context, case, kwargs):
    path = case.operation.path
    if "X-Api-Token" in case.headers and words.real():
        case.headers["X-Api-Token"] = SITE["api_key"]
    if "X-Request-Deadline" in case.headers and words.real():
        case.headers["X-Request-Deadline"] = "9" * 19
    if path.startswith(("/image/original", "/image/process.")) and not words.real():
        case.headers.update(words.dice.choice([{"If-None-Match": "*"}, {"Range": "bytes=3-9"}, {"Range": "bytes=999999999-"},
                                               {"Range": "bytes=0-1,3-4"}]))
    if "{token}" in path and is_alias(case.path_parameters.get("alias")) and words.real():
        file = words.short_lived()
        case.path_parameters["alias"] = file.get("file", words.alias())
        if words.real():
            case.path_parameters["token"] = file.get("delete_token", case.path_parameters["token"])
    elif is_alias(case.path_parameters.get("alias")) and words.real():
        case.path_parameters["alias"] = words.alias()
    one_of(case, path)
    if "upload_id" in case.query and words.real():
        case.query["upload_id"] = words.upload_id() or case.query["upload_id"]
    if path == "/internal/set_not_found" and isinstance(case.body, dict) and is_alias(case.body.get("alias")) and words.real():
        case.body["alias"] = words.alias()
    if case.media_type == "multipart/form-data" and words.real():
        data = words.dice.choice(PICTURES)
        name = f"imported-{next(words.seeds)}.jpg" if path == "/internal/import" else "picture.jpg"
        kwargs["files"] = [("images[]", (name, data))]


def one_of(case, path):
    """Of the ways to name a picture, one; it exists, and may go if the operation deletes it."""
    given = [name for name in ("src", "alias", "proxy", "url") if isinstance(case.query.get(name), str)]
    for name in {"proxy", "url"} & set(given):  # no test asks a name server for what the schema made up
        case.query[name] = re.sub(r"^(https?://)[^/?#]+", r"\g<1>10.0.0.1", case.query[name])
    if not given or not words.real():
        return
    kept = words.dice.choice(given)
    for name in given:
        if name != kept:
            del case.query[name]
    if kept in ("proxy", "url"):
        case.query[kept] = words.dice.choice(SITE["origins"])
    elif path in ("/internal/delete", "/internal/purge"):
        case.query[kept] = words.short_lived().get("file", case.query[kept])
    else:
        case.query[kept] = words.alias()


def described(response, case):
    found = case.operation.responses.find_by_status_code(response.status_code)
    return found.definition if found else {}


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """OpenAPI has no word for "JSON or nothing"; x-empty-body is ours."""
    return bool(response.content or not described(response, case).get("x-empty-body"))


@schemathesis.check
def nothing_undescribed(ctx, response, case):
    """An answer that is described without content has none."""
    if response.content and case.method != "HEAD" and described(response, case):
        assert "content" in described(response, case), f"{response.status_code} with {response.content[:200]!r}"


@schemathesis.check
def pictures_are_pictures(ctx, response, case):
    """What is called a picture can be opened as one, and a variant has the format that was asked for."""
    kind = (response.headers.get("content-type") or [""])[0]
    if response.status_code != 200 or case.method != "GET" or not kind.startswith("image/") or kind == "image/jxl":
        return
    with Image.open(io.BytesIO(response.content)) as picture:
        picture.load()
        assert Image.MIME[picture.format] in (kind, "image/png" if kind == "image/apng" else kind), (picture.format, kind)


@schemathesis.deserializer("image/*")
def picture(ctx, response):
    return {}
