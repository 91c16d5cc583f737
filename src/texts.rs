//! The texts of the window, one file for every language: `assets/texts/LANGUAGE.toml`.
//!
//! A panel gets a table of the file and a struct here. A text that a file lacks, or has too many of,
//! is an error of its file, which the tests find. To translate the window, copy `en.toml`, translate
//! its values, and add the language to [`Language`]; words in braces stay as they are.
//!
//! So far the lessons, the race and the Network panel have their texts here. Menus, the other panels,
//! error messages and the commands are in English.

mod lessons;
mod network;
mod race;

pub(crate) use lessons::{CardTexts, LessonTexts};
pub(crate) use network::NetworkTexts;
pub(crate) use race::{ControlTexts, FigureTexts, PictureTexts, RaceTexts, ToolbarTexts};

use serde::{Deserialize, Serialize};
use std::sync::OnceLock;

/// A language of the window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
pub enum Language {
    #[default]
    #[serde(rename = "en")]
    #[value(name = "en")]
    English,
    #[serde(rename = "de")]
    #[value(name = "de")]
    German,
    #[serde(rename = "fr")]
    #[value(name = "fr")]
    French,
}

impl Language {
    /// All languages, in the order of the menu.
    pub(crate) const ALL: [Self; 3] = [Self::English, Self::German, Self::French];

    /// The language's name in that language.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::German => "Deutsch",
            Self::French => "Français",
        }
    }

    fn file(self) -> &'static str {
        match self {
            Self::English => include_str!("../assets/texts/en.toml"),
            Self::German => include_str!("../assets/texts/de.toml"),
            Self::French => include_str!("../assets/texts/fr.toml"),
        }
    }
}

/// All texts in one language.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Texts {
    /// What separates a number's decimals.
    decimal: String,
    pub(crate) lessons: LessonTexts,
    pub(crate) network: NetworkTexts,
    pub(crate) race: RaceTexts,
}

/// The name of a control or of a picture, and its tooltip.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) help: String,
}

impl Texts {
    /// The texts in a language; every file is read once.
    pub(crate) fn of(language: Language) -> &'static Self {
        static READ: [OnceLock<Texts>; Language::ALL.len()] =
            [const { OnceLock::new() }; Language::ALL.len()];
        READ[language as usize].get_or_init(|| {
            let read = toml::from_str(language.file());
            read.unwrap_or_else(|error| panic!("the texts in {}: {error}", language.name()))
        })
    }

    /// A number, written with a point, as the language writes it.
    pub(crate) fn number(&self, number: &str) -> String {
        number.replace('.', &self.decimal)
    }
}

/// A text with its words in braces replaced: `fill("{n} of 3", &[("n", "2")])` is `"2 of 3"`.
pub(crate) fn fill(text: &str, values: &[(&str, &str)]) -> String {
    values.iter().fold(text.to_owned(), |text, (name, value)| {
        text.replace(&format!("{{{name}}}"), value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};

    /// The strings of a file by their paths.
    fn strings(language: Language) -> BTreeMap<String, String> {
        fn add(path: String, value: &toml::Value, found: &mut BTreeMap<String, String>) {
            match value {
                toml::Value::String(text) => {
                    found.insert(path, text.clone());
                }
                toml::Value::Array(values) => {
                    for (at, value) in values.iter().enumerate() {
                        add(format!("{path}.{at}"), value, found);
                    }
                }
                toml::Value::Table(table) => {
                    for (key, value) in table {
                        add(format!("{path}.{key}"), value, found);
                    }
                }
                other => panic!("{path}: {other} is not a text"),
            }
        }
        let mut found = BTreeMap::new();
        let file: toml::Table = toml::from_str(language.file()).unwrap();
        add(String::new(), &toml::Value::Table(file), &mut found);
        found
    }

    /// The words in braces of a text.
    fn placeholders(text: &str) -> BTreeSet<&str> {
        let parts = text.split('{').skip(1);
        parts.filter_map(|part| part.split('}').next()).collect()
    }

    #[test]
    fn every_language_has_the_same_texts_with_the_same_values() {
        let english = strings(Language::English);
        for language in Language::ALL {
            // Missing and unknown texts are refused.
            Texts::of(language);
            let other = strings(language);
            assert_eq!(
                english.keys().collect::<Vec<_>>(),
                other.keys().collect::<Vec<_>>()
            );
            for (path, text) in &english {
                let translated = &other[path];
                assert_eq!(placeholders(text), placeholders(translated), "{path}");
                assert_eq!(text.is_empty(), translated.is_empty(), "{path}");
            }
        }
    }

    #[test]
    fn a_missing_and_an_unknown_text_are_refused() {
        let file = Language::English.file();
        toml::from_str::<Texts>(file).unwrap();
        let without = file.replacen("next = \"Next\"\n", "", 1);
        let error = toml::from_str::<Texts>(&without).unwrap_err().to_string();
        assert!(error.contains("missing field `next`"), "{error}");
        let with = file.replacen("[lessons]", "[lessons]\nnexxt = \"Next\"", 1);
        let error = toml::from_str::<Texts>(&with).unwrap_err().to_string();
        assert!(error.contains("unknown field `nexxt`"), "{error}");
    }

    #[test]
    fn a_card_has_at_most_60_words() {
        for language in Language::ALL {
            for card in &Texts::of(language).lessons.cards {
                let all = [&card.text, &card.r#try, &card.question];
                let words = all.iter().map(|text| text.split_whitespace().count());
                let words: usize = words.sum();
                assert!(words <= 60, "{language:?}, {}: {words} words", card.title);
            }
        }
    }

    #[test]
    fn every_letter_is_in_the_built_in_fonts() {
        for language in Language::ALL {
            let missing: BTreeSet<char> = strings(language)
                .values()
                .flat_map(|text| text.chars())
                .filter(|letter| !crate::fonts::is_built_in(*letter))
                .collect();
            assert!(missing.is_empty(), "{language:?}: {missing:?}");
        }
    }

    #[test]
    fn numbers_have_the_decimals_of_their_language() {
        let written = Language::ALL.map(|language| Texts::of(language).number("12.50"));
        assert_eq!(written, ["12.50", "12,50", "12,50"]);
    }

    #[test]
    fn values_are_filled_in() {
        assert_eq!(
            fill("{a} of {b}, {a}", &[("a", "2"), ("b", "3")]),
            "2 of 3, 2"
        );
        assert_eq!(fill("{a}", &[]), "{a}");
    }
}
