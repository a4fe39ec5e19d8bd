//! Keys: what only the machine may read.

use super::super::doubt::WadDoubt;
use super::super::fields::{Fields, MANY, Node, say};
use super::super::finding::Report;
use super::super::tree::Element;
use super::super::value::{Secret, Uri, account_doubt};

/// Attributes and elements that hold keys, in either notation.
pub(super) const SECRETS: [&str; 6] = [
    "key",
    "sasToken",
    "SharedAccessKey",
    "storageAccountKey",
    "storageAccountSasToken",
    "Secret",
];

/// The keys (`PrivateConfig`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PrivateConfig {
    /// Of the storage account.
    pub storage_account: Option<PrivateStorageAccount>,
    /// Of the event hub.
    pub event_hub: Option<EventHubKey>,
    /// Of Azure Monitor.
    pub azure_monitor_account: Option<AzureMonitorAccount>,
    /// Of the accounts that sinks name.
    pub secondary_storage_accounts: Option<SecondaryStorageAccounts>,
    /// Of the event hubs that sinks name.
    pub secondary_event_hubs: Option<SecondaryEventHubs>,
}

impl Node for PrivateConfig {
    fn fields<F: Fields>(&mut self, f: &mut F) {
        let said = say("StorageAccount", "The key of the storage account.");
        f.child(said, &mut self.storage_account);
        f.child(
            say("EventHub", "The key of the event hub."),
            &mut self.event_hub,
        );
        let said = say("AzureMonitorAccount", "The key of Azure Monitor.");
        f.child(said, &mut self.azure_monitor_account);
        let said = say(
            "SecondaryStorageAccounts",
            "The keys of accounts that sinks name.",
        );
        f.child(said, &mut self.secondary_storage_accounts);
        let said = say(
            "SecondaryEventHubs",
            "The keys of event hubs that sinks name.",
        );
        f.child(said, &mut self.secondary_event_hubs);
    }
}

/// A storage account and its key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PrivateStorageAccount {
    /// Its name.
    pub name: Option<String>,
    /// Its key, or
    pub key: Option<Secret>,
    /// Its endpoint.
    pub endpoint: Option<Uri>,
    /// a signature for it, which is used before the key.
    pub sas_token: Option<Secret>,
}

impl Node for PrivateStorageAccount {
    fn fields<F: Fields>(&mut self, f: &mut F) {
        f.attribute(say("name", "The name of the account."), &mut self.name);
        f.attribute(say("key", "Its key."), &mut self.key);
        f.attribute(
            say("endpoint", "Its endpoint, as https://core.windows.net."),
            &mut self.endpoint,
        );
        let said = say(
            "sasToken",
            "A signature for the account, used before the key.",
        );
        f.attribute(said, &mut self.sas_token);
    }

    fn key(&self) -> String {
        self.name.clone().unwrap_or_default()
    }

    fn check(&self, element: &Element, report: &mut Report) {
        let place = |name: &str| {
            element
                .attribute(name)
                .map_or(element.at, |of| of.value_at.start)
        };
        if let Some(doubt) = account_doubt(self.name.as_deref().unwrap_or_default()) {
            report.add(doubt, place("name"));
        }
        let filled =
            |secret: &Option<Secret>| secret.as_ref().is_some_and(|of| !of.expose().is_empty());
        if !filled(&self.sas_token) {
            return;
        }
        if filled(&self.key) {
            report.add(WadDoubt::KeyUnused, place("key"));
        }
        let token = self.sas_token.as_ref().map_or("", Secret::expose);
        for doubt in sas_doubts(token) {
            report.add(WadDoubt::Sas(doubt), place("sasToken"));
        }
    }
}

/// What a signature has to allow, by the parameter that says it (Azure Storage, "Create an account SAS").
const SAS_NEEDS: [(&str, &str, &str); 3] = [
    ("ss", "bt", "it has to be for blobs and tables (ss=bt)"),
    (
        "srt",
        "co",
        "it has to be for containers and objects (srt=co)",
    ),
    (
        "sp",
        "acuw",
        "it has to allow to add, create, update and write (sp=acuw)",
    ),
];

fn sas_doubts(token: &str) -> Vec<&'static str> {
    let token = token.trim_start_matches('?');
    let pairs = token.split('&').filter_map(|pair| pair.split_once('='));
    let parameters: Vec<_> = pairs.collect();
    let value = |name: &str| {
        let mut found = parameters.iter().filter(|(key, _)| *key == name);
        found.next().map(|(_, value)| *value)
    };
    if value("sig").is_none() {
        // Most likely a word that stands for one.
        return Vec::new();
    }
    if value("ss").is_none() && value("srt").is_none() {
        return vec!["it has to be of an account, not of a container or table"];
    }
    let mut doubts = Vec::new();
    for (name, needs, doubt) in SAS_NEEDS {
        let given = value(name).unwrap_or_default();
        if !needs.chars().all(|letter| given.contains(letter)) {
            doubts.push(doubt);
        }
    }
    if value("spr").is_none_or(|protocols| {
        protocols.contains("http,") || protocols == "http" || protocols.ends_with(",http")
    }) {
        doubts.push("it has to be for https alone (spr=https)");
    }
    doubts
}

/// An event hub and its key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventHubKey {
    /// Its address.
    pub url: Option<Uri>,
    /// The name of the key.
    pub shared_access_key_name: Option<String>,
    /// The key.
    pub shared_access_key: Option<Secret>,
}

impl Node for EventHubKey {
    fn fields<F: Fields>(&mut self, f: &mut F) {
        f.attribute(say("Url", "The address of the event hub."), &mut self.url);
        let said = say("SharedAccessKeyName", "The name of the key.");
        f.attribute(said, &mut self.shared_access_key_name);
        f.attribute(
            say("SharedAccessKey", "The key."),
            &mut self.shared_access_key,
        );
    }

    fn key(&self) -> String {
        self.url
            .as_ref()
            .map_or(String::new(), |url| url.as_str().to_lowercase())
    }
}

/// Keys of the accounts that sinks name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecondaryStorageAccounts {
    /// Each of them.
    pub storage_account: Vec<PrivateStorageAccount>,
}

impl Node for SecondaryStorageAccounts {
    fn fields<F: Fields>(&mut self, f: &mut F) {
        let said = say("StorageAccount", "An account and its key.");
        f.children(said, 0..=MANY, &mut self.storage_account);
    }
}

/// Keys of the event hubs that sinks name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecondaryEventHubs {
    /// Each of them.
    pub event_hub: Vec<EventHubKey>,
}

impl Node for SecondaryEventHubs {
    fn fields<F: Fields>(&mut self, f: &mut F) {
        let said = say("EventHub", "An event hub and its key.");
        f.children(said, 0..=MANY, &mut self.event_hub);
    }
}

/// Who writes to Azure Monitor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AzureMonitorAccount {
    /// The account of a service.
    pub service_principal_meta: Option<ServicePrincipal>,
}

impl Node for AzureMonitorAccount {
    fn fields<F: Fields>(&mut self, f: &mut F) {
        let said = say("ServicePrincipalMeta", "The account of a service.");
        f.child(said, &mut self.service_principal_meta);
    }
}

/// The account of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServicePrincipal {
    /// Its id.
    pub principal_id: Option<String>,
    /// Its key.
    pub secret: Option<Secret>,
}

impl Node for ServicePrincipal {
    fn fields<F: Fields>(&mut self, f: &mut F) {
        f.text(say("PrincipalId", "Its id."), &mut self.principal_id);
        f.text(say("Secret", "Its key."), &mut self.secret);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_has_to_allow_what_is_done_with_it() {
        let right = "?sv=2019&ss=bt&srt=sco&sp=rwlacu&spr=https&sig=abc";
        assert_eq!(sas_doubts(right), Vec::<&str>::new());
        assert_eq!(sas_doubts("{sas token}"), Vec::<&str>::new());
        assert_eq!(sas_doubts(&right.replace("ss=bt", "ss=b")).len(), 1);
        assert_eq!(
            sas_doubts(&right.replace("spr=https", "spr=https,http")).len(),
            1
        );
        assert_eq!(sas_doubts(&right.replace("&spr=https", "")).len(), 1);
        assert_eq!(sas_doubts("sr=c&sp=r&sig=abc").len(), 1);
    }
}
