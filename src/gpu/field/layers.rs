//! The list of all layers, and scenes as data.

use super::arrows::{ArrowLayer, Arrows};
use super::centroids::{CentroidLayer, Spheres};
use super::cloud::{CloudLayer, CloudStyle};
use super::context::Gpu;
use super::layer::{Draw, Frame, Layer};
use super::lines::{LineLayer, Lines, Ribbons};
use super::particles::{ParticleLayer, Particles};
use super::slice::{Slice, SliceLayer};
use super::streamlines::{StreamlineLayer, Streamlines};
use super::view::{FieldStyle, FieldView};
use crate::encoding::Centroids;
use crate::gpu::{GpuError, guarded};
use crate::potential::{Operator, Potential};
use crate::vector_field::{Camera, CentroidTable, FieldKind, Neighbourhood};
use std::sync::Arc;

/// Everything to draw, except for the photo's pixels ([`super::Cloud`]).
#[derive(Clone, Debug, PartialEq)]
pub struct FieldScene {
    /// The field and the view of it.
    pub view: FieldView,
    pub layers: LayerSettings,
}

impl FieldScene {
    /// A scene of `classes` centroids in the cube and nothing else, in light colours on dark: the
    /// starting point of tests and benchmarks.
    pub fn of_centroids(classes: usize) -> Self {
        let style = FieldStyle {
            background: [27; 3],
            ink: [220; 3],
            ramp: std::array::from_fn(|i| [i as u8 * 30; 3]),
        };
        Self {
            view: FieldView {
                table: Arc::new(CentroidTable::new(&Centroids::kronecker(classes))),
                potential: Potential {
                    operator: Operator::Log,
                    temperature: 1.0,
                    epsilon: 0.01,
                },
                target: classes / 3,
                correction: 1.0,
                neighbourhood: Neighbourhood::default(),
                panes: vec![FieldKind::Reshaped],
                plane: None,
                resolution: 64,
                seeds: Arc::default(),
                camera: Camera::default(),
                style,
            },
            layers: LayerSettings {
                frame: Some(Lines::cube(style.ink)),
                centroids: Some(Spheres {
                    radius: 0.03,
                    highlighted: None,
                }),
                ..LayerSettings::default()
            },
        }
    }
}

/// Generates the settings struct and the layer struct from one list.
macro_rules! layers {
    (|$gpu:ident, $ribbons:ident| $(
        $(#[$doc:meta])*
        $name:ident: $settings:ty => $layer:ident::new($($argument:expr),*),
    )*) => {
        /// The settings of every layer; a layer without settings is not drawn.
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct LayerSettings {
            $($(#[$doc])* pub $name: Option<$settings>,)*
        }

        pub(super) struct Layers {
            $(pub $name: $layer,)*
        }

        impl Layers {
            pub(super) fn new($gpu: &Gpu) -> Self {
                let $ribbons = &Arc::new(Ribbons::new($gpu));
                Self {
                    $($name: $layer::new($($argument),*),)*
                }
            }

            pub(super) fn prepare(
                &mut self,
                settings: &LayerSettings,
                frame: &Frame<'_>,
            ) -> Result<(), GpuError> {
                $(if let Some(settings) = &settings.$name {
                    let what = concat!("preparing the layer of ", stringify!($name));
                    let prepare = || self.$name.prepare(settings, frame);
                    guarded(&frame.gpu.device, what, prepare)??;
                })*
                Ok(())
            }

            pub(super) fn draw(&self, settings: &LayerSettings, draw: &mut Draw<'_, '_>) {
                $(if let Some(settings) = &settings.$name {
                    self.$name.draw(settings, draw);
                })*
            }
        }

        /// The name and the shader of every layer.
        #[cfg(test)]
        pub(super) const SHADERS: &[(&str, &str)] = &[
            $((stringify!($name), <$layer as Layer>::WGSL),)*
        ];
    };
}

// In drawing order, which matters for blended items.
layers! { |gpu, ribbons|
    /// The edges of the cube.
    frame: Lines => LineLayer::new(ribbons),
    /// The field as arrows.
    arrows: Arrows => ArrowLayer::new(gpu),
    /// The pixels of the photo.
    cloud: CloudStyle => CloudLayer::new(gpu),
    /// A heat map in a plane.
    slice: Slice => SliceLayer::new(gpu, ribbons),
    /// Streamlines in the same plane.
    streamlines: Streamlines => StreamlineLayer::new(gpu, ribbons),
    /// Particles that follow the field, and their trails.
    particles: Particles => ParticleLayer::new(gpu, ribbons),
    centroids: Spheres => CentroidLayer::new(gpu),
    /// Trajectories of pixels.
    lines: Lines => LineLayer::new(ribbons),
}
