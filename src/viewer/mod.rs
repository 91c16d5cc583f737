//! The window: watch a photo flow into its mask, scrub the flow, inspect a pixel.
//!
//! `app_state::AppState` is the state that the panels share. A panel (`panel::Panel`) owns its own
//! state, reads the shared one and pushes `commands::Command`s; `commands::run` carries them out.
//! Slow work runs on the worker's thread (`worker_events`) or on separate threads (`file_open`,
//! `exports`); in a browser, all of it takes turns with the window.

mod app;
mod app_event;
mod app_state;
mod background;
mod bars;
#[cfg(target_arch = "wasm32")]
mod browser;
mod brush;
mod brush_mask;
mod brush_tool;
mod canvas_bar;
mod canvas_panel;
mod canvas_renderer;
mod capture;
mod charts_panel;
mod class_photos;
mod classes_panel;
mod commands;
mod compare_panel;
mod correct;
#[cfg(not(target_arch = "wasm32"))]
mod desktop;
mod device_dialog;
#[cfg(not(target_arch = "wasm32"))]
mod display;
mod dock;
mod doubt_bar;
mod doubt_maps;
mod error_list;
mod export_dialog;
mod exports;
mod exports_all;
mod exports_leave;
pub mod field;
mod file_open;
mod flow;
mod frame_stats;
#[cfg_attr(target_arch = "wasm32", path = "latest_web.rs")]
mod latest;
mod lessons;
mod mask_picture;
mod mask_queue;
mod mask_store;
mod memory;
mod model_panel;
mod network;
mod open_model;
mod options;
mod panel;
mod panels;
mod photo_list;
mod photos_panel;
mod pixel_info;
mod pixel_panel;
#[cfg(not(target_arch = "wasm32"))]
mod plain_shapes;
mod platform;
mod question;
mod race;
mod remembered;
mod reopen;
mod runs;
mod second;
mod selection;
mod settings;
mod shown_classes;
#[cfg(not(target_arch = "wasm32"))]
mod software;
#[cfg(test)]
mod tests;
mod theme;
mod timeline_panel;
mod told_apart;
mod view;
mod worker_events;

#[cfg(target_arch = "wasm32")]
pub use browser::open;
#[cfg(not(target_arch = "wasm32"))]
pub use desktop::open;
pub use options::{Front, Options, Theme};

use crate::device::Graphics;
use eframe::egui_wgpu::{WgpuConfiguration, WgpuSetup, WgpuSetupExisting};

/// Reads what a window has remembered, for fuzzing.
#[cfg(fuzzing)]
pub fn read_memory(text: &str) {
    if let Ok(text) = ron::value::RawValue::from_ron(text) {
        let memory = memory::Memory::of(text);
        assert!(dock::is_sound(&memory.panels));
    }
}

/// A window that is drawn on a device that is open already.
fn drawing_on(graphics: &Graphics) -> WgpuConfiguration {
    let graphics = graphics.clone();
    WgpuConfiguration {
        wgpu_setup: WgpuSetup::Existing(WgpuSetupExisting {
            instance: graphics.instance,
            adapter: graphics.adapter,
            device: graphics.device,
            queue: graphics.queue,
        }),
        ..Default::default()
    }
}
