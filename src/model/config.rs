//! The architecture of a network: sizes, presets, and how the photo is fed to it.

use super::stem::Stem;
use super::vit::VitConfig;
use crate::encoding::{COLOUR_AXES, MOST_DIMS};
use crate::patches::Patches;
use serde::{Deserialize, Serialize};

/// Channels of the paper's state: three colours.
pub const STATE_CHANNELS: usize = 3;
/// Channels of a photo.
pub const PHOTO_CHANNELS: usize = 3;
/// Position features of every pixel of a patch (8 x 8 cosines).
pub const POSITION_FEATURES: usize = 64;

/// How the photo `I` is fed to `v_theta(x_t, t, I)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Condition {
    /// Its channels are concatenated to those of the state.
    #[default]
    Concat,
    /// Not at all: the network sees only the state.
    None,
}

/// The sizes of a network, with PixNerd's field names in parentheses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkConfig {
    pub condition: Condition,
    /// Side of a patch in pixels (`patch_size`).
    pub patch_size: usize,
    /// D, width of a token (`hidden_size`).
    pub hidden_size: usize,
    /// Attention heads (`num_groups`); D / heads is a multiple of 4.
    pub heads: usize,
    /// E, features per pixel (`hidden_size_x`).
    pub pixel_width: usize,
    /// m, hidden width of the neural field as a multiple of E (`nerf_mlpratio`).
    pub field_ratio: usize,
    /// Transformer blocks (`num_cond_blocks`).
    pub transformer_blocks: usize,
    /// Neural field blocks (`num_blocks` minus the transformer blocks).
    pub field_blocks: usize,
    /// Rows of the class-conditional table besides the null class; 0 in FlowSeg's own models.
    pub class_conditions: usize,
    /// Channels of the state: dimensions of the class centroids.
    #[serde(default = "state_channels", skip_serializing_if = "is_colour")]
    pub state_channels: usize,
    /// Width of the pixel stem at half resolution; 0 for no stem.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub stem_width: usize,
    /// Outputs per pixel: the state's channels, or one logit per class.
    #[serde(default = "state_channels")]
    pub outputs: usize,
    /// Whether the tokens have outputs of their own, interpolated between patch centres and added
    /// to those of the neural field. Otherwise the class of a token reaches the pixels only through
    /// generated weights.
    #[serde(default, skip_serializing_if = "is_false")]
    pub patch_output: bool,
    /// An image encoder (vision transformer) that runs once per photo, before the flow; its tokens
    /// are added to the network's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoder: Option<VitConfig>,
}

/// Default for files of format version 1, which lack the field.
fn state_channels() -> usize {
    STATE_CHANNELS
}

fn is_colour(channels: &usize) -> bool {
    *channels == STATE_CHANNELS
}

fn is_zero(value: &usize) -> bool {
    *value == 0
}

fn is_false(value: &bool) -> bool {
    !value
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// For a CPU: about 6 million parameters, patch 8.
    #[default]
    Tiny,
    /// For a small GPU: patch 16.
    Small,
    /// Between `small` and PixNerd-L/16.
    Base,
    /// PixNerd-L/16.
    Large,
    /// PixNerd-XL/16.
    Xlarge,
}

impl Preset {
    /// The sizes, with the photo concatenated to the state.
    pub fn network(self) -> NetworkConfig {
        let (patch_size, hidden_size, heads, pixel_width, transformer_blocks, field_blocks) =
            match self {
                Preset::Tiny => (8, 192, 3, 32, 6, 2),
                Preset::Small => (16, 384, 6, 64, 10, 2),
                Preset::Base => (16, 768, 12, 64, 12, 2),
                Preset::Large => (16, 1024, 16, 64, 22, 2),
                Preset::Xlarge => (16, 1152, 16, 64, 26, 4),
            };
        NetworkConfig {
            condition: Condition::Concat,
            patch_size,
            hidden_size,
            heads,
            pixel_width,
            field_ratio: 2,
            transformer_blocks,
            field_blocks,
            class_conditions: 0,
            state_channels: STATE_CHANNELS,
            stem_width: 0,
            outputs: STATE_CHANNELS,
            patch_output: false,
            encoder: None,
        }
    }
}

/// Whether an encoder of so many blocks can join the outputs of these: ascending numbers, from 1.
pub fn can_join(layers: &[usize], blocks: usize) -> bool {
    layers.iter().all(|layer| (1..=blocks).contains(layer)) && layers.is_sorted_by(|a, b| a < b)
}

/// Sizes that are invalid for a network.
#[derive(Debug, thiserror::Error)]
#[error("the network's {field} is {value}: {rule}")]
pub struct InvalidNetwork {
    field: &'static str,
    value: usize,
    rule: &'static str,
}

impl NetworkConfig {
    /// Whether the network sees a photo's own pixels, besides the features of an encoder.
    pub(crate) fn sees_pixels(&self) -> bool {
        self.condition == Condition::Concat || self.stem_width > 0
    }

    /// A network of a few thousand parameters, for checks of arithmetic.
    pub(crate) fn miniature() -> Self {
        Self {
            patch_size: 4,
            hidden_size: 32,
            heads: 2,
            pixel_width: 8,
            transformer_blocks: 2,
            field_blocks: 1,
            ..Preset::Tiny.network()
        }
    }

    /// Input channels: those of the state, and of the photo if it is concatenated.
    pub fn in_channels(&self) -> usize {
        match self.condition {
            Condition::Concat => self.state_channels + PHOTO_CHANNELS,
            Condition::None => self.state_channels,
        }
    }

    /// How an image of `[height, width]` is cut into patches.
    pub fn patches(&self, size: [usize; 2]) -> Patches {
        Patches {
            size,
            side: self.patch_size,
        }
    }

    /// Rows and columns of patches of an image of `[height, width]`.
    pub fn grid(&self, size: [usize; 2]) -> [usize; 2] {
        self.patches(size).grid()
    }

    /// Width of one attention head.
    pub fn head_width(&self) -> usize {
        self.hidden_size / self.heads
    }

    /// Inner width of the transformer's MLP: `floor(2 * 4 D / 3)`.
    pub fn mlp_width(&self) -> usize {
        8 * self.hidden_size / 3
    }

    /// Numbers that a neural field block generates for each patch: `2 m E^2`.
    pub fn field_weights(&self) -> usize {
        2 * self.field_ratio * self.pixel_width * self.pixel_width
    }

    /// Total number of parameters.
    pub fn parameters(&self) -> usize {
        let (d, e) = (self.hidden_size, self.pixel_width);
        let patch = self.in_channels() * self.patch_size * self.patch_size;
        let linear = |from: usize, to: usize| from * to + to;
        let block = linear(d, 6 * d)
            + 3 * d * d
            + linear(d, d)
            + 3 * d * self.mlp_width()
            + 2 * d
            + 2 * self.head_width();
        let field = linear(d, self.field_weights()) + e;
        let encoder = self.encoder.as_ref();
        let stem = match self.stem_width {
            0 => 0,
            width => Stem::parameters(width, e),
        };
        stem + encoder.map_or(0, |vit| vit.parameters() + linear(vit.tokens_width(), d))
            + linear(patch, d)
            + linear(256, d)
            + linear(d, d)
            + (self.class_conditions + 1) * d
            + linear(self.in_channels() + POSITION_FEATURES, e)
            + self.transformer_blocks * block
            + self.field_blocks * field
            + e
            + linear(e, self.outputs)
            + usize::from(self.patch_output) * linear(d, self.outputs)
    }

    /// Checks that the sizes fit together and are within plausible limits for a file.
    ///
    /// # Errors
    /// The first size that breaks a rule.
    pub fn validate(&self) -> Result<(), InvalidNetwork> {
        let bounded = [
            ("patch_size", self.patch_size, 1, 64),
            ("hidden_size", self.hidden_size, 4, 8192),
            ("heads", self.heads, 1, 256),
            ("pixel_width", self.pixel_width, 1, 512),
            ("field_ratio", self.field_ratio, 1, 16),
            ("transformer_blocks", self.transformer_blocks, 1, 256),
            ("field_blocks", self.field_blocks, 0, 64),
            ("class_conditions", self.class_conditions, 0, 1_000_000),
            (
                "state_channels",
                self.state_channels,
                COLOUR_AXES,
                MOST_DIMS,
            ),
            ("stem_width", self.stem_width, 0, 512),
            ("outputs", self.outputs, 1, 1 << 16),
        ];
        let of_encoder = self.encoder.iter().flat_map(|vit| {
            [
                ("encoder.width", vit.width, 1, 8192),
                ("encoder.heads", vit.heads, 1, 256),
                ("encoder.blocks", vit.blocks, 1, 256),
                ("encoder.mlp_width", vit.mlp_width, 1, 1 << 16),
                ("encoder.patch_size", vit.patch_size, 1, 64),
                ("encoder.side", vit.side, 1, 256),
                ("encoder.registers", vit.registers, 0, 256),
            ]
        });
        for (field, value, low, high) in bounded.into_iter().chain(of_encoder) {
            if value < low || value > high {
                return Err(InvalidNetwork {
                    field,
                    value,
                    rule: "out of the supported range",
                });
            }
        }
        if let Some(vit) = self.encoder.as_ref()
            && let Some(at) =
                (0..vit.layers.len()).find(|&at| !can_join(&vit.layers[..=at], vit.blocks))
        {
            return Err(InvalidNetwork {
                field: "encoder.layers",
                value: vit.layers[at],
                rule: "layers must be ascending numbers from 1 to the number of the encoder's blocks",
            });
        }
        if let Some(vit) = self.encoder.as_ref()
            && !vit.width.is_multiple_of(vit.heads)
        {
            return Err(InvalidNetwork {
                field: "encoder.width",
                value: vit.width,
                rule: "it must be a multiple of the encoder's heads",
            });
        }
        if !self.hidden_size.is_multiple_of(self.heads) || !self.head_width().is_multiple_of(4) {
            return Err(InvalidNetwork {
                field: "hidden_size",
                value: self.hidden_size,
                rule: "it must be heads times a multiple of 4 (the rotary embedding's pairs)",
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum;

    #[test]
    fn every_preset_is_valid() {
        for preset in Preset::value_variants() {
            preset.network().validate().unwrap();
        }
    }

    #[test]
    fn an_odd_head_is_refused() {
        let network = NetworkConfig {
            heads: 5,
            ..Preset::Tiny.network()
        };
        assert!(
            network
                .validate()
                .unwrap_err()
                .to_string()
                .contains("hidden_size")
        );
    }
}
