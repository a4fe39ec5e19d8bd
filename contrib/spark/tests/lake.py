"""A lake as a collector leaves it: files that came by the second, merged into few, and fresh ones beside them."""

import json
import subprocess

from running import Program, answer, free_port, wait_for

MACHINES = 20
# In each of the three logs of a machine, from the day before.
EXISTING = 1_700
# Of each machine, with control characters and odd values, after the files were merged.
FRESH = 100

CONFIGURATION = """data_dir = "{folder}/data"
[source.wef.main]
listen = "127.0.0.1:{port}"
hostname = "localhost"
[source.wef.main.tls]
certificate = "{folder}/pki/collector.pem"
key = "{folder}/pki/collector.key"
client_ca = "{folder}/pki/ca.pem"
[subscription.base]
channels = ["Security", "System", "Application"]
content_format = "rendered-text"
read_existing = true
max_latency = "1s"
[lake]
flush_interval = "1s"
upkeep_after = "{upkeep_after}"
[web]
listen = "127.0.0.1:{web_port}"
"""


class Lake:
    """Made by the built program in a folder."""

    def __init__(self, windrow, folder):
        self.windrow = str(windrow)
        self.home = folder
        self.data = folder / "data"
        self.folder = self.data / "lake"
        self.events = self.folder / "events"
        self.run("pki", folder / "pki", "--hostname", "localhost")
        self.acknowledged = 0

    def make(self):
        # A day back, so that every day of them is over and its files are merged.
        with self._service("1h") as port:
            self._simulate(port, "--existing", EXISTING, "--events", "1", "--clock", "-1d")
        replaced = len(replaced_files(self.events))
        with self._service("1s") as port:
            wait_for("files to be merged", lambda: len(replaced_files(self.events)) > replaced)
            self._simulate(port, "--events", FRESH, "--seed", "2", "--hostile", "--new-logs")
            wait_for("the counts to have all of it", self._is_counted)
        for table in self.tables():
            named = (table / "_live_files.txt").read_text()
            assert named == "".join(path + "\n" for path in sorted(live(table))), "%s is not what its log says" % named

    def tables(self):
        """The folders of the tables."""
        return [path for path in sorted(self.folder.iterdir()) if (path / "_delta_log").is_dir()]

    def _is_counted(self):
        counted = json.loads(self.ask("select sum(events) as n from event_counts")[0])["n"]
        return counted >= rows(self.events)

    def run(self, *arguments):
        """What the program answers."""
        command = [self.windrow, *(str(argument) for argument in arguments)]
        done = subprocess.run(command, capture_output=True, encoding="utf-8", cwd=self.home)
        assert done.returncode == 0, "windrow %s: %s" % (arguments[0], done.stderr)
        return done.stdout

    def ask(self, sql, *arguments):
        """The lines of an answer, from the tables without what is still in the journal."""
        named = (word for table in self.tables() for word in ("--from", "%s=%s" % (table.name, table)))
        answered = self.run("query", "--data-dir", self.home / "none", "--output", "ndjson", *named, *arguments, sql)
        # Not splitlines, for which other characters end a line too.
        return answered.split("\n")[:-1]

    def _service(self, upkeep_after):
        return Service(self, upkeep_after)

    def _simulate(self, port, *arguments):
        pki = self.home / "pki"
        url = "https://localhost:%d/wsman/SubscriptionManager/WEC" % port
        authority = ("--ca", pki / "ca.pem", "--issuer", pki / "ca.pem", "--issuer-key", pki / "ca.key")
        fleet = ("--machines", MACHINES, "--rate", "max", "--drain", "10m", "--connect-to", "127.0.0.1:%d" % port)
        done = json.loads(self.run("simulate", url, *fleet, *authority, "--output", "json", *arguments))
        self.acknowledged += done["acknowledged"]
        wait_for("the lake to have all of it", lambda: rows(self.events) >= self.acknowledged)


class Service:
    """The collector; gives the port that it listens at."""

    def __init__(self, lake, upkeep_after):
        self.lake = lake
        self.port, self.web_port = free_port(), free_port()
        values = {"folder": lake.home, "port": self.port, "web_port": self.web_port, "upkeep_after": upkeep_after}
        self.configuration = lake.home / "windrow.toml"
        self.configuration.write_text(CONFIGURATION.format(**values))

    def __enter__(self):
        self.lake.data.mkdir(exist_ok=True)
        command = (self.lake.windrow, "run", "--config", self.configuration)
        self.program = Program("collector", self.lake.home, command)
        try:
            self.program.is_up(lambda: answer("http://127.0.0.1:%d/healthz" % self.web_port))
        except BaseException:
            self.program.stop()
            raise
        return self.port

    def __exit__(self, *_):
        self.program.stop()


def actions(table):
    """What the table's log says, from its begin."""
    commits = sorted(path for path in (table / "_delta_log").glob("*.json") if path.stem.isdigit())
    assert not commits or int(commits[0].stem) == 0, "the log of %s does not begin with its begin" % table
    for commit in commits:
        yield from (json.loads(line) for line in commit.read_text(encoding="utf-8").splitlines())


def live(table):
    """The live files that the log names, with what it says of each."""
    files = {}
    for action in actions(table):
        if "add" in action:
            files[action["add"]["path"]] = action["add"]
        elif "remove" in action:
            files.pop(action["remove"]["path"], None)
    return files


def replaced_files(table):
    return {action["remove"]["path"] for action in actions(table) if "remove" in action}


def rows(table):
    return sum(json.loads(file["stats"])["numRecords"] for file in live(table).values())
