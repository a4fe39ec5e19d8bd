//! The data folder is lost and put back from a copy, as docs/backup.md says: nothing that the
//! machines still have is missing afterwards, and nothing is in the lake twice.

use std::path::Path;
use std::process::Command;

use rustix::process::Signal;

use crate::support::ledger::repeated;
use crate::support::program::run;
use crate::support::rsyslog::{Listener, Rsyslog};
use crate::support::service::{Fleet, Service, Transport};
use crate::support::{Scratch, installed, wait_until};

/// A collector whose machines wait for it as long as it takes, and ask often what is wanted.
fn service<'a>(scratch: &'a Scratch, siem: &Rsyslog) -> Service<'a> {
    let service = Service::new(scratch);
    let framing = "octet-counting";
    service.destination("siem", siem.port, &Transport::Tcp { framing });
    // A machine that gives up would subscribe anew by itself, from the bookmark that is offered.
    let patient = "retry_interval = \"1s\"\nretry_count = 1000\n";
    service.reconfigure("retry_interval = \"1s\"\n", patient);
    service
}

/// Three machines that are never switched off.
fn fleet(service: &Service<'_>) -> Fleet {
    let extra = ["--machines", "3", "--rate", "20", "--for", "10m"];
    service.fleet("fleet", &[&extra[..], &["--refresh", "1s"]].concat())
}

fn more_is_acknowledged(fleet: &Fleet, events: u64) {
    let before = fleet.ledger().count();
    wait_until("more events to be acknowledged", || {
        fleet.ledger().count() >= before + events
    });
}

fn tar(arguments: &[&str], folder: &Path) {
    let status = Command::new("tar")
        .args(arguments)
        .current_dir(folder)
        .status();
    assert!(status.unwrap().success(), "tar {arguments:?}");
}

/// Everything that was ever acknowledged is in the lake once and was at the receiver.
fn nothing_is_missing(scratch: &Scratch, mut service: Service<'_>, fleet: Fleet, siem: &Rsyslog) {
    let ledger = fleet.stop();
    wait_until("every record in the lake", || {
        ledger.missing(&service.lake()).is_empty()
    });
    wait_until("every record at the receiver", || {
        ledger.missing(&siem.events()).is_empty()
    });
    assert_eq!(repeated(&service.lake()), [""; 0], "in the lake");
    service.terminate().expect(0);
    run(scratch, &service.arguments("verify")).expect(0);
}

fn put_back_on_record(service: &Service<'_>) -> usize {
    let sql = "select seq from events where origin = 'own' and event_id = 5";
    service.query(sql).len()
}

#[test]
fn an_older_backup_loses_nothing_that_the_machines_still_have() {
    if !installed("rsyslogd") {
        return;
    }
    let scratch = Scratch::new();
    let siem = Rsyslog::start(&scratch, "siem", &Listener::Tcp);
    let mut service = service(&scratch, &siem);
    service.start();
    let fleet = fleet(&service);
    more_is_acknowledged(&fleet, 60);
    service.terminate().expect(0);
    tar(&["--create", "--file=backup.tar", "data"], scratch.path());
    service.start();
    assert_eq!(put_back_on_record(&service), 0, "a restart moves nothing");
    more_is_acknowledged(&fleet, 60);

    // The disk is lost, and the machines go on as if nothing had happened.
    service.kill();
    std::fs::rename(scratch.join("data"), scratch.join("lost")).unwrap();
    std::fs::create_dir(scratch.join("elsewhere")).unwrap();
    tar(
        &["--extract", "--file=../backup.tar"],
        &scratch.join("elsewhere"),
    );
    service.keep_data_at(scratch.join("elsewhere/data"));
    run(&scratch, &service.arguments("verify")).expect(0);
    service.start();
    more_is_acknowledged(&fleet, 60);
    assert_eq!(put_back_on_record(&service), 1);
    service.terminate().expect(0);
    service.start();
    more_is_acknowledged(&fleet, 1);
    assert_eq!(put_back_on_record(&service), 1, "known from then on");
    nothing_is_missing(&scratch, service, fleet, &siem);
}

/// Everything at one moment, while events come: what a snapshot of the file system has.
#[test]
fn a_snapshot_of_a_running_service_is_a_backup() {
    if !installed("rsyslogd") {
        return;
    }
    let scratch = Scratch::new();
    let siem = Rsyslog::start(&scratch, "siem", &Listener::Tcp);
    let mut service = service(&scratch, &siem);
    service.start();
    let fleet = fleet(&service);
    more_is_acknowledged(&fleet, 60);
    service.program().signal(Signal::STOP);
    tar(&["--create", "--file=backup.tar", "data"], scratch.path());
    service.program().signal(Signal::CONT);
    more_is_acknowledged(&fleet, 60);

    service.kill();
    std::fs::rename(scratch.join("data"), scratch.join("lost")).unwrap();
    tar(&["--extract", "--file=backup.tar"], scratch.path());
    service.start();
    more_is_acknowledged(&fleet, 60);
    nothing_is_missing(&scratch, service, fleet, &siem);
}

#[test]
fn a_lake_older_than_the_journal_gets_again_what_that_still_has() {
    let scratch = Scratch::new();
    let mut service = Service::new(&scratch);
    // Nobody takes these: the journal keeps everything.
    service.destination("siem", 9, &Transport::Tcp { framing: "lf" });
    let send = |service: &Service<'_>, name: &str, seed: &str| {
        let extra = ["--machines", "2", "--events", "30", "--seed", seed];
        service.fleet(name, &extra).finish()
    };
    service.start();
    let before = send(&service, "before", "1");
    service.terminate().expect(0);
    tar(
        &["--create", "--file=lake.tar", "data/lake"],
        scratch.path(),
    );
    service.start();
    let after = send(&service, "after", "2");
    service.terminate().expect(0);

    std::fs::remove_dir_all(scratch.join("data/lake")).unwrap();
    tar(&["--extract", "--file=lake.tar"], scratch.path());
    service.start();
    wait_until("every record in the lake", || {
        let lake = service.lake();
        before.missing(&lake).is_empty() && after.missing(&lake).is_empty()
    });
    let told = "select seq from events where origin = 'own' and event_id = 6";
    assert_eq!(service.query(told).len(), 1);
    service.terminate().expect(0);
    service.start();
    assert_eq!(service.query(told).len(), 1, "it has everything now");
    assert_eq!(repeated(&service.lake()), [""; 0], "in the lake");
    service.terminate().expect(0);
}
