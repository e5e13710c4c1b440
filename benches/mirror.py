#!/usr/bin/env python3
"""A package index on loopback that keeps what it was asked for.

    python3 benches/mirror.py --listen 127.0.0.1:8765 --work bench-work/mirror [--offline] [--sidecars] [--hold-ms N]

Pages, ranges and whole files come from an upstream index once and from the directory ever after; with `--offline` only
from the directory. The upstream is `PINFOLD_MIRROR_UPSTREAM`, or else what this Python's pip is configured with: its
address is asked at run time and written nowhere, for pages name files by relative URLs.

It is what `pinfold lock --record` is recorded through and what `benches/compare.py` measures against. It is written for
speed on loopback, not for strangers: it trusts its client and its upstream, and only listens where it is told to.
Standard library only.
"""
import argparse
import base64
import hashlib
import html
import html.parser
import json
import os
import re
import socket
import ssl
import sys
import threading
import time
import urllib.parse
import urllib.request

JSON = "application/vnd.pypi.simple.v1+json"
KEPT = ("filename", "hashes", "size", "upload-time", "requires-python", "yanked")
REASONS = {200: "OK", 206: "Partial Content", 304: "Not Modified", 400: "Bad Request", 404: "Not Found",
           416: "Range Not Satisfiable", 502: "Bad Gateway"}


class Failure(Exception):
    """An answer that is no success."""

    def __init__(self, status, text):
        super().__init__(text)
        self.status = status


class Upstream:
    """The index behind, asked with the settings that pip would use."""

    def __init__(self, url):
        parts = urllib.parse.urlsplit(url)
        self.headers = {"User-Agent": "pinfold-mirror"}
        self.host = parts.hostname
        if parts.username is not None:
            pair = "%s:%s" % (urllib.parse.unquote(parts.username), urllib.parse.unquote(parts.password or ""))
            self.login = "Basic " + base64.b64encode(pair.encode()).decode()
        else:
            self.login = None
        netloc = parts.hostname + (":%d" % parts.port if parts.port else "")
        self.url = urllib.parse.urlunsplit((parts.scheme, netloc, parts.path.rstrip("/") + "/", "", ""))
        self.context = ssl.create_default_context(cafile=os.environ.get("PIP_CERT") or None)

    def open(self, url, headers=None):
        request = urllib.request.Request(url, headers={**self.headers, **(headers or {})})
        if self.login and urllib.parse.urlsplit(url).hostname == self.host:
            request.add_unredirected_header("Authorization", self.login)
        for attempt in range(4):
            try:
                return urllib.request.urlopen(request, timeout=60, context=self.context)
            except urllib.error.HTTPError as error:
                if error.code in (404, 410, 416):
                    raise Failure(404 if error.code == 410 else error.code, "upstream says %d" % error.code) from None
                failure = "upstream says %d" % error.code
            except OSError as error:
                failure = "upstream does not answer: %s" % type(error).__name__
            time.sleep(0.5 * 2 ** attempt)
        raise Failure(502, failure)


def pip_index():
    """Returns the URL of the index that pip is configured with."""
    from pip._internal.cli.cmdoptions import index_url
    from pip._internal.configuration import Configuration

    settings = Configuration(isolated=False)
    settings.load()
    found = [value for key, value in settings.items() if key in ("global.index-url", ":env:.index-url")]
    return found[-1] if found else index_url().default


class Links(html.parser.HTMLParser):
    """The files of an HTML page, as the JSON page would have them."""

    def __init__(self):
        super().__init__()
        self.files, self.row = [], None

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "a" and attributes.get("href"):
            url, _, fragment = attributes["href"].partition("#")
            algorithm, _, digest = fragment.partition("=")
            self.row = {"url": url, "filename": "", "hashes": {algorithm: digest} if digest else {}}
            if attributes.get("data-requires-python"):
                self.row["requires-python"] = attributes["data-requires-python"]
            if "data-yanked" in attributes:
                self.row["yanked"] = attributes["data-yanked"] or True

    def handle_data(self, data):
        if self.row is not None:
            self.row["filename"] += data.strip()

    def handle_endtag(self, tag):
        if tag == "a" and self.row is not None:
            self.files.append(self.row)
            self.row = None


class Mirror:
    """Everything that is kept, and one lock for each thing that is being fetched."""

    def __init__(self, work, upstream, sidecars):
        self.work, self.upstream, self.sidecars = work, upstream, sidecars
        self.pages, self.sources = {}, {}
        self.guard, self.locks = threading.Lock(), {}

    def lock(self, key):
        with self.guard:
            return self.locks.setdefault(key, threading.Lock())

    def path(self, *parts):
        path = os.path.join(self.work, *parts)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return path

    def open(self, url, headers=None):
        if self.upstream is None:
            raise Failure(502, "not kept, and the mirror is offline")
        return self.upstream.open(url, headers)

    def page(self, project):
        """Returns (JSON bytes, HTML bytes, ETag) of a project's page."""
        if project not in self.pages:
            with self.lock(("page", project)):
                if project not in self.pages:
                    self.pages[project] = self.make_page(project)
        if self.pages[project] is None:
            raise Failure(404, "no such project")
        return self.pages[project]

    def make_page(self, project):
        kept = self.path("pages", project + ".json")
        if not os.path.exists(kept):
            self.fetch_page(project, kept)
        with open(kept, "rb") as file:
            page = json.load(file)
        if page is None:
            return None
        base = page.pop("base")
        for row in page["files"]:
            self.sources[project, row["filename"]] = urllib.parse.urljoin(base, row["url"])
        files = [self.row(project, row) for row in page["files"]]
        body = {"meta": {"api-version": "1.1"}, "name": project, "files": files}
        if "versions" in page:
            body["versions"] = page["versions"]
        body = json.dumps(body).encode()
        return body, as_html(project, files), '"%s"' % hashlib.sha256(body).hexdigest()[:24]

    def fetch_page(self, project, kept):
        url = self.upstream.url + project + "/" if self.upstream else ""
        try:
            with self.open(url, {"Accept": JSON + ", text/html;q=0.1"}) as answer:
                data, final = answer.read(), answer.url
                if "json" in answer.headers.get("Content-Type", ""):
                    page = json.loads(data)
                else:
                    links = Links()
                    links.feed(data.decode())
                    page = {"files": links.files}
            page["base"] = final
        except Failure as failure:
            if failure.status != 404:
                raise
            page = None
        write(kept, json.dumps(page).encode())

    def row(self, project, row):
        kept = {key: row[key] for key in KEPT if row.get(key) not in (None, False)}
        kept["url"] = "../../files/%s/%s" % (project, urllib.parse.quote(row["filename"]))
        if self.sidecars and row.get("core-metadata"):
            kept["core-metadata"] = row["core-metadata"]
        return kept

    def source(self, project, filename):
        self.page(project)
        plain = filename[:-9] if filename.endswith(".metadata") else filename
        if (project, plain) not in self.sources:
            raise Failure(404, "no such file")
        return self.sources[project, plain] + (".metadata" if plain != filename else "")

    def part(self, project, filename, wanted):
        """Returns (body, Content-Range) of a range of a file that is not kept whole."""
        name = re.sub("[^0-9-]", "_", wanted)
        kept = self.path("ranges", project, filename, name)
        with self.lock(("range", filename, wanted)):
            if not os.path.exists(kept):
                with self.open(self.source(project, filename), {"Range": wanted, "Accept-Encoding": "identity"}) as answer:
                    if answer.status != 206:
                        return None
                    body, where = answer.read(), answer.headers["Content-Range"]
                write(kept, where.encode() + b"\n" + body)
        with open(kept, "rb") as file:
            where, _, body = file.read().partition(b"\n")
        return body, where.decode()

    def whole(self, project, filename):
        """Returns the path of a file, fetched now if it was not before."""
        kept = self.path("files", project, filename)
        if not os.path.exists(kept):
            with self.lock(("file", filename)):
                if not os.path.exists(kept):
                    part = "%s.part-%d" % (kept, os.getpid())
                    source = self.source(project, filename)
                    with self.open(source, {"Accept-Encoding": "identity"}) as answer, open(part, "wb") as file:
                        while True:
                            data = answer.read(1 << 20)
                            if not data:
                                break
                            file.write(data)
                        length = answer.headers.get("Content-Length")
                    if length and os.path.getsize(part) != int(length):
                        os.unlink(part)
                        raise Failure(502, "upstream broke off")
                    os.rename(part, kept)
        return kept


def as_html(project, files):
    rows = []
    for row in files:
        digest = row["hashes"].get("sha256")
        url = row["url"] + ("#sha256=" + digest if digest else "")
        extra = ""
        if "requires-python" in row:
            extra += ' data-requires-python="%s"' % html.escape(row["requires-python"])
        if "yanked" in row:
            extra += ' data-yanked="%s"' % html.escape(row["yanked"] if isinstance(row["yanked"], str) else "")
        rows.append('<a href="%s"%s>%s</a><br>' % (html.escape(url), extra, html.escape(row["filename"])))
    return ("<!DOCTYPE html><html><body><h1>%s</h1>\n%s\n</body></html>\n" % (project, "\n".join(rows))).encode()


def etag(filename, total):
    """Returns the validator of a file: an index never changes a file, so its name and size are enough."""
    return '"%s-%s"' % (hashlib.sha256(filename.encode()).hexdigest()[:16], total)


def write(path, data):
    part = "%s.part-%d-%d" % (path, os.getpid(), threading.get_ident())
    with open(part, "wb") as file:
        file.write(data)
    os.rename(part, path)


def parse_range(text, total):
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", text)
    if not match or match.groups() == ("", "") or total == 0:
        return None
    first, last = match.groups()
    if first == "":
        return (max(0, total - int(last)), total) if int(last) else None
    end = min(int(last) + 1, total) if last else total
    return (int(first), end) if int(first) < end else None


class Connection:
    """One client: requests one after the other, until it hangs up."""

    def __init__(self, mirror, stream, hold_ms):
        self.mirror, self.stream, self.hold = mirror, stream, hold_ms / 1000
        self.reader = stream.makefile("rb", 65536)

    def serve(self):
        while True:
            line = self.reader.readline(8192)
            if not line.strip():
                return
            headers = {}
            while True:
                header = self.reader.readline(65536)
                if header in (b"\r\n", b"\n", b""):
                    break
                name, _, value = header.decode("latin-1").partition(":")
                headers[name.strip().lower()] = value.strip()
            words = line.decode("latin-1").split(" ")
            if self.hold:
                time.sleep(self.hold)
            try:
                self.answer(words[0], words[1].partition("?")[0], headers)
            except Failure as failure:
                print("mirror: %s: %s" % (words[1], failure), file=sys.stderr)
                self.send(failure.status, {"Content-Type": "text/plain"}, str(failure).encode() + b"\n", words[0])
            if headers.get("connection", "").lower() == "close":
                return

    def answer(self, method, path, headers):
        parts = [urllib.parse.unquote(part) for part in path.strip("/").split("/")]
        if method not in ("GET", "HEAD") or any(part in ("", ".", "..") or "/" in part for part in parts):
            raise Failure(400, "not a request for this mirror")
        if len(parts) == 2 and parts[0] == "simple":
            return self.answer_page(method, re.sub("[-_.]+", "-", parts[1]).lower(), headers)
        if len(parts) == 3 and parts[0] == "files":
            return self.answer_file(method, parts[1], parts[2], headers)
        raise Failure(404, "nothing here")

    def answer_page(self, method, project, headers):
        as_json, as_text, etag = self.mirror.page(project)
        json_wanted = "json" in headers.get("accept", "") or headers.get("accept", "*/*") == "*/*"
        kind = JSON if json_wanted else "text/html"
        etag = etag if json_wanted else etag[:-1] + 'h"'
        common = {"Content-Type": kind, "ETag": etag, "Cache-Control": "max-age=600, public", "Vary": "Accept"}
        if headers.get("if-none-match") == etag:
            return self.send(304, common, b"", method)
        return self.send(200, common, as_json if json_wanted else as_text, method)

    def answer_file(self, method, project, filename, headers):
        common = {"Content-Type": "application/octet-stream", "Accept-Ranges": "bytes",
                  "Cache-Control": "max-age=365000000, immutable, public"}
        wanted = headers.get("range")
        kept = self.mirror.path("files", project, filename)
        if not os.path.exists(kept) and wanted and method == "GET":
            part = self.mirror.part(project, filename, wanted)
            if part is not None:
                common["ETag"] = etag(filename, part[1].rpartition("/")[2])
                return self.send(206, {**common, "Content-Range": part[1]}, part[0], method)
        if not os.path.exists(kept) and method == "HEAD":
            part = self.mirror.part(project, filename, "bytes=0-0")
            if part is not None:
                total = part[1].rpartition("/")[2]
                return self.head(200, {**common, "ETag": etag(filename, total), "Content-Length": total})
        with open(self.mirror.whole(project, filename), "rb") as file:
            total = os.fstat(file.fileno()).st_size
            common["ETag"] = etag(filename, total)
            start, end, status = 0, total, 200
            if wanted and headers.get("if-range", common["ETag"]) == common["ETag"]:
                span = parse_range(wanted, total)
                if span is None:
                    return self.send(416, {**common, "Content-Range": "bytes */%d" % total}, b"", method)
                start, end, status = span[0], span[1], 206
                common["Content-Range"] = "bytes %d-%d/%d" % (start, end - 1, total)
            self.head(status, {**common, "Content-Length": str(end - start)})
            while method == "GET" and start < end:
                start += os.sendfile(self.stream.fileno(), file.fileno(), start, min(end - start, 1 << 22))
        return None

    def head(self, status, headers):
        lines = ["HTTP/1.1 %d %s" % (status, REASONS.get(status, "Other"))]
        lines += ["%s: %s" % pair for pair in headers.items()]
        self.stream.sendall(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))

    def send(self, status, headers, body, method):
        lines = ["HTTP/1.1 %d %s" % (status, REASONS.get(status, "Other"))]
        lines += ["%s: %s" % pair for pair in headers.items()]
        if status != 304:
            lines.append("Content-Length: %d" % len(body))
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
        self.stream.sendall(head if method == "HEAD" else head + body)


def accept(listener, mirror, hold_ms):
    while True:
        stream, _ = listener.accept()
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def serve(stream=stream):
            with stream:
                try:
                    Connection(mirror, stream, hold_ms).serve()
                except (BrokenPipeError, ConnectionResetError):
                    pass

        threading.Thread(target=serve, daemon=True).start()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--listen", default="127.0.0.1:8765", metavar="HOST:PORT")
    parser.add_argument("--work", required=True, metavar="DIR", help="where everything is kept")
    parser.add_argument("--offline", action="store_true", help="serve only what is kept")
    parser.add_argument("--sidecars", action="store_true", help="pass on METADATA sidecars (PEP 658)")
    parser.add_argument("--hold-ms", type=float, default=0, metavar="N", help="hold each answer back: a far-away index")
    arguments = parser.parse_args()
    upstream = None if arguments.offline else Upstream(os.environ.get("PINFOLD_MIRROR_UPSTREAM") or pip_index())
    host, _, port = arguments.listen.rpartition(":")
    listener = socket.create_server((host, int(port)), backlog=256)
    print("mirror: http://%s:%d/simple/" % listener.getsockname()[:2], flush=True)
    try:
        accept(listener, Mirror(os.path.abspath(arguments.work), upstream, arguments.sidecars), arguments.hold_ms)
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
