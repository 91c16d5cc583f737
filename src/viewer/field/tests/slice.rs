//! The slice: what it goes through, that it is in view, and what is drawn in it.

use super::*;

#[test]
fn three_classes_that_span_no_plane_say_so() {
    let mut harness = harness([1000.0, 1600.0], Some(Preset::Fig1b), true);
    harness.state_mut().panel.settings.target = 1;
    settle(&mut harness);
    harness.get_by_label("3 classes").click();
    settle(&mut harness);
    let Cut::Classes([a, b, c]) = harness.state().panel.settings.cut else {
        panic!("three classes were chosen");
    };
    assert!(a == 1 && a != b && b != c && c != a);
    assert!(harness.query_by_label_contains("span no plane").is_none());
    harness.state_mut().panel.settings.cut = Cut::Classes([1, 0, 1]);
    settle(&mut harness);
    harness.get_by_label_contains("span no plane");
}

#[test]
fn a_single_field_lies_below_its_heading() {
    let mut harness = harness([1000.0, 640.0], Some(Preset::Fig1a), true);
    lies_below_its_heading(&harness);
    // Its heading says why there are no arrows.
    harness.state_mut().photo = false;
    let layers = &mut harness.state_mut().panel.settings.layers;
    layers.particles.shown = false;
    layers.arrows.shown = true;
    layers.arrows.settings.place = crate::gpu::field::ArrowPlace::Cloud;
    settle(&mut harness);
    harness.state_mut().panel.face_slice = true;
    settle(&mut harness);
    lies_below_its_heading(&harness);
}

#[test]
fn the_targets_of_two_fields_lie_below_the_headings() {
    let size = [896.0, 570.0];
    let mut harness = harness(size, None, true);
    let panel = &mut harness.state_mut().panel;
    panel.show_preset(Preset::Fig1b, true);
    (panel.settings.compare, panel.settings.count) = (true, 400);
    settle(&mut harness);
    let panel = &harness.state().panel;
    let area = egui::vec2(size[0] - widgets::PANEL, size[1]);
    let area = egui::Rect::from_min_size(egui::Pos2::ZERO, area);
    let target = CentroidTable::new(&Centroids::kronecker(11)).point(panel.settings.target);
    for pane in projection::panes(area, 2) {
        let (at, _) = on_screen(pane, &panel.settings.camera, target).unwrap();
        assert!(at.y - 8.0 > panel.heading, "{at:?}, {}", panel.heading);
    }
}

/// Nothing of the curve's panel lies below the controls.
#[test]
fn the_curve_fits_into_a_narrow_window() {
    let width = 700.0;
    let harness = harness([width, 460.0], Some(Preset::Fig1c), true);
    let edge = width - widgets::PANEL + 1.0;
    let boxes = harness.root().children_recursive();
    let boxes = boxes.filter(|node| node.accesskit_node().role() == egui::Role::ComboBox);
    let names = ["reshaped, temperature 2", "reshaped, temperature 4"];
    let names = names.map(|name| harness.get_by_label(name).rect());
    let places: Vec<egui::Rect> = boxes.map(|node| node.rect()).chain(names).collect();
    let of_curve = places.iter().filter(|place| place.left() < edge);
    let rights: Vec<f32> = of_curve.map(|place| place.right()).collect();
    assert_eq!(rights.len(), 3, "a list and two curves: {places:?}");
    assert!(rights.iter().all(|right| *right <= edge), "{rights:?}");
}

/// Another target and other centroids turn the plane of the slice.
#[test]
fn the_slice_stays_in_view_until_the_user_turns_the_camera() {
    let mut harness = harness([1000.0, 640.0], Some(Preset::Fig1a), true);
    harness.state_mut().panel.settings.layers.particles.shown = false;
    let camera = |harness: &Harness<'_, App>| harness.state().panel.settings.camera;
    let mut before = camera(&harness);
    for change in [
        |settings: &mut FieldSettings| settings.target = 1,
        |settings: &mut FieldSettings| {
            (settings.models_table, settings.classes) = (false, 40);
        },
        // A plane parallel to the one before.
        |settings: &mut FieldSettings| settings.target = 4,
    ] {
        change(&mut harness.state_mut().panel.settings);
        settle(&mut harness);
        lies_below_its_heading(&harness);
        assert_ne!(camera(&harness), before);
        before = camera(&harness);
    }
    harness.state_mut().panel.settings.camera.orbit(0.3, 0.0);
    settle(&mut harness);
    let turned = camera(&harness);
    harness.state_mut().panel.settings.models_table = true;
    settle(&mut harness);
    assert_eq!(camera(&harness), turned);
}

fn lies_below_its_heading(harness: &Harness<'_, App>) {
    let panel = &harness.state().panel;
    assert!(panel.heading > 0.0);
    let settings = &panel.settings;
    let table = if settings.models_table {
        CentroidTable::new(&harness.state().centroids)
    } else {
        CentroidTable::new(&Centroids::kronecker(settings.classes))
    };
    let plane = derived::plane(settings, &table);
    let area = harness
        .get_by_label("vector field around the centroids")
        .rect();
    for point in plane.outline() {
        let (at, _) = on_screen(area, &settings.camera, point).unwrap();
        assert!(at.y >= area.top() + panel.heading);
        assert!(area.contains(at));
    }
}

/// It is known only at the photo's pixels, where arrows alone show it.
#[test]
fn choosing_the_networks_velocity_shows_its_arrows() {
    let mut harness = harness([1000.0, 1600.0], Some(Preset::Fig1b), true);
    assert!(!harness.state().panel.settings.layers.arrows.shown);
    harness
        .get_by_role_and_label(egui::Role::ComboBox, "Which")
        .click();
    harness.run_steps(3);
    harness
        .get_by_label("network's velocity, mean of the step")
        .click();
    settle(&mut harness);
    let arrows = harness.state().panel.settings.layers.arrows;
    assert!(arrows.shown);
    assert_eq!(arrows.settings.place, crate::gpu::field::ArrowPlace::Cloud);
    let streamlines = harness.get_by_role_and_label(egui::Role::Slider, "Streamlines");
    assert!(streamlines.accesskit_node().is_disabled());
}

#[test]
fn the_colour_bar_of_two_fields_lies_below_the_slice() {
    let harness = harness([1000.0, 800.0], Some(Preset::Fig1c), true);
    let settings = &harness.state().panel.settings;
    let bars = legend::height(settings);
    assert!(bars > 0.0);
    let area = harness
        .get_by_label("vector field around the centroids")
        .rect();
    let table = CentroidTable::new(&harness.state().centroids);
    for point in derived::plane(settings, &table).outline() {
        for pane in projection::panes(area, 2) {
            let (at, _) = on_screen(pane, &settings.camera, point).unwrap();
            assert!(pane.contains(at) && at.y <= area.bottom() - bars);
        }
    }
}
