//! The texts of the Lessons panel.

use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LessonTexts {
    pub(crate) title: String,
    /// Shown while no lesson is open.
    pub(crate) intro: String,
    /// With the `number` of the card and the `count` of cards.
    pub(crate) number: String,
    pub(crate) r#try: String,
    pub(crate) question: String,
    pub(crate) check: String,
    pub(crate) back: String,
    pub(crate) next: String,
    pub(crate) leave: String,
    pub(crate) save: String,
    pub(crate) save_frames: String,
    /// With the `number` of the picture and the `count` of pictures.
    pub(crate) saving: String,
    /// With the `path` of the animation.
    pub(crate) written: String,
    pub(crate) waiting: String,
    /// The answer is counted on particles of the vanilla field, which are not shown; with the names of the
    /// controls in the panel.
    pub(crate) hidden: String,
    /// The same of the vanilla and the reshaped field.
    pub(crate) hidden_both: String,
    pub(crate) no_model: String,
    /// The playhead is before the step of the answer; the pixel's class there is `now`.
    pub(crate) later: String,
    /// The playhead is past the step of the answer.
    pub(crate) earlier: String,
    pub(crate) cards: [CardTexts; 6],
}

/// The texts of one card.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CardTexts {
    pub(crate) title: String,
    pub(crate) text: String,
    /// One thing to try.
    pub(crate) r#try: String,
    pub(crate) question: String,
    /// The answers to choose from; empty if the window offers classes or a position instead.
    pub(crate) choices: Vec<String>,
    /// The comment on the right answer, with what the window measured.
    pub(crate) right: String,
    pub(crate) wrong: String,
}
