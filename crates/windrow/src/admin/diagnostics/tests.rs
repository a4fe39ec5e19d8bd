//! Verbs on a data folder: what they write, what they keep, what they refuse.

use std::os::unix::fs::PermissionsExt as _;

use super::super::{Actor, Answer, Place, Refusal, Request, apply};
use super::*;
use crate::config::{Environment, Loader, Need, Overrides};
use crate::service::Offline;

/// A data folder on which no service runs, beside a windrow.toml.
struct Site {
    folder: tempfile::TempDir,
    place: Place,
}

const TOML: &str = "[lake]\nenabled = false\n[machine_group.web]\nmembers = [\"web*\"]\n";

impl Site {
    fn new() -> Site {
        let folder = tempfile::tempdir().unwrap();
        fs_err::write(folder.path().join("windrow.toml"), TOML).unwrap();
        let config = Site::loader(folder.path()).load(Need::File).unwrap();
        let place = Place::Offline(Box::new(Offline::open(config).unwrap()));
        Site { folder, place }
    }

    fn loader(folder: &std::path::Path) -> Loader {
        let overrides = Overrides {
            config: Some(folder.join("windrow.toml")),
            data_dir: Some(folder.join("data")),
            log: None,
        };
        Loader::new(Environment::default(), overrides)
    }

    async fn ask(&mut self, request: Request) -> Result<Answer, Refusal> {
        let actor = Actor::local(0, "here", "windrow diagnostics");
        apply(&mut self.place, request, &actor).await
    }

    async fn change(&mut self, request: Request) -> DiagnosticsChanged {
        match self.ask(request).await.unwrap() {
            Answer::DiagnosticsChanged(changed) => *changed,
            other => panic!("{other:?}"),
        }
    }

    async fn refused(&mut self, request: Request) -> String {
        let refusal = self.ask(request).await.unwrap_err();
        let hint = refusal.hint.as_deref().unwrap_or_default();
        let said = format!("{refusal} -> {hint}");
        said.replace(self.folder.path().to_str().unwrap(), "DIR")
    }

    async fn get(&mut self) -> Configuration {
        let request = Request::DiagnosticsGet(DiagnosticsGet::default());
        match self.ask(request).await.unwrap() {
            Answer::Configurations(mut found) => found.configurations.remove(0),
            other => panic!("{other:?}"),
        }
    }

    /// Every file of the data folder that names the configuration, and what is in it.
    fn files(&self) -> Vec<(String, String)> {
        let data = self.folder.path().join("data");
        let folders = [data.join("conf.d"), data.join("diagnostics/shop")];
        let mut files = Vec::new();
        for entry in folders
            .iter()
            .filter_map(|folder| fs_err::read_dir(folder).ok())
            .flatten()
        {
            let path = entry.unwrap().path();
            if path.is_file()
                && path
                    .extension()
                    .is_some_and(|of| of == "toml" || of == "key")
            {
                let name = path.strip_prefix(&data).unwrap().display().to_string();
                files.push((name, fs_err::read_to_string(&path).unwrap()));
            }
        }
        files.sort();
        files
    }

    fn names(&self) -> Vec<String> {
        self.files().into_iter().map(|(name, _)| name).collect()
    }

    /// What the next start reads.
    fn load(&self) -> crate::config::checked::Config {
        Site::loader(self.folder.path()).load(Need::File).unwrap()
    }
}

const KEY: &str = "bm90IGEga2V5";

/// A configuration that asks for these, with the key of an account beside it.
fn file(queries: &[&str], period: &str) -> String {
    let sources: String = queries
        .iter()
        .map(|query| format!("<DataSource name=\"{query}\"/>"))
        .collect();
    format!(
        "<DiagnosticsConfiguration xmlns=\"http://schemas.microsoft.com/ServiceHosting/2010/10/DiagnosticsConfiguration\">\
         <PublicConfig><WadCfg><DiagnosticMonitorConfiguration overallQuotaInMB=\"4096\">\
         <WindowsEventLog scheduledTransferPeriod=\"{period}\">{sources}</WindowsEventLog>\
         </DiagnosticMonitorConfiguration></WadCfg><StorageAccount>shoplogs</StorageAccount></PublicConfig>\
         <PrivateConfig><StorageAccount name=\"shoplogs\" key=\"{KEY}\" endpoint=\"https://core.windows.net\"/></PrivateConfig>\
         </DiagnosticsConfiguration>"
    )
}

fn setting(text: &str, change: impl FnOnce(&mut DiagnosticsSet)) -> Request {
    let mut set = DiagnosticsSet {
        name: "shop".to_owned(),
        configuration: Hidden::new(text.to_owned()),
        how: How::Replace,
        machines: None,
        machine_groups: None,
        storage_account: None,
        table_endpoint: None,
        blob_endpoint: None,
        files: None,
        ca_file: None,
        key: None,
        deployment_id: None,
        role: None,
        mode: Mode::Do,
        seen: None,
    };
    change(&mut set);
    Request::DiagnosticsSet(Box::new(set))
}

fn rolling_back(change: impl FnOnce(&mut DiagnosticsRollback)) -> Request {
    let mut back = DiagnosticsRollback {
        name: "shop".to_owned(),
        to: None,
        key: None,
        mode: Mode::Do,
        seen: None,
    };
    change(&mut back);
    Request::DiagnosticsRollback(Box::new(back))
}

fn removing() -> Request {
    Request::DiagnosticsRemove(DiagnosticsRemove {
        name: "shop".to_owned(),
        ..DiagnosticsRemove::default()
    })
}

fn told(changed: &DiagnosticsChanged) -> String {
    let lines = changed.differences.iter().map(|difference| {
        let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
        let (from, to) = (value(&difference.from), value(&difference.to));
        format!("{} {}: {from} > {to}", difference.what, difference.at)
    });
    lines.collect::<Vec<_>>().join("\n")
}

const LOGONS: &str = "Security!*[System[(EventID=4624)]]";
const SYSTEM: &str = "System!*[System[(Level &lt;= 2)]]";

#[tokio::test]
async fn what_is_set_is_kept_and_its_key_in_a_file_of_its_own() {
    let mut site = Site::new();
    let text = file(&[LOGONS], "PT1M");
    let group = |set: &mut DiagnosticsSet| set.machine_groups = Some(vec!["web".to_owned()]);
    let shown = site
        .change(setting(&text, |set| {
            group(set);
            set.mode = Mode::Tell;
        }))
        .await;
    assert!(!shown.done);
    assert_eq!(site.names(), [""; 0], "only told");
    let done = site.change(setting(&text, group)).await;
    assert!(done.done);
    assert_eq!((done.revision_before, done.revision), (0, 1));
    assert_eq!(done.differences, shown.differences);
    insta::assert_snapshot!(told(&done), @"
    added PublicConfig: - > -
    added PublicConfig/WadCfg: - > -
    added PublicConfig/WadCfg/DiagnosticMonitorConfiguration: - > -
    added PublicConfig/WadCfg/DiagnosticMonitorConfiguration/@overallQuotaInMB: - > 4096
    added PublicConfig/WadCfg/DiagnosticMonitorConfiguration/WindowsEventLog: - > -
    added PublicConfig/WadCfg/DiagnosticMonitorConfiguration/WindowsEventLog/@scheduledTransferPeriod: - > PT1M
    added PublicConfig/WadCfg/DiagnosticMonitorConfiguration/WindowsEventLog/DataSource[Security!*[System[(EventID=4624)]]]: - > -
    added PublicConfig/@StorageAccount: - > shoplogs
    added PrivateConfig: - > -
    added PrivateConfig/StorageAccount[shoplogs]: - > -
    added PrivateConfig/StorageAccount[shoplogs]/@endpoint: - > https://core.windows.net
    added machine groups: - > web
    added account: - > shoplogs
    added DeploymentId: - > shop
    added Role: - > IaaS
    added key: - > (a key)
    ");
    insta::assert_snapshot!(done.warnings.join("\n"), @"no [source.wef.NAME] offers the subscription wad-shop: its events come from files alone (windrow import)");
    let files = site.files();
    assert_eq!(
        site.names(),
        [
            "conf.d/diagnostics.shop.toml",
            "diagnostics/shop/000001.key"
        ]
    );
    assert_eq!(files[1].1.trim(), KEY);
    let mode = site.folder.path().join("data/diagnostics/shop/000001.key");
    let mode = fs_err::metadata(mode).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(!files[0].1.contains(KEY), "{}", files[0].1);
    let answers = format!("{done:?}{:?}", site.get().await);
    assert!(!answers.contains(KEY), "{answers}");
    let config = site.load();
    assert!(config.subscription.contains_key("wad-shop"));
    assert!(config.sink.azure_table.contains_key("wad-shop-events"));
    let again = site.change(setting(&text, |_| {})).await;
    assert!(
        !again.done && again.differences.is_empty(),
        "{}",
        told(&again)
    );
}

#[tokio::test]
async fn what_is_merged_is_there_beside_what_was() {
    let mut site = Site::new();
    site.change(setting(&file(&[LOGONS], "PT1M"), |_| {})).await;
    let merging = |set: &mut DiagnosticsSet| set.how = How::Merge;
    let done = site
        .change(setting(&file(&[SYSTEM], "PT1M"), merging))
        .await;
    insta::assert_snapshot!(told(&done), @"added PublicConfig/WadCfg/DiagnosticMonitorConfiguration/WindowsEventLog/DataSource[System!*[System[(Level <= 2)]]]: - > -");
    let slower = file(&[SYSTEM], "PT5M");
    insta::assert_snapshot!(site.refused(setting(&slower, merging)).await, @"PublicConfig/WadCfg/DiagnosticMonitorConfiguration/WindowsEventLog/@scheduledTransferPeriod is PT1M in force, and PT5M in what is new -> --prefer new or --prefer current says who is right");
    let preferring = |how| move |set: &mut DiagnosticsSet| set.how = how;
    let current = site
        .change(setting(&slower, preferring(How::MergePreferCurrent)))
        .await;
    assert!(!current.done, "{}", told(&current));
    assert_eq!(current.conflicts.len(), 1);
    let new = site
        .change(setting(&slower, preferring(How::MergePreferNew)))
        .await;
    insta::assert_snapshot!(told(&new), @"changed PublicConfig/WadCfg/DiagnosticMonitorConfiguration/WindowsEventLog/@scheduledTransferPeriod: PT1M > PT5M");
    // What is set whole takes the place of all of it.
    let whole = site.change(setting(&file(&[LOGONS], "PT1M"), |_| {})).await;
    insta::assert_snapshot!(told(&whole), @"
    changed PublicConfig/WadCfg/DiagnosticMonitorConfiguration/WindowsEventLog/@scheduledTransferPeriod: PT5M > PT1M
    gone PublicConfig/WadCfg/DiagnosticMonitorConfiguration/WindowsEventLog/DataSource[System!*[System[(Level <= 2)]]]: - > -
    ");
}

#[tokio::test]
async fn what_it_was_can_be_set_again() {
    let mut site = Site::new();
    for queries in [&[LOGONS][..], &[LOGONS, SYSTEM], &[SYSTEM]] {
        site.change(setting(&file(queries, "PT1M"), |_| {})).await;
    }
    let now = site.get().await;
    let kept: Vec<u64> = now.earlier.iter().map(|earlier| earlier.revision).collect();
    assert_eq!((now.revision, kept), (3, vec![2, 1]));
    let back = site.change(rolling_back(|_| {})).await;
    assert_eq!((back.revision_before, back.revision), (3, 4));
    insta::assert_snapshot!(told(&back), @"added PublicConfig/WadCfg/DiagnosticMonitorConfiguration/WindowsEventLog/DataSource[Security!*[System[(EventID=4624)]]]: - > -");
    let first = site.change(rolling_back(|back| back.to = Some(1))).await;
    insta::assert_snapshot!(told(&first), @"gone PublicConfig/WadCfg/DiagnosticMonitorConfiguration/WindowsEventLog/DataSource[System!*[System[(Level <= 2)]]]: - > -");
    let missing = rolling_back(|back| back.to = Some(9));
    insta::assert_snapshot!(site.refused(missing).await, @"revision 9 is not kept -> kept are 1, 2, 3, 4");
    // All the while there is one key, that of what is in force.
    let keys = |site: &Site| -> Vec<String> {
        let mut names = site.names();
        names.retain(|name| name.ends_with(".key"));
        names
    };
    assert_eq!(keys(&site).len(), 1);
    let removed = site.change(removing()).await;
    assert_eq!(removed.revision, 0);
    assert_eq!(site.load().sink.azure_table.len(), 0);
    assert_eq!(keys(&site), [""; 0]);
    insta::assert_snapshot!(site.refused(rolling_back(|_| {})).await, @"the key of the account shoplogs of revision 5 is not kept -> --key-file or --sas-file names a file with a key or a signature of it");
    let with_key =
        rolling_back(|back| back.key = Some(Key::AccountKey(Hidden::new(KEY.to_owned()))));
    let again = site.change(with_key).await;
    assert_eq!((again.revision_before, again.revision), (0, 6));
    assert!(site.load().sink.azure_table.contains_key("wad-shop-events"));
}

#[tokio::test]
async fn the_account_and_its_key_are_what_was_said_last() {
    let mut site = Site::new();
    let text = file(&[LOGONS], "PT1M");
    let storage = |config: &crate::config::checked::Config| {
        let sink = &config.sink.azure_table["wad-shop-events"];
        (sink.account.clone(), sink.endpoint.clone())
    };
    site.change(setting(&text, |_| {})).await;
    assert_eq!(storage(&site.load()), ("shoplogs".to_owned(), None));
    // Another account has no key yet, although the file has one, of its own.
    let other = |set: &mut DiagnosticsSet| set.storage_account = Some("otherlogs".to_owned());
    insta::assert_snapshot!(site.refused(setting(&text, other)).await, @"nothing is said that opens the account otherlogs -> --key-file or --sas-file names a file with a key or a signature of it");
    let sas = "sv=2021-12-02&sig=aGlkZGVu";
    let done = site
        .change(setting(&text, |set| {
            other(set);
            set.key = Some(Key::Sas(Hidden::new(sas.to_owned())));
            set.table_endpoint = Some("https://tables.example.com/otherlogs".to_owned());
        }))
        .await;
    insta::assert_snapshot!(told(&done), @"
    changed account: shoplogs > otherlogs
    added endpoint: - > https://tables.example.com/otherlogs
    added key: - > (a key)
    ");
    let endpoint = Some("https://tables.example.com/otherlogs".to_owned());
    assert_eq!(storage(&site.load()), ("otherlogs".to_owned(), endpoint));
    assert!(
        !site.files().iter().any(|(_, text)| text.contains(KEY)),
        "the earlier key is gone"
    );
    // Without a word of it, the account in force stays, and its key.
    let bare = "<PublicConfig xmlns=\"http://schemas.microsoft.com/ServiceHosting/2010/10/DiagnosticsConfiguration\"><WadCfg>\
                <DiagnosticMonitorConfiguration><WindowsEventLog scheduledTransferPeriod=\"PT1M\">\
                <DataSource name=\"System!*\"/></WindowsEventLog></DiagnosticMonitorConfiguration></WadCfg></PublicConfig>";
    site.change(setting(bare, |_| {})).await;
    assert_eq!(storage(&site.load()).0, "otherlogs");
}

#[tokio::test]
async fn what_somebody_else_changed_meanwhile_is_not_replaced_unseen() {
    let mut site = Site::new();
    let text = file(&[LOGONS], "PT1M");
    site.change(setting(&text, |set| set.seen = Some(0))).await;
    let second = file(&[SYSTEM], "PT1M");
    insta::assert_snapshot!(site.refused(setting(&second, |set| set.seen = Some(0))).await, @"revision 1 of shop is in force and not 0: somebody has changed it meanwhile -> look again");
    insta::assert_snapshot!(site.refused(setting("<PublicConfig/", |_| {})).await, @"this is no configuration of Azure Diagnostics, 1:1: this is not well-formed XML: syntax error: tag not closed: `>` not found before end of input -> `windrow diagnostics validate FILE` tells all");
    insta::assert_snapshot!(site.refused(setting(&second, |set| set.name = "No!".to_owned())).await, @"`No!` cannot be a name -> 1 to 37 of the characters a-z, 0-9, - and _");
    insta::assert_snapshot!(site.refused(setting(&second, |set| set.machine_groups = Some(vec!["db".to_owned()]))).await, @r#"`machine_groups = ["db"]`: there is no [machine_group.db] ->"#);
    assert_eq!(site.get().await.revision, 1);
    site.change(removing()).await;
    insta::assert_snapshot!(site.refused(removing()).await, @"no configuration shop is in force -> `windrow diagnostics set FILE --name NAME` sets one");
}
