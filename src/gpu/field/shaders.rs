//! The WGSL sources: the one place that joins the shared files to the pipelines'.

macro_rules! joined {
    ($name:ident, $doc:literal, $shared:literal, $own:literal) => {
        #[doc = $doc]
        pub(super) const $name: &str = concat!(
            include_str!(concat!("../../../shaders/", $shared)),
            include_str!(concat!("../../../shaders/", $own))
        );
    };
}

joined!(
    VECTORS,
    "The field at points.",
    "potential.wgsl",
    "field_vectors.wgsl"
);
joined!(
    PARTICLES,
    "Advection.",
    "potential.wgsl",
    "field_particles.wgsl"
);
joined!(
    SLICE_MAP,
    "What a slice shows.",
    "potential.wgsl",
    "field_slice_map.wgsl"
);
joined!(
    STREAMLINES,
    "Streamlines.",
    "potential.wgsl",
    "field_streamlines.wgsl"
);
joined!(
    SPHERES,
    "Centroids.",
    "field_scene.wgsl",
    "field_spheres.wgsl"
);
joined!(ARROWS, "Arrows.", "field_scene.wgsl", "field_arrows.wgsl");
joined!(LINES, "Polylines.", "field_scene.wgsl", "field_lines.wgsl");
joined!(SLICE, "The slice.", "field_scene.wgsl", "field_slice.wgsl");
joined!(
    POINTS,
    "Particles.",
    "field_scene.wgsl",
    "field_points.wgsl"
);
joined!(
    CLOUD,
    "The pixel cloud.",
    "field_scene.wgsl",
    "field_cloud.wgsl"
);

/// The copy into the window.
pub(super) const SHOW: &str = include_str!("../../../shaders/field_show.wgsl");

#[cfg(test)]
mod tests {
    use super::*;
    use naga::valid::{Capabilities, ValidationFlags, Validator};

    #[test]
    fn every_shader_is_valid() {
        for (name, source) in [
            ("vectors", VECTORS),
            ("particles", PARTICLES),
            ("slice map", SLICE_MAP),
            ("streamlines", STREAMLINES),
            ("spheres", SPHERES),
            ("arrows", ARROWS),
            ("lines", LINES),
            ("slice", SLICE),
            ("points", POINTS),
            ("cloud", CLOUD),
            ("show", SHOW),
        ] {
            let module = naga::front::wgsl::parse_str(source)
                .unwrap_or_else(|e| panic!("{name}: {}", e.emit_to_string(source)));
            Validator::new(ValidationFlags::all(), Capabilities::empty())
                .validate(&module)
                .unwrap_or_else(|e| panic!("{name}: {e:?}"));
        }
    }
}
