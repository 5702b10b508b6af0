"""One file by URL: patient with servers that are slow or busy, firm with those that are broken or hostile."""

import asyncio
import dataclasses
import datetime
import email.utils
import ipaddress
import random
import socket
import urllib.request

import httpx

from poster_cnn.datasets.image_files import PictureLimits

_GIVE_UP_AFTER = 50  # attempts in a row without any answer, after which a host is not asked again in this run
_LONGEST_PAUSE = 30  # seconds between two attempts, unless the server asks for more


class FetchFailed(Exception):
    """A file that was not fetched; `permanent` says that asking again would give the same."""

    def __init__(self, reason, permanent=False):
        super().__init__(reason)
        self.reason = reason
        self.permanent = permanent


class _TryAgain(Exception):
    def __init__(self, reason, wait=0.0):
        super().__init__(reason)
        self.reason = reason
        self.wait = wait


@dataclasses.dataclass(frozen=True)
class FetchOptions:
    """How files are fetched.

    Args:
        connect_timeout: Seconds to wait for a connection. Defaults to 10.
        read_timeout: Seconds to wait for the next bytes. Defaults to 20.
        deadline: Seconds that one file may take, with all its retries, pauses and redirects. Defaults to 120.
        retries: Further attempts after a broken connection, a timeout, 408, 429 or 5xx. Defaults to 4.
        backoff: Seconds before the first retry, doubled for each further one, with jitter. Defaults to 1.
        max_redirects: Most redirects to follow. Defaults to 5.
        concurrency: Most requests at a time. Defaults to 32.
        concurrency_per_host: Most requests to one host at a time. Defaults to 8.
        allow_private: Whether private, loopback and other addresses outside the public internet may be asked. Defaults
            to `False`.
        limits: `pictures.PictureLimits`; `max_bytes` is kept to while the bytes come in. Defaults to `PictureLimits()`.
    """

    connect_timeout: float = 10
    read_timeout: float = 20
    deadline: float = 120
    retries: int = 4
    backoff: float = 1
    max_redirects: int = 5
    concurrency: int = 32
    concurrency_per_host: int = 8
    allow_private: bool = False
    limits: PictureLimits = PictureLimits()


class _Host:
    def __init__(self, options):
        self.slots = asyncio.Semaphore(options.concurrency_per_host)
        self.unanswered = 0
        self.addresses = None  # asyncio.Task that resolves its name, once


class Fetcher:
    """Fetches files over one pool of connections. Use it as an asynchronous context manager.

    Args:
        options: `FetchOptions`.
        user_agent: What to call oneself.
    """

    def __init__(self, options, user_agent):
        self.options = options
        self._slots = asyncio.Semaphore(options.concurrency)
        self._hosts = {}
        # Behind a proxy, names are resolved and addresses dialled elsewhere.
        self._proxied = any(urllib.request.getproxies().get(scheme) for scheme in ("http", "https", "all"))
        self._client = httpx.AsyncClient(
            headers={"User-Agent": user_agent, "Accept": "image/*", "Accept-Encoding": "identity"},
            timeout=httpx.Timeout(options.read_timeout, connect=options.connect_timeout, pool=None),
            limits=httpx.Limits(max_connections=options.concurrency),
        )

    async def __aenter__(self):
        await self._client.__aenter__()
        return self

    async def __aexit__(self, *error):
        await self._client.__aexit__(*error)

    async def fetch(self, url):
        """Gives the bytes at `url`, or raises `FetchFailed` with a short reason that can be counted."""
        try:
            return await asyncio.wait_for(self._with_retries(url), self.options.deadline)
        except TimeoutError:
            raise FetchFailed("took too long") from None

    async def _with_retries(self, url):
        ends = asyncio.get_running_loop().time() + self.options.deadline
        for attempt in range(self.options.retries + 1):
            try:
                return await self._follow(url)
            except _TryAgain as again:
                pause = min(_LONGEST_PAUSE, self.options.backoff * 2**attempt) * random.uniform(0.5, 1)
                pause = max(pause, again.wait)
                out_of_time = asyncio.get_running_loop().time() + pause > ends
                if attempt == self.options.retries or out_of_time:
                    raise FetchFailed(again.reason) from again
                await asyncio.sleep(pause)

    async def _follow(self, url):
        for _ in range(self.options.max_redirects + 1):
            parsed = _parse(url)
            host = self._hosts.setdefault(parsed.host, _Host(self.options))
            async with host.slots, self._slots:
                if host.unanswered >= _GIVE_UP_AFTER:
                    raise FetchFailed("host does not answer")
                await self._check_name(parsed, host)
                try:
                    content, url = await self._request(parsed, host)
                except httpx.TimeoutException as error:
                    host.unanswered += 1
                    raise _TryAgain("timeout") from error
                except (httpx.TransportError, OSError) as error:
                    host.unanswered += 1
                    raise _TryAgain("connection broken") from error
                except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
                    raise FetchFailed("bad answer", permanent=True) from error
            if content is not None:
                return content
        raise FetchFailed("too many redirects", permanent=True)

    async def _request(self, url, host):
        # Gives (content, None), or (None, the URL that the server points to).
        async with self._client.stream("GET", url) as response:
            host.unanswered = 0
            self._check_peer(response)
            status = response.status_code
            if response.next_request is not None:  # Redirects are followed by hand, to look at each address first.
                return None, response.next_request.url
            if status in (408, 429) or status >= 500:
                raise _TryAgain(f"http {status}", _retry_after(response.headers))
            if status != 200:
                raise FetchFailed(f"http {status}", permanent=True)
            content = bytearray()
            async for part in response.aiter_bytes():
                content += part
                if len(content) > self.options.limits.max_bytes:
                    raise FetchFailed("too many bytes", permanent=True)
            return bytes(content), None

    async def _check_name(self, url, host):
        if host.addresses is None:
            loop = asyncio.get_running_loop()
            port = url.port or {"http": 80, "https": 443}[url.scheme]
            host.addresses = asyncio.ensure_future(loop.getaddrinfo(url.host, port, type=socket.SOCK_STREAM))
        try:
            found = await asyncio.shield(host.addresses)  # One file's deadline must not end it for the others.
        except (OSError, UnicodeError) as error:
            if not self._proxied:
                raise FetchFailed("unknown host") from error
            found = []
        self._check_public(address[0] for *_, address in found)

    def _check_peer(self, response):
        # A name may resolve to another address the second time, so the one that really answered is looked at too.
        stream = response.extensions.get("network_stream")
        peer = stream.get_extra_info("server_addr") if stream else None
        if peer and not self._proxied:
            self._check_public([peer[0]])

    def _check_public(self, addresses):
        if not self.options.allow_private and not all(is_public(address) for address in addresses):
            raise FetchFailed("private address")


def is_public(address):
    """Whether an IP address (str) belongs to the public internet: not private, loopback, link-local, multicast ..."""
    address = ipaddress.ip_address(address)
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_global and not address.is_multicast


def _parse(url):
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, TypeError, ValueError) as error:
        raise FetchFailed("bad url", permanent=True) from error
    if parsed.scheme not in ("http", "https"):
        raise FetchFailed("not http or https", permanent=True)
    if not parsed.host:
        raise FetchFailed("bad url", permanent=True)
    return parsed


def _retry_after(headers):
    # Seconds, or a date; nonsense counts as nothing asked for.
    said = headers.get("Retry-After", "").strip()
    if said.isascii() and said.isdigit():
        return float(said)
    try:
        date = email.utils.parsedate_to_datetime(said)
    except (ValueError, TypeError):
        return 0.0
    if date.tzinfo is None:
        date = date.replace(tzinfo=datetime.UTC)
    return max(0.0, (date - datetime.datetime.now(datetime.UTC)).total_seconds())
