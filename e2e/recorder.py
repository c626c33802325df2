"""Stands between a client and a server and remembers every byte that the client sent. Standard library only."""
import contextlib
import re
import socket
import threading


class Recorder:
    """Forwards connections to `target`; `sent` are the bytes of each, in the order in which they were opened."""

    def __init__(self, target):
        self.target, self.sent, self.is_cut = target, [], False
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = self.listener.getsockname()
        self.open = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self):
        return f"http://{self.address[0]}:{self.address[1]}"

    def bytes(self):
        return b"\n".join(bytes(one) for one in self.sent)

    def requests(self):
        """(method, target) of every request."""
        return [(m[1].decode(), m[2].decode()) for one in self.sent
                for m in re.finditer(rb"(?:\A|\n|\r\n\r\n|--\r\n)(GET|HEAD|POST|PUT|DELETE) (\S+) HTTP/1\.1\r\n", bytes(one))]

    def cut(self):
        """Nobody is there any more, until mend()."""
        self.is_cut = True
        for one in self.open:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def mend(self):
        self.is_cut = False

    def end(self):
        self.cut()
        self.listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            if self.is_cut:
                client.close()
                continue
            try:
                server = socket.create_connection(self.target, 10)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            self.open += [client, server]
            heard = bytearray()
            self.sent.append(heard)
            threading.Thread(target=self._pump, args=(client, server, heard), daemon=True).start()
            threading.Thread(target=self._pump, args=(server, client, None), daemon=True).start()

    @staticmethod
    def _pump(source, sink, heard):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if heard is not None:
                    heard += data
                sink.sendall(data)
        for one in (source, sink):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
