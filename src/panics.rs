//! Panics as errors: those of libraries, and of worker threads.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The result of `work`, or the error that `failed` makes of a panic's message: a graphics driver's errors
/// become panics in the libraries between.
pub(crate) fn caught<T, E>(
    work: impl FnOnce() -> Result<T, E>,
    failed: impl FnOnce(String) -> E,
) -> Result<T, E> {
    let done = catch_unwind(AssertUnwindSafe(work));
    done.unwrap_or_else(|panic| Err(failed(panic_message(&*panic))))
}

thread_local! {
    /// Tells by their messages which panics of this thread are expected.
    static EXPECTED: Cell<fn(&str) -> bool> = const { Cell::new(|_| false) };
}

/// Runs work that catches its own panics. Those whose message is `expected` are not reported.
pub(crate) fn expecting<T>(expected: fn(&str) -> bool, work: impl FnOnce() -> T) -> T {
    let before = EXPECTED.replace(expected);
    let result = work();
    EXPECTED.set(before);
    result
}

/// [`caught`] for work whose panics are expected, such as those of a decoder at a damaged file: the error is all that is
/// reported of them.
pub(crate) fn caught_quietly<T, E>(
    work: impl FnOnce() -> Result<T, E>,
    failed: impl FnOnce(String) -> E,
) -> Result<T, E> {
    expecting(|_| true, || caught(work, failed))
}

/// Whether a panic of this thread with this message is expected, and not to be reported.
pub(crate) fn is_expected(message: &str) -> bool {
    // Without its storage a thread is ending, outside of any work.
    EXPECTED
        .try_with(Cell::get)
        .is_ok_and(|expected| expected(message))
}

/// A panic's message on one line.
pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no reason given");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
