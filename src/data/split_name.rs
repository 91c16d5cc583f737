//! The names of splits. Every reader of a data set accepts the same ones.

/// The split of everything that is not said to belong to another.
pub(super) const TRAINING: &str = "training";
/// The canonical names, in order.
pub(super) const SPLITS: [&str; 3] = [TRAINING, "validation", "test"];
/// The names that a split may have, the canonical one first, in the order of [`SPLITS`].
pub(super) const SPELLINGS: [&[&str]; 3] = [
    &[TRAINING, "train"],
    &["validation", "val", "valid"],
    &["test", "testing"],
];

/// The canonical name of the split that a word stands for, in any letter case; `None` if it stands for none.
pub(super) fn of_word(word: &str) -> Option<&'static str> {
    let is_one = |name: &&str| name.eq_ignore_ascii_case(word);
    let mut splits = SPLITS.into_iter().zip(SPELLINGS);
    splits.find_map(|(split, names)| names.iter().any(is_one).then_some(split))
}

/// The canonical name of a split; other names remain as they are.
pub(super) fn canonical(split: &str) -> &str {
    of_word(split).unwrap_or(split)
}

/// The names that a split may have, by its canonical name; empty for another name.
pub(super) fn spellings(split: &str) -> &'static [&'static str] {
    let at = SPLITS.iter().position(|name| *name == split);
    at.map_or(&[], |at| SPELLINGS[at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_stands_for_its_split_in_any_letter_case() {
        for (word, split) in [
            ("train", "training"),
            ("Training", "training"),
            ("VAL", "validation"),
            ("valid", "validation"),
            ("validation", "validation"),
            ("Test", "test"),
            ("testing", "test"),
        ] {
            assert_eq!(of_word(word), Some(split), "{word}");
            assert_eq!(canonical(word), split);
            assert!(spellings(split).contains(&word.to_lowercase().as_str()));
        }
        assert_eq!(of_word("trainer"), None);
        assert_eq!(canonical("Extra"), "Extra");
        assert!(spellings("extra").is_empty());
    }
}
