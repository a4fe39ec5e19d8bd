use super::*;

#[test]
fn keys_of_one_event_differ() {
    let mut names = DataNames::default();
    let mut keys = StringBuilder::new();
    for count in [KEYS_COMPARED - 1, 5_000] {
        names.begin(&keys);
        let first = keys.len();
        for place in 0..count {
            match place % 3 {
                0 => names.append(&mut keys, "Same"),
                1 => names.append(&mut keys, "Same_7"),
                _ => names.append_long(&mut keys, format_args!("Same")),
            }
        }
        let seen: HashSet<_> = own(&keys, first).collect();
        assert_eq!(seen.len(), count);
    }
    names.begin(&keys);
    let long = "ß".repeat(KEY_BYTES);
    names.append(&mut keys, "Same");
    names.append(&mut keys, &long);
    names.append_long(&mut keys, format_args!("{long}/{long}"));
    let lengths: Vec<_> = own(&keys, keys.len() - 3).map(<[u8]>::len).collect();
    assert_eq!(lengths, [4, KEY_BYTES, KEY_BYTES + 2]);
}

#[test]
fn names_that_share_a_mark_are_told_apart() {
    let mut marks = Marks::default();
    let names: Vec<String> = (0..300).map(|number| format!("Name{number}")).collect();
    let taken_for_known = names.iter().filter(|name| !marks.set(name)).count();
    assert!(taken_for_known > 0, "there are fewer marks than names");
    assert!(
        names.iter().all(|name| !marks.set(name)),
        "none is forgotten"
    );

    let mut event = DataNames::default();
    let mut keys = StringBuilder::new();
    event.begin(&keys);
    for name in names.iter().chain(&names) {
        event.append(&mut keys, name);
    }
    let seen: Vec<_> = own(&keys, 0).map(String::from_utf8_lossy).collect();
    let copies = names.iter().map(|name| format!("{name}_2"));
    let expected: Vec<String> = names.iter().cloned().chain(copies).collect();
    assert_eq!(seen, expected);
}
