//! What the benchmarks of forwarding have in common: the events, and the receiver's TLS.

use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use windrow_formats::batch::{Header, Kind};

pub(crate) fn header() -> Header {
    Header {
        kind: Kind::Wef,
        source: "dc-01.corp.example.com".to_owned(),
        address: None,
        subscription: Some("main".to_owned()),
        received_at: jiff::Timestamp::UNIX_EPOCH,
    }
}

/// A logon as a domain controller writes it, with what differs from one to the next.
pub(crate) fn logon(id: u64) -> String {
    let random = id.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20;
    format!(
        concat!(
            "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System>",
            "<Provider Name='Microsoft-Windows-Security-Auditing' Guid='{{54849625-5478-4994-a5ba-3e3b0328c30d}}'/>",
            "<EventID>4624</EventID><Version>2</Version><Level>0</Level><Task>12544</Task><Opcode>0</Opcode>",
            "<Keywords>0x8020000000000000</Keywords><TimeCreated SystemTime='2026-11-21T08:09:10.{:07}Z'/>",
            "<EventRecordID>{}</EventRecordID><Correlation ActivityID='{{c8f40d7c-3764-423b-a4fa-c99444{:06x}}}'/>",
            "<Execution ProcessID='704' ThreadID='{}'/><Channel>Security</Channel><Computer>dc-{:02}.corp.example.com</Computer>",
            "<Security/></System><EventData><Data Name='SubjectUserSid'>S-1-0-0</Data><Data Name='SubjectUserName'>-</Data>",
            "<Data Name='SubjectDomainName'>-</Data><Data Name='SubjectLogonId'>0x0</Data>",
            "<Data Name='TargetUserSid'>S-1-5-21-1004336348-1177238915-682003330-{}</Data><Data Name='TargetUserName'>user{}</Data>",
            "<Data Name='TargetDomainName'>CORP</Data><Data Name='TargetLogonId'>0x{:x}</Data><Data Name='LogonType'>3</Data>",
            "<Data Name='LogonProcessName'>Kerberos</Data><Data Name='AuthenticationPackageName'>Kerberos</Data>",
            "<Data Name='WorkstationName'>-</Data><Data Name='LogonGuid'>{{0f8fad5b-d9cb-469f-a165-70867728{:04x}}}</Data>",
            "<Data Name='TransmittedServices'>-</Data><Data Name='LmPackageName'>-</Data><Data Name='KeyLength'>0</Data>",
            "<Data Name='ProcessId'>0x0</Data><Data Name='ProcessName'>-</Data><Data Name='IpAddress'>10.20.{}.{}</Data>",
            "<Data Name='IpPort'>{}</Data><Data Name='ImpersonationLevel'>%%1833</Data><Data Name='RestrictedAdminMode'>-</Data>",
            "<Data Name='TargetOutboundUserName'>-</Data><Data Name='TargetOutboundDomainName'>-</Data>",
            "<Data Name='VirtualAccount'>%%1843</Data><Data Name='TargetLinkedLogonId'>0x0</Data>",
            "<Data Name='ElevatedToken'>%%1842</Data></EventData></Event>"
        ),
        random % 10_000_000,
        id,
        random % 0xFF_FFFF,
        random % 8_000,
        random % 20,
        random % 60_000,
        random % 5_000,
        random,
        random % 0xFFFF,
        random / 7 % 256,
        random / 11 % 256,
        random % 65_536,
    )
}

/// TLS with the DER of `certificate` and `key` in a folder.
pub(crate) fn server(folder: &Path) -> Arc<ServerConfig> {
    let certificate = CertificateDer::from(std::fs::read(folder.join("certificate")).unwrap());
    let key = PrivatePkcs8KeyDer::from(std::fs::read(folder.join("key")).unwrap());
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key.into())
        .unwrap();
    Arc::new(config)
}
