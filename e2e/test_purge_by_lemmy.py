"""Purging what only Lemmy's database knows to be federated: pictures that were taken over without a word of where they came from."""
import json
import re
import tempfile
import uuid

import pictures
import pytest
import wire
from contract import configured, internal
from gate import wait_until
from lemmy_database import PASSWORD, LemmyDatabase
from origin import Origin
from pict_rs_imposter import PictRsImposter

RELAYED = wire.as_lemmy_relays()
GENERATIONS = ["0.19", "1.0"]


@pytest.fixture(scope="module")
def postgres():
    running = LemmyDatabase()
    yield running
    running.end()


@pytest.fixture(scope="module")
def site():
    with Origin({"/page": ("text/html", b'<meta property="og:image" content="/of-page.jpg">'), "/gone": (404, {}, b""),
                 "/post/5": ("application/activity+json", b'{"image":{"url":"/of-post.jpg"}}')}, "127.0.0.2") as origin:
        yield origin


@pytest.fixture
def gate(binaries, room):
    gate = configured(binaries, room, egress={"allow": ["127.0.0.2/32"]}, site={"hosts": ["lemmy.example"]})
    yield gate.start()
    gate.end()


class Site:
    """A database and what it shows, made one picture at a time; every picture lies in the gate as `import` leaves it."""

    def __init__(self, gate, postgres, generation):
        self.gate, self.postgres, self.generation = gate, postgres, generation
        self.url, self.posts = postgres.make("lemmy", generation), 0

    def sql(self, text):
        return self.postgres.run("lemmy", text)

    def store(self):
        alias = f"{uuid.uuid4()}.jpeg"
        content_type, body = wire.multipart([(alias, "image/jpeg", pictures.jpeg(hash(alias) % 100_000, 64, 48))])
        answer = internal(self.gate, "POST", "import", body, headers=[("Content-Type", content_type)])
        assert answer.status == 201, answer
        return alias

    def address(self, alias):
        return f"https://lemmy.example/pictrs/image/{alias}"

    def upload(self):
        alias = self.store()
        columns = ("local_user_id, pictrs_delete_token, published" if self.generation == "0.19" else "person_id, published_at")
        values = "1, 'token', now() - interval '1 day'" if self.generation == "0.19" else "1, now() - interval '1 day'"
        self.sql(f"INSERT INTO local_image (pictrs_alias, {columns}) VALUES ('{alias}', {values})")
        return alias

    def post(self, url, alias, kind=None, local=False):
        self.posts += 1
        self.sql(f"INSERT INTO post (url, thumbnail_url, ap_id, local, url_content_type) VALUES ('{url}', '{self.address(alias)}', "
                 f"'{url.rpartition('/')[0]}/post/{self.posts}', {local}, {'NULL' if kind is None else repr(kind)})")
        return self.posts

    def thumbnail(self, url, kind=None):
        """Of a post of another site."""
        alias = self.store()
        post = self.post(url, alias, kind)
        if self.generation == "0.19":
            self.sql(f"INSERT INTO local_image VALUES ('{alias}', NULL, 'token', now() - interval '1 day')")
        else:
            self.sql(f"INSERT INTO local_image (pictrs_alias, person_id, thumbnail_for_post_id, published_at) "
                     f"VALUES ('{alias}', 2, {post}, now() - interval '1 day')")
        return alias

    def purge(self, *words, code=0):
        done = self.gate.cli("purge federated --json --lemmy-db", self.url, *words)
        assert done.returncode == code, done
        assert PASSWORD not in done.stdout + done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    def shown(self, alias):
        answer = self.gate.get(f"/image/original/{alias}", RELAYED)
        return answer.headers.get("Location") or answer.status


@pytest.fixture(params=GENERATIONS)
def lemmy(request, gate, postgres):
    return Site(gate, postgres, request.param)


def test_thumbnails_go_and_lead_to_their_origin_and_uploads_stay(lemmy, gate):
    origin = "https://far.example/cat.jpg"
    thumbnail, upload = lemmy.thumbnail(origin, "image/jpeg"), lemmy.upload()
    named = lemmy.upload()
    lemmy.post("https://far.example/mean", named)  # a custom thumbnail that points at somebody else's upload
    gate.must("switch remote pass_through")
    preview = lemmy.purge("--dry-run")
    assert (preview["aliases"], preview["lemmy"]["federated"], preview["lemmy"]["uploads"]) == (0, 1, 2) and lemmy.shown(thumbnail) == 200
    said = lemmy.purge()
    assert said["purged"] == 1
    wait_until("the gate knows", lambda: lemmy.shown(thumbnail) == origin, 5)
    assert lemmy.shown(upload) == lemmy.shown(named) == 200
    assert lemmy.purge()["purged"] == 0, "a second run finds nothing more to take"


def test_posts_get_their_origins_back_if_that_is_wanted(lemmy):
    thumbnail = lemmy.thumbnail("https://far.example/dog.jpg", "image/jpeg")
    assert lemmy.purge("--rewrite-posts")["rewritten"] == 1
    assert lemmy.sql("SELECT thumbnail_url FROM post") == ["https://far.example/dog.jpg"] and thumbnail


def test_what_has_no_known_origin_stays_and_is_asked_for(lemmy, site, gate):
    of_page, of_post, unknown = lemmy.thumbnail(site.url("/page")), None, None
    while lemmy.posts < 4:
        lemmy.post("https://far.example/filler", lemmy.upload())
    of_post = lemmy.thumbnail(site.url("/gone"))
    unknown = lemmy.thumbnail("http://127.0.0.2:1/nothing")
    gate.must("switch remote pass_through")
    assert lemmy.purge(code=2)["without_origin"] == 3
    assert [lemmy.shown(alias) for alias in (of_page, of_post, unknown)] == [200] * 3
    assert lemmy.purge("--fetch-origins", code=2)["without_origin"] == 1
    wait_until("the gate knows", lambda: lemmy.shown(of_page) == site.url("/of-page.jpg"), 5)
    assert lemmy.shown(of_post) == site.url("/of-post.jpg") and lemmy.shown(unknown) == 200
    lemmy.purge("--even-without-origin")
    wait_until("the gate knows", lambda: lemmy.shown(unknown) == 404, 5)


@pytest.mark.parametrize("url,says", [("postgres://postgres:{password}@/nothing?host={folder}", "nothing"),
                                      ("postgres://postgres:{password}@127.0.0.1:1/lemmy", "127.0.0.1"), ("mysql://x", "postgres://")])
def test_a_database_that_cannot_be_asked_is_said_and_nothing_goes(gate, postgres, url, says):
    done = gate.cli("purge federated --lemmy-db", url.format(password=PASSWORD, folder=postgres.folder))
    assert done.returncode == 1 and says in done.stderr and PASSWORD not in done.stdout + done.stderr, done


def test_what_needs_lemmy_says_so(gate):
    for flag in ("--rewrite-posts", "--without-row", "--fetch-origins"):
        done = gate.cli("purge federated", flag)
        assert done.returncode == 1 and "--lemmy-db" in done.stderr


# --- pictures that a pict-rs stores ---

@pytest.fixture
def pict_rs(room):
    running = PictRsImposter(tempfile.mkdtemp(dir=room))
    running.start()
    yield running
    running.end()


class PictRsSite(Site):
    """The same, with every picture in the pict-rs that the gate stands before."""

    def __init__(self, gate, postgres, generation, pict_rs):
        super().__init__(gate, postgres, generation)
        self.pict_rs = pict_rs

    def store(self):
        alias = f"{uuid.uuid4()}.jpeg"
        self.pict_rs.add(pictures.jpeg(hash(alias) % 100_000, 64, 48), alias=alias)
        return alias


@pytest.fixture(params=GENERATIONS)
def in_front(request, binaries, room, postgres, pict_rs):
    gate = configured(binaries, room, site={"hosts": ["lemmy.example"]})
    key = gate.folder / "key"
    key.write_text(pict_rs.api_key)
    key.chmod(0o600)
    gate.configure("pict_rs", url=pict_rs.url, api_key=f"file:{key}")
    gate.start()
    yield PictRsSite(gate, postgres, request.param, pict_rs)
    gate.end()


def test_thumbnails_in_a_pict_rs_go_alias_by_alias(in_front):
    origin = "https://far.example/cat.jpg"
    upload, thumbnail = in_front.upload(), in_front.thumbnail(origin, "image/jpeg")
    theirs = in_front.thumbnail("https://far.example/dog.jpg", "image/jpeg")
    in_front.gate.must("switch remote pass_through")
    assert in_front.purge()["purged"] == 2
    assert in_front.shown(thumbnail) == origin and in_front.shown(theirs) == "https://far.example/dog.jpg"
    assert in_front.shown(upload) == 200
    assert not [target for _, target in in_front.pict_rs.requests if "purge" in target], "only aliases are deleted"
    assert in_front.purge()["purged"] == 0


def test_a_pict_rs_that_fails_in_the_middle_is_said_and_the_purge_goes_on_later(in_front):
    thumbnail = in_front.thumbnail("https://far.example/cat.jpg", "image/jpeg")
    in_front.gate.must("switch remote pass_through")
    in_front.pict_rs.end()
    done = in_front.gate.cli("purge federated --lemmy-db", in_front.url)
    assert done.returncode == 1 and "127.0.0.1" in done.stderr and in_front.pict_rs.api_key not in done.stderr
    in_front.pict_rs.start()
    assert in_front.purge()["purged"] == 1 and in_front.shown(thumbnail) == "https://far.example/cat.jpg"


def test_what_of_a_pict_rs_is_federated_only_lemmy_knows(gate):
    done = gate.cli("purge federated --pict-rs http://127.0.0.1:1")
    assert done.returncode == 1 and "--lemmy-db" in done.stderr


def test_what_lemmy_names_and_a_list_knows_is_kept_as_evidence(lemmy, gate):
    alias, good = lemmy.thumbnail("https://far.example/bad.jpg", "image/jpeg"), lemmy.thumbnail("https://far.example/good.jpg", "image/jpeg")
    original, = gate.query(f"SELECT hex(original) FROM rendition JOIN alias ON alias.blob = rendition.blob WHERE alias = '{alias}'")[0]
    gate.add_list("csam/test", "sha256", [original.lower()])
    gate.configure("evidence", **dict(re.findall(r'(\w+) = "(.*)"', gate.must("evidence keygen", "--out", gate.folder / "keys"))))
    said = lemmy.purge()
    assert (said["purged"], said["preserved"], said["not_kept"]) == (1, 1, 0)
    wait_until("the gate knows", lambda: lemmy.shown(alias) == 410, 5)
    assert lemmy.shown(good) != 410
