//! Lessons: six cards that explain the method on the window itself.
//!
//! A card arranges the window (`stage`), asks a question, and compares the answer with what the window
//! measured (`facts`). `Driver` begins and leaves lessons; what the window showed before is set aside
//! and put back; `film` makes a card's animation. `LessonsPanel` draws the card. The texts are in `assets/texts`.

mod card;
mod driver;
mod facts;
mod film;
mod panel;
mod request;
mod stage;

pub(super) use driver::{Driver, Parts};
pub(super) use panel::LessonsPanel;
pub(crate) use request::Request;
