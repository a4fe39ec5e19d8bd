//! Azurite, Microsoft's emulator of Azure's blobs, which `./test` installs from npm into the user's cache.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rustix::process::{Pid, Signal, kill_process};

use super::{Scratch, free_port, or_skipped, wait_until};

/// The account that every Azurite has, and its key, which is no secret.
const ACCOUNT: &str = "devstoreaccount1";
pub(crate) const KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// Time after which it has saved what it holds.
const SAVES_WITHIN: Duration = Duration::from_secs(6);

/// A running Azurite. What it holds is in the test's folder.
pub(crate) struct Azurite {
    child: Child,
    /// `blob` or `table`.
    service: &'static str,
    node: PathBuf,
    script: PathBuf,
    folder: PathBuf,
    port: u16,
}

/// Reads a container with Microsoft's own client: each blob's name, kind and bytes.
const READ_CONTAINER: &str = r#"
import base64, json, sys
from azure.storage.blob import ContainerClient
endpoint, account, key, container = sys.argv[1:]
client = ContainerClient(endpoint, container, credential={"account_name": account, "account_key": key})
for blob in client.list_blobs():
    data = client.download_blob(blob.name).readall()
    print(json.dumps([blob.name, str(blob.blob_type.value), base64.b64encode(data).decode()]))
"#;

/// What is in a container as Microsoft's client reads it: by name, the kind of each blob and its bytes. None where that is not
/// installed, which is said; nothing where there is no container.
pub(crate) fn read_container(
    azurite: &Azurite,
    container: &str,
) -> Option<BTreeMap<String, (String, Vec<u8>)>> {
    let mut python = super::from_pypi("azure-clients")?;
    let endpoint = azurite.endpoint();
    let read = python
        .args(["-c", READ_CONTAINER, &endpoint, ACCOUNT, KEY, container])
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&read.stderr);
    if error.contains("ContainerNotFound") {
        return Some(BTreeMap::new());
    }
    assert!(read.status.success(), "{error}");
    let text = String::from_utf8(read.stdout).unwrap();
    let blobs = text.lines().map(|line| {
        let (name, kind, data): (String, String, String) = serde_json::from_str(line).unwrap();
        (name, (kind, BASE64.decode(data).unwrap()))
    });
    Some(blobs.collect())
}

impl Azurite {
    /// Starts one with its blobs; none where it is not installed, which is said.
    pub(crate) fn start(scratch: &Scratch) -> Option<Azurite> {
        Azurite::start_of(scratch, "blob")
    }

    /// Starts one with its tables.
    pub(crate) fn start_tables(scratch: &Scratch) -> Option<Azurite> {
        Azurite::start_of(scratch, "table")
    }

    fn start_of(scratch: &Scratch, service: &'static str) -> Option<Azurite> {
        let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache"));
        let cache = std::env::var_os("XDG_CACHE_HOME")
            .map(PathBuf::from)
            .or_else(home)?;
        let tools = cache.join("windrow-tests");
        let script = tools
            .join("azurite/node_modules/azurite/dist/src")
            .join(service)
            .join("main.js");
        let node = tools.join("node/node");
        if !or_skipped(node.is_file() && script.is_file(), "azurite") {
            return None;
        }
        let (folder, port) = (scratch.join(&format!("azurite-{service}")), free_port());
        let child = run(&node, &script, service, &folder, port);
        Some(Azurite {
            child,
            service,
            node,
            script,
            folder,
            port,
        })
    }

    /// Takes it away, as a failure of the storage does.
    pub(crate) fn stop(&mut self) {
        self.until_saved();
        // Killed, it would forget what it said was written: it is no storage to trust.
        let id = i32::try_from(self.child.id()).unwrap();
        kill_process(Pid::from_raw(id).unwrap(), Signal::TERM).unwrap();
        self.child.wait().unwrap();
    }

    /// Waits until it has saved what it holds, which it does every five seconds if there is something new. Told to end before
    /// that, it was seen to forget everything. Nobody may write meanwhile.
    fn until_saved(&self) {
        let name = format!("__azurite_db_{}__.json", self.service);
        let file = self.folder.join(name);
        let begun = SystemTime::now();
        let is_saved = || {
            let modified = std::fs::metadata(&file).and_then(|found| found.modified());
            let is_new = modified.is_ok_and(|modified| modified > begun);
            is_new || begun.elapsed().is_ok_and(|since| since > SAVES_WITHIN)
        };
        wait_until("the storage to be saved", is_saved);
    }

    /// The same storage again.
    pub(crate) fn start_again(&mut self) {
        self.child = run(
            &self.node,
            &self.script,
            self.service,
            &self.folder,
            self.port,
        );
    }

    /// The address of the account.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}/{ACCOUNT}", self.port)
    }

    /// The address of a folder in a container.
    pub(crate) fn url(&self, place: &str) -> String {
        format!("http://127.0.0.1:{}/{ACCOUNT}/{place}", self.port)
    }
}

/// Reads a table with Microsoft's own client, in Python: each row as its names, types and values.
const READ_TABLE: &str = r#"
import json, sys
from azure.core.credentials import AzureNamedKeyCredential
from azure.data.tables import TableClient
endpoint, account, key, table = sys.argv[1:]
client = TableClient(endpoint, table, credential=AzureNamedKeyCredential(account, key))
for entity in client.list_entities():
    row = {}
    for name, value in entity.items():
        kind = type(value).__name__
        if kind == "EntityProperty":
            kind, value = value.edm_type.value, value.value
        row[name] = [kind, value if isinstance(value, (str, int, float, bool)) else str(value)]
    print(json.dumps(row))
"#;

/// Rows of a table as Microsoft's client reads them: by name, what type it takes the value for, and the value. None where
/// that is not installed, which is said.
pub(crate) fn read_table(azurite: &Azurite, table: &str) -> Option<Vec<serde_json::Value>> {
    let mut python = super::from_pypi("azure-clients")?;
    let read = python
        .args(["-c", READ_TABLE, &azurite.endpoint(), ACCOUNT, KEY, table])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&read.stderr);
    assert!(read.status.success(), "{said}");
    let rows = String::from_utf8(read.stdout).unwrap();
    Some(
        rows.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect(),
    )
}

/// Writes rows with Microsoft's own client, in Python, which makes the table. A value that is `{"long": 1}` is of 64 bits.
const WRITE_ROWS: &str = r#"
import json, sys
from azure.core.credentials import AzureNamedKeyCredential
from azure.data.tables import EdmType, EntityProperty, TableServiceClient
endpoint, account, key, table = sys.argv[1:]
service = TableServiceClient(endpoint, credential=AzureNamedKeyCredential(account, key))
client = service.create_table_if_not_exists(table)
for line in sys.stdin:
    entity = json.loads(line)
    for name, value in entity.items():
        if isinstance(value, dict):
            entity[name] = EntityProperty(value["long"], EdmType.INT64)
    client.upsert_entity(entity)
"#;

/// Puts blobs there with Microsoft's own client, in Python.
const WRITE_BLOBS: &str = r#"
import base64, json, sys
from azure.storage.blob import ContainerClient
endpoint, account, key, container = sys.argv[1:]
client = ContainerClient(endpoint, container, credential={"account_name": account, "account_key": key})
client.create_container()
for line in sys.stdin:
    name, data = json.loads(line)
    client.upload_blob(name, base64.b64decode(data), overwrite=True)
"#;

/// Puts blobs into a new container; none where Microsoft's client is not installed, which is said.
pub(crate) fn write_blobs(
    azurite: &Azurite,
    container: &str,
    blobs: &[(&str, &[u8])],
) -> Option<()> {
    let mut python = super::from_pypi("azure-clients")?;
    let endpoint = azurite.endpoint();
    let mut writing = python
        .args(["-c", WRITE_BLOBS, &endpoint, ACCOUNT, KEY, container])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = writing.stdin.take().unwrap();
    for (name, bytes) in blobs {
        let line = serde_json::json!([name, BASE64.encode(bytes)]);
        writeln!(stdin, "{line}").unwrap();
    }
    drop(stdin);
    assert!(writing.wait().unwrap().success());
    Some(())
}

/// Writes rows; none where Microsoft's client is not installed, which is said.
pub(crate) fn write_rows(azurite: &Azurite, table: &str, rows: &[serde_json::Value]) -> Option<()> {
    let mut python = super::from_pypi("azure-clients")?;
    let mut writing = python
        .args(["-c", WRITE_ROWS, &azurite.endpoint(), ACCOUNT, KEY, table])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = writing.stdin.take().unwrap();
    for row in rows {
        writeln!(stdin, "{row}").unwrap();
    }
    drop(stdin);
    assert!(writing.wait().unwrap().success());
    Some(())
}

impl Azurite {
    /// Makes a container.
    pub(crate) fn make(&self, container: &str) {
        let sas = sas("2040-01-01T00:00:00Z");
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let request = format!(
            "PUT /{ACCOUNT}/{container}?restype=container&{sas} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n\
             x-ms-version: 2020-08-04\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            self.port
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    }
}

/// A shared access signature of the account that ends then.
pub(crate) fn sas(end: &str) -> String {
    let (may, version) = ("rwdlac", "2020-08-04");
    let signed = format!("{ACCOUNT}\n{may}\nb\nsco\n\n{end}\n\n\n{version}\n");
    let key = BASE64.decode(KEY).unwrap();
    let key: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut openssl = Command::new("openssl")
        .args(["dgst", "-sha256", "-binary", "-mac", "HMAC", "-macopt"])
        .arg(format!("hexkey:{key}"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = openssl.stdin.take().unwrap();
    stdin.write_all(signed.as_bytes()).unwrap();
    drop(stdin);
    let signature = BASE64.encode(openssl.wait_with_output().unwrap().stdout);
    let escaped = |text: &str| {
        text.replace('+', "%2B")
            .replace('/', "%2F")
            .replace('=', "%3D")
            .replace(':', "%3A")
    };
    format!(
        "sv={version}&ss=b&srt=sco&sp={may}&se={}&sig={}",
        escaped(end),
        escaped(&signature)
    )
}

impl Drop for Azurite {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn run(node: &Path, script: &Path, service: &str, folder: &Path, port: u16) -> Child {
    let port = port.to_string();
    let child = Command::new(node)
        .arg(script)
        .args([&format!("--{service}Host"), "127.0.0.1"])
        .args([&format!("--{service}Port"), &port])
        .args(["--skipApiVersionCheck", "--silent", "--disableTelemetry"])
        .arg("--location")
        .arg(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("Azurite to answer", || {
        let stream = TcpStream::connect(format!("127.0.0.1:{port}"));
        stream.is_ok_and(|mut stream| {
            let asked = stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
            let mut answer = [0];
            asked.is_ok() && stream.read_exact(&mut answer).is_ok()
        })
    });
    child
}
