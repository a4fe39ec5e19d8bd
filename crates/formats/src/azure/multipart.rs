//! The parts of a multipart body (RFC 2046 5.1.1), lines ended as the service ends them or with a line feed alone.

/// The boundary that a Content-Type names.
pub(super) fn boundary(content_type: &str) -> Option<&str> {
    let mut parameters = content_type.split(';');
    let kind = parameters.next()?.trim();
    if !kind
        .get(..10)
        .is_some_and(|kind| kind.eq_ignore_ascii_case("multipart/"))
    {
        return None;
    }
    let boundary = parameters.find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim()
            .eq_ignore_ascii_case("boundary")
            .then(|| value.trim().trim_matches('"'))
    })?;
    (!boundary.is_empty()).then_some(boundary)
}

/// What lies between the boundaries, in order; none where the last of them is missing or there are more than `max`.
pub(super) fn parts<'a>(body: &'a str, boundary: &str, max: usize) -> Option<Vec<&'a str>> {
    let mut parts = Vec::new();
    let mut begun = None;
    let mut at = 0;
    for line in body.split_inclusive('\n') {
        let (start, end) = (at, at + line.len());
        at = end;
        let Some(rest) = line
            .strip_prefix("--")
            .and_then(|line| line.strip_prefix(boundary))
        else {
            continue;
        };
        let is_last = rest.trim_end() == "--";
        if !is_last && !rest.trim_end().is_empty() {
            continue;
        }
        if let Some(begun) = begun {
            parts.push(&body[begun..start]);
        }
        if is_last {
            return Some(parts);
        }
        if parts.len() >= max {
            return None;
        }
        begun = Some(end);
    }
    None
}

/// The headers of a part or of an answer, and what follows them.
pub(super) fn head(part: &str) -> (&str, &str) {
    let mut at = 0;
    for line in part.split_inclusive('\n') {
        if line.trim_end().is_empty() {
            return (&part[..at], &part[at + line.len()..]);
        }
        at += line.len();
    }
    (part, "")
}

/// The value of a header.
pub(super) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found
            .trim()
            .eq_ignore_ascii_case(name)
            .then(|| value.trim())
    })
}
