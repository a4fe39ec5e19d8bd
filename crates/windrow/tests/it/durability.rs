//! The service dies at any moment: what it acknowledged is in the lake once and reaches the
//! receiver at least once.

use std::time::Duration;

use rand::RngExt;

use crate::support::ledger::repeated;
use crate::support::rsyslog::{Listener, Rsyslog};
use crate::support::service::{Service, Transport};
use crate::support::{Scratch, chance, installed, wait_until};

const DEATHS: u64 = 20;

/// The longest that the service lives between two deaths.
const LIFE_MS_MAX: u64 = 1500;

#[test]
fn killed_at_any_moment_it_loses_nothing() {
    if !installed("rsyslogd") {
        return;
    }
    let mut random = chance();
    let scratch = Scratch::new();
    let siem = Rsyslog::start(&scratch, "siem", &Listener::Tcp);
    let mut service = Service::new(&scratch);
    service.destination(
        "siem",
        siem.port,
        &Transport::Tcp {
            framing: "octet-counting",
        },
    );
    // Small: the journal soon no longer has what lake and receiver took over.
    service.configure("[journal]\nsegment_size = \"1 MiB\"\n");
    service.start();
    let mut fleet = service.fleet(
        "fleet",
        &["--machines", "10", "--rate", "50", "--for", "10m"],
    );

    for death in 0..DEATHS {
        let before = fleet.ledger().count();
        wait_until("events to be acknowledged again", || {
            fleet.ledger().count() > before
        });
        // A moment within a life is what the test is about, not something to wait for.
        std::thread::sleep(Duration::from_millis(random.random_range(0..LIFE_MS_MAX)));
        service.kill();
        assert!(fleet.is_running(), "the fleet gave up after {death} deaths");
        service.start();
    }
    let ledger = fleet.stop();
    assert!(
        ledger.count() > DEATHS * 10,
        "only {} were acknowledged",
        ledger.count()
    );

    wait_until("every record at the receiver", || {
        ledger.missing(&siem.events()).is_empty()
    });
    wait_until("every record in the lake", || {
        ledger.missing(&service.lake()).is_empty()
    });
    assert_eq!(repeated(&service.lake()), [""; 0], "in the lake");
    service.terminate().expect(0);
    assert_eq!(
        repeated(&service.lake()),
        [""; 0],
        "in the lake, read without the service"
    );
    let verified = crate::support::program::run(&scratch, &service.arguments("verify"));
    verified.expect(0);
}
