//! Which storage account a command is about.

use std::path::PathBuf;

use windrow_pipeline::azure::Client;

use super::Invocation;
use crate::config::Need;
use crate::config::checked::AccountCredential;
use crate::exit::UsageError;
use crate::service::{AccountPlace, account_client, account_of_blob_sink, account_of_sink};

/// What of an account is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Tables,
    Blobs,
}

/// Where a table or a container is.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Storage")]
pub(super) struct AccountArgs {
    /// The account of this sink, [sink.azure_table.NAME], or [sink.azure_blob.NAME] for containers
    #[arg(long, value_name = "NAME", conflicts_with_all = ["storage_account", "table_endpoint", "blob_endpoint", "key_file", "sas_file", "ca_file"])]
    sink: Option<String>,

    /// The storage account
    #[arg(long, value_name = "ACCOUNT", required_unless_present = "sink")]
    storage_account: Option<String>,

    /// Where its tables are [default: https://ACCOUNT.table.core.windows.net]
    #[arg(long, value_name = "URL")]
    table_endpoint: Option<String>,

    /// Where its blobs are [default: https://ACCOUNT.blob.core.windows.net]
    #[arg(long, value_name = "URL")]
    blob_endpoint: Option<String>,

    /// A file with a key of the account, readable by its owner only
    #[arg(long, value_name = "FILE", conflicts_with = "sas_file")]
    key_file: Option<PathBuf>,

    /// A file with a shared access signature of it, readable by its owner only
    #[arg(long, value_name = "FILE")]
    sas_file: Option<PathBuf>,

    /// The authority of the service's certificate
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
}

/// A client of the account.
///
/// # Errors
/// Nothing opens it, or there is no such sink.
pub(super) fn client(
    command: &str,
    kind: Kind,
    args: &AccountArgs,
    invocation: &Invocation,
) -> anyhow::Result<Client> {
    if let Some(name) = &args.sink {
        return of_sink(kind, name, invocation);
    }
    let credential = match (&args.key_file, &args.sas_file) {
        (Some(file), _) => AccountCredential::KeyFile(file.clone()),
        (None, Some(file)) => AccountCredential::SasFile(file.clone()),
        (None, None) => {
            let message = "nothing is said that opens the account: --key-file or --sas-file names a file with a key or a signature of it";
            return Err(UsageError(message.to_owned()).into());
        }
    };
    account_client(AccountPlace {
        table: command,
        account: args.storage_account.as_deref().unwrap_or_default(),
        endpoint: args.table_endpoint.clone(),
        blob_endpoint: args.blob_endpoint.clone(),
        credential: &credential,
        ca_file: args.ca_file.as_deref(),
    })
}

fn of_sink(kind: Kind, name: &str, invocation: &Invocation) -> anyhow::Result<Client> {
    let sinks = invocation.loader.load(Need::Defaults)?.sink;
    let (table, known): (_, Vec<&str>) = match kind {
        Kind::Tables => {
            if let Some(sink) = sinks.azure_table.get(name) {
                return account_of_sink(name, sink);
            }
            let known = sinks.azure_table.keys().map(String::as_str);
            ("azure_table", known.collect())
        }
        Kind::Blobs => {
            if let Some(sink) = sinks.azure_blob.get(name) {
                return account_of_blob_sink(name, sink);
            }
            let known = sinks.azure_blob.keys().map(String::as_str);
            ("azure_blob", known.collect())
        }
    };
    let there = match known.is_empty() {
        true => "there is none".to_owned(),
        false => format!("there are {}", known.join(", ")),
    };
    let message = format!("there is no [sink.{table}.{name}]; {there}");
    Err(UsageError(message).into())
}
