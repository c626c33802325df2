"""A site of other people: a small HTTP server whose pages a test decides, and which remembers who asked."""
import http.server
import threading


class Origin:
    """`pages` maps a path to (content type, bytes), to (status, headers, bytes), or to a function that gets the handler and
    either gives one of these or has answered by itself and gives None. Everything else is 404."""

    def __init__(self, pages=(), host="127.0.0.1"):
        self.pages, self.asked = dict(pages), []
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                path = self.path.split("?")[0]
                owner.asked.append(self.path)
                page = owner.pages.get(path, (404, {}, b""))
                if callable(page):
                    page = page(self)
                    if page is None:
                        self.close_connection = True
                        return
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

        self.server = http.server.ThreadingHTTPServer((host, 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def url(self, path):
        return f"http://{self.server.server_address[0]}:{self.server.server_port}{path}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
