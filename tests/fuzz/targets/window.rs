//! What the window remembers.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| flowseg::viewer::read_memory(text));
