//! Sizes of a pixel neural field, read off its tensors.

/// The sizes of one neural field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct FieldShape {
    /// Patches, over the whole batch.
    pub patches: usize,
    pub pixels: usize,
    pub width: usize,
    /// M, the hidden width of the patch's MLP.
    pub hidden: usize,
}

impl FieldShape {
    /// Reads the sizes off `z: [patches, P, E]` and `weights: [patches, 2 E M]`.
    ///
    /// # Panics
    /// If the weights don't divide into two matrices of width E.
    pub(super) fn new(z: &[usize], weights: &[usize]) -> Self {
        let [patches, pixels, width] = *z else {
            panic!("neural field state: three axes")
        };
        assert_eq!(
            weights[0], patches,
            "neural field: one set of weights a patch"
        );
        assert_eq!(
            weights[1] % (2 * width),
            0,
            "neural field: weights are [E, M] and [M, E]"
        );
        Self {
            patches,
            pixels,
            width,
            hidden: weights[1] / (2 * width),
        }
    }
}
