//! Elementary functions that the compiler can vectorise, and dispatch to the processor's widest
//! vectors.
//!
//! The functions are branch-free polynomials marked `inline(always)`: inside `wide!` they are
//! compiled for AVX-512, AVX2 or NEON, chosen at run time. Relative error is below 3e-7.

use pulp::{Simd, WithSimd};

/// Work for the macro `wide`. Called as `FnMut`: as `FnOnce`, a closure that could be called again gets a function
/// between, which need not be inlined and would be compiled for the oldest processor.
pub struct Work<F>(pub F);

impl<R, F: FnMut() -> R> WithSimd for Work<F> {
    type Output = R;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> R {
        let Work(mut work) = self;
        work()
    }
}

/// Evaluates an expression, compiled for the widest instruction set of this processor.
///
/// Everything in it has to be inlined into the function that is compiled for those instructions: a call
/// would run code for the oldest processor.
macro_rules! wide {
    ($work:expr) => {
        pulp::Arch::new().dispatch($crate::simd::Work(
            #[inline(always)]
            || $work,
        ))
    };
}
pub(crate) use wide;

/// `a b + c`, rounded once where the processor can: compilers do not join the two by themselves.
/// WebAssembly has no instruction for it, and the function instead of one is slow, as on processors from
/// before AVX2.
#[inline(always)]
pub fn mul_add(a: f32, b: f32, c: f32) -> f32 {
    if cfg!(target_arch = "wasm32") {
        a * b + c
    } else {
        a.mul_add(b, c)
    }
}

/// `c[0] x^(n-1) + .. + c[n-1]`
#[inline(always)]
fn polynomial<const N: usize>(x: f32, coefficients: [f32; N]) -> f32 {
    let mut p = coefficients[0];
    for c in &coefficients[1..] {
        p = mul_add(p, x, *c);
    }
    p
}

/// `e^x`, for x clamped to `[-87, 88]`.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    // Adding this constant rounds to an integer and leaves it in the low bits of the mantissa.
    const ROUND: f32 = 12_582_912.0;
    let x = x.clamp(-87.0, 88.0);
    let shifted = mul_add(x, std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = mul_add(n, 2.121_944_4e-4, mul_add(n, -0.693_359_4, x));
    let p = polynomial(
        r,
        [
            1.987_569_1e-4,
            1.398_199_9e-3,
            8.333_452e-3,
            4.166_579_6e-2,
            1.666_666_6e-1,
            0.5,
            1.0,
            1.0,
        ],
    );
    p * f32::from_bits((shifted.to_bits() << 23).wrapping_add(127 << 23))
}

/// `2^x` for x up to 127, 0 where it would be below the smallest normal number.
#[inline(always)]
pub fn exp2(x: f32) -> f32 {
    // In this form NaN stays NaN.
    let x = if x < -127.0 { -127.0 } else { x };
    // Rounds to an integer and leaves it in the low bits of the mantissa, as in `exp`.
    let shifted = x + 12_582_912.0;
    let r = x - (shifted - 12_582_912.0);
    let p = polynomial(
        r,
        [
            1.535_336_2e-4,
            1.339_887_4e-3,
            9.618_437e-3,
            5.550_332_6e-2,
            2.402_264_7e-1,
            6.931_472e-1,
            1.0,
        ],
    );
    p * f32::from_bits((shifted.to_bits() << 23).wrapping_add(127 << 23))
}

/// `ln x` for positive normal x.
#[inline(always)]
pub fn ln(x: f32) -> f32 {
    let bits = x.to_bits();
    // Split so that the mantissa lies in [sqrt(1/2), sqrt(2)).
    let shifted = bits.wrapping_sub(0x3f35_04f3);
    let exponent = (shifted as i32 >> 23) as f32;
    let m = f32::from_bits((shifted & 0x007f_ffff).wrapping_add(0x3f35_04f3)) - 1.0;
    let p = polynomial(
        m,
        [
            7.037_683_6e-2,
            -1.151_461e-1,
            1.167_699_9e-1,
            -1.242_014_1e-1,
            1.424_932_3e-1,
            -1.666_805_8e-1,
            2.000_071_5e-1,
            -2.499_999_4e-1,
            3.333_333e-1,
        ],
    );
    let m2 = m * m;
    p * m * m2 - 2.121_944_4e-4 * exponent - 0.5 * m2 + m + 0.693_359_4 * exponent
}

/// Number of partial sums of a reduction, so that it can be vectorised.
const LANES: usize = 16;

/// `sum_i f(a_i, b_i)` over two slices of equal length, in a fixed order.
#[inline(always)]
pub fn sum2(a: &[f32], b: &[f32], f: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let (a_chunks, b_chunks) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let tail: f32 = a_chunks
        .remainder()
        .iter()
        .zip(b_chunks.remainder())
        .map(|(&x, &y)| f(x, y))
        .sum();
    for (x, y) in a_chunks.zip(b_chunks) {
        for lane in 0..LANES {
            lanes[lane] += f(x[lane], y[lane]);
        }
    }
    halved(lanes, |a, b| a + b) + tail
}

/// Joins partial results pair by pair: one after the other, each would wait for the one before.
#[inline(always)]
fn halved(mut lanes: [f32; LANES], join: impl Fn(f32, f32) -> f32) -> f32 {
    let mut half = LANES / 2;
    while half > 0 {
        for i in 0..half {
            lanes[i] = join(lanes[i], lanes[i + half]);
        }
        half /= 2;
    }
    lanes[0]
}

/// The largest element, `-inf` for an empty slice.
#[inline(always)]
pub fn max(a: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let chunks = a.chunks_exact(LANES);
    let tail = chunks
        .remainder()
        .iter()
        .copied()
        .fold(f32::NEG_INFINITY, f32::max);
    for chunk in chunks {
        for lane in 0..LANES {
            lanes[lane] = if chunk[lane] > lanes[lane] {
                chunk[lane]
            } else {
                lanes[lane]
            };
        }
    }
    let greater = |a: f32, b: f32| if a > b { a } else { b };
    greater(halved(lanes, greater), tail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn exp_and_ln_agree_with_the_standard_library(x in -80.0f32..80.0, y in 1e-30f32..1e30) {
            let exact = f64::from(x).exp();
            prop_assert!((f64::from(exp(x)) - exact).abs() / exact < 3e-7);
            let exact = f64::from(x).exp2();
            prop_assert!((f64::from(exp2(x)) - exact).abs() / exact < 3e-7);
            let exact = f64::from(y).ln();
            prop_assert!((f64::from(ln(y)) - exact).abs() < 3e-7 * exact.abs().max(1.0));
        }

        #[test]
        fn powers_of_two_keep_nan_and_end_at_zero(x in -1e30f32..-128.0) {
            prop_assert_eq!(exp2(x), 0.0);
            prop_assert!(exp2(f32::NAN).is_nan());
        }

        #[test]
        fn reductions_agree_with_the_plain_loop(v in prop::collection::vec(-10.0f32..10.0, 0..70)) {
            let plain: f64 = v.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
            prop_assert!((f64::from(sum2(&v, &v, |a, b| a * b)) - plain).abs() < 1e-2);
            prop_assert_eq!(max(&v), v.iter().copied().fold(f32::NEG_INFINITY, f32::max));
        }
    }
}
