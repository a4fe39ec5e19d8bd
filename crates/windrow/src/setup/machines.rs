//! What has to be set on Windows machines so that they forward to a collector: group policy, registry, scripts, tests.

use super::handout::{Handout, Section, Sheet};
use super::registry::{self, MANAGERS};
use super::script::{self, Words, lines, script};
use super::{CertificateDoor, Collector, Issuer, KerberosDoor, adcs};

const GROUP_POLICY: &str = include_str!("templates/group-policy.txt");
const GROUP_POLICY_CERTIFICATES: &str = include_str!("templates/group-policy-certificates.txt");
const NOTES: &str = include_str!("templates/notes.md");

/// The folder of what machines of the domain need.
pub const KERBEROS: &str = "kerberos";
/// The folder of what machines with certificates need.
pub const CERTIFICATES: &str = "certificates";

/// Everything for the machines.
#[must_use]
pub fn handout(collector: &Collector) -> Handout {
    let mut sheets = Vec::new();
    if let (Some(door), Some(value)) = (&collector.kerberos, collector.kerberos_value()) {
        let words = Words {
            name: &collector.name,
            value: &value,
            scheme: "http",
            port: door.port,
            realm: &door.realm,
            thumbprint: "",
        };
        sheets.push(keytab(&words));
        sheets.extend(forwarding(KERBEROS, &words));
    }
    if let (Some(door), Some(value)) = (&collector.certificates, collector.certificate_value()) {
        let words = Words {
            name: &collector.name,
            value: &value,
            scheme: "https",
            port: door.port,
            realm: "",
            thumbprint: &door.issuer_thumbprint,
        };
        sheets.extend(certificates(door, &words));
        sheets.extend(forwarding(CERTIFICATES, &words));
    }
    Handout {
        title: format!("For the machines that forward to {}", collector.name),
        before: vec![order(collector)],
        sheets,
        after: vec![Section {
            title: "What is known of Windows' side".to_owned(),
            text: NOTES.to_owned(),
        }],
    }
}

/// What to do, in order.
fn order(collector: &Collector) -> Section {
    let mut text = String::from(
        "Three things have to hold on a machine: its subscription manager names the collector, WinRM starts by itself, and \
         NETWORK SERVICE may read the Security log. `Set-Forwarding.ps1` sees to all three on one machine, a policy by hand \
         after `group-policy.txt` on many. `New-ForwardingPolicy.ps1` makes a policy with the first two, `forwarding.reg` is \
         the first alone.\n\n",
    );
    if let Some(KerberosDoor { realm, port }) = &collector.kerberos {
        text.push_str(&format!(
            "Machines of the domain {realm} come with Kerberos to port {port}; folder `{KERBEROS}/`:\n\n\
             1. Once, on a domain controller: `New-Keytab.ps1`. The keytab goes to the collector.\n\
             2. The policy: `New-ForwardingPolicy.ps1`, or by hand after `group-policy.txt`.\n\
             3. The Security log: `group-policy.txt`, 3, by hand whichever of them it was. One of its ways counts only after \
             a restart of each machine.\n\
             4. On one machine: `gpupdate /force`, then `Test-Forwarding.ps1`.\n\n\
             For a single machine `Set-Forwarding.ps1` instead of 2 and 3.\n\n"
        ));
    }
    if let Some(CertificateDoor { port, issuer, .. }) = &collector.certificates {
        let own = match issuer {
            Issuer::Own => {
                "for each machine `windrow setup wef client NAME` on the collector, and \
                 `Import-ClientCertificate.ps1` on the machine with what it wrote"
            }
            Issuer::Theirs => {
                "each machine's own, from your authority, with its private key readable for NETWORK SERVICE"
            }
            Issuer::Adcs(_) => "after `adcs/adcs.txt`",
        };
        text.push_str(&format!(
            "Machines with certificates come over HTTPS to port {port}; folder `{CERTIFICATES}/`:\n\n\
             1. Certificates: {own}.\n\
             2. `Set-Forwarding.ps1` on each machine; for machines of a domain a policy after `group-policy.txt`, its third \
             part, the Security log, included.\n\
             3. On one machine: `Test-Forwarding.ps1`.\n\n"
        ));
    }
    text.push_str(
        "`windrow check --live` on the collector shows what arrives of it. Scripts that came from elsewhere may be refused: \
         `powershell -ExecutionPolicy Bypass -File .\\Test-Forwarding.ps1` runs one, as an administrator.\n",
    );
    Section {
        title: "In this order".to_owned(),
        text,
    }
}

/// What both kinds of machines need, each with its own values.
fn forwarding(folder: &str, words: &Words<'_>) -> Vec<Sheet> {
    let policies = policies(folder, words).into_iter();
    let registry = registry_files(folder, words);
    let scripts = scripts(folder, words);
    policies.chain(registry).chain(scripts).collect()
}

const ON_MACHINE: &str = "a machine, as an administrator";

fn policies(folder: &str, words: &Words<'_>) -> [Sheet; 2] {
    let at = |name: &str| format!("{folder}/{name}");
    [
        Sheet {
            path: at("group-policy.txt"),
            content: group_policy(words),
            what: "What to set in the Group Policy Management Console, to read and to type.".to_owned(),
            place: "nowhere; it is read".to_owned(),
            undo: "it says so at its end".to_owned(),
        },
        Sheet {
            path: at("New-ForwardingPolicy.ps1"),
            content: script(script::POLICY, words),
            what: "Makes the group policy object: the subscription manager, and WinRM's start. Who may read the Security \
                   log stays yours to set."
                .to_owned(),
            place: "a domain controller, or a machine with the group policy tools; run once".to_owned(),
            undo: "`Remove-GPO -Name NAME`, then `gpupdate /force` on the machines. WinRM's start stays automatic there: \
                   no policy takes that back; `Set-Service WinRM -StartupType Manual` does, on each"
                .to_owned(),
        },
    ]
}

fn registry_files(folder: &str, words: &Words<'_>) -> [Sheet; 2] {
    let at = |name: &str| format!("{folder}/{name}");
    [
        Sheet {
            path: at("forwarding.reg"),
            content: registry::set(words.value),
            what: format!(
                "The subscription manager alone, as a registry file. It takes the first place in the list, and writes over \
                 what is there without a copy: where another collector has it, use `Set-Forwarding.ps1`, which takes the \
                 next. `reg query HKLM\\{MANAGERS}` shows who is there. WinRM has to run, and NETWORK SERVICE has to read \
                 the Security log, beside it."
            ),
            place: format!("{ON_MACHINE}: `reg import forwarding.reg`, then `Restart-Service WinRM`"),
            undo: "`reg import undo-forwarding.reg`, then `Restart-Service WinRM`. What stood in the first place before \
                   does not come back by that"
                .to_owned(),
        },
        Sheet {
            path: at("undo-forwarding.reg"),
            content: registry::remove(),
            what: "Removes the first place in the list, which `forwarding.reg` has set; also if somebody else has taken \
                   it since. What stood there before is not put back."
                .to_owned(),
            place: ON_MACHINE.to_owned(),
            undo: "`reg import forwarding.reg`".to_owned(),
        },
    ]
}

fn scripts(folder: &str, words: &Words<'_>) -> [Sheet; 3] {
    let at = |name: &str| format!("{folder}/{name}");
    [
        Sheet {
            path: at("Set-Forwarding.ps1"),
            content: script(script::SET, words),
            what: "Everything for one machine: the subscription manager beside those that are there, WinRM, and the \
                   Security log readable for NETWORK SERVICE, by the log's access list (an entry more, the others stay) or \
                   by Event Log Readers. `Get-Help .\\Set-Forwarding.ps1` says what it takes."
                .to_owned(),
            place: ON_MACHINE.to_owned(),
            undo: "`Remove-Forwarding.ps1`".to_owned(),
        },
        Sheet {
            path: at("Remove-Forwarding.ps1"),
            content: script(script::REMOVE, words),
            what: "Takes back what `Set-Forwarding.ps1` has changed, by its notes in the registry, and nothing that was so \
                   before or that another collector still needs."
                .to_owned(),
            place: ON_MACHINE.to_owned(),
            undo: "`Set-Forwarding.ps1`".to_owned(),
        },
        Sheet {
            path: at("Test-Forwarding.ps1"),
            content: script(script::TEST, words),
            what: "Looks at each step from the machine to the collector and says what helps where one fails. Changes \
                   nothing."
                .to_owned(),
            place: ON_MACHINE.to_owned(),
            undo: "nothing to undo".to_owned(),
        },
    ]
}

fn group_policy(words: &Words<'_>) -> Vec<u8> {
    let certificates = match words.thumbprint {
        "" => "",
        _ => GROUP_POLICY_CERTIFICATES,
    };
    let text = GROUP_POLICY
        .replace("@VALUE@", words.value)
        .replace("@PORT@", &words.port.to_string())
        .replace("@NAME@", words.name)
        .replace("@CERTIFICATES@\n", &format!("{certificates}\n"));
    lines(&text)
}

fn keytab(words: &Words<'_>) -> Sheet {
    Sheet {
        path: format!("{KERBEROS}/New-Keytab.ps1"),
        content: script(script::KEYTAB, words),
        what: format!(
            "Makes two accounts, windrow-http and windrow-host, and the keytab with the keys of HTTP/{name} and \
             HOST/{name}, AES 256 alone.\n\nA collector that is a member of the domain itself needs no accounts: its own \
             machine account has HOST/ already, and `adcli update --service-name=HTTP --service-name=HOST` puts HTTP/ \
             beside it, into /etc/krb5.keytab, which `keytab` then names.",
            name = words.name
        ),
        place: "a domain controller, or a machine with the directory's tools and ktpass; run once. The keytab goes to the \
                collector, to the place that its configuration names, for the service alone: root's with the group windrow \
                and mode 0640, or 0600 of whoever windrow runs as"
            .to_owned(),
        undo: "`New-Keytab.ps1 -Remove` takes the accounts away, those of the two that are there".to_owned(),
    }
}

/// What machines with certificates need beside.
fn certificates(door: &CertificateDoor, words: &Words<'_>) -> Vec<Sheet> {
    let mut sheets = vec![Sheet {
        path: format!("{CERTIFICATES}/authority.cer"),
        content: door.trusted.pem.clone().into_bytes(),
        what: match &door.machines_authorities_pem {
            None => format!(
                "The authority that machines have to trust, in PEM. The one that issues the machines' certificates has the \
                 SHA-1 thumbprint {}.",
                door.issuer_thumbprint
            ),
            Some(_) => format!(
                "The authority of the collector's certificate, in PEM, which machines have to trust to believe it. Its \
                 SHA-1 thumbprint is {}. It is not the one that issues the machines' certificates.",
                door.trusted.thumbprint
            ),
        },
        place: "the machine's trusted authorities: `Import-Certificate -FilePath .\\authority.cer -CertStoreLocation \
                Cert:\\LocalMachine\\Root`, or by group policy"
            .to_owned(),
        undo: format!(
            "`Remove-Item Cert:\\LocalMachine\\Root\\{}`",
            door.trusted.thumbprint
        ),
    }];
    if let Some(pem) = &door.machines_authorities_pem {
        sheets.push(Sheet {
            path: format!("{CERTIFICATES}/machines-authority.cer"),
            content: pem.clone().into_bytes(),
            what: format!(
                "The authority that issues the machines' certificates, in PEM, with the SHA-1 thumbprint {}: by it a \
                 machine finds its own. Machines with such a certificate mostly have it already.",
                door.issuer_thumbprint
            ),
            place: "the same place where it is missing; one that another authority has issued to \
                    Cert:\\LocalMachine\\CA instead"
                .to_owned(),
            undo: format!(
                "`Remove-Item` of it, by the thumbprint {}",
                door.issuer_thumbprint
            ),
        });
    }
    match &door.issuer {
        Issuer::Own => sheets.push(Sheet {
            path: format!("{CERTIFICATES}/Import-ClientCertificate.ps1"),
            content: script(script::IMPORT, words),
            what: "Takes a machine's certificate out of its PFX file, trusts the authority beside it, and lets NETWORK \
                   SERVICE read the key. The PFX files are written by `windrow setup wef client NAME`, into `clients/`."
                .to_owned(),
            place: "each machine, with authority.cer and the machine's PFX".to_owned(),
            undo: "`Import-ClientCertificate.ps1 -Remove`".to_owned(),
        }),
        Issuer::Theirs => {}
        Issuer::Adcs(request) => sheets.extend(adcs::sheets(request, words.name)),
    }
    sheets
}
