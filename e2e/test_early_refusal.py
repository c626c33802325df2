"""A refusal that comes before the body was read still reaches a client that first sends everything."""
import pictures
import pytest
import wire

BIG = pictures.with_tail(pictures.jpeg(1)) + bytes(6_000_000)


@pytest.fixture(scope="module")
def closed_gate(gate):
    gate.must("lockdown", "on", "uploads", "--message", "We are under attack: back tomorrow.")
    yield gate
    gate.must("lockdown", "off", "uploads")


def send_all_then_read(gate, body, headers):
    with wire.Wire(gate.media) as connection:
        connection.send(wire.head("POST", "/image", headers) + body)
        return connection.read()


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_who_writes_everything_first_reads_the_refusal_each_time(closed_gate, chunked):
    content_type, body = wire.multipart([BIG])
    length = [("Transfer-Encoding", "chunked")] if chunked else [("Content-Length", len(body))]
    if chunked:
        body = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in (body[i:i + 65536] for i in range(0, len(body), 65536)))
        body += b"0\r\n\r\n"
    headers = wire.as_lemmy_relays([("Content-Type", content_type), *length])
    answers = [send_all_then_read(closed_gate, body, headers) for _ in range(20)]
    assert {(a.status, a.code) for a in answers} == {(answers[0].status, "uploads-closed")}
    assert answers[0].status in (400, 403)


def test_the_text_of_the_admin_arrives(closed_gate):
    body = closed_gate.upload(pictures.tiny(2)).json()
    assert body["msg"] == body["message"] == "We are under attack: back tomorrow."
    assert body["files"] is None and ":" not in body["error"], "one client cuts at the colon"


def test_it_costs_no_spool_and_no_decode(closed_gate):
    before = closed_gate.metrics()
    for seed in range(5):
        assert closed_gate.upload(pictures.tiny(seed)).code == "uploads-closed"
    after = closed_gate.metrics()
    assert after["portcullis_decodes_total"] == before["portcullis_decodes_total"]
    assert after['portcullis_uploads_total{result="closed"}'] == before['portcullis_uploads_total{result="closed"}'] + 5


def test_the_connection_can_be_used_again(closed_gate):
    content_type, body = wire.multipart([BIG])
    with wire.Wire(closed_gate.media) as connection:
        for _ in range(3):
            connection.send(wire.head("POST", "/image", wire.as_lemmy_relays(
                [("Content-Type", content_type), ("Content-Length", len(body))])) + body)
            assert connection.read().code == "uploads-closed"


def test_a_body_over_the_limit_is_told_so_while_it_is_being_sent(new_gate):
    gate = new_gate()
    gate.configure("media", max_file_size="1 MiB")
    gate.start()
    content_type, body = wire.multipart([BIG])
    headers = wire.as_lemmy_relays([("Content-Type", content_type), ("Content-Length", len(body))])
    answers = [send_all_then_read(gate, body, headers) for _ in range(20)]
    assert {(a.status, a.code) for a in answers} == {(413, "validate-file-size")}
    with wire.Wire(gate.media) as connection:  # and who waits for the word before sending gets it at once
        connection.send(wire.head("POST", "/image", headers))
        assert connection.read().status == 413


def test_the_limit_also_holds_when_no_length_was_announced(new_gate):
    gate = new_gate()
    gate.configure("media", max_file_size="1 MiB")
    gate.start()
    content_type, body = wire.multipart([BIG])
    chunked = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in (body[i:i + 65536] for i in range(0, len(body), 65536)))
    headers = wire.as_lemmy_relays([("Content-Type", content_type), ("Transfer-Encoding", "chunked")])
    answers = [send_all_then_read(gate, chunked + b"0\r\n\r\n", headers) for _ in range(20)]
    assert {(a.status, a.code) for a in answers} == {(413, "validate-file-size")}
    assert gate.metrics()["portcullis_spool_bytes"] == 0 and gate.blobs() == []
