//! Rust source with everything that is not code blanked out, and what can be read off it.
//!
//! Blanking keeps every line where it was, so a finding names the line of the original.

/// A function: its name, the line it starts on (from 1) and how many lines it takes; of these, how many
/// hold code and not the text of a literal, a comment or nothing.
#[derive(Debug, PartialEq, Eq)]
pub struct Function {
    pub name: String,
    pub line: usize,
    pub lines: usize,
    pub code_lines: usize,
}

/// Replaces comments and the insides of string and character literals by spaces.
/// Line breaks stay.
#[must_use]
pub fn code(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut after_word = false;
    while let Some(first) = rest.chars().next() {
        let skip = if after_word { 0 } else { literal_prefix(rest) };
        let taken = comment(rest)
            .or_else(|| string(&rest[skip..]).map(|length| skip + length))
            .or_else(|| character(rest));
        if let Some(length) = taken {
            blank(&rest[..length], &mut out);
            rest = &rest[length..];
            after_word = false;
        } else {
            out.push(first);
            after_word = first.is_alphanumeric() || first == '_';
            rest = &rest[first.len_utf8()..];
        }
    }
    out
}

/// Blanks out every item under `#[cfg(test)]`, given blanked source.
#[must_use]
pub fn without_tests(code: &str) -> String {
    let mut out = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(at) = rest.find("#[cfg(test)]") {
        out.push_str(&rest[..at]);
        let item = &rest[at..];
        let length = match item.find(['{', ';']) {
            Some(open) if item.as_bytes()[open] == b'{' => open + block(&item[open..]),
            Some(end) => end + 1,
            None => item.len(),
        };
        blank(&item[..length], &mut out);
        rest = &item[length..];
    }
    out.push_str(rest);
    out
}

/// Every function that has a body, given blanked source.
#[must_use]
pub fn functions(code: &str) -> Vec<Function> {
    let mut found = Vec::new();
    for (at, _) in words(code, "fn") {
        let signature = &code[at..];
        let name: String = signature["fn".len()..]
            .trim_start()
            .chars()
            .take_while(|&c| c.is_alphanumeric() || c == '_')
            .collect();
        let Some(open) = body(signature) else {
            continue;
        };
        if name.is_empty() {
            continue;
        }
        let whole = &signature[..open + block(&signature[open..])];
        found.push(Function {
            name,
            line: line_of(code, at),
            lines: whole.lines().count(),
            code_lines: whole.lines().filter(|line| !line.trim().is_empty()).count(),
        });
    }
    found
}

/// Where `word` stands alone: byte offset and line (from 1).
#[must_use]
pub fn words(code: &str, word: &str) -> Vec<(usize, usize)> {
    let part_of_word = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word)
        .filter(|&(at, _)| {
            let before = code[..at].chars().next_back();
            let after = code[at + word.len()..].chars().next();
            let starts = !word.starts_with(part_of_word) || !before.is_some_and(part_of_word);
            let ends = !word.ends_with(part_of_word) || !after.is_some_and(part_of_word);
            starts && ends
        })
        .map(|(at, _)| (at, line_of(code, at)))
        .collect()
}

fn line_of(text: &str, at: usize) -> usize {
    text[..at].bytes().filter(|&b| b == b'\n').count() + 1
}

/// Where the body of a signature opens; `None` for a declaration or a `fn` type.
fn body(signature: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, c) in signature.char_indices() {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' if depth == 0 => return None,
            ')' | ']' => depth -= 1,
            ';' | '}' if depth == 0 => return None,
            '{' if depth == 0 => return Some(at),
            _ => {}
        }
    }
    None
}

/// How long the block is that starts with the brace at the front of `text`.
fn block(text: &str) -> usize {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
    }
    text.len()
}

fn blank(text: &str, out: &mut String) {
    out.extend(text.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
}

/// The length of `b`, `c` or `br`… before a literal's quote.
fn literal_prefix(text: &str) -> usize {
    let word = text
        .bytes()
        .take_while(|b| matches!(b, b'b' | b'c'))
        .count();
    if word <= 1 { word } else { 0 }
}

fn comment(text: &str) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    if !text.starts_with("/*") {
        return None;
    }
    let bytes = text.as_bytes();
    let (mut depth, mut at) = (0_usize, 0);
    while at + 1 < bytes.len() {
        match &bytes[at..at + 2] {
            b"/*" => {
                depth += 1;
                at += 2;
            }
            b"*/" => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => at += 1,
        }
    }
    Some(text.len())
}

fn string(text: &str) -> Option<usize> {
    if let Some(raw) = text.strip_prefix('r') {
        let hashes = raw.bytes().take_while(|&b| b == b'#').count();
        let start = 1 + hashes;
        if text.as_bytes().get(start) != Some(&b'"') {
            return None;
        }
        let end = format!("\"{}", "#".repeat(hashes));
        let length = text[start + 1..].find(&end)?;
        return Some(start + 1 + length + end.len());
    }
    if !text.starts_with('"') {
        return None;
    }
    let mut escaped = false;
    for (at, b) in text.bytes().enumerate().skip(1) {
        match b {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(at + 1),
            _ => {}
        }
    }
    Some(text.len())
}

/// A character literal, as against a lifetime.
fn character(text: &str) -> Option<usize> {
    let inside = text.strip_prefix('\'')?;
    let first = inside.chars().next()?;
    if first == '\\' {
        let end = inside[2..].find('\'')?;
        return Some(1 + 2 + end + 1);
    }
    let after = 1 + first.len_utf8();
    (text[after..].starts_with('\'')).then_some(after + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_comments_and_literals_and_keeps_lines() {
        let text =
            "let a = \"fn x() {\"; // fn y()\n/* fn /* z */ \n */ let b = '{';\nlet c = r#\"}\"# ;";
        let code = code(text);
        assert_eq!(code.lines().count(), text.lines().count());
        assert!(!code.contains("fn"), "{code}");
        assert!(!code.contains('{') && !code.contains('}'), "{code}");
        assert!(code.contains("let b =") && code.contains("let c ="));
    }

    #[test]
    fn lifetimes_and_escapes_are_not_strings() {
        let text = r#"fn f<'a>(x: &'a str) -> char { let _ = b"\"{"; '\'' }"#;
        let blanked = code(text);
        assert!(blanked.contains("fn f<'a>(x: &'a str)"), "{blanked}");
        assert_eq!(blanked.matches('{').count(), 1);
        assert_eq!(functions(&blanked).len(), 1);
    }

    #[test]
    fn measures_functions_and_skips_declarations_and_types() {
        let text = "trait T { fn declared(&self) -> u8; }\n\
                    struct S { call: fn(u8) -> u8, other: u8 }\n\
                    fn long<T>(x: [u8; 3]) -> u8\nwhere\n    T: Into<u8>,\n{\n    if true {\n    }\n\
                    // why\n\n    f(\"a\n  b\n  c\");\n}\n";
        assert_eq!(
            functions(&code(text)),
            [Function {
                name: "long".to_owned(),
                line: 3,
                lines: 12,
                code_lines: 9
            }]
        );
    }

    #[test]
    fn cuts_test_items_out() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\n#[cfg(test)]\nuse x;\nfn c() {}\n";
        let names: Vec<_> = functions(&without_tests(&code(text)))
            .into_iter()
            .map(|function| (function.name, function.line))
            .collect();
        assert_eq!(names, [("a".to_owned(), 1), ("c".to_owned(), 8)]);
    }

    #[test]
    fn finds_whole_words() {
        let found = words("tokio::x; my_tokio; tokios;\n  tokio", "tokio");
        assert_eq!(found, [(0, 1), (30, 2)]);
    }
}
