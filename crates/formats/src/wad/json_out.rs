//! JSON as it is written: indented by two, properties in the order they were given.

/// A value.
pub(super) enum Json {
    Text(String),
    /// A number, `true` or `false`, as it is written.
    Bare(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    pub(super) fn text(text: &str) -> Json {
        Json::Text(text.to_owned())
    }

    pub(super) fn texts(texts: &[&str]) -> Json {
        Json::List(texts.iter().map(|text| Json::text(text)).collect())
    }

    /// A file of it.
    pub(super) fn document(&self) -> String {
        let mut out = String::new();
        self.write(0, &mut out);
        out.push('\n');
        out
    }

    fn write(&self, depth: usize, out: &mut String) {
        match self {
            Json::Text(text) => string(text, out),
            Json::Bare(text) => out.push_str(text),
            Json::List(items) if items.iter().all(|item| matches!(item, Json::Text(_))) => {
                out.push('[');
                for (place, item) in items.iter().enumerate() {
                    out.push_str(if place == 0 { "" } else { ", " });
                    item.write(depth, out);
                }
                out.push(']');
            }
            Json::List(items) => {
                out.push('[');
                for (place, item) in items.iter().enumerate() {
                    begin(place, depth, out);
                    item.write(depth + 1, out);
                }
                end(depth, out);
                out.push(']');
            }
            Json::Object(properties) if properties.is_empty() => out.push_str("{}"),
            Json::Object(properties) => {
                out.push('{');
                for (place, (name, value)) in properties.iter().enumerate() {
                    begin(place, depth, out);
                    string(name, out);
                    out.push_str(": ");
                    value.write(depth + 1, out);
                }
                end(depth, out);
                out.push('}');
            }
        }
    }
}

fn begin(place: usize, depth: usize, out: &mut String) {
    out.push_str(if place == 0 { "\n" } else { ",\n" });
    out.push_str(&"  ".repeat(depth + 1));
}

fn end(depth: usize, out: &mut String) {
    out.push('\n');
    out.push_str(&"  ".repeat(depth));
}

/// A string (RFC 8259, 7).
fn string(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // What is not seen is written so that it is; UTF-16 above the basic plane.
            _ if crate::text::is_hidden(character) => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
            _ => out.push(character),
        }
    }
    out.push('"');
}
