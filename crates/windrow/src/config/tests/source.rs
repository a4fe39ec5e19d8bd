//! How machines prove who they are.

use super::*;
use crate::config::checked::{KerberosAccounts, WefAuthentication};

const DOMAIN: &str = r#"
[source.wef.domain]
hostname = "collector.example.com"
kerberos = { keytab = "http.keytab" }
[subscription.base]
channels = ["Security"]
"#;

#[test]
fn a_domain_proves_itself_by_its_tickets() {
    let config = check(DOMAIN).unwrap();
    let source = &config.source.wef["domain"];
    assert_eq!(source.listen, "127.0.0.1:5985".parse().unwrap());
    let WefAuthentication::Kerberos(kerberos) = &source.authentication else {
        panic!("{source:?}");
    };
    assert_eq!(kerberos.keytab, Path::new("/etc/windrow/http.keytab"));
    assert_eq!(kerberos.accounts, KerberosAccounts::Machines);
    let shown = toml::to_string(&config).unwrap();
    assert_eq!(check(&shown).unwrap().source, config.source, "{shown}");
}

#[test]
fn a_listener_knows_one_way_to_prove_who_one_is() {
    let neither = DOMAIN.replace("kerberos = { keytab = \"http.keytab\" }\n", "");
    insta::assert_snapshot!(refused(&neither), @"
    it is not said how machines prove who they are
     --> /etc/windrow/windrow.toml:2:13
      |
    2 | [source.wef.domain]
      |             ^^^^^^
      = expected a table `tls` (certificates) or `kerberos` (a domain's tickets)
    ");
    let tls = "tls = { certificate = \"a\", key = \"a\", client_ca = \"a\" }\nkerberos";
    let both = refused(&DOMAIN.replace("kerberos", tls));
    assert!(both.contains("there is a table `tls` beside it"), "{both}");
    assert!(both.contains("add another [source.wef.NAME]"), "{both}");
    let wrong = DOMAIN.replace("keytab\" }", "keytab\", principals = [\"HTTP\"] }");
    let wrong = refused(&wrong);
    assert!(
        wrong.contains("HTTP/collector.example.com@EXAMPLE.COM"),
        "{wrong}"
    );
}
