//! Commands: what can be asked for (`table`), and what it does (`run`).

mod run;
mod table;

pub use table::{Command, TABLE, entry, help, pressed, text};
