"""An attack, from the first bad picture to the morning after: a site with uploads, thumbnails and copies of others' pictures; lockdown; purge;
everything still shows; lockdown off, with screening; keeping goes on."""
import hashlib
import json
import re

import pictures
import pytest
from gate import wait_until
from whole_site import MODES, browse, is_placeholder, lemmy_before, other_site, shows, site_gate, thumbnail, upload


@pytest.fixture(params=list(MODES))
def mode(request):
    return request.param


def test_an_attack_from_its_beginning_to_its_end(binaries, room, mode):
    gate = site_gate(binaries, room)
    gate.configure("evidence", **dict(re.findall(r'(\w+) = "(.*)"', gate.must("evidence keygen", "--out", gate.folder / "keys"))))
    with other_site(8) as (site, data):
        try:
            gate.start()
            with lemmy_before(gate, mode) as lemmy:
                # A site as it is on any day.
                cat = pictures.jpeg(3000, 320, 240)
                own = upload(lemmy, cat)
                own_post = lemmy.receive_post(url=own)
                links = [lemmy.receive_post(url=site.url(f"/{i}.html")) for i in range(4)]
                image_posts = [lemmy.receive_post(url=site.url(f"/{i}.jpg")) for i in range(4, 6)]
                posts = list(zip([*links, *image_posts], data))
                for post, picture in posts:
                    assert shows(thumbnail(lemmy, post), picture).startswith(lemmy.base)
                # Then pictures come that must not, as uploads and from the other site.
                gore = pictures.jpeg(3001, 320, 240)
                bad = upload(lemmy, gore, "mallory")
                site.pages["/gore.jpg"] = ("image/jpeg", gore)
                site.pages["/gore.html"] = ("text/html", b'<html><head><meta property="og:image" content="/gore.jpg"></head></html>')
                bad_post = lemmy.receive_post(url=site.url("/gore.html"))

                # Three in the morning.
                gate.must("lockdown on --message", "We are under attack.")
                assert gate.upload(pictures.jpeg(3002)).json()["msg"] == "We are under attack."
                gate.must("switch remote block")
                is_placeholder(lemmy.receive_post(url=site.url("/6.html"))["thumbnail_url"])
                gate.add_list("own/gore", "sha256", [hashlib.sha256(gore).hexdigest()])
                gate.must("purge alias", bad.rpartition("/")[2], "--yes")
                said = json.loads(gate.must("purge federated --json").splitlines()[-1])
                assert said["purged"] > 0 and said["without_origin"] == 0

                # Nothing of the site's own is lost, and every post shows a picture again once the block is over.
                shows(own, cat)
                shows(thumbnail(lemmy, own_post), cat)
                wait_until("the picture is off the site", lambda: gate.get(f"/image/original/{bad.rpartition('/')[2]}").status == 410)
                for post, _ in posts:
                    is_placeholder(post["thumbnail_url"])
                gate.must("switch remote pass_through")
                for post, picture in posts:
                    assert shows(thumbnail(lemmy, post), picture).startswith(site.url("/"))
                assert gate.query("SELECT count(*) FROM alias WHERE source = 'remote'") == [(0,)]

                # In the morning: open again, with screening.
                gate.must("lockdown off")
                gate.must("switch remote cache")
                again = upload(lemmy, pictures.jpeg(3003, 320, 240))
                shows(again, pictures.jpeg(3003, 320, 240))
                assert gate.upload(gore).status == 400, "what was banned does not come again"
                for post, picture in posts:
                    assert shows(post["thumbnail_url"], picture).startswith(lemmy.base), "kept again"
                is_placeholder(lemmy.receive_post(url=site.url("/gore.html"))["thumbnail_url"])
                end, answer = browse(bad_post["thumbnail_url"])
                assert end.startswith(lemmy.base) and (answer.status == 410 or answer.headers["Cache-Control"] == "no-store"), "nowhere led to"
                assert gate.must("audit verify")
        finally:
            gate.end()
