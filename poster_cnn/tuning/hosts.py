"""Who is who among several hosts, as KerasTuner's environment variables say; who of them is there."""

import contextlib
import os
import pathlib
import socket
import time

import filelock

CHIEF_SECONDS = 600  # hosts of a cluster do not all start at the same moment
_EXAMPLES = {
    "KERASTUNER_TUNER_ID": "chief (or worker0)",
    "KERASTUNER_ORACLE_IP": "10.0.0.1",
    "KERASTUNER_ORACLE_PORT": "8000",
}


def variables():
    """dict: name -> value of those of KerasTuner's three environment variables that are set."""
    return {name: os.environ[name] for name in _EXAMPLES if name in os.environ}


def has_chief():
    """Whether the environment makes this process KerasTuner's chief or one of its workers.

    Raises:
        ValueError: If it does so only in part, or the port is no number.
    """
    given = variables()
    if not given:
        return False
    port = given.get("KERASTUNER_ORACLE_PORT", "")
    if not all(given.get(name) for name in _EXAMPLES) or not (port.isdecimal() and 0 < int(port) < 65536):
        examples = ", ".join(f"{name}={value}" for name, value in _EXAMPLES.items())
        received = ", ".join(f"{name}={given[name]!r}" if name in given else f"no {name}" for name in _EXAMPLES)
        raise ValueError(
            f"A chief and its workers need three environment variables, such as {examples}, with a port in 1..65535. "
            f"Set all three, or for a single process unset them. Received: {received}"
        )
    return True


def is_worker():
    """Whether the environment makes this process one of KerasTuner's workers."""
    return has_chief() and "chief" not in os.environ["KERASTUNER_TUNER_ID"]  # KerasTuner's own rule


def address():
    """Where the chief listens, such as `"10.0.0.1:8000"`."""
    return f"{os.environ['KERASTUNER_ORACLE_IP']}:{os.environ['KERASTUNER_ORACLE_PORT']}"


def _endpoint():
    # gRPC wants IPv6 addresses in brackets, and sockets without.
    return os.environ["KERASTUNER_ORACLE_IP"].strip("[]"), int(os.environ["KERASTUNER_ORACLE_PORT"])


def check_port():
    """Makes sure that the chief, which is this process, can listen at its address.

    Raises:
        OSError: If the port is in use, or the address is none of this host's.
    """
    try:
        family = socket.getaddrinfo(*_endpoint())[0][0]
        socket.create_server(_endpoint(), family=family).close()
    except OSError as error:
        why = error.strerror.split(" (")[0]  # Python adds the address
        raise OSError(
            f"The chief cannot listen at {address()} ({why}). Set KERASTUNER_ORACLE_IP to an address of "
            "this host, such as 10.0.0.1, and KERASTUNER_ORACLE_PORT to a free port, such as 8000, for all processes."
        ) from None


def wait_for_chief():
    """In a worker: waits until something listens at the chief's address, and says so if that is not at once.

    Raises:
        RuntimeError: If nothing does for ten minutes.
    """
    minutes, deadline = f"{CHIEF_SECONDS / 60:g} minutes", None
    while True:
        try:
            return socket.create_connection(_endpoint(), timeout=5).close()
        except OSError as error:
            if deadline is None:
                deadline = time.monotonic() + CHIEF_SECONDS
                who = os.environ["KERASTUNER_TUNER_ID"]
                print(f"{who} waits for the chief at {address()} (at most {minutes})", flush=True)
            if time.monotonic() >= deadline:
                raise RuntimeError(
                    f"No chief at {address()} for {minutes} ({error.strerror or error}). Start the chief there, the "
                    "same command with KERASTUNER_TUNER_ID=chief, or mend KERASTUNER_ORACLE_IP and "
                    "KERASTUNER_ORACLE_PORT; then start this worker again."
                ) from None
            time.sleep(0.5)


def _life_lock(out_dir, worker):
    path = pathlib.Path(out_dir) / ".workers" / f"{worker}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    return filelock.FileLock(path)


@contextlib.contextmanager
def alive(out_dir, worker):
    """Holds the lock by which the chief knows that a worker lives; however that ends, the system lets go of it."""
    lock = _life_lock(out_dir, worker)
    try:
        lock.acquire(timeout=10)  # for moments the chief has it, to see whether it is free
    except filelock.Timeout:
        raise BlockingIOError(
            f"Another process is {worker} in {out_dir}. End it, or give this one a name of its own. "
            f"Received: KERASTUNER_TUNER_ID={worker}"
        ) from None
    try:
        yield
    finally:
        lock.release()


def is_alive(out_dir, worker):
    """Whether a worker of this name lives."""
    try:
        with _life_lock(out_dir, worker).acquire(timeout=0):
            return False
    except filelock.Timeout:
        return True
