//! A receiver gets everything in spite of a power cut at windrow: what had counted as delivered it had before.

use crate::support::disk::{Disk, Mount};
use crate::support::ledger::repeated;
use crate::support::rsyslog::{Listener, Rsyslog, arrived};
use crate::support::service::{Service, Transport};
use crate::support::{Scratch, wait_until};

#[test]
#[ignore = "needs root: ./test rigs"]
fn what_was_acknowledged_reaches_the_receiver_in_spite_of_power_cuts() {
    let scratch = Scratch::new();
    let siem = Rsyslog::start(&scratch, "siem", &Listener::Tcp);
    let disk = Disk::new(&scratch);
    let mut service = Service::new(&scratch);
    service.configure(super::SMALL_SEGMENTS);
    service.destination("siem", siem.port, &Transport::Tcp { framing: "lf" });
    service.keep_data_at(disk.mounted.join("windrow"));
    // Whole messages that it certainly had before each cut, in bytes.
    let mut before = Vec::new();
    let whole = || siem.messages().rfind('\n').map_or(0, |end| end + 1);
    let (cuts, _) = super::cut_the_power(&mut service, &disk, || before.push(whole()));
    service.terminate().expect(0);
    let mut most = 0;
    for (number, (cut, before)) in cuts.iter().zip(before).enumerate() {
        let after = Mount::image(&scratch, &format!("after-{number}"), &cut.image);
        service.keep_data_at(after.path.join("windrow"));
        let from = siem.messages().len();
        service.start();
        let had = || {
            let messages = siem.messages();
            arrived(&format!("{}{}", &messages[..before], &messages[from..]))
        };
        wait_until("what was acknowledged before the cut", || {
            cut.ledger.missing(&had()).is_empty()
        });
        service.terminate().expect(0);
        most = most.max(repeated(&had()).len());
    }
    eprintln!("came twice at most, of {} cuts: {most}", cuts.len());
}
