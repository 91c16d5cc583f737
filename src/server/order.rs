//! What a request asks for.

use crate::export::Format;
use crate::model::MOST_SOLVER_STEPS;
use clap::ValueEnum;

/// What becomes of a photo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Order {
    /// The model's name; the server's own, where left out.
    pub model: Option<String>,
    /// Solver steps; what the model recommends, where left out.
    pub steps: Option<usize>,
    pub answer: Answer,
}

/// What is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The shares of the classes.
    Json,
    /// A file as `flowseg segment` writes it.
    File(Format),
}

/// Formats that are one file, and need nothing but the photo.
const FORMATS: [Format; 9] = [
    Format::Index,
    Format::Palette,
    Format::Labelme,
    Format::Yolo,
    Format::Npy,
    Format::Contour,
    Format::Overlay,
    Format::Colours,
    Format::Probability,
];

fn name_of(format: Format) -> String {
    let value = format.to_possible_value();
    value.map_or_else(String::new, |value| value.get_name().to_owned())
}

impl Answer {
    /// The answer of a name; `png` is the mask itself, as is `index`, the name that `flowseg segment` has for it.
    fn named(name: &str) -> Option<Self> {
        match name {
            "json" => Some(Self::Json),
            "png" => Some(Self::File(Format::Index)),
            name => {
                let mut formats = FORMATS.into_iter();
                formats
                    .find(|&format| name_of(format) == name)
                    .map(Self::File)
            }
        }
    }

    /// The media type.
    pub(super) fn media_type(self) -> &'static str {
        match self {
            Self::Json | Self::File(Format::Labelme) => "application/json",
            Self::File(Format::Yolo) => "text/plain; charset=utf-8",
            Self::File(Format::Npy) => "application/octet-stream",
            Self::File(_) => "image/png",
        }
    }
}

impl Order {
    /// Reads the query of an address.
    ///
    /// # Errors
    /// One line that says what to use instead.
    pub(super) fn read(query: &str) -> Result<Self, String> {
        let (mut model, mut steps, mut answer) = (None, None, None);
        for (key, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let again = match &*key {
                "model" => model.replace(value.into_owned()).is_some(),
                "steps" => steps.replace(steps_of(&value)?).is_some(),
                "format" => answer.replace(answer_of(&value)?).is_some(),
                _ => {
                    return Err(format!(
                        "there is no parameter {key:?}: use model, steps or format"
                    ));
                }
            };
            if again {
                return Err(format!("{key} is given twice"));
            }
        }
        Ok(Self {
            model,
            steps,
            answer: answer.unwrap_or(Answer::File(Format::Index)),
        })
    }
}

fn steps_of(value: &str) -> Result<usize, String> {
    let steps = value.parse().ok();
    steps
        .filter(|steps| (1..=MOST_SOLVER_STEPS).contains(steps))
        .ok_or_else(|| format!("steps is {value:?}: use a number from 1 to {MOST_SOLVER_STEPS}"))
}

fn answer_of(value: &str) -> Result<Answer, String> {
    Answer::named(value).ok_or_else(|| {
        let names = FORMATS.map(name_of).join(", ");
        format!("format is {value:?}: use one of png, json, {names}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_read_whole_or_refused() {
        let order = Order::read("").unwrap();
        assert_eq!((order.model, order.steps), (None, None));
        assert_eq!(order.answer, Answer::File(Format::Index));
        let order = Order::read("model=my%20model&steps=7&format=overlay").unwrap();
        assert_eq!(order.model.as_deref(), Some("my model"));
        assert_eq!(order.steps, Some(7));
        assert_eq!(order.answer, Answer::File(Format::Overlay));
        assert_eq!(Order::read("format=json").unwrap().answer, Answer::Json);
        for query in ["format=index", "format=png"] {
            let answer = Order::read(query).unwrap().answer;
            assert_eq!(answer, Answer::File(Format::Index), "{query}");
        }
        for (query, word) in [
            ("steps=0", "1 to 1000"),
            ("steps=1e3", "1 to 1000"),
            ("steps=1001", "1 to 1000"),
            ("format=coco", "overlay"),
            ("format=", "overlay"),
            ("colour=red", "colour"),
            ("steps=2&steps=3", "twice"),
        ] {
            let error = Order::read(query).unwrap_err();
            assert!(
                error.contains(word) && !error.contains('\n'),
                "{query}: {error}"
            );
        }
    }

    #[test]
    fn every_format_says_what_it_is() {
        for format in FORMATS {
            let answer = Answer::named(&name_of(format)).unwrap();
            let suffix = format.suffix().unwrap();
            assert_eq!(
                suffix.ends_with(".png"),
                answer.media_type() == "image/png",
                "{suffix}"
            );
            assert!(!format.is_folder());
        }
    }
}
