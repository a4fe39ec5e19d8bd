//! Patterns that a machine's name almost matches.

use windrow_formats::wef::audience::MachineName;

/// Characters of a name and of a pattern that are compared.
const CHARS_MAX: usize = 64;
/// Patterns that are looked at.
const PATTERNS_MAX: usize = 512;
/// Letters that may differ.
const AWAY_MAX: usize = 4;

/// The patterns that are at most a letter in five away from a name, closest first.
pub(super) fn near<'a>(
    machine: &MachineName,
    patterns: impl Iterator<Item = &'a str>,
    most: usize,
) -> Vec<&'a str> {
    let account = machine
        .principal()
        .map_or(machine.as_str(), |(account, _)| account);
    let mut found: Vec<(usize, &str)> = patterns
        .take(PATTERNS_MAX)
        .filter_map(|pattern| {
            let forms = [machine.as_str(), account, machine.short()];
            let closest = forms.map(|form| away(pattern, form)).into_iter().min()?;
            let letters = pattern.chars().filter(|c| !"*?".contains(*c)).count();
            let is_near = closest > 0 && closest <= (letters / 5).clamp(1, AWAY_MAX) && letters > 2;
            is_near.then_some((closest, pattern))
        })
        .collect();
    found.sort_unstable();
    found.dedup();
    found
        .into_iter()
        .map(|(_, pattern)| pattern)
        .take(most)
        .collect()
}

/// Letters too many, too few or changed between a pattern and a name; what a `*` stands for counts none.
fn away(pattern: &str, name: &str) -> usize {
    let letters = |text: &str| -> Vec<char> {
        let small = text.chars().flat_map(char::to_lowercase);
        small.take(CHARS_MAX).collect()
    };
    let (pattern, name) = (letters(pattern), letters(name));
    let mut last: Vec<usize> = (0..=name.len()).collect();
    for &wanted in &pattern {
        let is_star = wanted == '*';
        let mut row = vec![last[0] + usize::from(!is_star)];
        for (at, &found) in name.iter().enumerate() {
            let best = if is_star {
                last[at + 1].min(row[at])
            } else {
                let changed = usize::from(wanted != '?' && wanted != found);
                (last[at] + changed).min(last[at + 1] + 1).min(row[at] + 1)
            };
            row.push(best);
        }
        last = row;
    }
    last[name.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_meant_is_found() {
        assert_eq!(away("ws*.corp.example", "ws00001.corp.example"), 0);
        assert_eq!(away("ws*.corp.example", "ws00001.crop.example"), 2);
        assert_eq!(away("w?1", "wx1"), 0);
        let machine = MachineName::of_certificate("ws7.corp.exmple").unwrap();
        let patterns = [
            "dc*",
            "ws*.corp.example",
            "*.dmz.example",
            "ws8.corp.exmple",
        ];
        let found = near(&machine, patterns.into_iter(), 3);
        assert_eq!(found, ["ws*.corp.example", "ws8.corp.exmple"]);
        let machine = MachineName::of_principal("SRV01$", "CORP.EXAMPLE").unwrap();
        assert_eq!(
            near(&machine, ["srw01", "*$@crop.example"].into_iter(), 3),
            ["srw01", "*$@crop.example"]
        );
    }
}
