"""Compares what Spark answers about a lake with what `windrow query` answers, row by row.

On a real cluster of one master and two workers, from a folder and from Azure's blobs over wasb. Run by `./test spark`:

    python check.py WINDROW CACHE       the built program, and the folder with jars/ and azurite/ in it
"""

import collections
import json
import operator
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path[:0] = [str(HERE), str(HERE.parent)]

import windrow_lake
import windrow_sql
from azurite import Azurite
from cluster import SPARK_HOME, Cluster, scratch
from lake import Lake, live
from requests_log import write_requests

# What is asked over wasb too: every way of reading, not every report.
OVER_WASB = {path.stem for path in (HERE / "queries").glob("*.sql")} | {"every column", "failed_logons", "distribution_by_id"}

PAGE = ROOT / "docs" / "scale-out.md"


class Tally:
    """What held and what did not."""

    def __init__(self):
        self.passed, self.failed = 0, 0

    def check(self, name, what, *arguments):
        began = time.monotonic()
        try:
            told = what(*arguments)
        except Exception:
            self.failed += 1
            print("FAILED  %s\n%s" % (name, traceback.format_exc()), flush=True)
            return
        self.passed += 1
        print("held    %-52s %6.1f s  %s" % (name, time.monotonic() - began, told or ""), flush=True)


def queries(lake):
    """Name and SQL of everything that is asked of both."""
    day = json.loads(lake.ask("select date as day from events group by date order by count(*) desc limit 1")[0])["day"]
    for path in sorted((HERE / "queries").glob("*.sql")):
        yield path.stem, path.read_text(encoding="utf-8").replace("{day}", day)
    columns = [json.loads(line)["column_name"] for line in lake.ask("describe events")]
    yield "every column", "select %s from events order by event_key limit 3000" % ", ".join(columns)
    for name in windrow_sql.reports():
        yield name, windrow_sql.question(name)


def same(expected, got):
    """Whether all rows are the same: names of columns, types, values, order."""
    assert expected, "there is nothing to compare"
    assert len(expected) == len(got), "%d rows, and Spark has %d" % (len(expected), len(got))
    for number, (one, other) in enumerate(zip(expected, got), 1):
        if one != other:
            # Both may write a text in more than one way.
            one, other = (json.loads(line, object_pairs_hook=list) for line in (one, other))
        if one != other:
            cells = ["%r, and in Spark %r" % pair for pair in zip(one, other) if pair[0] != pair[1]]
            raise AssertionError("row %d has %s" % (number, "; ".join(cells) or "other columns"))
    return "%d rows" % len(expected)


def compared(expected, spark, sql):
    return same(expected, list(windrow_sql.lines(spark.sql(sql))))


def a_bare_folder_counts_twice(lake, spark):
    counted = spark.read.parquet(str(lake.events)).count()
    rows = int(json.loads(lake.ask("select count(*) as n from events")[0])["n"])
    assert counted > rows, "%d rows in the folder, %d in the table: nothing was merged" % (counted, rows)
    return "%d rows in all files, %d in live ones" % (counted, rows)


def days_are_cut(lake, spark):
    """Days are left out by their files, so that none of them is opened."""
    days = sorted({path.split("/")[0].split("=")[1] for path in live(lake.events)})
    assert len(days) > 2, days
    windrow_lake.register(spark, str(lake.folder), days[1], days[2])
    try:
        sql = "select date, count(*) as n, min(time) as first_seen from events group by date order by date"
        expected = [line for line in lake.ask(sql) if '"date":"%s"' % days[1] in line]
        files = spark.table("events").inputFiles()
        assert all("date=%s/" % days[1] in file for file in files), files
        return same(expected, list(windrow_sql.lines(spark.sql(sql))))
    finally:
        windrow_lake.register(spark, str(lake.folder))


def versions_are_merged(folder, spark):
    """A file of before a column was there, one of after, and one that no longer counts."""
    table = folder / "versions" / "events"
    files = {
        "date=2026-01-01/old.parquet": "select 1 as a, timestamp'2026-01-01 00:00:00Z' as time",
        "date=2026-01-02/new.parquet": "select 2 as a, timestamp'2026-01-02 00:00:00Z' as time, map('k', 'v') as b, x'00ff' as c",
        "date=2026-01-02/replaced.parquet": "select 3 as a",
    }
    for name, sql in files.items():
        place = folder / "made" / pathlib.Path(name).stem
        spark.sql(sql).coalesce(1).write.parquet(str(place))
        (made,) = place.glob("part-*.parquet")
        (table / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(made, table / name)
    (table / "_live_files.txt").write_text("".join(name + "\n" for name in files if "replaced" not in name))
    rows = windrow_lake.table(spark, str(table)).selectExpr("date", "a", "time", "b", "c").orderBy("a")
    expected = [
        '{"date":"2026-01-01","a":1,"time":"2026-01-01T00:00:00Z","b":null,"c":null}',
        '{"date":"2026-01-02","a":2,"time":"2026-01-02T00:00:00Z","b":{"k":"v"},"c":"00ff"}',
    ]
    same(expected, list(windrow_sql.lines(rows)))
    none = windrow_lake.table(spark, str(table), "2027-01-01")
    assert none.count() == 0 and "time" in none.columns, none
    (table / "_live_files.txt").write_text("../elsewhere.parquet\n")
    try:
        windrow_lake.table(spark, str(table))
    except ValueError:
        return
    raise AssertionError("a path out of the table was taken")


# Reports of the program, and the SQL that says the same: columns of both, the number last, and whether it says all of it.
REPORTS = (
    ("distribution --by channel --bucket 1h", "start channel events", "distribution_by_channel", "hour channel events", operator.eq),
    ("distribution --by id --bucket 1h", "start event_id events", "distribution_by_id", "hour event_id events", operator.eq),
    ("distribution --by computer --bucket 1h", "start computer events", "distribution_by_computer", "hour computer events", operator.eq),
    ("distribution --by account --bucket 1h", "start account events", "distribution_by_account", "hour account events", operator.eq),
    ("top --by computer", "computer events", "top_computers", "computer events", operator.eq),
    ("top --by account --max-rows 1000", "account events", "top_accounts", "account events", operator.ge),
    ("top --by address --id 4625 --max-rows 100000", "address first last events",
     "failed_logons_by_address", "address first_seen last_seen attempts", operator.ge),
    ("iis-status --bucket 1h", "start requests", "iis_status_500", "hour failed", operator.eq),
    ("iis-status --bucket 1h --by site", "site requests", "iis_status_500_by_site", "site failed", operator.eq),
    ("iis-status --bucket 1h --by path", "path requests", "iis_status_500_by_path", "path failed", operator.eq),
    ("iis-status --bucket 1h --by client", "client requests", "iis_status_500_by_client", "client failed", operator.eq),
)


def counted(lines, columns):
    """The number of each key, added up."""
    *keys, number = columns.split()
    counts = collections.Counter()
    for row in map(json.loads, lines):
        counts[tuple(row[key] for key in keys)] += row[number]
    return dict(counts)


def reported(lake, log, report, columns, expected, other_columns, relation):
    about = "iis=%s" % log if report.startswith("iis") else "events=%s" % lake.events
    said = lake.run("report", *report.split(), "--from", about, "--output", "ndjson").split("\n")[:-1]
    one, other = counted(said, columns), counted(expected, other_columns)
    assert one and relation(one.items(), other.items()), "the report has %s\nand the SQL %s" % (one, other)
    return "%d of %d rows" % (len(other), len(one))


def counts_are_those_of_events(lake, spark):
    """What Spark counts itself where there is no table of counts; what came while all was stopped may not be counted yet."""
    sql = windrow_sql.question("event_counts").replace("from event_counts", "from {} where computer like 'srv%'")
    counts = spark.table("event_counts")
    windrow_lake.count_events(spark)
    try:
        got = list(windrow_sql.lines(spark.sql(sql.format("event_counts"))))
    finally:
        counts.createOrReplaceTempView("event_counts")
    return same(lake.ask(sql.format("event_counts")), got)


def is_typed(spark):
    types = dict(spark.table("events").dtypes)
    expected = {"event_key": "binary", "date": "string", "time": "timestamp", "event_id": "int", "keywords": "bigint"}
    expected["event_data"] = "map<string,string>"
    assert expected.items() <= types.items(), types


# What the page says that both do differently: the question, windrow's answer, Spark's.
ONE_AND_NULL = "select a from (select 1 as a union all select null) as t order by a"
DIFFERENCES = (
    (ONE_AND_NULL, ('{"a":1}', '{"a":null}'), ('{"a":null}', '{"a":1}')),
    (ONE_AND_NULL + " desc", ('{"a":null}', '{"a":1}'), ('{"a":1}', '{"a":null}')),
    ("select 7 / 2 as a", ('{"a":3}',), ('{"a":3.5}',)),
    ("select cast(floor(7 / 2) as bigint) as a", ('{"a":3}',), ('{"a":3}',)),
    ("select cast(max(bucket) as bigint) % 1000000 = 0 as a from event_counts", ('{"a":true}',), ('{"a":false}',)),
    ("select 'C:\\temp' as a", ('{"a":"C:\\\\temp"}',), ('{"a":"C:\\\\temp"}',)),
)


def differs(lake, spark):
    for sql, windrow, other in DIFFERENCES:
        assert lake.ask(sql) == list(windrow), "windrow: %s: %s" % (sql, lake.ask(sql))
        got = list(windrow_sql.lines(spark.sql(sql)))
        assert got == list(other), "Spark: %s: %s" % (sql, got)
    return "%d questions" % len(DIFFERENCES)


def documented(cluster, lake, requests):
    """The page's commands and Python, with this cluster and lake in the place of those of the page."""
    text = PAGE.read_text(encoding="utf-8")
    real = {
        "spark://spark.example.com:7077": cluster.url,
        "/srv/lake": str(lake.folder),
        "/srv/requests.parquet": str(requests),
        "contrib/spark": str(HERE.parent),
        "2026-11-01": sorted(live(lake.events))[0].split("/")[0].split("=")[1],
        "2026-11-08": "2999-01-01",
        "answers/": str(cluster.folder / "answers") + "/",
    }
    for before, after in real.items():
        text = text.replace(before, after)
    for language, block in re.findall(r"^```(console|python)\n(.*?)^```$", text, re.M | re.S):
        if language == "python":
            yield block.strip().splitlines()[-1], [sys.executable, "-c", block]
            continue
        for line in re.sub(r"\\\n\s*", "", block).splitlines():
            words = shlex.split(line[2:]) if line.startswith("$ ") else []
            if words and words[0] == "spark-submit":
                yield " ".join(words[3:]), [str(SPARK_HOME / "bin" / words[0]), *words[1:]]


def runs(cluster, command, answers):
    environment = {**os.environ, **cluster.environment, "PYTHONPATH": str(HERE.parent), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, capture_output=True, encoding="utf-8", cwd=ROOT, env=environment)
    assert done.returncode == 0, done.stderr[-4000:]
    if command[-1] in answers and "--save" not in command:
        return same(answers[command[-1]], done.stdout.split("\n")[:-1])
    assert done.stdout or "--save" in command, "no answer"
    return None


def check(windrow, cache, folder, tally):
    lake = Lake(windrow, folder)
    tally.check("a lake is made", lambda: lake.make() or "%d events" % lake.acknowledged)
    log, requests = folder / "W3SVC1", folder / "requests.parquet"
    write_requests(log)
    lake.run("query", "--from", "iis=%s" % log, "--output-file", requests, "select * from iis")
    asked = [(name, sql, lake.ask(sql, "--from", "iis=%s" % log)) for name, sql in queries(lake)]
    answers = {name: expected for name, _, expected in asked}
    for report, columns, name, other_columns, relation in REPORTS:
        tally.check("report: " + report, reported, lake, log, report, columns, answers[name], other_columns, relation)
    with Cluster(folder / "cluster", cache / "jars") as cluster:
        spark = cluster.session()
        windrow_lake.register(spark, str(lake.folder))
        spark.read.parquet(str(requests)).createOrReplaceTempView("iis")
        tally.check("types", is_typed, spark)
        tally.check("a bare folder counts twice", a_bare_folder_counts_twice, lake, spark)
        for name, sql, expected in asked:
            tally.check("folder: " + name, compared, expected, spark, sql)
        tally.check("counts are those of events", counts_are_those_of_events, lake, spark)
        tally.check("days are cut", days_are_cut, lake, spark)
        tally.check("engines differ as the page says", differs, lake, spark)
        tally.check("versions of a table are merged", versions_are_merged, folder, spark)
        with Azurite(folder, cache / "azurite" / "node_modules") as azurite:
            windrow_lake.register(spark, azurite.upload(lake.folder, "logs", "lake"))
            for name, sql, expected in asked:
                if name in OVER_WASB:
                    tally.check("wasb: " + name, compared, expected, spark, sql)
        spark.stop()
        for name, command in documented(cluster, lake, requests):
            tally.check("docs: " + name[-50:], runs, cluster, command, answers)


def main():
    windrow, cache = (pathlib.Path(argument).resolve() for argument in sys.argv[1:])
    # As an exception, so that all that was started ends.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    folder, tally = scratch(), Tally()
    try:
        check(windrow, cache, folder, tally)
    except BaseException:
        tally.failed += 1
        traceback.print_exc()
    if tally.failed:
        print("kept for a look: %s" % folder)
    else:
        shutil.rmtree(folder)
    print("test result: %d passed; %d failed" % (tally.passed, tally.failed))
    sys.exit(1 if tally.failed else 0)


if __name__ == "__main__":
    main()
