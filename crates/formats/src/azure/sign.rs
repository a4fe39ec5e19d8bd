//! What an account's key signs: Shared Key Lite (Authorize with Shared Key).

/// Of a request to the tables: its `x-ms-date`, and its path as it stands in the URL. The service's emulator has the
/// account's name in the path too, so that it is there twice.
pub fn lite_of_table(date: &str, account: &str, path: &str, comp: Option<&str>) -> String {
    let mut text = format!("{date}\n/{account}{path}");
    push_comp(&mut text, comp);
    text
}

/// Of a request to the blobs: its method, its Content-Type or nothing, all of its `x-ms-` headers, and its path as it
/// stands in the URL.
pub fn lite_of_blob(
    method: &str,
    content_type: &str,
    headers: &[(&str, &str)],
    account: &str,
    path: &str,
    comp: Option<&str>,
) -> String {
    let mut headers: Vec<(String, &str)> = headers
        .iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim()))
        .filter(|(name, _)| name.starts_with("x-ms-"))
        .collect();
    headers.sort_unstable();
    let mut text = format!("{method}\n\n{content_type}\n\n");
    for (name, value) in headers {
        text.extend([&name, ":", value, "\n"]);
    }
    text.extend(["/", account, path]);
    push_comp(&mut text, comp);
    text
}

fn push_comp(text: &mut String, comp: Option<&str>) {
    if let Some(comp) = comp {
        text.extend(["?comp=", comp]);
    }
}
