//! The sizes of a pixel neural field, from the shapes of its tensors.

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct FieldShape {
    /// Number of patches in the whole batch.
    pub patches: usize,
    pub pixels: usize,
    pub width: usize,
    /// M, the hidden width of the patch's MLP.
    pub hidden: usize,
}

impl FieldShape {
    /// From `z: [patches, P, E]` and `weights: [patches, 2 E M]`.
    ///
    /// # Panics
    /// If the weights cannot be split into two matrices of width E.
    pub(super) fn new(z: &[usize], weights: &[usize]) -> Self {
        let [patches, pixels, width] = *z else {
            panic!("a neural field's state has three axes")
        };
        assert_eq!(
            weights[0], patches,
            "a neural field has one set of weights per patch"
        );
        assert_eq!(
            weights[1] % (2 * width),
            0,
            "a neural field's weights are [E, M] and [M, E]"
        );
        Self {
            patches,
            pixels,
            width,
            hidden: weights[1] / (2 * width),
        }
    }
}
