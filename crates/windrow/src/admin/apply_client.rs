//! Applies a change of the certificate that this side shows. The new files are written first, the old ones go when the
//! change is in force and on disk for sure.

use jiff::Timestamp;

use super::apply::{Place, Record};
use super::client::{self, Client, ClientSet, Files};
use super::refusal::{Refusal, RefusalKind};
use super::view::ClientChanged;
use super::{Actor, Request};
use crate::config::checked;
use crate::config::objects::{self, Object, Store};
use crate::datadir::Kept;
use crate::service::{Edit, Edited};

/// What it is called in a record.
const OBJECT: &str = "syslog-client";

pub(super) async fn change(
    place: &mut Place,
    request: &Request,
    actor: &Actor,
) -> Result<ClientChanged, Refusal> {
    let config = place.config();
    let old = compact(&config);
    let done = match request {
        Request::ClientSet(set) => set_client(place, &config, set).await,
        _ => remove(place, &config).await,
    };
    let new = compact(&place.config());
    let record = Record {
        verb: request.verb(),
        object: OBJECT,
        actor,
        old: &old,
        new: &new,
    };
    match done {
        Ok((edited, warnings)) => {
            let warnings = warnings.into_iter().chain(edited.kept.warning());
            record.changed(place.recorder(), edited.generation).await;
            let mut client = Client::of(&place.config());
            client.warnings.extend(warnings);
            Ok(ClientChanged {
                verb: request.verb().word().to_owned(),
                generation: edited.generation,
                running: matches!(place, Place::Service(_)),
                client,
            })
        }
        Err(refusal) => {
            record.refused(place.recorder(), &refusal.message).await;
            Err(refusal)
        }
    }
}

async fn set_client(
    place: &mut Place,
    config: &checked::Config,
    set: &ClientSet,
) -> Result<(Edited, Vec<String>), Refusal> {
    let failed = |error: String| Refusal::new(RefusalKind::Failed, error);
    let (set, at) = (set.clone(), config.clone());
    // Deriving the key of a PFX from its password takes a while, and writing waits for the disk.
    let written = tokio::task::spawn_blocking(move || {
        let opened = set.open(&at)?;
        let generation = Store::new(&at.data_dir).generation();
        let generation = generation.map_err(|error| failed(error.in_words()))?;
        let files = opened.write(&at.data_dir, generation + 1)?;
        Ok((files, opened.warnings, opened.subject))
    });
    let (files, warnings, subject) = written.await.map_err(|error| failed(error.to_string()))??;
    tracing::debug!(subject, "a client certificate was read");
    match edit(place, config, Some(&files)).await {
        Ok(edited) => {
            tidy(place, &edited);
            Ok((edited, warnings))
        }
        Err(refusal) => {
            if !is_named(config, &files) {
                client::forget(&config.data_dir, &files);
            }
            Err(refusal)
        }
    }
}

/// Takes the old files away, unless what names them could come back.
fn tidy(place: &Place, edited: &Edited) {
    if edited.kept == Kept::Surely {
        client::tidy(&place.config());
    }
}

/// Whether what is on disk names these files, or cannot be read.
fn is_named(config: &checked::Config, files: &Files) -> bool {
    let text = Store::new(&config.data_dir).text(&Object::SyslogClient);
    let file = files.certificate.display().to_string();
    text.map_or(true, |text| text.is_some_and(|text| text.contains(&file)))
}

async fn remove(
    place: &mut Place,
    config: &checked::Config,
) -> Result<(Edited, Vec<String>), Refusal> {
    if config.syslog_client.is_none() {
        return Err(Refusal::new(
            RefusalKind::NotFound,
            "there is no client certificate",
        ));
    }
    let edited = edit(place, config, None).await?;
    tidy(place, &edited);
    Ok((edited, Vec::new()))
}

async fn edit(
    place: &mut Place,
    config: &checked::Config,
    files: Option<&Files>,
) -> Result<Edited, Refusal> {
    let mut config = config.clone();
    let text = match files {
        None => {
            config.syslog_client = None;
            None
        }
        Some(files) => {
            let text = text(files)?;
            let store = Store::new(&config.data_dir);
            let client = store.check_syslog_client(&text);
            config.syslog_client = Some(client.map_err(|error| Refusal::of_setting(&error))?);
            Some(text)
        }
    };
    let edit = Edit {
        object: Object::SyslogClient,
        text,
        config,
    };
    place.edit(edit).await.map_err(Refusal::of_edit)
}

fn text(files: &Files) -> Result<String, Refusal> {
    let mut keys = toml::Table::new();
    let path = |path: &std::path::Path| toml::Value::String(path.display().to_string());
    keys.insert("certificate".to_owned(), path(&files.certificate));
    keys.insert("key".to_owned(), path(&files.key));
    keys.insert("set_at".to_owned(), Timestamp::now().to_string().into());
    objects::text(&Object::SyslogClient, &keys).map_err(|error| Refusal::invalid(error.to_string()))
}

/// The certificate in one line, as a record carries it.
fn compact(config: &checked::Config) -> String {
    let client = Client::of(config);
    let Some(certificate) = client.certificate else {
        return String::new();
    };
    format!(
        "subject={:?} issuer={:?} not_after={} fingerprint={}",
        certificate.subject, certificate.issuer, certificate.not_after, certificate.fingerprint
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::check_text;

    #[test]
    fn files_that_a_setting_names_are_no_leftovers() {
        let folder = tempfile::tempdir().unwrap();
        let text = format!("data_dir = \"{}\"\n", folder.path().display());
        let config = check_text(std::path::Path::new("/windrow.toml"), &text).unwrap();
        let files = |number: &str| Files {
            certificate: format!("pki/syslog-client/{number}.pem").into(),
            key: format!("pki/syslog-client/{number}.key").into(),
        };
        assert!(!is_named(&config, &files("001")));
        let place = Store::new(folder.path()).path(&Object::SyslogClient);
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        std::fs::write(&place, super::text(&files("001")).unwrap()).unwrap();
        assert!(is_named(&config, &files("001")) && !is_named(&config, &files("002")));
        std::fs::write(&place, [0xff]).unwrap();
        assert!(
            is_named(&config, &files("002")),
            "what cannot be read may name them"
        );
    }
}
