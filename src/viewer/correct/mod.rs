//! Manual correction of the open photo's mask, saving it as labels, and fine-tuning on such labels.
//!
//! [`Correct`] is its part of the shared state. `pointer` turns the mouse's actions over the canvas
//! into [`Request`]s, `bar` draws the tools, `leave` asks before corrections are lost, `storage` saves
//! and prepares on separate threads, `training_process` runs `flowseg train`, and `fine_tune` tells of the result.

mod bar;
mod fine_tune;
mod fine_tune_dialog;
mod fine_tune_requests;
mod folder;
mod leave;
mod listed;
mod look_up;
mod note;
mod places;
mod pointer;
mod process;
mod recovery;
mod request;
mod requests;
mod saving;
mod session;
mod state;
mod storage;
mod training_process;

pub(super) use bar::bar;
pub(super) use fine_tune_dialog::dialog as fine_tune_dialog;
pub(super) use folder::dialog as folder_dialog;
pub(super) use leave::dialog as leave_dialog;
pub(super) use pointer::Pointer;
#[cfg(test)]
pub(super) use request::FineTuneRequest;
pub(super) use request::{Correction, Request, Tool};
pub(super) use requests::{act, act_on_nth, request};
pub(super) use state::Correct;
