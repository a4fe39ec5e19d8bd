//! Changes of the configuration, in a service of its own.

use std::path::Path;
use std::time::Duration;

use windrow_pipeline::journal::{JournalOptions, Start};
use windrow_pipeline::sinks::syslog::SyslogMetrics;

use super::sinks::{Look, Sinks};
use super::*;

use crate::config::objects::Object;
use crate::config::{Environment, Overrides, check_text};

const SINK: &str = "server_name = \"localhost\"\nport = 9\ntransport = \"tcp\"\n";

fn loader(folder: &Path) -> Loader {
    let file = folder.join("windrow.toml");
    let data = folder.join("data");
    let text = format!(
        "data_dir = \"{}\"\n[lake]\nenabled = false\n[web]\nlisten = \"127.0.0.1:0\"\n",
        data.display()
    );
    std::fs::write(&file, text).unwrap();
    let overrides = Overrides {
        config: Some(file),
        ..Overrides::default()
    };
    Loader::new(Environment::default(), overrides)
}

/// A command that had its turn first is not undone by a reload that was asked for meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_reads_the_settings_when_its_turn_has_come() {
    let folder = tempfile::tempdir().unwrap();
    let loader = loader(folder.path());
    let config = loader.load(Need::File).unwrap();
    let data_dir = DataDir::open(&config.data_dir, Purpose::Serve).unwrap();
    let service = start(config.clone(), data_dir).await.unwrap();
    let turn = service.turn().await;
    let reload = tokio::spawn({
        let (service, loader) = (service.clone(), loader.clone());
        async move { service.reload(&loader).await }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    let object = Object::SyslogSink("new".to_owned());
    let store = Store::new(&config.data_dir);
    let _ = store.write(&object, Some(SINK)).unwrap();
    drop(turn);
    reload.await.unwrap().unwrap();
    assert!(service.config().sink.syslog.contains_key("new"));
    service.stop().await;
}

/// A configuration of which a part cannot be used leaves the places in the journal as they were: those of new sinks
/// are given up, and one that was damaged and found again is kept.
#[tokio::test]
async fn what_is_refused_leaves_places_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let journal = || {
        let options = JournalOptions::new(folder.path().join("journal"));
        Journal::open(options).unwrap().0
    };
    let first = journal();
    first.cursor("syslog.old", Start::Newest).unwrap();
    first.close().await;
    let file = folder.path().join("journal/cursors/syslog%2eold.cursor");
    std::fs::write(&file, [0; 8192]).unwrap();
    let journal = journal();
    assert_eq!(journal.lost_cursors().len(), 1);
    let text = format!(
        "[sink.syslog.new]\n{SINK}[sink.syslog.old]\n{SINK}\
         [sink.syslog.unusable]\nserver_name = \"localhost\"\nca_file = \"absent.pem\"\n"
    );
    let config = check_text(&folder.path().join("windrow.toml"), &text).unwrap();
    let sinks = Sinks::new(SyslogMetrics::default(), folder.path().join("quarantine"));
    let refused = sinks.prepare(&config, &journal, Look::Settings);
    let refused = refused.map(|_| ()).unwrap_err();
    assert!(format!("{refused:#}").contains("absent.pem"), "{refused:#}");
    let places: Vec<_> = journal
        .cursors()
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(places, ["syslog.old"]);
    journal.close().await;
}
