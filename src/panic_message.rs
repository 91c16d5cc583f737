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
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// [`caught`] for work whose panics are expected, such as those of a decoder at a damaged file: the error is all that is
/// reported of them.
pub(crate) fn caught_quietly<T, E>(
    work: impl FnOnce() -> Result<T, E>,
    failed: impl FnOnce(String) -> E,
) -> Result<T, E> {
    let before = QUIET.replace(true);
    let result = caught(work, failed);
    QUIET.set(before);
    result
}

/// Whether this thread is in [`caught_quietly`].
pub(crate) fn is_quiet() -> bool {
    // Without its storage a thread is ending, outside of any work.
    QUIET.try_with(Cell::get).unwrap_or(false)
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
