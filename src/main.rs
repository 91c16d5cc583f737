//! Parses the command line and runs the command; in a browser, opens the window in the page.

#[cfg(not(target_arch = "wasm32"))]
use std::process::ExitCode;

// Training frees and allocates the same large blocks every step; the system allocator returns them
// to the kernel each time and faults in fresh pages.
#[cfg(not(target_arch = "wasm32"))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[cfg(target_arch = "wasm32")]
fn main() {
    flowseg::viewer::open();
}

#[cfg(not(target_arch = "wasm32"))]
fn main() -> ExitCode {
    quiet_device_selection();
    flowseg::allocator::keep_freed_memory();
    flowseg::cli::main()
}

/// On a machine without a desktop, Mesa's device-selection layer looks for a Wayland display and
/// has libwayland print an error for every adapter query. The layer only reorders adapters, which
/// this program ranks itself.
#[cfg(not(target_arch = "wasm32"))]
fn quiet_device_selection() {
    if cfg!(target_os = "linux") && std::env::var_os("XDG_RUNTIME_DIR").is_none() {
        // SAFETY: this is the first thing that the program does; no other thread exists yet.
        unsafe { std::env::set_var("NODEVICE_SELECT", "1") };
    }
}
