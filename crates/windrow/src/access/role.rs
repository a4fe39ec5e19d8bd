//! What an account may do.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What an account may do. Each may do what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sees how things are.
    Viewer,
    /// Looks into things too, which changes nothing that stays.
    Analyst,
    /// Changes settings too.
    Admin,
}

impl Role {
    /// All of them, the least first.
    pub const ALL: [Role; 3] = [Role::Viewer, Role::Analyst, Role::Admin];

    /// Whether it may do what needs `needed`.
    #[must_use]
    pub fn may(self, needed: Role) -> bool {
        self >= needed
    }

    /// As it is written.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Analyst => "analyst",
            Role::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl std::str::FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Role, String> {
        let found = Role::ALL.into_iter().find(|role| role.word() == text);
        found.ok_or_else(|| "expected viewer, analyst or admin".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_may_do_what_those_before_it_may() {
        for (place, role) in Role::ALL.into_iter().enumerate() {
            let may = Role::ALL.map(|needed| role.may(needed));
            assert_eq!(may.iter().filter(|may| **may).count(), place + 1);
            assert!(role.may(role) && role.may(Role::Viewer));
            assert_eq!(role.word().parse(), Ok(role));
        }
    }
}
