//! Machines that events are expected of, whether anything was ever heard of them or not.

use std::collections::BTreeMap;

use windrow_formats::wef::audience::MachineName;

/// Names as the configuration has them: whole ones, accounts, or what people call a machine by.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    /// By their small letters.
    names: BTreeMap<String, String>,
}

impl Expected {
    /// Those of a configuration.
    pub fn new<'a>(names: impl IntoIterator<Item = &'a String>) -> Expected {
        let names = names.into_iter();
        Expected {
            names: names
                .map(|name| (name.to_lowercase(), name.clone()))
                .collect(),
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// All of them, as they are written.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.names.values().map(String::as_str)
    }

    /// The name by which this machine is expected.
    #[must_use]
    pub fn named(&self, machine: &MachineName) -> Option<&str> {
        if self.names.is_empty() {
            return None;
        }
        let account = machine.principal().map(|(account, _)| account);
        let forms = [Some(machine.as_str()), account, Some(machine.short())];
        let mut forms = forms.into_iter().flatten();
        forms.find_map(|form| self.names.get(&form.to_lowercase()).map(String::as_str))
    }
}
