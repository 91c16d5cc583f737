//! What the program does with the abilities and the limits of an adapter.

use super::adapters::Adapter;
use burn::tensor::wgpu::wgpu::{Features, Limits};

/// An ability or a limit and what it is for.
pub struct Use {
    /// As wgpu calls it.
    pub name: String,
    /// What the adapter has of it: 1 or 0 for an ability, else the limit.
    pub value: u64,
    /// What the program does with it.
    pub purpose: &'static str,
}

/// The optional abilities that make a difference.
const FEATURES: [(Features, &str); 4] = [
    (
        Features::SUBGROUP,
        "reductions and matrix products in registers; not on software adapters",
    ),
    (
        Features::SHADER_F16,
        "training with matrix products in half precision",
    ),
    (
        Features::SHADER_FLOAT32_ATOMIC,
        "gradients that are scattered, and split sums, in one pass",
    ),
    (
        Features::TIMESTAMP_QUERY,
        "times kernels on the device while the fastest is chosen; else the system's clock",
    ),
];

macro_rules! limits {
    ($limits:expr; $($name:ident),* $(,)?) => {
        vec![$((stringify!($name), u64::from($limits.$name))),*]
    };
}

/// The limits of an adapter by name, those of ray tracing and mesh shaders left out.
pub fn limits(limits: &Limits) -> Vec<(&'static str, u64)> {
    limits![limits;
        max_buffer_size,
        max_storage_buffer_binding_size,
        max_uniform_buffer_binding_size,
        min_storage_buffer_offset_alignment,
        min_uniform_buffer_offset_alignment,
        max_storage_buffers_per_shader_stage,
        max_uniform_buffers_per_shader_stage,
        max_storage_textures_per_shader_stage,
        max_sampled_textures_per_shader_stage,
        max_samplers_per_shader_stage,
        max_bind_groups,
        max_bindings_per_bind_group,
        max_compute_workgroup_storage_size,
        max_compute_invocations_per_workgroup,
        max_compute_workgroup_size_x,
        max_compute_workgroup_size_y,
        max_compute_workgroup_size_z,
        max_compute_workgroups_per_dimension,
        max_texture_dimension_1d,
        max_texture_dimension_2d,
        max_texture_dimension_3d,
        max_texture_array_layers,
        max_vertex_buffers,
        max_vertex_attributes,
        max_vertex_buffer_array_stride,
        max_color_attachments,
        max_color_attachment_bytes_per_sample,
        max_immediate_size,
    ]
}

/// The limits that make a difference.
const LIMITS: [(&str, &str); 7] = [
    ("max_buffer_size", "bytes of the largest tensor, at most"),
    (
        "max_storage_buffer_binding_size",
        "bytes of the largest tensor, at most",
    ),
    (
        "max_storage_buffers_per_shader_stage",
        "tensors that a fused kernel reads and writes, at most",
    ),
    (
        "max_compute_workgroup_storage_size",
        "bytes that a matrix product shares: decides its tiles",
    ),
    (
        "max_compute_invocations_per_workgroup",
        "threads of a group: decides tiles; the program's own kernels take 64",
    ),
    (
        "max_compute_workgroups_per_dimension",
        "groups of one launch: larger tensors take a grid of more dimensions",
    ),
    (
        "max_texture_dimension_2d",
        "pixels along a side of the largest picture that the window draws unscaled",
    ),
];

impl Adapter {
    /// What the program uses of this adapter.
    pub fn uses(&self) -> Vec<Use> {
        let features = FEATURES.into_iter().map(|(feature, purpose)| {
            let names: Vec<&str> = feature.iter_names().map(|(name, _)| name).collect();
            let unused = self.software && feature == Features::SUBGROUP;
            Use {
                name: names.join(" | "),
                value: u64::from(self.features.contains(feature) && !unused),
                purpose,
            }
        });
        let all = limits(&self.limits);
        let limits = LIMITS.into_iter().filter_map(|(name, purpose)| {
            let &(_, value) = all.iter().find(|(known, _)| *known == name)?;
            Some(Use {
                name: name.to_owned(),
                value,
                purpose,
            })
        });
        features.chain(limits).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_that_is_explained_is_listed() {
        let all = limits(&Limits::default());
        for (name, _) in LIMITS {
            assert!(all.iter().any(|(known, _)| *known == name), "{name}");
        }
    }

    #[test]
    fn a_software_adapter_is_not_said_to_use_its_subgroups() {
        let mut adapters = super::super::adapters();
        let Some(mut adapter) = adapters.pop() else {
            return;
        };
        adapter.features = Features::all();
        let subgroups = |adapter: &Adapter| {
            let uses = adapter.uses();
            uses.iter()
                .find(|used| used.name == "SUBGROUP")
                .unwrap()
                .value
        };
        adapter.software = true;
        assert_eq!(subgroups(&adapter), 0);
        adapter.software = false;
        assert_eq!(subgroups(&adapter), 1);
    }
}
