//! Opens the window in a page.

use super::app::App;
use super::app_state::{AppState, Devices};
use super::drawing_on;
use super::memory::Memory;
use super::options::{Front, Options, Theme};
use crate::device::{self, Choice, DeviceError, Loss};
use crate::page;
use eframe::egui;
use std::panic;

/// Opens the window in the page's canvas. Errors are shown on the page.
///
/// The address may have parameters: `device` (`auto`, `cpu` or `wgpu`), `model` (the name of a
/// built-in one), `steps`, `lesson`, `field` (any value), and `theme` (`dark` or `light`).
pub fn open() {
    // The window's own hook, which stops drawing, is set later and calls this one.
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        let place = panic
            .location()
            .map_or(String::new(), |at| format!(" at {at}"));
        let reason = panic.payload_as_str().unwrap_or("no reason given");
        page::give_up(&format!(
            "FlowSeg has stopped ({reason}{place}): reload the page"
        ));
        before(panic);
    }));
    wasm_bindgen_futures::spawn_local(async {
        if let Err(error) = open_window().await {
            page::give_up(&error);
        }
    });
}

/// The settings in the page's address.
fn options() -> Result<Options, String> {
    let number = |name: &str| page::parameter(name).and_then(|value| value.parse::<usize>().ok());
    let device: Choice = match page::parameter("device") {
        Some(choice) => choice
            .parse()
            .ok()
            .filter(|parsed: &Choice| parsed.draws() || *parsed == Choice::Cpu)
            .ok_or_else(|| format!("device={choice}: a page can use auto, cpu or wgpu"))?,
        None => Choice::Auto,
    };
    Ok(Options {
        device,
        model: page::parameter("model"),
        paths: Vec::new(),
        solver: None,
        steps: number("steps").map(|steps| steps.clamp(1, 100)),
        screenshot: None,
        front: match (number("lesson"), page::parameter("field")) {
            (Some(lesson), _) => Front::Lesson(lesson),
            (None, Some(_)) => Front::Field(super::field::Preset::Fig1b),
            (None, None) => Front::Photo,
        },
        language: None,
        theme: match page::parameter("theme").as_deref() {
            Some("dark") => Some(Theme::Dark),
            Some("light") => Some(Theme::Light),
            _ => None,
        },
        size: None,
    })
}

fn cannot_draw(error: DeviceError) -> String {
    match error {
        DeviceError::NoAdapter => "This browser has no WebGPU, which draws the window. Chrome and Edge \
             have it since version 113, Safari since 26, Firefox since 141 on Windows; elsewhere it may \
             have to be switched on in the browser's settings."
            .to_owned(),
        DeviceError::Refused { adapter, reason } => format!(
            "WebGPU does not work in this browser: its adapter {adapter} cannot be opened ({reason})"
        ),
        DeviceError::NoSuchAdapter(number, _) => {
            format!("device=wgpu:{number}: the browser has no such adapter; use device=wgpu")
        }
        other => other.to_string(),
    }
}

async fn open_window() -> Result<(), String> {
    let options = options()?;
    let canvas = page::canvas().ok_or("the page has no canvas")?;
    let opened = device::open_for_window(options.device.clone()).await;
    let (compute, graphics) = opened.map_err(cannot_draw)?;
    let devices = Devices::of(&compute, &graphics);
    let loss = graphics.loss.clone();
    let web = eframe::WebOptions {
        dithering: !graphics.about.software,
        wgpu_options: drawing_on(&graphics),
        ..Default::default()
    };
    let runner = eframe::WebRunner::new();
    let started = runner.start(
        canvas,
        web,
        Box::new(move |creation| {
            let memory = creation.storage.and_then(Memory::read);
            let state = creation.wgpu_render_state.as_ref();
            let context = &creation.egui_ctx;
            if let Some(theme) = options.theme {
                context.set_theme(theme);
            }
            let app = App::new(context, state, compute.device, devices, memory, &options);
            app.shared.opener.listen();
            let (of_wake, context) = (loss.clone(), context.clone());
            loss.wake_by(move || match of_wake.reason() {
                Some(reason) => page::give_up(&format!(
                    "the graphics device was lost ({reason}): reload the page"
                )),
                None => context.request_repaint(),
            });
            page::show_window();
            Ok(Box::new(InPage { app, loss }))
        }),
    );
    started
        .await
        .map_err(|error| format!("cannot open the window: {error:?}"))
}

/// The window, whose state is published on the page.
struct InPage {
    app: App,
    loss: Loss,
}

impl eframe::App for InPage {
    fn logic(&mut self, context: &egui::Context, frame: &mut eframe::Frame) {
        eframe::App::logic(&mut self.app, context, frame);
    }

    fn ui(&mut self, ui: &mut egui::Ui, frame: &mut eframe::Frame) {
        for error in self.loss.take_errors() {
            let error = format!("the graphics driver reports: {error}");
            self.app.shared.errors.report(error);
        }
        eframe::App::ui(&mut self.app, ui, frame);
        publish(&self.app.shared);
    }

    fn save(&mut self, storage: &mut dyn eframe::Storage) {
        eframe::App::save(&mut self.app, storage);
    }
}

/// Publishes what the window shows on the canvas, for tests and scripts of the page.
fn publish(app: &AppState) {
    let doing = app.doing().unwrap_or_default();
    let step = app.playhead.position;
    let error = app.errors.first().unwrap_or_default();
    let photo = app.photos.item().map(|item| item.name());
    let states = app.flow.as_ref().map_or(0, |flow| flow.states.len());
    let settled = app.flow.as_ref().is_some_and(|flow| flow.settled.is_some());
    let facts = [
        ("doing", doing),
        ("position", format!("{step:.2}")),
        ("error", error.to_owned()),
        ("photo", photo.unwrap_or_default()),
        ("states", states.to_string()),
        ("settled", settled.to_string()),
        ("shown", app.describe()),
    ];
    for (name, value) in facts {
        page::publish(name, &value);
    }
}
