//! The tile registers of Intel's AMX, eight matrices of at most 16 rows of 64 bytes, for products of matrices that are
//! rounded to bfloat16: several times as many a second as with AVX-512 BF16.
//!
//! The compiler's own functions for these instructions are not stable, so they are written as assembler here. A
//! process has to ask the system for the registers once; only Linux is asked here.

use super::rounded::{Lefts, Pairs, ROWS, RUN, Sums};
use std::arch::asm;
use std::arch::x86_64::__cpuid_count;
use std::marker::PhantomData;
use std::sync::OnceLock;

/// Whether the processor has the instructions and the system lets this process use the registers.
pub(super) fn is_available() -> bool {
    static AVAILABLE: OnceLock<bool> = OnceLock::new();
    *AVAILABLE.get_or_init(|| has_instructions() && asks_for_registers())
}

fn has_instructions() -> bool {
    /// The leaf of extended features, and of it the bits of AMX-BF16 and AMX-TILE.
    const FEATURES: u32 = 7;
    const NEEDED: u32 = 1 << 22 | 1 << 24;
    let last = __cpuid_count(0, 0).eax;
    last >= FEATURES && __cpuid_count(FEATURES, 0).edx & NEEDED == NEEDED
}

/// Asks the system, which refuses if it does not know these registers.
fn asks_for_registers() -> bool {
    const ARCH_REQ_XCOMP_PERM: libc::c_long = 0x1023;
    /// The tiles' number among the parts of a processor's state.
    const XTILEDATA: libc::c_long = 18;
    // SAFETY: the call takes two numbers and writes no memory.
    unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XTILEDATA) == 0 }
}

/// The layout of the operand of LDTILECFG.
#[repr(C, align(64))]
struct Shapes {
    palette: u8,
    start: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

/// Four registers of sums, two of rows on the left, and two halves of a strip's rows.
static SHAPES: Shapes = {
    let (sums, pairs) = (ROWS as u8, RUN as u8);
    Shapes {
        palette: 1,
        start: 0,
        reserved: [0; 14],
        row_bytes: [64, 64, 64, 64, 64, 64, 64, 64, 0, 0, 0, 0, 0, 0, 0, 0],
        rows: [
            sums, sums, sums, sums, sums, sums, pairs, pairs, 0, 0, 0, 0, 0, 0, 0, 0,
        ],
    }
};

/// `asm!` that changes all tile registers.
macro_rules! tile_asm {
    ($($operands:tt)*) => {
        asm!(
            $($operands)*
            out("tmm0") _,
            out("tmm1") _,
            out("tmm2") _,
            out("tmm3") _,
            out("tmm4") _,
            out("tmm5") _,
            out("tmm6") _,
            out("tmm7") _,
            options(nostack),
        )
    };
}

/// This thread's tile registers, in the shapes of [`SHAPES`]; released on drop, so that the system need not keep their
/// 8 KiB when it changes threads. A thread has one of these at a time.
pub(super) struct Tiles {
    /// They are of the thread.
    stays: PhantomData<*const ()>,
}

impl Tiles {
    /// `None` without such registers.
    #[inline(always)]
    pub(super) fn of_this_thread() -> Option<Self> {
        is_available().then(|| {
            // SAFETY: the processor has the instruction, and the operand is of its layout.
            unsafe {
                tile_asm!("ldtilecfg [{}]", in(reg) &raw const SHAPES,);
            }
            Self { stays: PhantomData }
        })
    }

    /// `sums = left right` for two sets of rows on the left if it `begins`, else `sums += left right`.
    ///
    /// # Panics
    /// If there are fewer runs on the left than on the right.
    #[inline(always)]
    pub(super) fn multiply(
        &self,
        begins: bool,
        [first, second]: [&[Lefts]; 2],
        right: &[[Pairs; RUN]],
        sums: &mut [Sums; 2],
    ) {
        let runs = right.len();
        assert!(first.len() >= runs && second.len() >= runs);
        if runs == 0 {
            return;
        }
        // SAFETY: the registers have the shapes that the loads and stores assume: 12 rows of 64 bytes of each run on the
        // left, 16 rows of twice 64 bytes on the right, and 12 rows of twice 64 bytes of each of the sums, all within
        // the slices, of which only the sums are written.
        unsafe {
            tile_asm!(
                "test {begins}, {begins}",
                "jnz 3f",
                "tileloadd tmm0, [{sums} + 2 * {row}]",
                "tileloadd tmm1, [{sums} + 2 * {row} + 64]",
                "tileloadd tmm2, [{sums} + 2 * {row} + {size}]",
                "tileloadd tmm3, [{sums} + 2 * {row} + {size} + 64]",
                "jmp 2f",
                "3:",
                "tilezero tmm0",
                "tilezero tmm1",
                "tilezero tmm2",
                "tilezero tmm3",
                "2:",
                "tileloadd tmm4, [{first} + 1 * {row}]",
                "tileloadd tmm6, [{right} + 2 * {row}]",
                "tdpbf16ps tmm0, tmm4, tmm6",
                "tileloadd tmm7, [{right} + 2 * {row} + 64]",
                "tdpbf16ps tmm1, tmm4, tmm7",
                "tileloadd tmm5, [{second} + 1 * {row}]",
                "tdpbf16ps tmm2, tmm5, tmm6",
                "tdpbf16ps tmm3, tmm5, tmm7",
                "add {first}, {left_size}",
                "add {second}, {left_size}",
                "add {right}, {right_size}",
                "dec {runs}",
                "jnz 2b",
                "tilestored [{sums} + 2 * {row}], tmm0",
                "tilestored [{sums} + 2 * {row} + 64], tmm1",
                "tilestored [{sums} + 2 * {row} + {size}], tmm2",
                "tilestored [{sums} + 2 * {row} + {size} + 64], tmm3",
                size = const size_of::<Sums>(),
                left_size = const size_of::<Lefts>(),
                right_size = const size_of::<[Pairs; RUN]>(),
                sums = in(reg) sums.as_mut_ptr(),
                row = in(reg) 64_usize,
                begins = in(reg) usize::from(begins),
                first = inout(reg) first.as_ptr() => _,
                second = inout(reg) second.as_ptr() => _,
                right = inout(reg) right.as_ptr() => _,
                runs = inout(reg) runs => _,
            );
        }
    }
}

impl Drop for Tiles {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: the processor has the instruction, and nothing else uses the registers.
        unsafe {
            tile_asm!("tilerelease",);
        }
    }
}
