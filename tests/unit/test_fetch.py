"""Where data files come from: the declared folder, the cache, a local HTTP server."""

import hashlib
import os
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from spinscape.errors import AbsentError, FetchError
from spinscape.experiment import fetch

CONTENT = b"20,21\n" * 5000
SUM = hashlib.sha256(CONTENT).hexdigest()
OTHER = hashlib.sha256(b"other").hexdigest()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        if self.path == "/moved":
            self._answer(302, b"", {"Location": "/right"})
        elif self.path == "/away":
            self._answer(302, b"", {"Location": "file:///etc/hostname"})
        elif self.path == "/truncated":
            self._answer(200, CONTENT[:7000], {"Content-Length": str(len(CONTENT))})
        elif self.path == "/no-length":
            self._answer(200, CONTENT, {})
        elif self.path == "/silent":
            self.server.released.wait(5.0)
        elif self.path == "/right":
            self._answer(200, CONTENT, {"Content-Length": str(len(CONTENT))})
        else:
            self.send_error(404)

    def _answer(self, status, body, headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.asked, running.released = [], threading.Event()
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        running.url = f"http://127.0.0.1:{running.server_address[1]}"
        yield running
        running.released.set()
        running.shutdown()
        thread.join()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "data" / "sub").mkdir(parents=True)
    return tmp_path / "data"


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


def kept(cache):
    return [p for p in cache.rglob("*") if p.is_file()] if cache.exists() else []


def test_the_data_folder_is_looked_into_first(folder, cache, server):
    (folder / "sub" / "a.csv").write_bytes(CONTENT)
    found = fetch.locate("sub/a.csv", data_folder=folder, url=server.url + "/right", sha256=SUM, cache_folder=cache)
    assert (found.path, found.sha256, found.source) == ((folder / "sub/a.csv").resolve(), SUM, "data folder")
    assert server.asked == []
    assert fetch.locate("sub/a.csv", data_folder=folder).sha256 == SUM


@pytest.mark.parametrize("page", ["/right", "/moved", "/no-length"])
def test_download_once_then_cache(cache, server, page):
    settings = {"url": server.url + page, "sha256": SUM, "cache_folder": cache}
    found = fetch.locate("sub/a.csv", **settings)
    assert found.path.read_bytes() == CONTENT and found.path.name == "a.csv" and found.source == server.url + page
    asked = len(server.asked)
    assert fetch.locate("sub/a.csv", **settings).source == "cache" and len(server.asked) == asked
    assert kept(cache) == [found.path]


def test_a_spoilt_cache_is_downloaded_again(cache, server):
    settings = {"url": server.url + "/right", "sha256": SUM, "cache_folder": cache}
    found = fetch.locate("a.csv", **settings)
    found.path.write_bytes(b"spoilt")
    assert fetch.locate("a.csv", **settings).path.read_bytes() == CONTENT


def test_wrong_sum_of_a_download_is_removed(cache, server):
    with pytest.raises(FetchError, match="sha256 differs") as caught:
        fetch.locate("a.csv", url=server.url + "/right", sha256=OTHER, cache_folder=cache)
    assert not isinstance(caught.value, AbsentError)
    assert f"expected: {OTHER}" in str(caught.value) and f"got: {SUM}" in str(caught.value)
    assert kept(cache) == []


def test_wrong_sum_of_a_local_file_leaves_it(folder, server, cache):
    (folder / "a.csv").write_bytes(b"mine")
    with pytest.raises(FetchError, match="sha256 differs"):
        fetch.locate("a.csv", data_folder=folder, sha256=SUM, url=server.url + "/right", cache_folder=cache)
    assert (folder / "a.csv").read_bytes() == b"mine" and server.asked == []


@pytest.mark.parametrize(
    ("page", "kind", "told"),
    [
        ("/truncated", FetchError, [f"{len(CONTENT)} bytes", "7000 bytes", "cut off"]),
        ("/nothing", AbsentError, ["404", "SPINSCAPE_DATA"]),
        ("/away", AbsentError, ["file"]),
    ],
)
def test_downloads_that_fail_keep_nothing(cache, server, page, kind, told):
    with pytest.raises(FetchError) as caught:
        fetch.locate("a.csv", url=server.url + page, sha256=SUM, cache_folder=cache)
    assert type(caught.value) is kind and server.url + page in str(caught.value)
    assert all(text in str(caught.value) for text in told), str(caught.value)
    assert kept(cache) == []


def test_no_answer_in_time(cache, server):
    with pytest.raises(AbsentError, match="timed out"):
        fetch.locate("a.csv", url=server.url + "/silent", sha256=SUM, cache_folder=cache, timeout=0.1)


def test_limits_of_size_and_time(cache, server):
    settings = {"url": server.url + "/right", "sha256": SUM, "cache_folder": cache}
    with pytest.raises(FetchError, match="too large"):
        fetch.locate("a.csv", **settings, size_limit=1000)
    with pytest.raises(FetchError, match="too long"):
        fetch.locate("a.csv", **settings, time_limit=-1.0)
    assert kept(cache) == []


def test_nobody_listens(cache):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/a"
    with pytest.raises(AbsentError, match="cannot be downloaded"):
        fetch.locate("a.csv", url=url, sha256=SUM, cache_folder=cache)
    assert not fetch.is_available("a.csv", url=url, sha256=SUM, cache_folder=cache)


def test_a_download_that_cannot_be_kept_is_not_an_absent_file(tmp_path, server):
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(FetchError, match="cannot be kept") as caught:
        fetch.locate("a.csv", url=server.url + "/right", sha256=SUM, cache_folder=tmp_path / "cache")
    assert not isinstance(caught.value, AbsentError)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({}, "no address is declared"),
        ({"url": "http://127.0.0.1:9/a"}, "no sha256"),
        ({"url": "http://127.0.0.1:9/a", "sha256": SUM}, "no folder to download to"),
    ],
)
def test_absent_says_where_it_was_looked_for(folder, settings, told):
    with pytest.raises(AbsentError) as caught:
        fetch.locate("sub/b.csv", data_folder=folder, **settings)
    assert told in str(caught.value) and str(folder.resolve()) in str(caught.value) and "sub/b.csv" in str(caught.value)


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/a", "file:///etc/hostname", "data:text/plain,20"])
def test_other_protocols_are_refused(cache, url):
    with pytest.raises(FetchError, match="http and https only"):
        fetch.locate("a.csv", url=url, sha256=SUM, cache_folder=cache)


@pytest.mark.parametrize("file", ["/etc/hostname", "../a.csv", "sub/../../a.csv", "", "C:\\a.csv", "..\\a", "a\0b"])
def test_paths_that_leave_the_folder_are_refused(folder, file):
    (folder.parent / "a.csv").write_bytes(CONTENT)
    for function in (fetch.locate, fetch.is_available):
        with pytest.raises(FetchError, match="only below the declared data folder"):
            function(file, data_folder=folder)


def test_links_may_lead_about_inside_but_not_outside(folder):
    (folder.parent / "secret").write_bytes(b"x")
    (folder / "out").symlink_to(folder.parent / "secret")
    (folder / "up").symlink_to(folder.parent)
    (folder / "sub" / "real").write_bytes(CONTENT)
    (folder / "in").symlink_to("sub/real")
    assert fetch.locate("in", data_folder=folder).sha256 == SUM
    for file in ("out", "up/secret"):
        with pytest.raises(FetchError, match="only below"):
            fetch.locate(file, data_folder=folder)


def test_only_regular_files_are_read(folder):
    os.mkfifo(folder / "pipe")  # opening it would wait for ever
    (folder / "loop").symlink_to("loop")
    for file in ("pipe", "sub", "loop"):
        with pytest.raises(FetchError, match=r"regular file|cannot be reached"):
            fetch.locate(file, data_folder=folder)


def test_a_bad_sum_is_told(cache):
    with pytest.raises(FetchError, match="64 hexadecimal"):
        fetch.locate("a.csv", url="http://127.0.0.1:9/a", sha256="../../x", cache_folder=cache)


def test_is_available(folder, cache, server):
    (folder / "a.csv").write_bytes(CONTENT)
    assert fetch.is_available("a.csv", data_folder=folder)
    assert not fetch.is_available("b.csv", data_folder=folder)
    known = {"sha256": SUM, "cache_folder": cache}
    assert fetch.is_available("b.csv", url=server.url + "/right", **known) and kept(cache) == []
    assert not fetch.is_available("b.csv", url=server.url + "/nothing", **known)
    fetch.locate("b.csv", url=server.url + "/right", **known)
    assert fetch.is_available("b.csv", url=server.url + "/nothing", **known)
