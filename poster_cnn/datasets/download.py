"""Posters by URL: fetched at the same time, checked by decoding, written aside and renamed, resumable."""

import asyncio
import concurrent.futures
import dataclasses
import json
import os
import pathlib
import random
import re

import pandas as pd
from tqdm.auto import tqdm

import poster_cnn
from poster_cnn import files
from poster_cnn.datasets import image_files
from poster_cnn.datasets.fetching import Fetcher, FetchFailed, FetchOptions
from poster_cnn.datasets.verify import check_posters
from poster_cnn.movies.table import load_movie_table

_FAILURES = ".download_failures.jsonl"  # in the posters folder; hidden, so that nothing takes it for a poster
_LEFTOVER = re.compile(r"\.[0-9a-f]{8}\.tmp\.[0-9]+\.jpg")  # what `files.write_atomically` leaves after a kill


def download(table, posters_dir, *, retry_failed=False, progress=True, **fetch_options):
    """Fetches the posters of a movie table by URL, to `<posters_dir>/<imdb_id>.jpg`.

    What is already there is not fetched again, so a run that was interrupted or killed is resumed by calling this
    again. Failures that asking again would not mend (404, HTML instead of a picture ...) are remembered in the posters
    folder and not tried again unless `retry_failed`. Each picture is decoded completely before it is written, and kept
    in the format it came in (`ingest.verify` repairs those that are no RGB JPEG). File names come from the id only.

    Args:
        table: Movie table with columns `imdb_id` and `poster_url`, or path of a CSV in Kaggle's layout.
        posters_dir: Folder to write to; made if missing.
        retry_failed: Whether to try remembered failures again. Defaults to `False`.
        progress: Whether to show a progress bar. Defaults to `True`.
        **fetch_options: Fields of `fetching.FetchOptions`: `connect_timeout`, `read_timeout`, `deadline` (seconds),
            `retries`, `backoff`, `max_redirects`, `concurrency`, `concurrency_per_host`, `allow_private`, `limits`.

    Returns:
        DataFrame, a row per row of the table, with the same index: imdb_id, poster_url, outcome ("downloaded",
        "already there", "failed" or "failed before"), reason (str, "" unless failed), poster_path (str, "" if none).

    Raises:
        ValueError: The table lacks a column.
        OSError: The folder cannot be written to, or the disk is full.

    Example:

    >>> report = download("MovieGenre.csv", "posters")
    >>> print(ingest.describe(report))
    """
    options = FetchOptions(**fetch_options)
    if not isinstance(table, pd.DataFrame):
        table = load_movie_table(table, duplicates="keep", missing_genre="keep", min_genres=0)
    missing = [column for column in ("imdb_id", "poster_url") if column not in table]
    if missing:
        raise ValueError(f"`table` must have the columns `imdb_id` and `poster_url`. Received: without {missing}")
    posters_dir = pathlib.Path(posters_dir).absolute()
    posters_dir.mkdir(parents=True, exist_ok=True)
    for leftover in posters_dir.iterdir():
        if _LEFTOVER.fullmatch(leftover.name):
            leftover.unlink()
    ids = [_number(imdb_id) for imdb_id in table["imdb_id"]]
    urls = [url.strip() if isinstance(url, str) else "" for url in table["poster_url"]]
    session = _Session(posters_dir, options)
    session.sort_out(ids, urls, retry_failed)
    _run(session, progress)
    return _report(session, table, ids, urls)


@dataclasses.dataclass
class _Session:
    posters_dir: pathlib.Path
    options: FetchOptions
    outcomes: dict = dataclasses.field(default_factory=dict)  # id -> (outcome, reason)
    wanted: dict = dataclasses.field(default_factory=dict)  # id -> URL

    def __post_init__(self):
        self._remembered = self._read_failures()

    def path(self, imdb_id):
        return self.posters_dir / f"{imdb_id}.jpg"

    def sort_out(self, ids, urls, retry_failed):
        """Decides for each id whether it is there, has failed before, cannot be asked for, or is wanted."""
        failures = {} if retry_failed else self._remembered
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
                self.wanted[imdb_id] = url

    async def run(self, bar):
        """Fetches all that is wanted. Some workers for each host, so that a slow one does not hold up the others."""
        by_host = {}
        for imdb_id, url in self.wanted.items():
            by_host.setdefault(_host(url), []).append((imdb_id, url))
        async with Fetcher(self.options, f"poster_cnn/{poster_cnn.__version__}") as fetcher:
            workers = []
            for rows in by_host.values():
                queue = iter(rows)  # shared by the workers of this host
                for _ in range(min(self.options.concurrency_per_host, len(rows))):
                    workers.append(asyncio.ensure_future(self._work(fetcher, queue, bar)))
            try:
                await asyncio.gather(*workers)
            finally:
                for worker in workers:
                    worker.cancel()
                await asyncio.gather(*workers, return_exceptions=True)

    async def _work(self, fetcher, queue, bar):
        for imdb_id, url in queue:
            try:
                content = await fetcher.fetch(url)
                await asyncio.to_thread(self._keep, imdb_id, content)
                self._settle(imdb_id, url, "downloaded", "")
            except FetchFailed as failure:
                self._settle(imdb_id, url, "failed", failure.reason, permanent=failure.permanent)
            except image_files.RefusedPicture as refused:
                self._settle(imdb_id, url, "failed", refused.reason, permanent=True)
            bar.update()

    def _keep(self, imdb_id, content):
        image_files.decode(image_files.open_header(content, self.options.limits))
        with files.write_atomically(self.path(imdb_id)) as temporary:
            temporary.write_bytes(content)

    def _settle(self, imdb_id, url, outcome, reason, permanent=False):
        self.outcomes[imdb_id] = (outcome, reason)
        if permanent or self._remembered.pop((imdb_id, url), None):
            with open(self.posters_dir / _FAILURES, "a", encoding="utf-8") as log:
                # At once, so that a kill loses none, on a line of its own whatever a kill has left before; an empty
                # reason takes an earlier one back.
                record = {"imdb_id": imdb_id, "url": url, "reason": reason if permanent else ""}
                log.write("\n" + json.dumps(record))

    def _read_failures(self):
        path = self.posters_dir / _FAILURES
        failures = {}
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else ():
            try:
                record = json.loads(line)
                failures[record["imdb_id"], record["url"]] = record["reason"]
            except (ValueError, KeyError, TypeError):  # An empty line, or one that a kill cut off.
                continue
        return failures


def _run(session, progress):
    # In a thread of its own, as a notebook has an event loop running already.
    bar = tqdm(desc="Downloading", total=len(session.wanted), unit=" posters", disable=not progress)
    loop = asyncio.new_event_loop()
    task = loop.create_task(session.run(bar))

    def work():
        try:
            loop.run_until_complete(task)
        finally:
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()

    with bar, image_files.strict_decoding(), concurrent.futures.ThreadPoolExecutor(max_workers=1) as pool:
        done = pool.submit(work)
        try:
            done.result()
        except KeyboardInterrupt:  # It reaches only this thread.
            loop.call_soon_threadsafe(task.cancel)
            concurrent.futures.wait([done])
            raise


def _host(url):
    match = re.match(r"[^/]*//([^/?#]*)", url)
    return match[1].lower() if match else ""


def _number(imdb_id):
    match = re.fullmatch(r"(?:tt)?0*([0-9]{1,15})(?:\.0)?", str(imdb_id).strip())
    return int(match[1]) if match else None


def _report(session, table, ids, urls):
    rows = [session.outcomes.get(imdb_id, ("failed", "bad id")) for imdb_id in ids]
    there = [outcome in ("downloaded", "already there") for outcome, _ in rows]
    return pd.DataFrame(
        {
            "imdb_id": pd.array(ids, dtype="Int64"),
            "poster_url": urls,
            "outcome": [outcome for outcome, _ in rows],
            "reason": [reason for _, reason in rows],
            "poster_path": [str(session.path(i)) if is_there else "" for i, is_there in zip(ids, there, strict=True)],
        },
        index=table.index,
    )


def sample_posters(table, posters_dir, num_movies=6000, *, seed=0, **download_options):
    """Draws movies at random, downloads their posters and skips the broken ones (paper 2, section IV-A).

    Args:
        table: Movie table with columns `imdb_id` and `poster_url`, without repeated ids.
        posters_dir: Folder to download to. Posters that are there already are not fetched.
        num_movies: Number of movies to draw. Defaults to 6000, as in the paper.
        seed: Integer; the same seed draws the same movies. Defaults to 0.
        **download_options: Options of `download`, such as `retry_failed` or `progress`.

    Returns:
        (DataFrame, DataFrame): the drawn movies that have a usable poster, in the table's order, with `poster_path`;
        and the report, a row per drawn movie, as from `check_posters`, with the reason why a download failed.

    Raises:
        ValueError: The table has fewer movies than that, or repeated ids.
    """
    if table["imdb_id"].duplicated().any() or not 0 < num_movies <= len(table):
        raise ValueError(
            f"`table` must have at least `num_movies` movies, each once. Received: num_movies={num_movies}, "
            f"{len(table)} movies, {table['imdb_id'].duplicated().sum()} of them repeated"
        )
    drawn = table.iloc[sorted(random.Random(seed).sample(range(len(table)), num_movies))]
    fetched = download(drawn, posters_dir, **download_options)
    usable, report = check_posters(
        drawn.assign(poster_path=fetched["poster_path"]), progress=download_options.get("progress", True)
    )
    failed = report["reason"] == "no poster"
    report["reason"] = report["reason"].where(~failed, fetched["reason"])
    return usable, report
