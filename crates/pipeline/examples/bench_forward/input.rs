//! What is forwarded: the same logons as a journal and as a file of messages.

use std::io::Write as _;
use std::path::Path;

use rcgen::{CertificateParams, KeyPair};
use windrow_formats::batch::{self, Flags};
use windrow_formats::cef::Profile;
use windrow_formats::event::{Event, Index, parse};
use windrow_formats::syslog::{Encoder, Settings};
use windrow_pipeline::journal::{Entry, Journal, JournalOptions};

use crate::common::{header, logon};

const BATCH_EVENTS: u64 = 50;

/// Sizes, on average.
pub(crate) struct Made {
    pub(crate) event_bytes: u64,
    pub(crate) azure_stack_bytes: u64,
    pub(crate) standard_bytes: u64,
}

/// Writes the journal, `lines`, and the receiver's certificate and key.
pub(crate) fn make(folder: &Path, events: u64) -> Made {
    certificate(folder);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(fill(folder, events));
    let mut lines = std::io::BufWriter::new(std::fs::File::create(folder.join("lines")).unwrap());
    let [mut azure_stack, mut standard] =
        [Profile::AzureStack, Profile::Standard].map(|profile| Encoder::new(settings(profile)));
    let (mut index, mut message) = (Index::default(), Vec::new());
    let (mut event_bytes, mut azure_stack_bytes, mut standard_bytes) = (0, 0, 0);
    for id in 1..=events {
        let text = logon(id);
        parse(&text, &mut index).unwrap();
        event_bytes += text.len() as u64;
        let event = Event::new(&text, &index);
        message.clear();
        standard.encode(event, &header(), &mut message).unwrap();
        standard_bytes += message.len() as u64;
        message.clear();
        azure_stack.encode(event, &header(), &mut message).unwrap();
        azure_stack_bytes += message.len() as u64;
        lines.write_all(&message).unwrap();
    }
    lines.flush().unwrap();
    Made {
        event_bytes: event_bytes / events,
        azure_stack_bytes: azure_stack_bytes / events,
        standard_bytes: standard_bytes / events,
    }
}

/// Lines of one profile.
pub(crate) fn settings(profile: Profile) -> Settings {
    let mut settings = Settings::default();
    settings.cef.profile = profile;
    settings
}

pub(crate) fn open(folder: &Path) -> Journal {
    let options = JournalOptions {
        keep_segments: 10_000,
        ..JournalOptions::new(folder.join("journal"))
    };
    Journal::open(options).unwrap().0
}

async fn fill(folder: &Path, events: u64) {
    let journal = open(folder);
    let mut index = Index::default();
    for first in (1..=events).step_by(BATCH_EVENTS as usize) {
        let mut encoder = batch::Encoder::new(&header());
        for id in first..(first + BATCH_EVENTS).min(events + 1) {
            let text = logon(id);
            parse(&text, &mut index).unwrap();
            encoder.push(&text, Flags::NONE, &index);
        }
        let entry = Entry {
            events: encoder.events(),
            body: encoder.finish(),
            state: None,
        };
        journal.append(entry).await.unwrap();
    }
    journal.close().await;
}

fn certificate(folder: &Path) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap();
    std::fs::write(folder.join("certificate.pem"), certificate.pem()).unwrap();
    std::fs::write(folder.join("certificate"), certificate.der()).unwrap();
    std::fs::write(folder.join("key"), key.serialize_der()).unwrap();
}
