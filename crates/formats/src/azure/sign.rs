//! What an account's key signs (Authorize with Shared Key): the short form for the tables, the long one for the blobs, since
//! the emulator takes no short one there.

/// Of a request to the tables (Shared Key Lite): its `x-ms-date`, and its path as it stands in the URL. The service's emulator
/// has the account's name in the path too, so that it is there twice.
pub fn lite_of_table(date: &str, account: &str, path: &str, comp: Option<&str>) -> String {
    let mut text = format!("{date}\n/{account}{path}");
    if let Some(comp) = comp {
        text.extend(["?comp=", comp]);
    }
    text
}

/// Headers that stand by themselves in what is signed, in order. `Date` is not among those that are looked for: `x-ms-date`
/// is in its place, and it is empty then.
const SIGNED: [&str; 11] = [
    "content-encoding",
    "content-language",
    "content-length",
    "content-md5",
    "content-type",
    "",
    "if-modified-since",
    "if-match",
    "if-none-match",
    "if-unmodified-since",
    "range",
];

/// Of a request to the blobs (Shared Key, from version 2015-02-21 on): its method, its headers with `x-ms-date` and
/// `Content-Length` among them, its path as it stands in the URL, and its query without the encoding of a URL, each name once.
pub fn key_of_blob(
    method: &str,
    headers: &[(&str, &str)],
    account: &str,
    path: &str,
    query: &[(&str, &str)],
) -> String {
    let mut text = format!("{method}\n");
    for name in SIGNED {
        let found = headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name));
        let value = found.map_or("", |(_, value)| value.trim());
        // Nothing of no length.
        let is_none = name == "content-length" && value == "0";
        text.extend([if is_none { "" } else { value }, "\n"]);
    }
    let mut own: Vec<(String, &str)> = headers
        .iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim()))
        .filter(|(name, _)| name.starts_with("x-ms-"))
        .collect();
    own.sort_unstable();
    for (name, value) in own {
        text.extend([&name, ":", value, "\n"]);
    }
    text.extend(["/", account, path]);
    let mut query: Vec<(String, &str)> = query
        .iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), *value))
        .collect();
    query.sort_unstable();
    for (name, value) in query {
        text.extend(["\n", &name, ":", value]);
    }
    text
}
