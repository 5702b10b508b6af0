"""Downloads from a local misbehaving server; no test needs the network."""

import asyncio
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time

import pandas as pd
import pytest
from misbehaving_server import MisbehavingServer
from PIL import Image

from poster_cnn.datasets import download as download_module
from poster_cnn.datasets.download import download, sample_posters
from poster_cnn.datasets.image_files import PictureLimits
from poster_cnn.datasets.verify import describe, verify

QUICK = {"backoff": 0.01, "read_timeout": 10, "deadline": 30, "retries": 2, "progress": False}


@pytest.fixture(autouse=True)
def plain_network(monkeypatch, tmp_path):
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("POSTER_CNN_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def loopback_is_public(monkeypatch):
    real = download_module.is_public
    monkeypatch.setattr(download_module, "is_public", lambda address: address == "127.0.0.1" or real(address))


@pytest.fixture(scope="module")
def server():
    with MisbehavingServer() as running:
        yield running


def table_of(urls):
    return pd.DataFrame({"imdb_id": range(1, len(urls) + 1), "poster_url": urls}, index=range(50, 50 + len(urls)))


def visible(folder):
    hidden = (".download_failures.jsonl", ".lock")
    return sorted(path.name for path in pathlib.Path(folder).iterdir() if path.name not in hidden)


# path -> outcome, reason, number of requests, whether the failure is recorded
CASES = {
    "/good/1": ("downloaded", "", 1, False),
    "/webp": ("downloaded", "", 1, False),
    "/missing": ("failed", "http 404", 1, True),
    "/busy": ("downloaded", "", 2, False),
    "/busy-until": ("downloaded", "", 2, False),
    "/busy-all-day": ("failed", "http 429", 1, False),
    "/fails-once": ("downloaded", "", 2, False),
    "/always-fails": ("failed", "http 503", 3, False),
    "/half": ("failed", "connection broken", 3, False),
    "/half-once": ("downloaded", "", 2, False),
    "/length-too-large": ("failed", "connection broken", 3, False),
    "/length-too-small": ("failed", "truncated", 1, True),
    "/html": ("failed", "html", 1, True),
    "/nothing": ("failed", "empty", 1, True),
    "/truncated": ("failed", "truncated", 1, True),
    "/huge-picture": ("failed", "too many pixels (limit 50,000,000)", 1, True),
    "/endless": ("failed", "too many bytes (limit 20,000,000)", 1, True),
    "/zipped-bomb": ("failed", "too many bytes (limit 20,000,000)", 1, True),
    "/bad-zip": ("failed", "bad answer", 1, True),
    "/gibberish": ("failed", "connection broken", 3, False),
    "/loop": ("failed", "too many redirects", 6, True),
    "/moved": ("downloaded", "", 1, False),
    "/to?http://127.0.0.2:9/1.jpg": ("failed", "private address", 1, False),
    "/to?http://localhost:9/1.jpg": ("failed", "private address", 1, False),
    "/to?http://10.0.0.1/1.jpg": ("failed", "private address", 1, False),
    "/to?http://169.254.169.254/latest": ("failed", "private address", 1, False),
    "/to?http://[::1]:9/1.jpg": ("failed", "private address", 1, False),
    "/to?file:///etc/passwd": ("failed", "not http or https", 1, True),
    "/to?http://host:port/": ("failed", "connection broken", 3, False),
}


def test_reports_outcome_of_every_misbehavior(server, tmp_path, monkeypatch):
    real_is_public, real_resolve = download_module.is_public, socket.getaddrinfo
    monkeypatch.setattr(download_module, "is_public", lambda address: address == "127.0.0.1" or real_is_public(address))
    # `localhost` may resolve to the address that this test treats as public.
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, *rest, **more: real_resolve("127.0.0.2" if host == "localhost" else host, *rest, **more),
    )
    server.hits.clear()
    table = table_of([server.url(path) for path in CASES])
    report = download(table, tmp_path, concurrency_per_host=40, concurrency=40, **QUICK)
    found = dict(zip(CASES, zip(report["outcome"], report["reason"], strict=True), strict=True))
    assert found == {path: (outcome, reason) for path, (outcome, reason, *_) in CASES.items()}
    assert {path: server.hits[path] for path in CASES} == {path: hits for path, (_, _, hits, _) in CASES.items()}

    good = report[report["outcome"] == "downloaded"]
    assert visible(tmp_path) == sorted(f"{number}.jpg" for number in good["imdb_id"])
    assert (verify(tmp_path, placeholder_ids=99, progress=False)["verdict"] != "quarantined").all()
    assert report["poster_path"].tolist() == [
        str(tmp_path / f"{number}.jpg") if outcome == "downloaded" else ""
        for number, outcome in zip(report["imdb_id"], report["outcome"], strict=True)
    ]
    records = [json.loads(line) for line in (tmp_path / ".download_failures.jsonl").read_text().split("\n")[1:]]
    assert {record["url"] for record in records} == {server.url(path) for path, case in CASES.items() if case[3]}
    assert report.index.equals(table.index)
    assert server.sent < 30_000_000  # The endless body was cut off soon after the limit of 20 million bytes.
    assert all(agent.startswith("poster_cnn/") for agent in server.agents)


@pytest.mark.parametrize(
    ("path", "options", "reason", "hits"),
    [
        ("/trickle", {"deadline": 1.0}, "took too long", 1),
        ("/trickling-headers", {"deadline": 1.0}, "took too long", 1),
        ("/silence", {"deadline": 1.0}, "took too long", 1),
        ("/silence", {"read_timeout": 0.3}, "timeout", 3),
    ],
)
def test_stops_waiting_for_slow_servers(server, tmp_path, path, options, reason, hits):
    server.hits.clear()
    started = time.monotonic()
    report = download(table_of([server.url(path)]), tmp_path, allow_private=True, **QUICK | options)
    assert time.monotonic() - started < 8
    assert (report["outcome"].item(), report["reason"].item()) == ("failed", reason)
    assert server.hits[path] == hits
    assert visible(tmp_path) == [] and not (tmp_path / ".download_failures.jsonl").exists()


@pytest.mark.parametrize(("path", "least"), [("/busy?b", 1.0), ("/busy-until?b", 0.9)])
def test_honors_retry_after(server, tmp_path, path, least):
    download(table_of([server.url(path)]), tmp_path, allow_private=True, **QUICK)
    first, second = server.times[path]
    assert second - first >= least  # QUICK alone pauses for a hundredth of a second


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "no url"),
        (None, "no url"),
        ("ftp://127.0.0.1/1.jpg", "not http or https"),
        ("file:///etc/passwd", "not http or https"),
        ("data:image/png;base64,AAAA", "not http or https"),
        ("poster.jpg", "not http or https"),
        ("http://", "bad url"),
        ("http://host:port/1.jpg", "bad url"),
        ("http://nowhere.example/1.jpg", "unknown host"),
        ("http://127.0.0.1:1/1.jpg", "connection broken"),
    ],
)
def test_reports_bad_urls(tmp_path, monkeypatch, loopback_is_public, url, reason):
    resolve = socket.getaddrinfo

    def no_network(host, *rest, **more):
        if host == "nowhere.example":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return resolve(host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    report = download(table_of([url]), tmp_path, **QUICK)
    assert (report["outcome"].item(), report["reason"].item()) == ("failed", reason)
    assert visible(tmp_path) == []


def test_connects_to_private_addresses_only_if_allowed(server, tmp_path):
    table = table_of([server.url("/good/private")])
    server.hits.clear()
    assert download(table, tmp_path, **QUICK)["reason"].item() == "private address"
    assert not server.hits
    assert download(table, tmp_path, allow_private=True, **QUICK)["outcome"].item() == "downloaded"


def test_detects_dns_rebinding(server, tmp_path, monkeypatch):
    resolve, asked = socket.getaddrinfo, []

    def rebinding(host, *rest, **more):
        if host not in ("rebinding.example", b"rebinding.example"):
            return resolve(host, *rest, **more)
        asked.append(host)
        return resolve("8.8.8.8" if len(asked) == 1 else "127.0.0.1", *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    report = download(table_of([server.url("/good/rebinding", "rebinding.example")]), tmp_path, **QUICK)
    assert len(asked) == 2
    assert report["reason"].item() == "private address"
    assert visible(tmp_path) == []


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2001:4860:4860::8888", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("192.168.0.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:8.8.8.8", True),
    ],
)
def test_is_public(address, public):
    assert download_module.is_public(address) == public


# --- resuming ---


def test_resumes_with_missing_posters_only(server, tmp_path):
    table = table_of([server.url(path) for path in ("/good/r1", "/good/r2", "/missing?r", "/always-fails?r")])
    download(table, tmp_path, allow_private=True, **QUICK)
    (tmp_path / "2.jpg").write_bytes(b"")
    (tmp_path / ".0123abcd.tmp.7.jpg").write_bytes(b"left over from a kill")
    server.hits.clear()
    report = download(table, tmp_path, allow_private=True, **QUICK)
    assert report["outcome"].tolist() == ["already there", "downloaded", "failed before", "failed"]
    assert report["reason"].tolist() == ["", "", "http 404", "http 503"]
    assert server.hits == {"/good/r2": 1, "/always-fails?r": 3}
    assert visible(tmp_path) == ["1.jpg", "2.jpg"]
    text = describe(report)
    assert "1 downloaded, 1 already there, 1 failed" in text and "http 404" in text


def test_retries_recorded_failures_on_request_or_with_new_url(server, tmp_path):
    options = {"allow_private": True, **QUICK}
    download(table_of([server.url("/missing?a"), server.url("/missing?b")]), tmp_path, **options)
    server.hits.clear()
    again = download(table_of([server.url("/good/f"), server.url("/missing?b")]), tmp_path, **options)
    assert again["outcome"].tolist() == ["downloaded", "failed before"]
    again = download(table_of(["", server.url("/missing?b")]), tmp_path, retry_failed=True, **options)
    assert again["outcome"].tolist() == ["already there", "failed"]
    assert server.hits["/missing?b"] == 1


def test_forgets_failure_after_success(server, tmp_path):
    table = table_of([server.url("/good/mended")])
    record = {"imdb_id": 1, "url": server.url("/good/mended"), "reason": "http 404"}
    (tmp_path / ".download_failures.jsonl").write_text(json.dumps(record) + '\n{"imdb_id": 5, "ur')
    options = {"allow_private": True, **QUICK}
    assert download(table, tmp_path, **options)["outcome"].item() == "failed before"
    assert download(table, tmp_path, retry_failed=True, **options)["outcome"].item() == "downloaded"
    (tmp_path / "1.jpg").unlink()
    assert download(table, tmp_path, **options)["outcome"].item() == "downloaded"


def wait_for_hits(server, number):
    ends = time.monotonic() + 60
    while len(server.hits) < number and time.monotonic() < ends:
        time.sleep(0.005)
    assert len(server.hits) >= number


def test_resumes_after_keyboard_interrupt(tmp_path):
    def interrupt(server):
        wait_for_hits(server, 20)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    with MisbehavingServer(delay=0.05) as server:
        table = table_of([server.url(f"/good/{number}") for number in range(60)])
        options = {"allow_private": True, "concurrency_per_host": 4, **QUICK}
        previous = signal.signal(signal.SIGINT, signal.default_int_handler)
        threading.Thread(target=interrupt, args=(server,)).start()
        try:
            with pytest.raises(KeyboardInterrupt):
                download(table, tmp_path, **options)
        finally:
            signal.signal(signal.SIGINT, previous)
        before = visible(tmp_path)
        assert 0 < len(before) < 60 and not [name for name in before if name.startswith(".")]
        report = download(table, tmp_path, **options)
    assert report["outcome"].value_counts().to_dict() == {"already there": len(before), "downloaded": 60 - len(before)}


SCRIPT = """
import signal, sys
import pandas as pd
from poster_cnn.datasets.download import download
signal.signal(signal.SIGINT, signal.default_int_handler)  # shells start background processes with SIGINT ignored
url, folder = sys.argv[1:]
table = pd.DataFrame({"imdb_id": range(1, 201), "poster_url": [f"{url}/{number}" for number in range(1, 201)]})
download(table, folder, allow_private=True, concurrency_per_host=8, progress=False)
"""


def start(server, folder):
    environment = os.environ | {"PYTHONPATH": str(pathlib.Path(download_module.__file__).parents[2])}
    command = [sys.executable, "-c", SCRIPT, server.url("/good"), str(folder)]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_resumes_after_kill(tmp_path, how):
    with MisbehavingServer(delay=0.25) as server:
        process = start(server, tmp_path)
        wait_for_hits(server, 80)
        process.send_signal(how)
        errors = process.communicate(timeout=60)[1]
        before = visible(tmp_path)
        assert 40 < len(before) < 200
        if how == signal.SIGINT:  # It cleans up and raises a single KeyboardInterrupt.
            assert process.returncode != 0 and errors.count("Traceback") == 1 and "KeyboardInterrupt" in errors
            assert not [name for name in before if name.startswith(".")]
        second = start(server, tmp_path)
        assert second.wait(timeout=60) == 0
        second.stderr.close()
        assert visible(tmp_path) == sorted(f"{number}.jpg" for number in range(1, 201))
        assert all(Image.open(tmp_path / f"{number}.jpg").load() for number in range(1, 201))
        fetched_twice = [path for path, hits in server.hits.items() if hits > 1]
        assert len(server.hits) == 200
        assert len(fetched_twice) <= 8 and max(server.hits.values()) <= 2


# --- other behavior ---


def test_limits_simultaneous_requests_per_host(tmp_path):
    with MisbehavingServer(delay=0.05) as server:
        table = table_of([server.url(f"/good/{number}") for number in range(30)])
        download(table, tmp_path, allow_private=True, concurrency_per_host=3, **QUICK)
        assert server.most_at_once == 3


@pytest.mark.parametrize("name", ["concurrency", "concurrency_per_host"])
def test_rejects_downloads_without_requests(tmp_path, name):
    with pytest.raises(ValueError, match=f"`{name}` must be .*1 or more.*Received: {name}=0"):
        download(table_of(["http://x/1.jpg"]), tmp_path, **{name: 0}, **QUICK)


def test_gives_up_host_that_never_answers(tmp_path, loopback_is_public):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but nobody listens
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        table = table_of([f"{url}/{number}" for number in range(200)])
        reasons = download(table, tmp_path, **QUICK)["reason"].value_counts()
    assert set(reasons.index) == {"connection broken", "host does not answer"}
    assert reasons["connection broken"] < 40


def test_derives_file_names_from_id_only(server, tmp_path):
    url = server.url("/good/..%2f..%2fevil.exe?name=/etc/x")
    ids = ["tt0000012", 13.0, "../../evil", "-5", None, 12]
    table = pd.DataFrame({"imdb_id": pd.Series(ids, dtype=object), "poster_url": url})
    report = download(table, tmp_path / "posters", allow_private=True, **QUICK)
    assert visible(tmp_path / "posters") == ["12.jpg", "13.jpg"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["posters"]
    assert report["reason"].tolist() == ["", "", "bad id", "bad id", "bad id", ""]


def test_works_inside_running_event_loop(server, tmp_path):
    async def notebook_cell():
        return download(table_of([server.url("/good/n")]), tmp_path, allow_private=True, **QUICK)

    assert asyncio.run(notebook_cell())["outcome"].item() == "downloaded"


def test_stops_on_full_disk(server, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pathlib.Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        download(table_of([server.url(f"/good/{n}") for n in range(20)]), tmp_path, allow_private=True, **QUICK)
    assert visible(tmp_path) == []


def test_applies_user_limits(server, tmp_path):
    table = table_of([server.url("/good/limits")])
    report = download(table, tmp_path, allow_private=True, limits=PictureLimits(max_bytes=500), **QUICK)
    assert report["reason"].item() == "too many bytes (limit 500)"


def test_reads_kaggle_csv(server, tmp_path):
    lines = ["imdbId,Imdb Link,Title,IMDB Score,Genre,Poster"]
    lines += [f"{number},x,Am\xe9lie (2001),8.3,Comedy,{server.url(f'/good/k{number}')}" for number in (7, 8)]
    (tmp_path / "MovieGenre.csv").write_text("\n".join(lines), encoding="latin-1")
    report = download(tmp_path / "MovieGenre.csv", tmp_path / "posters", allow_private=True, **QUICK)
    assert report["outcome"].tolist() == ["downloaded"] * 2
    with pytest.raises(ValueError, match="poster_url"):
        download(pd.DataFrame({"imdb_id": [1]}), tmp_path)


def test_sample_posters_discards_broken_posters(server, tmp_path):
    paths = [f"/good/s{number}" if number % 4 else f"/missing?s{number}" for number in range(40)]
    table = table_of([server.url(path) for path in paths])
    options = {"allow_private": True, **QUICK}
    usable, report = sample_posters(table, tmp_path / "a", 20, seed=3, **options)
    assert len(report) == 20
    assert set(report["reason"]) == {"", "http 404"}
    assert usable.index.tolist() == report.index[report["verdict"] == "ok"].tolist() == sorted(usable.index)
    assert all(os.path.exists(path) for path in usable["poster_path"])
    again, _ = sample_posters(table, tmp_path / "a", 20, seed=3, **options)
    other, _ = sample_posters(table, tmp_path / "a", 20, seed=4, **options)
    assert again.equals(usable) and not other.index.equals(usable.index)
    for bad in (table, pd.concat([table, table])):
        with pytest.raises(ValueError, match="num_movies"):
            sample_posters(bad, tmp_path, 41)
