"""Programs that run beside a test: started, waited for, and ended whatever became of the test."""

import os
import random
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

# Long, because a busy machine is not a failure; nothing waits longer than it has to.
DEADLINE_S = 180


def wait_for(what, probe, seconds=DEADLINE_S):
    """What `probe` gives as soon as it gives something."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = probe()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError("waited %d s in vain for %s" % (seconds, what))


def free_port():
    """A port that nobody listened at a moment ago, below those that connections get for their own end."""
    while True:
        port = random.randrange(10_000, 30_000)
        if not listens(port) and is_free(port):
            return port


def listens(port):
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def answer(url):
    """What is answered with success; None while nobody does."""
    try:
        with urllib.request.urlopen(url, timeout=5) as reply:
            return reply.read()
    except (urllib.error.URLError, OSError):
        return None


class Program:
    """A program and all that it starts, in a group of their own. What it says goes into a file."""

    def __init__(self, name, folder, command, environment=None):
        self.name = name
        self.log = folder / (name + ".log")
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=folder,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )

    def is_up(self, probe):
        """Waits until the probe gives something; it fails at once where the program ended."""

        def look():
            code = self.process.poll()
            assert code is None, "%s ended with %s:\n%s" % (self.name, code, self.said())
            return probe()

        return wait_for("%s to be up" % self.name, look)

    def said(self):
        return self.log.read_text(encoding="utf-8", errors="replace")[-4000:]

    def stop(self):
        """Ends it in good order, and what is left of its group without a word."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            pass
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
