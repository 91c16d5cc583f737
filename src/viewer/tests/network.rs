//! The Network panel: how it looks, and that it shows what the network computes.

use super::*;
use crate::inference;
use crate::inspect::Recording;
use crate::model::record::Layer;
use crate::models;
use crate::texts::{Language, Texts, fill};
use burn::tensor::{Tensor, TensorData};

/// A window with a complete flow and the panel in front.
fn shown(mut window: Window) -> Window {
    dock::reveal(&mut window.state_mut().layout, PanelKind::Network);
    settle(&mut window);
    window
}

#[track_caller]
fn settle(window: &mut Window) {
    window.run_steps(2);
    until(window, "the network's answer", App::still);
    window.run_steps(2);
}

#[test]
fn every_view_of_the_network_looks_as_it_did() {
    let mut results = egui_kittest::SnapshotResults::new();
    let texts = &Texts::of(Language::English).network;
    for (theme, shade) in [(Theme::Dark, "dark"), (Theme::Light, "light")] {
        let mut window = shown(done(4, theme));
        for (mode, name) in [
            (&texts.attention, "attention"),
            (&texts.components, "components"),
            (&texts.agreement, "agreement"),
        ] {
            window.get_by_label(mode).click();
            settle(&mut window);
            let unnamed = window.unnamed_widgets();
            assert!(unnamed.is_empty(), "{name}: {unnamed:#?}");
            results.add(window.try_snapshot(format!("viewer-network-{name}-{shade}")));
        }
    }
}

/// A window with the flow of a model in a file.
fn of_file(model: &Path, steps: usize) -> Window {
    let mut of_small = options(&[], steps);
    of_small.model = Some(model.to_string_lossy().into());
    let mut window = window(of_small, Theme::Dark);
    until(&mut window, "the flow", complete);
    window
}

/// The patch under the pointer is followed, its attention is the network's, and a hidden panel does not
/// evaluate anything.
#[test]
fn the_panel_shows_the_attention_of_the_patch_under_the_pointer() {
    let folder = tempfile::tempdir().unwrap();
    let model = model_file(folder.path(), &["left", "right"]);
    let mut window = of_file(&model, 2);
    press(&mut window, Key::End);
    window.event(Event::PointerMoved(pos2(300.0, 300.0)));
    window.run_steps(3);
    assert!(!window.state().panels.network.works());
    let mut window = shown(window);
    let pixel = window.state().shared.hover.pixel.unwrap();
    let app = &window.state().shared;
    let flow = app.flow.as_ref().unwrap();
    let [height, width] = flow.size;
    // Patches of 4 x 4 pixels.
    let patch = pixel / width / 4 * (width / 4) + pixel % width / 4;
    let device = Device::flex();
    let loaded = models::load(&model, &device).unwrap();
    let photo = inference::input(&[&flow.photo], flow.size, &device);
    let x = flow.states[2].host.as_ref().unwrap().x.to_vec();
    let x = Tensor::<4>::from_data(TensorData::new(x, [1, 3, height, width]), &device);
    let recording = Recording::of(&loaded, &photo, x, 1.0).unwrap();
    let expected = recording
        .attention(&loaded, Layer::Transformer(0), patch)
        .unwrap();
    let (found, step, at) = window.state().panels.network.shown_attention().unwrap();
    assert_eq!((step, at), (2, patch));
    for head in [None, Some(0), Some(1)] {
        let weights = found
            .of_patches(head)
            .into_iter()
            .zip(expected.of_patches(head));
        for (found, expected) in weights {
            assert!(
                (found - expected).abs() < 1e-6,
                "{head:?}: {found} {expected}"
            );
        }
    }
    // Rows and columns are counted from 1, as blocks and heads are.
    let texts = &Texts::of(Language::English).network;
    let columns = width / 4;
    let [row, column] = [patch / columns, patch % columns].map(|at| (at + 1).to_string());
    let most = found.of_patches(None).into_iter().fold(0.0, f32::max);
    let share = format!("{:.1}", 100.0 * most);
    let values = [("row", &*row), ("column", &*column), ("share", &*share)];
    let description = fill(&texts.description, &values);
    assert!(
        window.query_by_label(&description).is_some(),
        "{description}"
    );
    // Another state has another recording.
    press(&mut window, Key::Home);
    settle(&mut window);
    let (_, step, at) = window.state().panels.network.shown_attention().unwrap();
    assert_eq!((step, at), (0, patch));
    // Without a pointer the patch stays, and the keyboard can choose another.
    window.event(Event::PointerGone);
    settle(&mut window);
    assert_eq!(
        window.state().panels.network.shown_attention().unwrap().2,
        patch
    );
    let texts = &Texts::of(Language::English).network;
    let row = window.get_by_role_and_label(egui::accesskit::Role::SpinButton, &texts.row);
    row.focus();
    window.run_steps(2);
    let before = patch / (width / 4);
    let key = if before == 0 {
        Key::ArrowUp
    } else {
        Key::ArrowDown
    };
    press(&mut window, key);
    settle(&mut window);
    let (_, _, now) = window.state().panels.network.shown_attention().unwrap();
    assert_eq!(now.abs_diff(patch), width / 4);
}

/// Behind another tab, the panel keeps nothing for the next photo.
#[test]
fn a_hidden_panel_gives_up_its_copy_of_the_network() {
    let folder = tempfile::tempdir().unwrap();
    let model = model_file(folder.path(), &["left", "right"]);
    let mut window = shown(of_file(&model, 1));
    let next = |window: &mut Window| {
        press(window, Key::N);
        until(window, "the next photo", complete);
    };
    next(&mut window);
    assert!(window.state().panels.network.works());
    settle(&mut window);
    dock::reveal(&mut window.state_mut().layout, PanelKind::Pixel);
    window.run_steps(3);
    assert!(window.state().panels.network.works());
    next(&mut window);
    assert!(!window.state().panels.network.works());
}

/// Another photo stops what is computed about the previous one, and a model file that has disappeared is
/// named.
#[test]
fn answers_follow_the_photo_and_errors_are_shown() {
    let folder = tempfile::tempdir().unwrap();
    let model = model_file(folder.path(), &["left", "right"]);
    let mut window = shown(of_file(&model, 1));
    let texts = &Texts::of(Language::English).network;
    window.get_by_label(&texts.agreement).click();
    settle(&mut window);
    let first = window.state().panels.network.shown_agreement().unwrap();
    let wanted = |window: &Window| window.state().panels.network.wanted_agreement();
    assert_eq!(wanted(&window), first);
    // Neither another view nor a photo to come needs it.
    window.get_by_label(&texts.attention).click();
    window.run_steps(2);
    assert_eq!(wanted(&window), 0);
    window.get_by_label(&texts.agreement).click();
    settle(&mut window);
    assert_eq!(wanted(&window), first);
    let flow = window.state_mut().shared.flow.take();
    window.step();
    assert_eq!(wanted(&window), 0);
    window.state_mut().shared.flow = flow;
    settle(&mut window);
    press(&mut window, Key::N);
    until(&mut window, "the next photo", complete);
    settle(&mut window);
    let second = window.state().panels.network.shown_agreement().unwrap();
    assert_ne!(first, second);
    assert_eq!(second, window.state().shared.flow.as_ref().unwrap().id);

    fs::remove_file(&model).unwrap();
    // The worker still has the network; another window has to read it.
    window.state_mut().panels.network = Default::default();
    settle(&mut window);
    let found = window
        .query_all_by_label_contains("other.safetensors")
        .count();
    assert!(found > 0, "the error is not shown");

    // Nor is another model's network shown.
    model_file(folder.path(), &["left", "right", "top"]);
    window.state_mut().panels.network = Default::default();
    settle(&mut window);
    let found = window.query_all_by_label_contains("has changed").count();
    assert!(found > 0, "another network is shown");
}
