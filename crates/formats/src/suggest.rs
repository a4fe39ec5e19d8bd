//! The nearest right word to a wrong one.

/// The candidate closest to `wrong`, when it is close enough to be what was meant: at most a third of the letters
/// differ, where a letter too many, too few, changed or swapped with its neighbour counts one.
#[must_use]
pub fn nearest<'a>(wrong: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wrong = wrong.to_lowercase();
    // Words of one or two letters are near to everything.
    let limit = (wrong.chars().count() / 3).min(4);
    let away = |candidate: &str| {
        let candidate = candidate.to_lowercase();
        // Half a word is meant to be the whole.
        let begun = limit > 0 && candidate.starts_with(&wrong);
        if begun {
            0
        } else {
            distance(&wrong, &candidate)
        }
    };
    candidates
        .into_iter()
        .map(|candidate| (away(candidate), candidate))
        .filter(|(distance, _)| limit > 0 && *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Optimal string alignment distance (Damerau-Levenshtein without repeated edits) in characters.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().take(64).collect();
    let b: Vec<char> = b.chars().take(64).collect();
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let changed = usize::from(a[i - 1] != b[j - 1]);
            let mut best = (last[j] + 1).min(row[j - 1] + 1).min(last[j - 1] + changed);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(before[j - 2] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_word_that_was_meant() {
        let words = ["listen", "hostname", "path", "tls", "subscriptions"];
        assert_eq!(nearest("lisen", words), Some("listen"));
        assert_eq!(nearest("lsiten", words), Some("listen"));
        assert_eq!(nearest("Hostname", words), Some("hostname"));
        assert_eq!(nearest("subscription", words), Some("subscriptions"));
        assert_eq!(nearest("host", words), Some("hostname"));
        assert_eq!(nearest("colour", words), None);
        assert_eq!(nearest("", words), None);
    }

    #[test]
    fn counts_edits() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", "abc"), 0);
        assert_eq!(distance("abc", "acb"), 1);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
