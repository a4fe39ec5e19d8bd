"""Asks a windrow lake on Spark: a report of this folder, an SQL file, or SQL.

    spark-submit windrow_sql.py --lake /var/lib/windrow/lake top_accounts
    spark-submit windrow_sql.py --lake wasbs://logs@account.blob.core.windows.net/lake --from 2026-11-01 --to 2026-11-08 ask.sql
    spark-submit windrow_sql.py --lake /var/lib/windrow/lake --sql "select count(*) as n from events"

The answer goes to stdout as `windrow query --output ndjson` writes it, an object a line; with --save into a folder as Parquet,
written by the cluster.
"""

import argparse
import datetime
import decimal
import json
import pathlib
import sys

from pyspark.sql import SparkSession
from pyspark.sql import types as T

import windrow_lake

REPORTS = pathlib.Path(__file__).resolve().parent / "sql"


def report(spark, name):
    """The rows of a report of this folder; the tables have to be registered."""
    return spark.sql(question(name))


def reports():
    """The names of the reports."""
    return sorted(path.stem for path in REPORTS.glob("*.sql"))


def question(name):
    """The SQL of a report, or of a file."""
    path = pathlib.Path(name) if name.endswith(".sql") else REPORTS / (name + ".sql")
    if not path.is_file():
        raise ValueError("there is no report %s; there are %s" % (name, ", ".join(reports())))
    return path.read_text(encoding="utf-8").rstrip().rstrip(";")


def lines(rows):
    """Each row as JSON, as windrow writes it."""
    types = [field.dataType for field in rows.schema]
    numbered = rows.toDF(*("c%d" % index for index in range(len(types))))
    for row in numbered.selectExpr(*(_plain(index, type_) for index, type_ in enumerate(types))).toLocalIterator():
        cells = (_cell(value, type_) for value, type_ in zip(row, types))
        yield "{%s}" % ",".join("%s:%s" % (_text(name), _text(cell)) for name, cell in zip(rows.columns, cells))


def _plain(index, type_):
    """What comes over unchanged: Python's times would go through the zone of this machine, and its maps lose their order."""
    column = "c%d" % index
    if isinstance(type_, T.TimestampType):
        return "cast(%s as string) as %s" % (column, column)
    return "map_entries(%s) as %s" % (column, column) if isinstance(type_, T.MapType) else column


def _cell(value, type_):
    if value is None:
        return None
    if isinstance(type_, T.TimestampType):
        return value.replace(" ", "T") + "Z"
    return {entry[0]: entry[1] for entry in value} if isinstance(type_, T.MapType) else value


def _text(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_made)


def _made(value):
    if isinstance(value, (bytes, bytearray)):
        return value.hex()
    if isinstance(value, (datetime.date, decimal.Decimal)):
        return str(value)
    raise TypeError("a value of type %s cannot be written" % type(value).__name__)


def _arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("question", nargs="?", help="the name of a report, or an SQL file")
    parser.add_argument("--sql", help="the question itself")
    parser.add_argument("--lake", required=True, help="the folder with the tables, as Spark names it")
    parser.add_argument("--from", dest="from_date", help="the first day that counts")
    parser.add_argument("--to", dest="to_date", help="the first day that no longer counts")
    parser.add_argument("--table", action="append", default=[], metavar="NAME=PATH", help="Parquet that is a table too")
    parser.add_argument("--save", metavar="FOLDER", help="where the answer goes, as Parquet")
    given = parser.parse_args()
    if (given.question is None) == (given.sql is None):
        parser.error("ask one question: a report, an SQL file, or --sql; reports: " + ", ".join(reports()))
    return given


def main():
    given = _arguments()
    asked = given.sql or question(given.question)
    spark = SparkSession.builder.appName("windrow").getOrCreate()
    windrow_lake.register(spark, given.lake, given.from_date, given.to_date)
    for name, path in (table.split("=", 1) for table in given.table):
        spark.read.parquet(path).createOrReplaceTempView(name)
    rows = spark.sql(asked)
    if given.save:
        rows.write.parquet(given.save)
    else:
        for line in lines(rows):
            sys.stdout.write(line + "\n")
    spark.stop()


if __name__ == "__main__":
    main()
