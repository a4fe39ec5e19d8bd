"""Makes Spark know the tables of a windrow lake, by the list of their live files.

    import windrow_lake
    windrow_lake.register(spark, "abfss://logs@account.dfs.core.windows.net/lake")
    spark.sql("select channel, count(*) from events group by channel").show()

A folder of a table holds files that were merged into others and stay for readers of the version before: whoever reads all of
its files counts rows twice. `_live_files.txt` in it names those that count. Where Spark knows Delta it is not needed: read the
table as Delta there.

For Spark 3.3 and later with Python 3.8 and later; no package beside pyspark. Not over Spark Connect, which has no way to a
file system.
"""

import re

LIVE_FILES = "_live_files.txt"

# The five minutes of a lake that has no table of them. An event counts when it happened; when it came, where its time is
# so far from that that it is kept under another day.
_EVENT_COUNTS = """
select date, timestamp_micros(unix_micros(at) - pmod(unix_micros(at), 300000000)) as bucket,
  channel, event_id, computer, account, count(*) as events
from (
  select date, channel, event_id, computer, coalesce(target_user, subject_user) as account,
    case when cast(time as date) = cast(date as date) then time else received_at end as at
  from events
)
group by date, bucket, channel, event_id, computer, account
"""


def register(spark, lake, from_date=None, to_date=None):
    """Makes the tables of the lake temporary views under their names, and answers with those names, sorted.

    lake        the folder with the tables in it, as Spark names it: a path, wasb://…, abfss://…
    from_date   the first day that counts, to_date the first that no longer does ("2026-11-21", in UTC). Files of other days
                are not opened.

    The views are of the version that there is now; register them again for a newer one.
    """
    names = []
    for name in _tables(spark, lake):
        rows = table(spark, _join(lake, name), from_date, to_date)
        if rows is not None:
            rows.createOrReplaceTempView(name)
            names.append(name)
    if "events" in names and "event_counts" not in names:
        count_events(spark)
        names.append("event_counts")
    return sorted(names)


def count_events(spark):
    """Makes `event_counts` a view of `events`, counted anew by each question."""
    spark.sql(_EVENT_COUNTS).createOrReplaceTempView("event_counts")


def table(spark, folder, from_date=None, to_date=None):
    """The rows of the table in this folder; None where it has no file yet."""
    settle(spark)
    files = live_files(spark, folder)
    if not files:
        return None
    within = [file for file in files if _is_within(file, from_date, to_date)]
    # Without a file there would be no columns.
    paths = [_join(folder, file) for file in within or files[:1]]
    reader = spark.read.option("basePath", folder)
    # Files of an older version of the table lack its newer columns: each has the columns of all, and null for what it lacks.
    rows = reader.option("mergeSchema", "true").parquet(*paths)
    return rows if within else rows.where("false")


def live_files(spark, folder):
    """The paths of the table's live files, relative to its folder."""
    text = _read(spark, _join(folder, LIVE_FILES))
    files = [line for line in text.split("\n") if line]
    for file in files:
        parts = file.split("/")
        if ":" in parts[0] or "" in parts or ".." in parts or not file.endswith(".parquet"):
            raise ValueError("%s in %s is not the path of a data file" % (file, folder))
    return files


def settle(spark):
    """What has to be set so that the same SQL answers the same: UTC, `date` is text, and so is a backslash in a text."""
    settings = {
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.sources.partitionColumnTypeInference.enabled": "false",
        "spark.sql.parser.escapedStringLiterals": "true",
    }
    for name, value in settings.items():
        if spark.conf.get(name) != value:
            spark.conf.set(name, value)


def _is_within(file, from_date, to_date):
    found = re.match(r"date=(\d{4}-\d{2}-\d{2})/", file)
    if found is None:
        return True
    return (from_date is None or from_date <= found.group(1)) and (to_date is None or found.group(1) < to_date)


def _tables(spark, lake):
    """The names of the folders that have a list of live files."""
    file_system, path = _file_system(spark, lake)
    if not file_system.exists(path):
        raise ValueError("there is no folder %s" % lake)
    names = [entry.getPath().getName() for entry in file_system.listStatus(path) if entry.isDirectory()]
    return sorted(name for name in names if _exists(spark, _join(lake, name, LIVE_FILES)))


def _exists(spark, place):
    file_system, path = _file_system(spark, place)
    return file_system.exists(path)


def _read(spark, place):
    # Not as text of Spark: it passes over files whose names begin with a low line.
    file_system, path = _file_system(spark, place)
    stream = file_system.open(path)
    try:
        return spark.sparkContext._jvm.org.apache.commons.io.IOUtils.toString(stream, "UTF-8")
    finally:
        stream.close()


def _file_system(spark, place):
    path = spark.sparkContext._jvm.org.apache.hadoop.fs.Path(place)
    return path.getFileSystem(spark.sparkContext._jsc.hadoopConfiguration()), path


def _join(folder, *names):
    return "/".join([folder.rstrip("/"), *names])
