use proptest::prelude::*;

use super::*;

fn certificate(name: &str) -> MachineName {
    MachineName::of_certificate(name).unwrap()
}

fn audience(include: &[&str], except: &[&str]) -> Audience {
    let compile = |list: &[&str]| {
        let patterns = list.iter().map(|text| Pattern::compile(text).unwrap());
        patterns.collect::<Vec<_>>()
    };
    Audience::new(compile(include), compile(except)).unwrap()
}

#[test]
fn names_are_met_in_every_form() {
    let dns = certificate("Ws00001.corp.example");
    let principal = MachineName::of_principal("ws00001$", "corp.example").unwrap();
    assert_eq!(principal.as_str(), "WS00001$@CORP.EXAMPLE");
    assert_eq!(principal.principal(), Some(("WS00001$", "CORP.EXAMPLE")));
    assert_eq!((dns.short(), principal.short()), ("Ws00001", "WS00001"));
    let both = ["ws00001", "WS*", "ws0000?", "*"];
    let dns_alone = [
        "ws00001.corp.example",
        "*.CORP.example",
        "ws00001.*",
        "ws00001.corp.exampl?",
    ];
    let principal_alone = ["ws00001$", "*$@corp.example", "ws00001$@*", "*$"];
    let neither = [
        "ws0000",
        "s00001",
        "ws00001.",
        "corp.example",
        "?",
        "ws00001@corp.example",
    ];
    for (patterns, of_dns, of_principal) in [
        (&both[..], true, true),
        (&dns_alone, true, false),
        (&principal_alone, false, true),
        (&neither, false, false),
    ] {
        for pattern in patterns {
            // Whether a pattern is looked up or tried must make no difference.
            let alone = Pattern::compile(pattern).unwrap();
            let audience = audience(&[pattern], &[]);
            for (name, expected) in [(&dns, of_dns), (&principal, of_principal)] {
                assert_eq!(alone.matches(name), expected, "{pattern} {name}");
                assert_eq!(audience.matches(name), expected, "{pattern} {name}");
            }
        }
    }
}

#[test]
fn an_address_has_no_first_label() {
    assert!(!audience(&["10"], &[]).matches(&certificate("10.0.0.1")));
    assert!(audience(&["10.*"], &[]).matches(&certificate("10.0.0.1")));
}

#[test]
fn exceptions_win_and_nobody_is_nobody() {
    let dc = certificate("dc1.corp.example");
    assert!(!audience(&["*"], &["dc*"]).matches(&dc));
    assert!(!audience(&["dc1"], &["DC1.corp.example"]).matches(&dc));
    assert!(!audience(&[], &[]).matches(&dc));
    assert!(Audience::everyone().matches(&dc));
}

#[test]
fn the_computer_of_an_event_is_the_machine_or_another() {
    let (certificate, principal) = (certificate("ws1.corp.example"), |account| {
        MachineName::of_principal(account, "CORP.EXAMPLE").unwrap()
    });
    for same in ["WS1.Corp.Example", "ws1", "WS1.CORP.EXAMPLE."] {
        assert!(certificate.is_computer(same), "{same}");
        assert!(principal("WS1$").is_computer(same), "{same}");
    }
    for other in ["ws2.corp.example", "ws1.dmz.example", "ws11", "", "."] {
        assert!(!certificate.is_computer(other), "{other}");
    }
    assert!(!principal("WS1$").is_computer("ws2.corp.example"));
    // An account has no more characters than NetBIOS allows, and DNS does.
    let cut = principal("ACCOUNTING-WEST$");
    assert!(cut.is_computer("accounting-west-07.corp.example"));
    assert!(!cut.is_computer("accounting-wesu-07.corp.example"));
    assert!(!principal("WS1$").is_computer("ws1-07.corp.example"));
    let listed = MachineName::of_listed("WS1$@CORP.EXAMPLE").unwrap();
    assert_eq!(listed, principal("ws1$"));
}

#[test]
fn why_a_machine_is_left_out_can_be_said() {
    let audience = audience(&["*.corp.example", "DC1"], &["ws-test*", "dc2"]);
    assert_eq!(
        audience.patterns().collect::<Vec<_>>(),
        ["dc1", "*.corp.example"]
    );
    let left_out = |name| audience.excluding(&certificate(name));
    assert_eq!(left_out("ws-test3.corp.example"), Some("ws-test*"));
    assert_eq!(left_out("ws3.corp.example"), None);
}

#[test]
fn names_that_are_none_are_refused() {
    let of = MachineName::of_certificate;
    assert_eq!(of(""), Err(NameError::Empty));
    assert_eq!(of(&"n".repeat(513)), Err(NameError::TooLong));
    assert_eq!(of("a\u{202e}b"), Err(NameError::Hidden));
    assert!(matches!(
        of("WS1$@CORP.EXAMPLE"),
        Err(NameError::Principal(_))
    ));
    assert_eq!(MachineName::of_principal("a@b", "C"), Err(NameError::At));
    assert_eq!(MachineName::of_principal("a", ""), Err(NameError::Empty));
    assert_eq!(Pattern::compile("  "), Err(NameError::Empty));
    let many = vec![Pattern::compile("a").unwrap(); AUDIENCE_PATTERNS_MAX + 1];
    assert_eq!(Audience::new(many, vec![]), Err(TooManyPatterns));
}

/// What `*` and `?` mean, as it is said.
fn means(pattern: &[char], name: &[char]) -> bool {
    match (pattern.split_first(), name.split_first()) {
        (None, None) => true,
        (Some(('*', rest)), _) => {
            means(rest, name) || !name.is_empty() && means(pattern, &name[1..])
        }
        (Some((wanted, pattern)), Some((found, name))) => {
            (*wanted == '?' || wanted == found) && means(pattern, name)
        }
        _ => false,
    }
}

proptest! {
    #[test]
    fn globs_mean_what_is_said(pattern in "[ab*?é]{1,9}", name in "[abé]{1,12}") {
        let (wanted, found): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
        let expected = means(&wanted, &found);
        let compiled = Pattern::compile(&pattern).unwrap();
        prop_assert_eq!(compiled.matches(&certificate(&name)), expected);
        prop_assert_eq!(compiled.matches(&certificate(&name.to_uppercase())), expected);
    }

    #[test]
    fn a_list_is_its_patterns(
        include in prop::collection::vec("[ab*?]{1,4}", 0..6),
        except in prop::collection::vec("[ab*?]{1,4}", 0..4),
        name in "[AbaB]{1,4}(\\.[ab]{1,3})?",
    ) {
        let name = certificate(&name);
        let any = |list: &[String]| list.iter().any(|text| Pattern::compile(text).unwrap().matches(&name));
        let expected = any(&include) && !any(&except);
        let compile = |list: &[String]| list.iter().map(|text| Pattern::compile(text).unwrap()).collect();
        let audience = Audience::new(compile(&include), compile(&except)).unwrap();
        prop_assert_eq!(audience.matches(&name), expected);
    }
}

#[test]
fn no_letter_makes_an_account_another_one() {
    for name in [
        "F\u{131}LESRV$",
        "FILE\u{17f}RV$",
        "\u{fb01}lesrv$",
        "gro\u{df}$",
        "\u{212a}dc$",
    ] {
        assert!(
            matches!(
                MachineName::of_principal(name, "CORP.EXAMPLE"),
                Err(NameError::Lookalike(_))
            ),
            "{name}"
        );
        assert!(
            MachineName::of_principal("FILESRV$", name).is_err(),
            "{name}"
        );
    }
    // Other letters stay as the realm writes them.
    let name = MachineName::of_principal("b\u{fc}ro1$", "corp.example").unwrap();
    assert_eq!(name.as_str(), "B\u{fc}RO1$@CORP.EXAMPLE");
}
