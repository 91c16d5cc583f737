//! Model files.
#![no_main]

use flowseg::device::{self, Choice, Opened};
use flowseg::model::Model;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static CPU: LazyLock<Opened> = LazyLock::new(|| device::open(Choice::Cpu).unwrap());

fuzz_target!(|bytes: &[u8]| {
    let _ = Model::from_bytes(bytes, &CPU.device);
});
