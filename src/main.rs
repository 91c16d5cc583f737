//! Parses the command line and hands over.

use std::process::ExitCode;

// Training frees and takes the same large blocks every step; the system allocator returns them to
// the kernel each time and pays for fresh pages.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    flowseg::cli::main()
}
