"""A standalone cluster of Spark on loopback: one master, two workers."""

import os
import pathlib
import tempfile

import pyspark

from running import Program, free_port, listens, wait_for

SPARK_HOME = pathlib.Path(pyspark.__file__).parent

# What runs for a minute is not worth compiling well: a third of the processor time without.
JVM = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"

# On the class path of all: it reads wasb://.
SETTINGS = """spark.master spark://127.0.0.1:{port}
spark.driver.host 127.0.0.1
spark.driver.bindAddress 127.0.0.1
spark.driver.memory 1g
spark.driver.extraClassPath {jars}/*
spark.executor.extraClassPath {jars}/*
spark.driver.extraJavaOptions {jvm}
spark.executor.extraJavaOptions {jvm}
spark.executor.memory 1g
spark.executor.cores 1
spark.ui.enabled false
spark.ui.showConsoleProgress false
spark.sql.shuffle.partitions 4
spark.hadoop.fs.wasb.impl org.apache.hadoop.fs.azure.NativeAzureFileSystem
spark.hadoop.fs.azure.storage.emulator.account.name devstoreaccount1
"""

LOGGING = """rootLogger.level = error
rootLogger.appenderRef.a.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.target = SYSTEM_ERR
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %p %c{1}: %m%n%ex
"""


class Cluster:
    """Started and ended with a `with`; `environment` is what programs of Spark need to find it."""

    def __init__(self, folder, jars):
        self.folder = folder
        self.port = free_port()
        self.programs = []
        self.environment = {
            "SPARK_HOME": str(SPARK_HOME),
            # The package has no launcher's scripts that would find it out, and executors die without it.
            "SPARK_SCALA_VERSION": "2.13",
            "SPARK_LOCAL_IP": "127.0.0.1",
            "SPARK_DAEMON_MEMORY": "512m",
            "SPARK_DAEMON_JAVA_OPTS": JVM,
            "SPARK_LOCAL_DIRS": str(folder / "local"),
            "SPARK_CONF_DIR": str(folder / "conf"),
        }
        (folder / "conf").mkdir(parents=True)
        (folder / "conf" / "spark-defaults.conf").write_text(SETTINGS.format(port=self.port, jars=jars, jvm=JVM))
        (folder / "conf" / "log4j2.properties").write_text(LOGGING)

    @property
    def url(self):
        return "spark://127.0.0.1:%d" % self.port

    def __enter__(self):
        try:
            master = self._start("master", "master.Master", "--host", "127.0.0.1", "--port", self.port)
            master.is_up(lambda: listens(self.port))
            for name in ("worker-1", "worker-2"):
                place = self.folder / name
                self._start(name, "worker.Worker", "--host", "127.0.0.1", "-c", "1", "-m", "1g", "-d", place, self.url)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for program in reversed(self.programs):
            program.stop()

    def _start(self, name, kind, *arguments):
        command = (SPARK_HOME / "bin" / "spark-class", "org.apache.spark.deploy." + kind, "--webui-port", free_port(), *arguments)
        program = Program(name, self.folder, command, self.environment)
        self.programs.append(program)
        return program

    def session(self):
        """A session of this process on both workers."""
        os.environ.update(self.environment)
        spark = pyspark.sql.SparkSession.builder.appName("check").getOrCreate()
        executors = spark.sparkContext._jsc.sc().getExecutorMemoryStatus
        wait_for("both workers", lambda: executors().size() == 3)  # the driver is one of them
        return spark


def scratch():
    """A folder that goes when the test has passed, and is kept and named when not."""
    return pathlib.Path(tempfile.mkdtemp(prefix="windrow-spark-"))
