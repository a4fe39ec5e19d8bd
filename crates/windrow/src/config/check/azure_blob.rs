//! `[sink.azure_blob.NAME]`.

use std::collections::BTreeMap;

use toml::Spanned;
use windrow_formats::azure::container_name_is_allowed;

use super::azure_table::{DAY, MINUTE, account, credential, origin, whole_minutes};
use super::subscription::{included, known_groups, not_emptied};
use super::{At, Source, span};
use crate::config::checked::AzureBlobSink;
use crate::config::{ConfigError, raw};

pub(super) fn sink(
    at: &At<'_>,
    raw: raw::AzureBlobSink,
    groups: &[&str],
    folders: &[&str],
) -> Result<AzureBlobSink, ConfigError> {
    let source = at.source;
    let addresses = (raw.table_endpoint.as_ref(), raw.endpoint.as_ref());
    account(source, &raw.account, addresses.0, addresses.1)?;
    not_emptied(source, &raw.machine_groups)?;
    let period = span(source, raw.transfer_period, MINUTE, MINUTE..=DAY)?;
    Ok(AzureBlobSink {
        enabled: raw.enabled.unwrap_or(true),
        credential: credential(at, raw.key_file, raw.sas_file)?,
        account: raw.account.into_inner(),
        endpoint: raw.endpoint.map(Spanned::into_inner),
        table_endpoint: raw.table_endpoint.map(Spanned::into_inner),
        ca_file: raw.ca_file.map(|file| source.resolve(file)),
        deployment_id: raw.deployment_id.map(|id| origin(source, id)).transpose()?,
        role: raw
            .role
            .map_or(Ok("IaaS".to_owned()), |role| origin(source, role))?,
        transfer_period: whole_minutes(period),
        directories_table: raw.directories_table.unwrap_or(true),
        machines: included(source, raw.machines)?,
        machine_groups: known_groups(source, raw.machine_groups, groups)?,
        keep: raw.keep.unwrap_or_default(),
        containers: containers(source, raw.containers, folders)?,
    })
}

fn containers(
    source: Source<'_>,
    given: Spanned<BTreeMap<Spanned<String>, Spanned<String>>>,
    folders: &[&str],
) -> Result<BTreeMap<String, String>, ConfigError> {
    if given.get_ref().is_empty() {
        let error = source.error("no folder has a container", given.span());
        return Err(error.expected("such as { iis = \"wad-iis-logfiles\" }"));
    }
    for (folder, container) in given.get_ref() {
        if !folders.contains(&folder.get_ref().as_str()) {
            let message = format!("there is no [source.directory.{}]", folder.get_ref());
            return Err(source.error(message, folder.span()));
        }
        if !container_name_is_allowed(container.get_ref()) {
            let error = source.error("no container is called so", container.span());
            return Err(error.expected("3 to 63 of a-z, 0-9 and single inner hyphens"));
        }
    }
    let given = given.into_inner().into_iter();
    Ok(given
        .map(|(folder, container)| (folder.into_inner(), container.into_inner()))
        .collect())
}
