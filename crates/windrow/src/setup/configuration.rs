//! The text of `windrow.toml`.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use super::Places;
use crate::config::checked::Delivery;

/// What the configuration is to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The collector's name.
    pub name: String,
    /// The address to listen at.
    pub listen: IpAddr,
    /// For machines of a domain: the port and the keytab.
    pub kerberos: Option<(u16, PathBuf)>,
    /// For machines with certificates.
    pub certificates: Option<Certificates>,
    /// What machines are asked for.
    pub baselines: Vec<Wanted>,
    /// How soon.
    pub delivery: Option<Delivery>,
    /// How often machines ask, in seconds, as their policy says.
    pub refresh_seconds: u32,
    /// Machines that events are expected of.
    pub expected: Vec<String>,
}

/// The listener for machines with certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificates {
    /// The port.
    pub port: u16,
    /// The collector's certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// The authorities of the machines.
    pub client_ca: PathBuf,
}

/// A baseline, and which machines it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Its name.
    pub baseline: String,
    /// Patterns of machines; those that no other one names when there are none.
    pub machines: Vec<String>,
}

impl Settings {
    /// The text.
    #[must_use]
    pub fn text(&self, places: &Places) -> String {
        let mut text = String::from(
            "# Written by `windrow setup wef`; yours from now on. `windrow config example` shows every key.\n",
        );
        if let Some(data_dir) = &places.data_dir {
            let _ = writeln!(text, "data_dir = {}", quoted_path(data_dir));
        }
        let (name, listen) = (quoted(&self.name), self.listen);
        if let Some((port, keytab)) = &self.kerberos {
            let listen = SocketAddr::new(listen, *port);
            let keytab = quoted_path(keytab);
            let _ = write!(
                text,
                "\n# Machines of the domain. The keytab is that of HTTP/ and HOST/ of the host name.\n\
                 [source.wef.domain]\nlisten = \"{listen}\"\nhostname = {name}\n\n\
                 [source.wef.domain.kerberos]\nkeytab = {keytab}\n"
            );
        }
        if let Some(certificates) = &self.certificates {
            let listen = SocketAddr::new(listen, certificates.port);
            let _ = write!(
                text,
                "\n# Machines with certificates of `client_ca`.\n\
                 [source.wef.certificates]\nlisten = \"{listen}\"\nhostname = {name}\n\n\
                 [source.wef.certificates.tls]\ncertificate = {}\nkey = {}\nclient_ca = {}\n",
                quoted_path(&certificates.certificate),
                quoted_path(&certificates.key),
                quoted_path(&certificates.client_ca),
            );
        }
        for wanted in &self.baselines {
            self.subscription(wanted, &mut text);
        }
        let _ = write!(
            text,
            "\n# `windrow sources` says of these which never came. `refresh` is what the policy says.\n\
             [fleet]\nrefresh = \"{}s\"\n",
            self.refresh_seconds
        );
        let expected: Vec<_> = self.expected.iter().map(|name| quoted(name)).collect();
        let _ = match expected.is_empty() {
            true => writeln!(text, "# machines = [\"ws01.example.com\"]"),
            false => writeln!(text, "machines = [{}]", expected.join(", ")),
        };
        text
    }

    fn subscription(&self, wanted: &Wanted, text: &mut String) {
        let Wanted { baseline, machines } = wanted;
        let _ = write!(
            text,
            "\n[subscription.{baseline}]\nbaseline = {}\n",
            quoted(baseline)
        );
        let list = |names: &[&String]| {
            let names: Vec<_> = names.iter().map(|name| quoted(name)).collect();
            format!("[{}]", names.join(", "))
        };
        if machines.is_empty() {
            // Each holds all of `essential`: a machine with two of them would send that twice.
            let others = self.baselines.iter();
            let others: Vec<_> = others.flat_map(|other| &other.machines).collect();
            if !others.is_empty() {
                let _ = writeln!(text, "except_machines = {}", list(&others));
            }
        } else {
            let machines: Vec<_> = machines.iter().collect();
            let _ = writeln!(text, "machines = {}", list(&machines));
        }
        if let Some(delivery) = self.delivery {
            let name = match delivery {
                Delivery::Normal => "normal",
                Delivery::MinimizeBandwidth => "minimize-bandwidth",
                Delivery::MinimizeLatency => "minimize-latency",
            };
            let _ = writeln!(text, "delivery = \"{name}\"");
        }
    }
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn quoted_path(path: &Path) -> String {
    quoted(&path.display().to_string())
}
