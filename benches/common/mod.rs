//! What the benchmarks share: the program's allocator, and the device.

use divan::Bencher;
use flowseg::device::{self, Choice, Launches, Opened};
use std::sync::OnceLock;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Runs the benchmarks of a file.
pub(crate) fn run() {
    flowseg::allocator::keep_freed_memory();
    divan::main();
}

/// The device named by `FLOWSEG_BENCH_DEVICE`, in the format of `--device`.
pub(crate) fn choice() -> Option<Choice> {
    let name = std::env::var("FLOWSEG_BENCH_DEVICE").ok()?;
    Some(name.parse().expect("FLOWSEG_BENCH_DEVICE names a device"))
}

/// The device of tensors, opened once: the chosen one, or the CPU.
#[allow(dead_code, reason = "benches that only draw have no tensors")]
pub(crate) fn device() -> &'static burn::tensor::Device {
    static OPENED: OnceLock<Opened> = OnceLock::new();
    let opened = OPENED.get_or_init(|| {
        let opened = device::open(choice().unwrap_or(Choice::Cpu)).expect("the device opens");
        println!("on {opened}");
        opened
    });
    &opened.device
}

/// Times work until the device has finished it, and prints the number of kernels that a GPU ran for
/// it.
#[allow(dead_code, reason = "benches that only draw have no tensors")]
pub(crate) fn bench<T>(bencher: Bencher, mut work: impl FnMut() -> T) {
    let mut done = || {
        let result = work();
        device().sync().expect("the device answers");
        result
    };
    // Compiles kernels.
    done();
    let launches = Launches::watch();
    done();
    let count = launches.end();
    if count > 0 {
        print!("{count} kernels ");
    }
    bencher.bench_local(done);
}
