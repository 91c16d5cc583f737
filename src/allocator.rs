//! Settings of mimalloc, which is the allocator of the program and of its benches.

use std::ffi::c_long;

/// `mi_option_purge_delay` of `mimalloc.h`, versions 2 and 3.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

/// Milliseconds.
const KEPT: c_long = 60_000;

/// Keeps freed memory for the next allocation for a minute before the system gets it back.
///
/// Every step of a training, and every photo, frees and allocates the same blocks. By default mimalloc returns all that is
/// free once per second, and the system clears the pages that it hands out again, which took a sixth of a training step.
pub fn keep_freed_memory() {
    // SAFETY: the option exists, and setting it only stores a number; mimalloc does so atomically.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, KEPT) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_is_that_of_the_linked_version() {
        // SAFETY: the option exists, and reading it has no side effects.
        let delay = || unsafe { libmimalloc_sys::mi_option_get(PURGE_DELAY) };
        // No other option of mimalloc has this default.
        assert_eq!(delay(), 1000);
        keep_freed_memory();
        assert_eq!(delay(), KEPT);
    }
}
