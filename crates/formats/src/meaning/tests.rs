use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;

#[test]
fn tables_are_sorted_and_say_each_code_once() {
    let [results, reasons] = status::tables();
    for table in [
        results,
        reasons,
        kerberos::table(),
        logon::table(),
        sid::domain(),
    ] {
        assert!(
            table.is_sorted_by(|one, other| one.0 < other.0),
            "{table:?}"
        );
    }
    assert!(sid::well_known().is_sorted_by(|one, other| one.0 < other.0));
}

#[test]
fn sids_have_the_names_that_windows_shows() {
    for (sid, name) in [
        ("S-1-5-18", Some(r"NT AUTHORITY\SYSTEM")),
        ("%{S-1-5-20}", Some(r"NT AUTHORITY\NETWORK SERVICE")),
        (" S-1-5-32-544 ", Some(r"BUILTIN\Administrators")),
        ("S-1-1-0", Some("Everyone")),
        ("S-1-5-21-1-2-3-500", Some("Administrator")),
        ("S-1-5-21-4294967295-2-3-512", Some("Domain Admins")),
        ("S-1-5-21-1-2-3-1104", None),
        ("S-1-5-21-1-2-500", None),
        ("S-1-5-21-1-2-3-4-500", None),
        ("S-1-5-21-1-2-x-500", None),
        ("S-1-5-21-1-2-3-+500", None),
        ("S-1-5-5-0-12345", Some("Logon Session")),
        ("S-1-5-5-", None),
        ("S-1-5-90-0-1", Some("Window Manager")),
        (
            "S-1-16-12288",
            Some(r"Mandatory Label\High Mandatory Level"),
        ),
        ("%{S-1-5-18", None),
        ("-", None),
        ("", None),
    ] {
        assert_eq!(sid_name(sid), name, "{sid}");
    }
}

#[test]
fn results_are_read_as_events_write_them() {
    for (text, name) in [
        ("0xC000006A", Some("STATUS_WRONG_PASSWORD")),
        ("0xc000006a", Some("STATUS_WRONG_PASSWORD")),
        ("3221225578", Some("STATUS_WRONG_PASSWORD")),
        ("-1073741718", Some("STATUS_WRONG_PASSWORD")),
        ("%%2313", Some("STATUS_LOGON_FAILURE")),
        ("%%2314", None),
        ("0x0", Some("STATUS_SUCCESS")),
        ("0xC0000234", Some("STATUS_ACCOUNT_LOCKED_OUT")),
        ("0xffffffff", None),
        ("0x1c000006a", None),
        ("0x+0", None),
        ("0x", None),
        ("-", None),
        ("", None),
    ] {
        assert_eq!(status_text_name(text), name, "{text}");
    }
    let kerberos = |text| kerberos_status_name(code(text)?);
    assert_eq!(kerberos("0x18"), Some("KDC_ERR_PREAUTH_FAILED"));
    assert_eq!(kerberos("0x6"), Some("KDC_ERR_C_PRINCIPAL_UNKNOWN"));
    assert_eq!(kerberos("0x1E"), None);
    assert_eq!(logon_type_name(10), Some("RemoteInteractive"));
    assert_eq!((logon_type_name(1), logon_type_name(-1)), (None, None));
}

#[test]
fn networks_have_the_addresses_that_they_say() {
    for (network, text, has) in [
        ("10.0.0.0/8", "10.255.1.2", Some(true)),
        ("10.0.0.0/8", "11.0.0.0", Some(false)),
        ("10.1.2.3/8", "10.9.9.9", Some(true)),
        ("10.0.0.0/8", "::ffff:10.1.1.1", Some(true)),
        ("::ffff:10.0.0.0/104", "10.1.1.1", Some(true)),
        ("::ffff:10.0.0.0/104", "11.1.1.1", Some(false)),
        ("0.0.0.0/0", "203.0.113.9", Some(true)),
        ("0.0.0.0/0", "2001:db8::1", Some(false)),
        ("::/0", "2001:db8::1", Some(true)),
        ("::/0", "10.0.0.1", Some(true)),
        ("fe80::/10", "fe80::1%12", Some(true)),
        ("2001:db8::/33", "2001:db8:8000::1", Some(false)),
        ("192.0.2.7", "192.0.2.7", Some(true)),
        ("192.0.2.7/31", "192.0.2.8", Some(false)),
        ("10.0.0.0/8", "-", None),
        ("10.0.0.0/8", "LOCAL", None),
        ("10.0.0.0/8", "10.0.0", None),
        ("10.0.0.0/8", "10.0.0.1%4", None),
        ("10.0.0.0/33", "10.0.0.1", None),
        ("10.0.0.0/+8", "10.0.0.1", None),
        ("10.0.0.0/", "10.0.0.1", None),
        ("::/129", "::1", None),
        ("a/8", "10.0.0.1", None),
    ] {
        let found = Network::read(network).zip(address(text));
        assert_eq!(
            found.map(|(network, address)| network.has(address)),
            has,
            "{network} {text}"
        );
    }
}

proptest! {
    #[test]
    fn a_network_of_ipv4_is_a_range(base: u32, length in 0_u32..=32, other: u32) {
        let network = Network::read(&format!("{}/{length}", Ipv4Addr::from(base))).unwrap();
        let first = u64::from(base) >> (32 - length) << (32 - length);
        let is_inside = |address: u32| (first..first + (1_u64 << (32 - length))).contains(&u64::from(address));
        for address in [base, other, base ^ 1, base.wrapping_add(1 << (31 - length.min(31)))] {
            prop_assert_eq!(network.has(IpAddr::V4(address.into())), is_inside(address));
            let mapped = Ipv4Addr::from(address).to_ipv6_mapped();
            prop_assert_eq!(network.has(mapped.into()), is_inside(address));
        }
    }

    #[test]
    fn a_network_of_ipv6_is_what_begins_the_same(base: u128, length in 0_u32..=128, flipped in 0_u32..128) {
        let network = Network::read(&format!("{}/{length}", Ipv6Addr::from(base))).unwrap();
        let other = Ipv6Addr::from(base ^ (1 << (127 - flipped)));
        prop_assert!(network.has(IpAddr::V6(base.into())));
        prop_assume!(other.to_ipv4_mapped().is_none() && Ipv6Addr::from(base).to_ipv4_mapped().is_none());
        prop_assert_eq!(network.has(IpAddr::V6(other)), flipped >= length);
    }

    #[test]
    fn any_text_is_looked_up(text in "\\PC{0,60}", number: i64) {
        let _ = (sid_name(&text), status_text_name(&text), code(&text), address(&text), Network::read(&text));
        let _ = (logon_type_name(number), number_code(number).and_then(kerberos_status_name));
    }

    #[test]
    fn a_code_is_the_same_in_each_form(code_of: u32) {
        for text in [format!("{code_of}"), format!("0x{code_of:x}"), format!("0X{code_of:08X}"), format!("{}", code_of.cast_signed())] {
            prop_assert_eq!(code(&text), Some(code_of));
        }
    }
}
