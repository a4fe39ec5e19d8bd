//! A folder of files for somebody to take along, with a README that says of each what it is, where it goes and how to
//! undo it.

use std::fmt::Write as _;
use std::path::Path;

use super::files::{File, Secrecy};
use super::script::lines;

/// A file of the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sheet {
    /// Its path in the folder, with `/`.
    pub path: String,
    /// What is in it.
    pub content: Vec<u8>,
    /// What it is.
    pub what: String,
    /// Where it goes, and what is done with it there.
    pub place: String,
    /// How that is undone.
    pub undo: String,
}

/// A part of the README before or after the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// Its heading.
    pub title: String,
    /// Its text, in Markdown.
    pub text: String,
}

/// The folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Handout {
    /// The README's title.
    pub title: String,
    /// What comes before the files.
    pub before: Vec<Section>,
    /// The files.
    pub sheets: Vec<Sheet>,
    /// What comes after them.
    pub after: Vec<Section>,
}

impl Handout {
    /// The README.
    #[must_use]
    pub fn readme(&self) -> String {
        let mut text = format!("# {}\n", self.title);
        let sections = |text: &mut String, sections: &[Section]| {
            for section in sections {
                let _ = write!(text, "\n## {}\n\n{}\n", section.title, section.text.trim());
            }
        };
        sections(&mut text, &self.before);
        text.push_str("\n## The files\n");
        for sheet in &self.sheets {
            let Sheet {
                path,
                what,
                place,
                undo,
                ..
            } = sheet;
            let _ = write!(
                text,
                "\n### {path}\n\n{what}\n\n- Where it goes: {place}\n- To undo: {undo}\n"
            );
        }
        sections(&mut text, &self.after);
        text
    }

    /// The files to write in `folder`, the README first.
    #[must_use]
    pub fn files(&self, folder: &Path) -> Vec<File> {
        let readme = File {
            path: folder.join("README.md"),
            content: lines(&self.readme()),
            secrecy: Secrecy::Public,
        };
        let sheets = self.sheets.iter().map(|sheet| File {
            path: folder.join(&sheet.path),
            content: sheet.content.clone(),
            secrecy: Secrecy::Public,
        });
        std::iter::once(readme).chain(sheets).collect()
    }
}
