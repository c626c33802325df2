"""A site of other people: a small HTTP server whose pages a test decides, and which remembers who asked."""
import http.server
import threading


class Origin:
    """`pages` maps a path to (content type, bytes) or to (status, headers, bytes). Everything else is 404."""

    def __init__(self, pages=(), address="127.0.0.1"):
        self.pages, self.asked = dict(pages), []
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                path = self.path.split("?")[0]
                owner.asked.append(self.path)
                page = owner.pages.get(path, (404, {}, b""))
                status, headers, body = page if len(page) == 3 else (200, {"Content-Type": page[0]}, page[1])
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(body)

            do_HEAD = do_GET

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer((address, 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def url(self, path):
        return "http://{}:{}".format(*self.server.server_address) + path

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
