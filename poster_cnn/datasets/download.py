"""Resumable download of posters by URL."""

import asyncio
import collections
import contextlib
import dataclasses
import ipaddress
import json
import os
import random
import socket
import urllib.request

import anyio.from_thread
import httpx
import pandas as pd
import tenacity
import urllib3

import poster_cnn
from poster_cnn import files
from poster_cnn.datasets import image_files
from poster_cnn.datasets.verify import check_posters
from poster_cnn.metrics import arguments
from poster_cnn.movies.cells import imdb_number
from poster_cnn.movies.poster_files import find_posters
from poster_cnn.movies.table import load_movie_table

_FAILURES = ".download_failures.jsonl"  # in the posters folder; hidden, so that it is not taken for a poster
_MAX_UNANSWERED = 50  # consecutive attempts without an answer after which a host is given up


@dataclasses.dataclass(frozen=True)
class DownloadOptions:
    """Timeouts and limits of `download`; `limits.max_bytes` is enforced while receiving."""

    connect_timeout: float = 10  # seconds to wait for a connection
    read_timeout: float = 20  # seconds to wait for the next bytes
    deadline: float = 120  # seconds per poster, including retries, pauses and redirects
    retries: int = 4  # after a broken connection, a timeout, or HTTP 408, 429 or 5xx
    backoff: float = 1  # seconds before the first retry, doubled for each further retry, plus jitter
    max_redirects: int = 5
    concurrency: int = 32  # simultaneous requests
    concurrency_per_host: int = 8
    allow_private: bool = False  # whether to connect to private, loopback and other non-public addresses
    limits: image_files.PictureLimits = dataclasses.field(default_factory=lambda: image_files.PictureLimits(20_000_000))


def download(table, posters_dir, *, retry_failed=False, progress=True, **options):
    """Download the posters of a movie table to `<posters_dir>/<imdb_id>.jpg`.

    Existing posters are skipped, so another call resumes an interrupted or killed download. Permanent failures (404,
    HTML instead of an image, ...) are recorded in the folder and skipped too. Each image is fully decoded before it is
    written in its original format; `verify` repairs images that are not RGB JPEGs.

    Args:
        table: Movie table with columns `imdb_id` and `poster_url`, or its path; see `load_movie_table`.
        posters_dir: Destination folder, created if missing.
        retry_failed: Whether to retry recorded failures. Defaults to `False`.
        progress: Whether to show a progress bar. Defaults to `True`.
        **options: Fields of `DownloadOptions`.

    Returns:
        DataFrame with the index and rows of `table` and the columns imdb_id, poster_url, outcome ("downloaded",
        "already there", "failed" or "failed before"), reason (str, "" unless failed) and poster_path (str, "" if none).

    Raises:
        ValueError: If the table lacks a column, or an option is not possible.
        OSError: If another download has locked the folder, it cannot be written to, or the disk is full.

    Example:

    >>> report = download("MovieGenre.csv", "posters")
    >>> print(describe(report))
    """
    if not isinstance(table, pd.DataFrame):
        table = load_movie_table(table, duplicates="keep", missing_genre="keep", min_genres=0)
    arguments.table("imdb_id", "poster_url")("table", table)
    posters_dir = arguments.path("posters_dir", posters_dir).absolute()
    ids = [int(number) if (number := imdb_number(str(imdb_id))) else None for imdb_id in table["imdb_id"]]
    urls = [url.strip() if isinstance(url, str) else "" for url in table["poster_url"]]
    options = arguments.convert(DownloadOptions(**options))
    for name in ("concurrency", "concurrency_per_host"):
        arguments.count(name, getattr(options, name))
    with files.locked(posters_dir):  # `remove_leftovers` would remove what another process is writing
        files.remove_leftovers(posters_dir)
        run = _Download(posters_dir, options)
        run.plan(ids, urls, retry_failed)
        bar = files.progress_bar(desc="Downloading", total=len(run.pending), unit=" posters", disable=not progress)
        # In a thread, since a notebook already runs an event loop in the main thread.
        with bar, image_files.strict_decoding(), anyio.from_thread.start_blocking_portal() as portal:
            portal.call(run.run, bar)
    asked = pd.DataFrame({"imdb_id": pd.array(ids, dtype="Int64"), "poster_url": urls}, index=table.index)
    outcomes = [run.outcomes.get(imdb_id, ("failed", "bad id")) for imdb_id in ids]
    paths = ["" if reason else str(run.path(i)) for i, (_, reason) in zip(ids, outcomes, strict=True)]
    found = pd.DataFrame(outcomes, table.index, ["outcome", "reason"]).assign(poster_path=paths)
    return pd.concat([asked, found], axis=1)


@arguments.checked(table=arguments.table("imdb_id"), num_movies=arguments.integer, seed=arguments.integer)
def sample_posters(table, posters_dir, num_movies=6000, *, seed=0, **download_options):
    """Download the posters of randomly sampled movies and discard broken ones (paper 2, section IV-A).

    Args:
        table: Movie table with columns `imdb_id` and `poster_url`, without duplicate ids.
        posters_dir: Destination folder. Existing posters are not downloaded again.
        num_movies: Number of movies to sample. Defaults to 6000, as in the paper.
        seed: Integer seed of the sample. Defaults to 0.
        **download_options: Options of `download`, such as `retry_failed` or `progress`.

    Returns:
        (DataFrame, DataFrame): the sampled movies with a usable poster, in the order of `table`, with `poster_path`;
        and a report with one row per sampled movie, as from `check_posters`, with the reasons of failed downloads.

    Raises:
        ValueError: If the table has fewer than `num_movies` movies, or duplicate ids.
    """
    duplicates = table["imdb_id"].duplicated().sum()
    if duplicates or not 0 < num_movies <= len(table):
        received = f"num_movies={num_movies}, {len(table)} movies, {duplicates} duplicates"
        raise ValueError(f"`table` must have at least `num_movies` movies, each once. Received: {received}")
    sample = table.iloc[sorted(random.Random(seed).sample(range(len(table)), num_movies))]
    downloaded = download(sample, posters_dir, **download_options)
    sample = sample.assign(poster_path=downloaded["poster_path"])
    usable, report = check_posters(sample, progress=download_options.get("progress", True))
    report["reason"] = report["reason"].where(report["reason"] != "no poster", downloaded["reason"])
    return usable, report


class _Download:
    def __init__(self, posters_dir, options):
        self.posters_dir, self.options = posters_dir, options
        self.outcomes = {}  # id -> (outcome, reason)
        self.pending = {}  # id -> URL
        self._failures = self._read_failures()  # (id, URL) -> reason
        self._there = find_posters(posters_dir)[0]  # id -> names

    def path(self, imdb_id):
        return self.posters_dir / self._there.get(imdb_id, [f"{imdb_id}.jpg"])[0]

    def plan(self, ids, urls, retry_failed):
        """Sort movies into `pending` (id -> URL) and those whose outcome is known without a request."""
        failures = {} if retry_failed else self._failures
        for imdb_id, url in zip(ids, urls, strict=True):
            if imdb_id is None or (imdb_id in self.outcomes and self.outcomes[imdb_id] != ("failed", "no url")):
                continue
            if os.path.isfile(self.path(imdb_id)) and os.path.getsize(self.path(imdb_id)):
                self.outcomes[imdb_id] = ("already there", "")
            elif not url:
                self.outcomes[imdb_id] = ("failed", "no url")
            elif failures.get((imdb_id, url)):
                self.outcomes[imdb_id] = ("failed before", failures[imdb_id, url])
            else:
                self.outcomes[imdb_id] = ("failed", "interrupted")
                self.pending[imdb_id] = url

    async def run(self, bar):
        """Fetch the pending posters, several at a time."""
        by_host = collections.defaultdict(list)
        for imdb_id, url in self.pending.items():
            by_host[url.partition("//")[2].partition("/")[0]].append((imdb_id, url))
        fetcher = Fetcher(self.options)
        async with fetcher.client:
            # Each host has its own workers, so a slow host does not block the others.
            queues = [iter(rows) for rows in by_host.values()] * self.options.concurrency_per_host
            workers = [asyncio.ensure_future(self._work(fetcher, queue, bar)) for queue in queues]
            try:
                await asyncio.gather(*workers)
            finally:
                for worker in workers:
                    worker.cancel()

    async def _work(self, fetcher, queue, bar):
        for imdb_id, url in queue:
            try:
                content = await fetcher.fetch(url)
                await asyncio.to_thread(self._save, imdb_id, content)
                self._settle(imdb_id, url, "downloaded", "")
            except (FetchFailed, image_files.RefusedPicture) as failure:
                self._settle(imdb_id, url, "failed", failure.reason, getattr(failure, "permanent", True))
            bar.update()

    def _save(self, imdb_id, content):
        image_files.read_rgb(content, self.options.limits)
        with files.write_atomically(self.posters_dir / f"{imdb_id}.jpg") as temporary:
            temporary.write_bytes(content)

    def _settle(self, imdb_id, url, outcome, reason, permanent=False):
        self.outcomes[imdb_id] = (outcome, reason)
        if permanent or self._failures.pop((imdb_id, url), None):
            # After a newline, in case a kill cut off the last line. An empty reason revokes an earlier failure.
            record = {"imdb_id": imdb_id, "url": url, "reason": reason if permanent else ""}
            with open(self.posters_dir / _FAILURES, "a", encoding="utf-8") as log:
                log.write("\n" + json.dumps(record))

    def _read_failures(self):
        path, failures = self.posters_dir / _FAILURES, {}
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else ():
            with contextlib.suppress(ValueError, KeyError, TypeError):  # an empty or truncated line
                record = json.loads(line)
                failures[record["imdb_id"], record["url"]] = record["reason"]
        return failures


class FetchFailed(Exception):
    def __init__(self, reason, *, permanent=True, retry_after=None):
        super().__init__(reason)
        self.reason, self.permanent = reason, permanent and retry_after is None
        self.retry_after = retry_after  # minimum seconds before a retry; None: do not retry


@dataclasses.dataclass
class _Host:
    slots: asyncio.Semaphore
    unanswered: int = 0
    addresses: asyncio.Task | None = None  # resolves the name once


class Fetcher:
    # Retries wrap the whole request, since many connections break in the body, where retrying transports do not look.
    def __init__(self, options):
        self.options = options
        self._slots = asyncio.Semaphore(options.concurrency)
        self._hosts = collections.defaultdict(lambda: _Host(asyncio.Semaphore(options.concurrency_per_host)))
        # A proxy resolves names and connects by itself.
        self._proxied = any(urllib.request.getproxies().get(scheme) for scheme in ("http", "https", "all"))
        agent = f"poster_cnn/{poster_cnn.__version__}"
        self.client = httpx.AsyncClient(
            headers={"User-Agent": agent, "Accept": "image/*", "Accept-Encoding": "identity"},
            timeout=httpx.Timeout(options.read_timeout, connect=options.connect_timeout, pool=None),
            limits=httpx.Limits(max_connections=options.concurrency),
        )

    async def fetch(self, url):
        """Return the bytes of a URL, with retries; raise `FetchFailed` with the reason otherwise."""
        options = self.options
        backoff = tenacity.wait_exponential_jitter(options.backoff, max=30, jitter=options.backoff / 2)
        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception(lambda error: getattr(error, "retry_after", None) is not None),
            stop=tenacity.stop_after_attempt(options.retries + 1) | tenacity.stop_before_delay(options.deadline),
            wait=backoff + (lambda retry_state: retry_state.outcome.exception().retry_after),
            reraise=True,
        )
        try:
            async with asyncio.timeout(options.deadline):
                return await retrying(self._follow, url)
        except TimeoutError:
            raise FetchFailed("took too long", permanent=False) from None

    async def _follow(self, url):
        for _ in range(self.options.max_redirects + 1):
            url = _parse_url(url)
            host = self._hosts[url.host]
            async with host.slots, self._slots:
                if host.unanswered >= _MAX_UNANSWERED:
                    raise FetchFailed("host does not answer", permanent=False)
                await self._check_name(url, host)
                try:
                    content, url = await self._request(url, host)
                except (httpx.TransportError, OSError) as error:
                    host.unanswered += 1
                    reason = "timeout" if isinstance(error, httpx.TimeoutException) else "connection broken"
                    raise FetchFailed(reason, retry_after=0) from error
                except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
                    raise FetchFailed("bad answer") from error
            if content is not None:
                return content
        raise FetchFailed("too many redirects")

    async def _request(self, url, host):  # returns (content, None), or (None, URL of the redirect)
        async with self.client.stream("GET", url) as response:
            host.unanswered = 0
            stream = response.extensions.get("network_stream")
            peer = stream.get_extra_info("server_addr") if stream else None
            if peer and not self._proxied:  # The connection has resolved the name again, possibly to another address.
                self._check_public([peer[0]])
            status = response.status_code
            if response.next_request is not None:  # `_follow` follows redirects, to check each address first.
                return None, response.next_request.url
            if status in (408, 429) or status >= 500:
                raise FetchFailed(f"http {status}", retry_after=_retry_after(response.headers))
            if status != 200:
                raise FetchFailed(f"http {status}")
            content = bytearray()
            async for part in response.aiter_bytes():
                content += part
                limit = self.options.limits.max_bytes
                if len(content) > limit:
                    raise FetchFailed(f"too many bytes (limit {limit:,})")
            return bytes(content), None

    async def _check_name(self, url, host):
        if host.addresses is None:
            resolving = asyncio.get_running_loop().getaddrinfo(url.host, None, type=socket.SOCK_STREAM)
            host.addresses = asyncio.ensure_future(resolving)
        try:
            found = await asyncio.shield(host.addresses)  # One poster's deadline must not cancel it for the others.
        except (OSError, UnicodeError) as error:
            if self._proxied:
                return
            raise FetchFailed("unknown host", permanent=False) from error
        self._check_public(address[0] for *_, address in found)

    def _check_public(self, addresses):
        if not (self.options.allow_private or all(map(is_public, addresses))):
            raise FetchFailed("private address", permanent=False)


def is_public(address):
    """Return whether an IP address (str) belongs to the public internet: not private, loopback, multicast, ..."""
    address = ipaddress.ip_address(address)
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_global and not address.is_multicast


def _parse_url(url):
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, TypeError, ValueError) as error:
        raise FetchFailed("bad url") from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise FetchFailed("bad url" if parsed.scheme in ("http", "https") else "not http or https")
    return parsed


def _retry_after(headers):
    try:
        return float(urllib3.Retry().parse_retry_after(headers.get("Retry-After", "0")))
    except (urllib3.exceptions.HTTPError, ValueError, OverflowError):
        return 0.0
