//! What the driver is given, and what it refuses.

use super::device;
use crate::gpu::{guarded, remedy, shader_rules};

#[test]
fn a_refused_shader_is_an_error_and_no_panic() {
    let (device, _) = device();
    let refused = guarded(&device, "testing", || {
        device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: None,
            source: wgpu::ShaderSource::Wgsl("fn broken(".into()),
        })
    });
    let text = refused.unwrap_err().to_string();
    assert!(text.contains("testing") && !text.contains('\n'), "{text}");
}

#[test]
fn the_canvas_shaders_keep_the_rules() {
    for (name, source) in [
        ("canvas", include_str!("../../../shaders/canvas.wgsl")),
        ("decode", include_str!("../../../shaders/decode.wgsl")),
        ("fill", include_str!("../../../shaders/fill.wgsl")),
        ("interface", include_str!("../../../shaders/interface.wgsl")),
    ] {
        shader_rules::check(name, source);
    }
}

#[test]
fn a_lack_of_memory_is_not_blamed_on_the_driver() {
    let source = "refused".into();
    let error = wgpu::Error::OutOfMemory { source };
    assert!(!remedy(&error).contains("driver"));
}
