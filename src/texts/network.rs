//! The texts of the Network panel.

use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NetworkTexts {
    pub(crate) title: String,
    /// Shown without a photo.
    pub(crate) empty: String,
    pub(crate) computing: String,
    pub(crate) attention: String,
    pub(crate) components: String,
    pub(crate) agreement: String,
    pub(crate) about_attention: String,
    pub(crate) about_components: String,
    pub(crate) about_agreement: String,
    pub(crate) block: String,
    /// A block of the encoder, with its `number`.
    pub(crate) encoder: String,
    /// A block of the transformer, with its `number`.
    pub(crate) transformer: String,
    pub(crate) head: String,
    /// The mean of all heads, with their `count`.
    pub(crate) mean: String,
    pub(crate) row: String,
    pub(crate) column: String,
    /// For screen readers: the `row` and `column` of the patch, and the greatest `share`.
    pub(crate) description: String,
    /// The `share` of the class token and the registers.
    pub(crate) beside: String,
    /// The time `t` of the recorded state, and the size of the recording.
    pub(crate) recorded: String,
    /// The shares of the variance along the `first`, `second` and `third` component.
    pub(crate) variance: String,
    /// The lines of the chart: what mask is in the state.
    pub(crate) own: String,
    pub(crate) mirrored: String,
    pub(crate) truth: String,
}
