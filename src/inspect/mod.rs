//! What a network attends to: the attention of its tokens, their principal components, and whether its
//! prediction follows the photo or the state.
//!
//! Everything is read from the network's own forward pass ([`crate::model::record`]).

mod agreement;
mod components;
mod recording;

pub use agreement::{Agreement, Given, TIMES};
pub use components::{Components, principal_components};
pub use recording::{Attention, Recording, TooLarge};
