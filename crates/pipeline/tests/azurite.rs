//! The client of Azure Storage against Microsoft's emulator, which `./test` installs. It checks each signature by itself; of the
//! service's limits it checks few.
#![allow(clippy::unwrap_used, clippy::print_stderr, clippy::disallowed_methods)]

use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use secrecy::SecretString;
use tempfile::TempDir;
use windrow_formats::azure::{BlobKind, Entity, Operation, Value};
use windrow_formats::wad::rows::key_of;
use windrow_pipeline::azure::{
    Account, Appended, AzureError, Client, Credential, Denial, Limits, Made, Query, Removed, Work,
};
use windrow_pipeline::tls::Roots;

/// The account that every emulator has, and its key, which is no secret.
const ACCOUNT: &str = "devstoreaccount1";
const KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// Longest that it may take to start.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running emulator. What it holds is in a folder that goes with it.
struct Azurite {
    child: Child,
    ports: [u16; 3],
    _folder: TempDir,
}

impl Azurite {
    /// Starts one; none where it is not installed. Where `CI` is set a test that is skipped has failed.
    fn start() -> Option<Azurite> {
        let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache"));
        let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        let tools = cache.or_else(home)?.join("windrow-tests");
        let script = tools.join("azurite/node_modules/azurite/dist/src/azurite.js");
        let node = tools.join("node/node");
        if !(script.is_file() && node.is_file()) {
            assert!(std::env::var_os("CI").is_none(), "azurite is not installed");
            eprintln!("skipped: azurite is not installed (./test installs it)");
            return None;
        }
        let folder = TempDir::new().unwrap();
        let listeners = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let ports = listeners.map(|listener| listener.local_addr().unwrap().port());
        let [blob, queue, table] = ports.map(|port| port.to_string());
        let child = Command::new(node)
            .arg(script)
            .args(["--silent", "--disableTelemetry", "--location"])
            .arg(folder.path())
            .args([
                "--blobPort",
                &blob,
                "--queuePort",
                &queue,
                "--tablePort",
                &table,
            ])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let azurite = Azurite {
            child,
            ports,
            _folder: folder,
        };
        let since = Instant::now();
        while azurite
            .ports
            .iter()
            .any(|port| TcpStream::connect(("127.0.0.1", *port)).is_err())
        {
            assert!(since.elapsed() < PATIENCE, "it does not start");
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(azurite)
    }

    fn client(&self, credential: Credential) -> Client {
        let [blob, _, table] = self
            .ports
            .map(|port| format!("http://127.0.0.1:{port}/{ACCOUNT}"));
        let account = Account::emulator(Some(&table), Some(&blob), credential).unwrap();
        Client::new(account, &Roots::System, Limits::default()).unwrap()
    }
}

impl Drop for Azurite {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn key(key: &str) -> Credential {
    Credential::Key(SecretString::from(key.to_owned()))
}

fn entity(row: usize) -> Entity<'static> {
    Entity {
        partition_key: "0638979408000000000".into(),
        // What may stand in a key and means something elsewhere.
        row_key: format!("it's {row:05} é %&+'").into(),
        properties: vec![
            ("Channel".into(), Value::Text("Security".into())),
            ("EventTickCount".into(), Value::Long(i64::MAX)),
            ("N".into(), Value::Int(i32::try_from(row).unwrap())),
        ],
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_takes_batches_and_gives_pages() {
    let Some(azurite) = Azurite::start() else {
        return;
    };
    let (client, table) = (azurite.client(key(KEY)), "WADWindowsEventLogsTable");
    let mut early = client.new_batch(table);
    early.push(Operation::InsertOrReplace, &entity(0)).unwrap();
    let error = client.batch(table, &early).await.unwrap_err();
    assert_eq!(error.refusal().unwrap().code, "TableNotFound", "{error}");

    assert_eq!(client.create_table(table).await.unwrap(), Made::New);
    assert_eq!(client.create_table(table).await.unwrap(), Made::There);
    for first in (0..2_500).step_by(100) {
        let mut batch = client.new_batch(table);
        for row in first..first + 100 {
            batch
                .push(Operation::InsertOrReplace, &entity(row))
                .unwrap();
        }
        client.batch(table, &batch).await.unwrap();
        // An answer that was lost: the same again changes nothing.
        if first == 0 {
            client.batch(table, &batch).await.unwrap();
        }
    }

    let mut query = Query {
        filter: Some("PartitionKey eq '0638979408000000000' and N ge 0".to_owned()),
        select: vec!["N".to_owned()],
        ..Query::default()
    };
    let (mut pages, mut rows) = (0, Vec::new());
    loop {
        let answer = client.query(table, &query).await.unwrap();
        assert_eq!(answer.page.unread, vec![]);
        pages += 1;
        rows.extend(answer.page.entities);
        query.after = answer.next;
        if query.after.is_none() {
            break;
        }
    }
    assert_eq!((pages, rows.len()), (3, 2_500));
    for (row, entity) in rows.iter().enumerate() {
        let number = i32::try_from(row).unwrap();
        assert_eq!(entity.properties, vec![("N".into(), Value::Int(number))]);
    }
    a_row_is_there_once(&client, table).await;
    a_batch_is_undone_whole(&client, table).await;

    let names = client.tables(None).await.unwrap();
    assert_eq!((names.names, names.next), (vec![table.to_owned()], None));
    assert_eq!(client.delete_table(table).await.unwrap(), Removed::Now);
    assert_eq!(client.delete_table(table).await.unwrap(), Removed::NotThere);
}

async fn a_row_is_there_once(client: &Client, table: &str) {
    let one = entity(7);
    let (partition_key, row_key) = (&*one.partition_key, &*one.row_key);
    let found = client
        .get_entity(table, partition_key, row_key)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found.properties[..3], one.properties);
    let removed = client
        .delete_entity(table, partition_key, row_key)
        .await
        .unwrap();
    assert_eq!(removed, Removed::Now);
    let removed = client
        .delete_entity(table, partition_key, row_key)
        .await
        .unwrap();
    assert_eq!(removed, Removed::NotThere);
    let found = client
        .get_entity(table, partition_key, row_key)
        .await
        .unwrap();
    assert_eq!(found, None);
    let error = client.get_entity("absent", partition_key, row_key).await;
    assert_eq!(error.unwrap_err().refusal().unwrap().code, "TableNotFound");
}

/// One operation that cannot be done, and the others are not.
async fn a_batch_is_undone_whole(client: &Client, table: &str) {
    let mut batch = client.new_batch(table);
    batch
        .push(Operation::InsertOrReplace, &entity(9_000))
        .unwrap();
    batch.push(Operation::Delete, &entity(9_001)).unwrap();
    let error = client.batch(table, &batch).await.unwrap_err();
    let refusal = error.refusal().unwrap();
    assert_eq!(
        (&*refusal.code, refusal.place),
        ("ResourceNotFound", Some(1)),
        "{error}"
    );
    assert!(!error.is_passing());
    let one = entity(9_000);
    let found = client
        .get_entity(table, &one.partition_key, &one.row_key)
        .await;
    assert_eq!(found.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn blobs_are_made_of_blocks_appended_to_and_read_in_parts() {
    let Some(azurite) = Azurite::start() else {
        return;
    };
    let client = azurite.client(key(KEY));
    let (container, blob) = ("wad-iis-logfiles", "a b/é%+/u_ex25110510.log");
    assert_eq!(
        client
            .blob_properties("wad-crashdumps", "a")
            .await
            .unwrap_err()
            .refusal()
            .unwrap()
            .code,
        "ContainerNotFound"
    );
    assert_eq!(client.create_container(container).await.unwrap(), Made::New);
    assert_eq!(
        client.create_container(container).await.unwrap(),
        Made::There
    );

    a_blob_is_made_of_blocks(&client, container, blob).await;
    client
        .put_block_blob(container, "b", Bytes::from_static(b"one"), "text/plain")
        .await
        .unwrap();
    client
        .put_block_blob(container, "b", Bytes::new(), "text/plain")
        .await
        .unwrap();
    an_append_is_done_once(&client, container).await;

    let list = client.list_blobs(container, "", None).await.unwrap();
    let found = list
        .blobs
        .iter()
        .map(|blob| (&*blob.name, blob.length, blob.kind));
    let expected = [
        (blob, 20 << 20, BlobKind::Block),
        ("a.log", 11, BlobKind::Append),
        ("b", 0, BlobKind::Block),
    ];
    assert_eq!(found.collect::<Vec<_>>(), expected);
    let list = client.list_blobs(container, "a b/é%", None).await.unwrap();
    assert_eq!((list.blobs.len(), list.next), (1, None));
    assert_eq!(
        client.delete_blob(container, blob, None).await.unwrap(),
        Removed::Now
    );
    assert_eq!(
        client.delete_blob(container, blob, None).await.unwrap(),
        Removed::NotThere
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_old_is_cleared_and_nothing_else() {
    let Some(azurite) = Azurite::start() else {
        return;
    };
    let client = azurite.client(key(KEY));
    let (now, hour) = (jiff::Timestamp::now(), jiff::SignedDuration::from_hours(1));
    let container = "wad-iis-logfiles";
    client.create_container(container).await.unwrap();
    for blob in ["a/1.log", "a/2.log", "b/1.log"] {
        let bytes = Bytes::from_static(b"one");
        let put = client.put_block_blob(container, blob, bytes, "text/plain");
        put.await.unwrap();
    }
    let clear = |before, work| client.clear_container((container, "a/"), before, work, |_| {});
    assert_eq!(clear(now - hour, Work::Remove).await.unwrap().count, 0);
    assert_eq!(clear(now + hour, Work::Look).await.unwrap().count, 2);
    let cleared = clear(now + hour, Work::Remove).await.unwrap();
    assert_eq!((cleared.count, cleared.bytes, cleared.refused), (2, 6, 0));
    let list = client.list_blobs(container, "", None).await.unwrap();
    assert_eq!(list.blobs.len(), 1);

    let table = "WADLogsTable";
    client.create_table(table).await.unwrap();
    let minute = |minutes: i64| now - jiff::SignedDuration::from_mins(minutes);
    let mut keys = vec!["foreign".to_owned(), key_of(0, minute(0))];
    for minutes in [100, 110, 200] {
        keys.extend([0, 4].map(|part| key_of(part, minute(minutes))));
    }
    for partition in &keys {
        for row in 0..150 {
            let mut batch = client.new_batch(table);
            let entity = Entity {
                partition_key: partition.into(),
                row_key: format!("{row:03}").into(),
                properties: Vec::new(),
            };
            batch.push(Operation::InsertOrReplace, &entity).unwrap();
            client.batch(table, &batch).await.unwrap();
        }
    }
    let clear = |work| client.clear_table(table, minute(105), work, |_| {});
    let found = clear(Work::Look).await.unwrap();
    assert_eq!(found.count, 4 * 150);
    assert_eq!(clear(Work::Remove).await.unwrap(), found);
    assert_eq!(clear(Work::Look).await.unwrap().count, 0);
    let mut rest = 0;
    let mut query = Query::default();
    loop {
        let answer = client.query(table, &query).await.unwrap();
        rest += answer.page.entities.len();
        query.after = answer.next;
        if query.after.is_none() {
            break;
        }
    }
    assert_eq!(
        rest,
        4 * 150,
        "of two minutes, one of them twice, and foreign ones"
    );
}

/// Twenty mebibytes, committed twice as if the first answer was lost.
async fn a_blob_is_made_of_blocks(client: &Client, container: &str, blob: &str) {
    let bytes: Bytes = (0..20 << 20)
        .map(|at: u32| (at % 251) as u8)
        .collect::<Vec<u8>>()
        .into();
    let block = 4 << 20;
    for place in 0..5 {
        let part = bytes.slice(place * block..(place + 1) * block);
        client
            .stage_block(container, blob, u32::try_from(place).unwrap(), part)
            .await
            .unwrap();
    }
    assert_eq!(client.blob_properties(container, blob).await.unwrap(), None);
    client
        .commit_blocks(container, blob, 5, "text/plain")
        .await
        .unwrap();
    client
        .commit_blocks(container, blob, 5, "text/plain")
        .await
        .unwrap();
    let error = client
        .commit_blocks(container, blob, 6, "text/plain")
        .await
        .unwrap_err();
    assert_eq!(error.refusal().unwrap().code, "InvalidBlockList", "{error}");
    it_is_read_in_parts(client, container, blob, &bytes).await;
}

async fn it_is_read_in_parts(client: &Client, container: &str, blob: &str, bytes: &Bytes) {
    let known = client
        .blob_properties(container, blob)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((known.length, known.kind), (20 << 20, BlobKind::Block));
    let mut read = Vec::new();
    while (read.len() as u64) < known.length {
        let (from, etag) = (read.len() as u64, known.etag.as_deref());
        let part = client
            .get_blob_range(container, blob, from, 3 << 20, etag)
            .await
            .unwrap();
        assert_eq!(part.length, known.length);
        read.extend_from_slice(&part.bytes);
    }
    assert!(read == *bytes, "it is not what was written");
    let behind = client
        .get_blob_range(container, blob, (20 << 20) + 1, 1, None)
        .await;
    assert_eq!(behind.unwrap_err().refusal().unwrap().code, "InvalidRange");
    let other = client
        .get_blob_range(container, blob, 0, 1, Some("\"0x0\""))
        .await;
    assert_eq!(
        other.unwrap_err().refusal().unwrap().code,
        "ConditionNotMet"
    );
}

async fn an_append_is_done_once(client: &Client, container: &str) {
    let made = || client.create_append_blob(container, "a.log", "text/plain", "0a");
    assert_eq!(made().await.unwrap(), Made::New);
    let append = |at: u64, text: &'static str| {
        client.append_block(container, "a.log", at, Bytes::from_static(text.as_bytes()))
    };
    let now = |end: u64, blocks: u32| Appended::Now {
        end,
        blocks: Some(blocks),
    };
    assert_eq!(append(0, "first\n").await.unwrap(), now(6, 1));
    assert_eq!(
        append(0, "first\n").await.unwrap(),
        Appended::Already { end: 6 }
    );
    assert_eq!(append(6, "other").await.unwrap(), now(11, 2));
    // Neither before the end with something else, nor behind it, nor over it.
    assert_eq!(
        append(0, "zzzzz\n").await.unwrap(),
        Appended::Elsewhere { end: 11 }
    );
    assert_eq!(
        append(12, "more").await.unwrap(),
        Appended::Elsewhere { end: 11 }
    );
    assert_eq!(
        append(6, "others").await.unwrap(),
        Appended::Elsewhere { end: 11 }
    );
    // Made again it is not empty.
    assert_eq!(made().await.unwrap(), Made::There);
    let whole = client
        .get_blob_range(container, "a.log", 0, 100, None)
        .await
        .unwrap();
    assert_eq!(&whole.bytes[..], b"first\nother");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_is_denied() {
    let Some(azurite) = Azurite::start() else {
        return;
    };
    let client = azurite.client(key("d3Jvbmc="));
    for error in [
        client.create_table("WADLogsTable").await.unwrap_err(),
        client.create_container("logs").await.unwrap_err(),
        client.blob_properties("logs", "a").await.unwrap_err(),
    ] {
        // Its code for it is the one that the service has for its firewall.
        let is_denied = matches!(error, AzureError::Denied { .. });
        assert!(is_denied && error.is_passing(), "{error:?}");
    }
}

/// A signature for tables and blobs that ends then.
fn sas(end: &str) -> Credential {
    let signed = format!("{ACCOUNT}\nrwdlacu\nbt\nsco\n\n{end}\n\n\n2020-08-04\n");
    let key = hmac::Key::new(hmac::HMAC_SHA256, &BASE64.decode(KEY).unwrap());
    let signature = BASE64.encode(hmac::sign(&key, signed.as_bytes()));
    let signature = signature
        .replace('+', "%2B")
        .replace('/', "%2F")
        .replace('=', "%3D");
    let text = format!("?sv=2020-08-04&ss=bt&srt=sco&sp=rwdlacu&se={end}&sig={signature}");
    Credential::Sas(SecretString::from(text))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_access_signature_opens_until_it_ends() {
    let Some(azurite) = Azurite::start() else {
        return;
    };
    let (client, table) = (azurite.client(sas("2040-01-01T00:00:00Z")), "WADLogsTable");
    assert_eq!(client.create_table(table).await.unwrap(), Made::New);
    let mut batch = client.new_batch(table);
    batch.push(Operation::InsertOrReplace, &entity(1)).unwrap();
    client.batch(table, &batch).await.unwrap();
    let answer = client.query(table, &Query::default()).await.unwrap();
    assert_eq!(answer.page.entities.len(), 1);
    assert_eq!(client.create_container("logs").await.unwrap(), Made::New);
    client
        .put_block_blob("logs", "a", Bytes::from_static(b"x"), "text/plain")
        .await
        .unwrap();

    let ended = azurite.client(sas("2020-01-01T00:00:00Z"));
    for error in [
        ended.tables(None).await.unwrap_err(),
        ended.list_blobs("logs", "", None).await.unwrap_err(),
    ] {
        match &error {
            AzureError::Denied {
                why: Denial::SasEnded { .. },
                ..
            } => {}
            _ => panic!("{error:?}"),
        }
    }
}
