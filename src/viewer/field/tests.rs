//! The panel as a user sees it, on any available adapter.

mod slice;

use super::*;
use crate::encoding::Centroids;
use crate::flow::Source;
use crate::gpu::field::{Cloud, CloudState};
use crate::vector_field::CentroidTable;
use crate::vector_field::seeds::Seeding;
use crate::viewer::{background, software, theme};
use eframe::egui::accessibility::is_input;
use eframe::egui::{self, Vec2};
use egui_kittest::kittest::{NodeT, Queryable};
use egui_kittest::{Harness, SnapshotOptions, SnapshotResults};
use projection::on_screen;
use settings::Cut;
use std::sync::Arc;

const SIZE: [usize; 2] = [48, 64];

struct App {
    panel: FieldPanel,
    centroids: Centroids,
    names: Vec<String>,
    colours: Vec<[u8; 3]>,
    source: Vec<f32>,
    labels: Vec<u16>,
    photo: bool,
    from: Source,
    brushed: Arc<Vec<bool>>,
    out: FieldOutput,
}

impl eframe::App for App {
    fn ui(&mut self, ui: &mut egui::Ui, _: &mut eframe::Frame) {
        background::paint(ui, ui.ctx().viewport_rect(), ui.visuals().panel_fill);
        let input = FieldInput {
            centroids: &self.centroids,
            classes: &self.names,
            colours: &self.colours,
            cloud: self.photo.then_some(Cloud {
                size: SIZE,
                state: CloudState::Host(&self.source),
                source: &self.source,
                colours: &self.source,
                velocity: None,
                labels: &self.labels,
                photo: 1,
                generation: 1,
            }),
            source: self.from,
            brushed: &self.brushed,
            pins: &[],
        };
        let out = self.panel.show(ui, &input);
        if let Some(brush) = &out.brushed {
            self.brushed = Arc::new(brush.pixels.clone());
        }
        self.out = FieldOutput {
            brushed: out.brushed.or(self.out.brushed.take()),
            export: out.export.or(self.out.export.take()),
            error: out.error.or(self.out.error.take()),
        };
    }
}

fn harness(size: [f32; 2], preset: Option<Preset>, dark: bool) -> Harness<'static, App> {
    harness_with(size, preset, dark, |_, _| {})
}

/// `install` changes how the window is drawn.
fn harness_with(
    size: [f32; 2],
    preset: Option<Preset>,
    dark: bool,
    install: fn(&egui::Context, &eframe::egui_wgpu::RenderState),
) -> Harness<'static, App> {
    let mut harness = Harness::builder()
        .with_size(Vec2::from(size))
        .with_theme(if dark {
            egui::Theme::Dark
        } else {
            egui::Theme::Light
        })
        .with_max_steps(64)
        .wgpu()
        .build_eframe(|context| {
            theme::apply(&context.egui_ctx);
            let state = context.wgpu_render_state.as_ref().unwrap();
            background::install(&context.egui_ctx, state).unwrap();
            install(&context.egui_ctx, state);
            let mut panel = FieldPanel::new(Some(state.clone()), FieldSettings::default());
            if let Some(preset) = preset {
                panel.preset(preset);
            }
            let pixels = SIZE[0] * SIZE[1];
            let wave = |i: usize, by: f32| 0.7 * (i as f32 * by).sin();
            App {
                panel,
                centroids: Centroids::kronecker(11),
                names: (0..11).map(|k| format!("thing {k}")).collect(),
                colours: Vec::new(),
                source: (0..3 * pixels).map(|i| wave(i, 0.013)).collect(),
                labels: (0..pixels).map(|i| (i / 300) as u16).collect(),
                photo: true,
                from: Source::Image,
                brushed: Arc::default(),
                out: FieldOutput::default(),
            }
        });
    settle(&mut harness);
    harness
}

/// Steps until nothing changes any more.
fn settle(harness: &mut Harness<'_, App>) {
    for _ in 0..400 {
        harness.step();
        if harness.state().panel.settled() {
            break;
        }
    }
    assert!(harness.state().panel.settled(), "the panel settles");
    harness.step();
    assert!(harness.state().out.error.is_none());
}

#[test]
fn presets_look_as_they_did() {
    let mut results = SnapshotResults::new();
    for (preset, name, dark) in [
        (Preset::Fig1a, "fig1a", true),
        (Preset::Fig1b, "fig1b", true),
        (Preset::Fig1b, "fig1b_light", false),
        (Preset::Fig1c, "fig1c", true),
        (Preset::Cloud, "cloud", true),
        (Preset::Cloud, "cloud_light", false),
    ] {
        let mut harness = harness([760.0, 460.0], Some(preset), dark);
        // Drivers round edges differently.
        let options = SnapshotOptions::new().threshold(2.0).max_failed_pixels(800);
        harness.snapshot_options(format!("field_{name}"), &options);
        results.extend(harness.take_snapshot_results());
    }
}

#[test]
fn a_software_adapter_shows_the_same_window() {
    for (preset, dark) in [
        (Preset::Fig1b, true),
        (Preset::Fig1a, false),
        (Preset::Cloud, true),
    ] {
        for size in [[900.0, 520.0], [500.0, 1400.0]] {
            let mut usual = harness(size, Some(preset), dark);
            let mut plain = harness_with(size, Some(preset), dark, |context, state| {
                software::install(context, state).unwrap();
            });
            settle(&mut usual);
            settle(&mut plain);
            let left = |shape: &&egui::epaint::ClippedShape| {
                !matches!(shape.shape, egui::Shape::Callback(_))
            };
            assert_eq!(plain.output().shapes.iter().find(left), None);
            let [usual, plain] = [usual, plain].map(|mut harness| harness.render().unwrap());
            let pixels = usual.pixels().zip(plain.pixels());
            let differ = |(a, b): &(&image::Rgba<u8>, &image::Rgba<u8>)| {
                (0..3).any(|channel| a[channel].abs_diff(b[channel]) > 24)
            };
            let count = pixels.filter(differ).count();
            // Edges of circles.
            assert!(count < 300, "{count} pixels differ");
        }
    }
}

#[test]
fn nothing_is_drawn_or_asked_for_at_rest() {
    let mut harness = harness([800.0, 500.0], Some(Preset::Fig1b), true);
    // Pending requests are handled within a few frames.
    harness.run_steps(30);
    let delay = harness.output().viewport_output[&egui::ViewportId::ROOT].repaint_delay;
    assert_eq!(delay, std::time::Duration::MAX);
}

#[test]
fn a_click_on_a_centroid_makes_it_the_target() {
    let mut harness = harness([1000.0, 640.0], Some(Preset::Fig1a), true);
    harness.state_mut().panel.settings.target = 4;
    settle(&mut harness);
    let table = CentroidTable::new(&Centroids::kronecker(11));
    let pane =
        egui::Rect::from_min_size(egui::Pos2::ZERO, egui::vec2(1000.0 - widgets::PANEL, 640.0));
    let camera = harness.state().panel.settings.camera;
    let neighbour = table.nearest_neighbour(4).unwrap();
    // The panel's frame may widen it by a point or two, which is within a click's tolerance.
    let (at, _) = on_screen(pane, &camera, table.point(neighbour)).unwrap();
    click(&mut harness, at);
    assert_eq!(harness.state().panel.settings.target, neighbour);

    // Without a centroid nearby, a click picks a point of the slice, which the camera faces again.
    let settings = harness.state().panel.settings.clone();
    let camera = settings.camera;
    let outline = derived::plane(&settings, &table).outline();
    let clear = |at: egui::Pos2| {
        (0..11).all(|k| {
            let centroid = on_screen(pane, &camera, table.point(k));
            centroid.is_none_or(|(other, _)| other.distance(at) > 30.0)
        })
    };
    let middles = (0..outline.len()).map(|i| {
        let (a, b) = (outline[i], outline[(i + 1) % outline.len()]);
        // Inside the edge, towards the vertex after the next.
        let c = outline[(i + 2) % outline.len()];
        0.4 * a + 0.4 * b + 0.2 * c
    });
    let at = middles
        .filter_map(|point| on_screen(pane, &camera, point))
        .map(|(at, _)| at)
        .find(|&at| pane.shrink(20.0).contains(at) && clear(at))
        .expect("a clear place on the slice");
    click(&mut harness, at);
    let picked = harness.state().panel.picked.expect("a point of the slice");
    let (centre, _) = on_screen(pane, &camera, picked).unwrap();
    assert!(centre.distance(at) < 6.0);
    assert!(
        harness
            .query_by_label_contains("a particle here, reshaped")
            .is_some()
    );
}

fn click(harness: &mut Harness<'_, App>, at: egui::Pos2) {
    harness.hover_at(at);
    harness.step();
    button(harness, at, true);
    button(harness, at, false);
    settle(harness);
    // Long enough to avoid a double click.
    harness.run_steps(8);
}

fn button(harness: &mut Harness<'_, App>, pos: egui::Pos2, pressed: bool) {
    harness.event(egui::Event::PointerButton {
        pos,
        button: egui::PointerButton::Primary,
        pressed,
        modifiers: egui::Modifiers::NONE,
    });
    harness.step();
}

#[test]
fn dragging_turns_the_camera_and_with_shift_brushes_points() {
    let mut harness = harness([1000.0, 640.0], Some(Preset::Cloud), true);
    let yaw = harness.state().panel.settings.camera.yaw;
    drag(&mut harness, [300.0, 300.0], [360.0, 320.0]);
    assert_ne!(harness.state().panel.settings.camera.yaw, yaw);
    assert!(harness.state().out.brushed.is_none());

    harness.event(egui::Event::ModifiersChanged(egui::Modifiers::SHIFT));
    drag(&mut harness, [10.0, 60.0], [640.0, 630.0]);
    let brushed = harness
        .state()
        .out
        .brushed
        .clone()
        .expect("points were brushed");
    let brushed = brushed.pixels;
    assert_eq!(brushed.len(), SIZE[0] * SIZE[1]);
    assert!(brushed.iter().filter(|b| **b).count() > brushed.len() / 2);
}

#[test]
fn a_region_brushed_in_the_photo_lights_its_points() {
    let mut harness = harness([1000.0, 640.0], Some(Preset::Cloud), true);
    let picture = |harness: &mut Harness<'_, App>| {
        let picture = &mut harness.state_mut().panel.picture;
        let exported = picture.export([300, 200], 1.0, |_, _| ());
        exported.unwrap().wait().unwrap()
    };
    let before = picture(&mut harness);
    let camera = harness.state().panel.settings.camera;
    let place = harness.get_by_label("the photo, to be brushed").rect();
    let at = |x: f32, y: f32| {
        let to = place.min + egui::vec2(x, y) * place.size();
        [to.x, to.y]
    };
    drag(&mut harness, at(0.01, 0.01), at(0.49, 0.49));
    let brushed = harness.state().brushed.clone();
    let lit = brushed.iter().filter(|b| **b).count();
    assert_eq!(lit, brushed.len() / 4);
    assert!(brushed[0] && !brushed[SIZE[1] - 1] && !brushed[brushed.len() - 1]);
    assert_ne!(picture(&mut harness), before);
    // The drag belonged to the photo, not to the camera.
    assert_eq!(harness.state().panel.settings.camera, camera);

    click(&mut harness, place.center());
    assert!(harness.state().brushed.is_empty());
    assert_eq!(picture(&mut harness), before);
}

#[test]
fn the_axes_of_longer_codes_can_be_chosen() {
    let mut harness = harness([1000.0, 640.0], Some(Preset::Fig1b), true);
    assert!(harness.query_by_label("Axes").is_none());
    harness.state_mut().centroids = Centroids::kronecker_in(11, 8);
    settle(&mut harness);
    harness.get_by_label_contains("5 of 8 axes are hidden");
    let picture = |harness: &mut Harness<'_, App>| {
        let picture = &mut harness.state_mut().panel.picture;
        let exported = picture.export([300, 200], 1.0, |_, _| ());
        exported.unwrap().wait().unwrap()
    };
    let first = picture(&mut harness);
    let camera = harness.state().panel.settings.camera;
    // The slice that comes back is fitted into a view with another heading.
    let from_there = |harness: &mut Harness<'_, App>| {
        harness.state_mut().panel.settings.camera = camera;
        settle(harness);
        picture(harness)
    };
    harness.state_mut().panel.settings.show_axis(0, 6);
    settle(&mut harness);
    assert_ne!(from_there(&mut harness), first);
    harness.get_by_label("look along axis 7");
    // Centroids of any number of classes have no more than three axes.
    harness.get_by_label("any N").click();
    settle(&mut harness);
    assert_eq!(harness.state().panel.settings.axes, [0, 1, 2]);
    harness.get_by_label("model's").click();
    settle(&mut harness);
    assert_eq!(from_there(&mut harness), first);
    harness.state_mut().panel.settings.show_axis(0, 6);
    settle(&mut harness);
    // A model with shorter codes shows its own.
    harness.state_mut().centroids = Centroids::kronecker(11);
    settle(&mut harness);
    assert_eq!(harness.state().panel.settings.axes, [0, 1, 2]);
    assert_eq!(from_there(&mut harness), first);
}

fn drag(harness: &mut Harness<'_, App>, from: [f32; 2], to: [f32; 2]) {
    let (from, to) = (egui::Pos2::from(from), egui::Pos2::from(to));
    harness.hover_at(from);
    harness.step();
    button(harness, from, true);
    for i in 1..=4 {
        harness.hover_at(from + (to - from) * i as f32 / 4.0);
        harness.step();
    }
    button(harness, to, false);
    settle(harness);
}

fn export(harness: &mut Harness<'_, App>, button: &str) -> (String, Vec<u8>) {
    harness.get_by_label(button).click();
    harness.step();
    harness.step();
    let export = harness.state_mut().out.export.take().expect(button);
    (export.name, export.contents.bytes(&|_| true).unwrap())
}

#[test]
fn exports_are_what_they_say() {
    let mut harness = harness([1000.0, 1300.0], Some(Preset::Fig1c), true);
    harness.state_mut().panel.settings.export = [321, 123];
    let (name, bytes) = export(&mut harness, "PNG");
    assert_eq!(name, "field.png");
    let picture = image::load_from_memory(&bytes).unwrap();
    assert_eq!([picture.width(), picture.height()], [321, 123]);

    let (name, bytes) = export(&mut harness, "Curve");
    assert_eq!(name, "gradient-curve.csv");
    assert!(bytes.starts_with(b"distance,vanilla"));

    harness.state_mut().names[3] = "thing, \"three\"".to_owned();
    let (name, bytes) = export(&mut harness, "Table");
    assert_eq!(name, "field-table.csv");
    let text = String::from_utf8(bytes).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 12);
    assert!(lines[4].starts_with("3,\"thing, \"\"three\"\"\",0,"));
    let cells = lines[0].split(',').count();
    assert!(
        lines[1..]
            .iter()
            .all(|line| line.split(',').count() >= cells)
    );
}

/// Numbers about projected points say so, and tables name their axes.
#[test]
fn numbers_of_longer_codes_name_the_axes_that_are_drawn() {
    let mut harness = harness([1000.0, 1600.0], Some(Preset::Fig1c), true);
    harness.state_mut().centroids = Centroids::kronecker_in(11, 8);
    harness.state_mut().panel.settings.show_axis(0, 6);
    harness.state_mut().panel.picked = Some(glam::Vec3::ZERO);
    settle(&mut harness);
    let said = harness.query_all_by_label("points projected on 3 of 8 axes");
    assert_eq!(said.count(), 2);
    for (button, header) in [
        ("Table", "class,name,target,mu_axis_7,mu_green,mu_blue,"),
        ("Curve", "distance,vanilla,"),
    ] {
        let (_, bytes) = export(&mut harness, button);
        let text = String::from_utf8(bytes).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with(header) && lines[0].ends_with(",axes"));
        assert!(
            lines[1].ends_with(",axis-7 green blue of 8"),
            "{}",
            lines[1]
        );
    }
}

/// What is not known or not what it is called is not offered.
#[test]
fn controls_say_what_is_not_drawn_and_why() {
    let mut harness = harness([1000.0, 1600.0], Some(Preset::Cloud), true);
    harness.get_by_label_contains("starts at its colour");
    harness.state_mut().from = Source::Noise;
    settle(&mut harness);
    harness.get_by_label_contains("starts at noise");
    // The pixels' classes are the model's.
    let count = |harness: &Harness<'_, App>, name: &str| harness.query_all_by_label(name).count();
    assert_eq!(count(&harness, "class"), 1);
    harness.get_by_label("any N").click();
    settle(&mut harness);
    assert_eq!(count(&harness, "class"), 0);
    harness.get_by_label_contains("choose its centroids");
    // The network's velocity is known only at pixels.
    let settings = &mut harness.state_mut().panel.settings;
    settings.kind = crate::vector_field::FieldKind::Network;
    settings.layers.slice.shown = true;
    settings.layers.particles.shown = true;
    settle(&mut harness);
    assert_eq!(count(&harness, "|f|"), 0);
    assert_eq!(count(&harness, "source"), 1);
    harness.get_by_label_contains("particles cannot follow it");
    for name in [
        "Pause",
        "Restart",
        "Other starts",
        "finished: drawn at their starts",
        "finished",
    ] {
        assert_eq!(count(&harness, name), 0, "{name}");
    }
}

#[test]
fn a_long_name_of_a_field_fits_its_box() {
    let mut harness = harness([1000.0, 1600.0], Some(Preset::Fig1b), true);
    harness.state_mut().panel.settings.annealed = true;
    settle(&mut harness);
    let boxes = harness.root().children_recursive();
    let boxes = boxes.filter(|node| node.accesskit_node().role() == egui::Role::ComboBox);
    let ends: Vec<f32> = boxes.map(|node| node.rect().right()).collect();
    assert!(!ends.is_empty() && ends.iter().all(|end| *end <= 1000.0));
}

/// Tables state the potential and the time of the annealed target.
#[test]
fn tables_of_an_annealed_field_state_its_time() {
    let mut harness = harness([1000.0, 1600.0], Some(Preset::Fig1c), true);
    let settings = &mut harness.state_mut().panel.settings;
    (settings.annealed, settings.time) = (true, 0.25);
    settle(&mut harness);
    for button in ["Table", "Curve"] {
        let (_, bytes) = export(&mut harness, button);
        let text = String::from_utf8(bytes).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].ends_with(",t,operator,temperature,epsilon,axes"));
        assert!(lines[1].contains(",0.25,log,1,0.01,"), "{}", lines[1]);
    }
}

#[test]
fn finished_particles_say_where_they_are_drawn() {
    let mut harness = harness([1000.0, 1600.0], Some(Preset::Fig1a), true);
    harness.step();
    // This view draws trails alone.
    assert!(harness.query_by_label("finished").is_some());
    let layers = &mut harness.state_mut().panel.settings.layers;
    layers.particles.settings.discs = true;
    settle(&mut harness);
    let said = "finished: drawn at their starts";
    assert!(harness.query_by_label(said).is_some());
    for control in ["Pause", "at their starts"] {
        let node = harness.get_by_label(control);
        assert!(node.accesskit_node().is_disabled(), "{control}");
    }
}

#[test]
fn counts_are_exported_with_a_line_per_field() {
    let mut harness = harness([1000.0, 1600.0], None, true);
    let (name, bytes) = export(&mut harness, "Counts");
    assert_eq!(name, "field-counts.csv");
    let text = String::from_utf8(bytes).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3);
    assert!(lines[1].starts_with("vanilla") && lines[1].contains(",20000,"));
}

/// An exported picture is self-explanatory: it has names, and a colour bar with the ramp's ends.
#[test]
fn an_exported_picture_has_names_and_a_colour_bar() {
    let mut harness = harness([1000.0, 1300.0], Some(Preset::Fig1b), true);
    harness.state_mut().panel.settings.export = [760, 560];
    let mut picture = |labels| {
        harness.state_mut().panel.settings.labels = labels;
        settle(&mut harness);
        let (_, bytes) = export(&mut harness, "PNG");
        image::load_from_memory(&bytes).unwrap().to_rgb8()
    };
    let (named, bare) = (picture(true), picture(false));
    let pairs = named.pixels().zip(bare.pixels());
    let different = pairs.filter(|(a, b)| a != b).count();
    assert!(different > 500, "{different} pixels of names");
    // The bar is 180 points long, 24 from the right, 35 above the bottom.
    let ramp = style::style(&egui::Visuals::dark()).ramp;
    for (x, expected) in [(760 - 204 + 2, ramp[0]), (760 - 24 - 2, ramp[7])] {
        let got = bare.get_pixel(x, 560 - 35).0;
        let off = (0..3).map(|c| got[c].abs_diff(expected[c])).max().unwrap();
        assert!(off < 12, "{got:?} for {expected:?}");
    }
}

/// Every interactive control has a name, with all groups of controls open.
#[test]
fn every_control_has_a_name() {
    let mut harness = harness([1000.0, 1600.0], None, true);
    for (cut, models_table) in [(Cut::Classes([4, 0, 1]), true), (Cut::Axis(1), false)] {
        let settings = &mut harness.state_mut().panel.settings;
        *settings = FieldSettings {
            cut,
            models_table,
            annealed: true,
            compare: false,
            curve: true,
            seeding: Seeding::Sphere,
            count: 64,
            ..FieldSettings::default()
        };
        let layers = &mut settings.layers;
        layers.slice.shown = true;
        layers.cloud.shown = true;
        assert!(layers.arrows.shown && layers.particles.shown);
        settle(&mut harness);
        let unnamed = harness.unnamed_widgets();
        assert!(unnamed.is_empty(), "{unnamed:#?}");
        let inputs = harness.root().children_recursive();
        let inputs = inputs.filter(|node| is_input(node.accesskit_node().role()));
        let count = inputs.count();
        assert!(count > 60, "only {count} controls are there");
    }
    for name in [
        "vector field around the centroids",
        "Classes N",
        "At",
        "Radius",
    ] {
        assert!(harness.query_all_by_label(name).count() > 0, "{name}");
    }
}
