"""Asks DuckDB the queries of queries.sql: CPU seconds each, and whether its answers are the given ones.

    peer.py FOLDER QUERIES ANSWERS

One line a query: its name, CPU seconds, rows; `differs` behind them where ANSWERS/NAME.csv says something else.
"""

import csv
import pathlib
import re
import resource
import sys
import tempfile

import duckdb


def cpu_seconds():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def queries(path):
    for part in path.read_text().split("-- ")[1:]:
        title, sql = part.split("\n", 1)
        yield title.split(" ")[0], sql.strip().rstrip(";")


def plain(value):
    """A time as the other engine writes it."""
    time = re.fullmatch(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(\.\d+)?\+00", value)
    if time is None:
        return value
    part = (time[3] or "").rstrip("0").rstrip(".")
    return f"{time[1]}T{time[2]}{part}Z"


def answer(path):
    with path.open(newline="") as file:
        return [[plain(value) for value in row] for row in csv.reader(file)][1:]


def main():
    folder, texts, answers = (pathlib.Path(word) for word in sys.argv[1:4])
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(
        f"CREATE VIEW events AS FROM read_parquet('{folder}/*/*.parquet', hive_partitioning = true)"
    )

    def ask(sql, into):
        connection.execute(f"COPY ({sql}) TO '{into}' (FORMAT csv, HEADER, USE_TMP_FILE false)")

    with tempfile.TemporaryDirectory() as made:
        for name, sql in queries(texts):
            path = pathlib.Path(made) / f"{name}.csv"
            before = cpu_seconds()
            ask(sql, path)
            times = 1 if cpu_seconds() - before > 0.2 else 10
            before = cpu_seconds()
            for _ in range(times):
                ask(sql, "/dev/null")
            seconds = (cpu_seconds() - before) / times
            rows = answer(path)
            same = rows == answer(answers / f"{name}.csv")
            print(name, f"{seconds:.4f}", len(rows), "" if same else "differs", sep="\t")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print("memory", memory, duckdb.__version__, sep="\t")


main()
