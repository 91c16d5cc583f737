//! Menus, toolbars and lines of text: what they offer, where they fit, and what is in front.

use super::*;
use crate::viewer::canvas_panel;
use crate::viewer::commands::{Command, run::run};
use crate::viewer::photo_list::PhotoList;
use eframe::egui::Rect;
use eframe::egui::accesskit::Toggled;
use egui_kittest::kittest::NodeT;

/// A window with a photo, the first of two in its folder, that has no labels.
fn with_photos(folder: &Path, name: &str) -> Window {
    let photo = |end: &str| folder.join(format!("{name}{end}.png"));
    for end in ["1", "2"] {
        image::RgbImage::new(40, 30).save(photo(end)).unwrap();
    }
    let mut of_scenes = options(&[&photo("1")], 1);
    of_scenes.model = Some("scenes".into());
    let mut window = window(of_scenes, Theme::Dark);
    until(&mut window, "the flow", complete);
    window.run_steps(2);
    window
}

#[test]
fn menus_offer_what_has_an_effect_and_mark_what_is_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = with_photos(folder.path(), "photo");
    window.get_by_label("View").click();
    window.run_steps(2);
    for (name, disabled) in [
        ("Ground truth", true),
        ("Second result", true),
        ("Disagreement", true),
        ("Class map", false),
    ] {
        let node = window.get_by_label_contains(name);
        assert_eq!(node.accesskit_node().is_disabled(), disabled, "{name}");
    }
    let is_on = |window: &Window| {
        let node = window.get_by_label_contains("Data set's colours");
        node.accesskit_node().toggled() == Some(Toggled::True)
    };
    assert!(!is_on(&window));
    window.state_mut().shared.settings.published_colours = true;
    window.run_steps(2);
    assert!(is_on(&window));
}

#[test]
fn a_long_name_leaves_room_for_the_place_in_the_list() {
    let folder = tempfile::tempdir().unwrap();
    let window = with_photos(folder.path(), &"long".repeat(50));
    let place = window.get_by_label("1 of 2").rect();
    let nodes = window.root().children_recursive();
    let combos: Vec<Rect> = nodes
        .filter(|node| node.accesskit_node().role() == egui::Role::ComboBox)
        .map(|node| node.rect())
        .filter(|rect| rect.top() < place.bottom())
        .collect();
    assert!(!combos.is_empty());
    for combo in combos {
        assert!(place.right() <= combo.left(), "{place} and {combo}");
    }
}

#[test]
fn the_toolbar_of_a_narrow_canvas_has_further_rows() {
    let mut window = done(1, Theme::Dark);
    for (width, rows) in [(1280.0, 1), (800.0, 2)] {
        window.set_size(Vec2::new(width, 600.0));
        window.run_steps(3);
        let app = window.state();
        let canvas = app.layout.tiles.find_pane(&PanelKind::Canvas).unwrap();
        let area = app.layout.tiles.rect(canvas).unwrap();
        let height = canvas_panel::bar_height(&app.shared, area.width());
        assert_eq!(height, 40.0 + 32.0 * (rows - 1) as f32);
        let bar = area.with_max_y(area.top() + height);
        for name in ["Photo", "Doubt", "Fit to view (F)", "Correct the mask (M)"] {
            let places: Vec<Rect> = window
                .query_all_by_label_contains(name)
                .map(|node| node.rect())
                .collect();
            let inside = places.iter().any(|place| bar.contains_rect(*place));
            assert!(inside, "{name} at {width}: {places:?} in {bar}");
        }
    }
}

#[test]
fn photos_that_are_opened_are_not_left_behind_runs() {
    let mut window = done(1, Theme::Dark);
    for cover in [PanelKind::Runs, PanelKind::Race] {
        dock::reveal(&mut window.state_mut().layout, cover);
        window.run_steps(2);
        assert!(!dock::is_shown(&window.state().layout, PanelKind::Canvas));
        let context = window.ctx.clone();
        let photos = Command::ShowPhotos(PhotoList::samples(1));
        run(&mut window.state_mut().shared, &context, photos);
        window.run_steps(2);
        assert!(dock::is_shown(&window.state().layout, PanelKind::Canvas));
    }
}

#[test]
fn a_photo_that_cannot_be_read_is_said_in_its_place() {
    let missing = Path::new("no-such-photo.png");
    let mut window = window(options(&[missing], 1), Theme::Dark);
    until(&mut window, "the failure", |app| {
        app.shared.errors.open && !app.shared.busy()
    });
    window.run_steps(2);
    let said = window.state().shared.describe();
    assert!(said.contains("no-such-photo.png"), "{said}");
    let play = window.get_by_label("Play or pause (Space)");
    assert!(play.accesskit_node().is_disabled());
}

#[test]
fn the_list_of_problems_folds_when_another_photo_is_shown() {
    let mut window = done(1, Theme::Dark);
    window
        .state_mut()
        .shared
        .errors
        .report("something is wrong");
    window.run_steps(3);
    let app = window.state();
    let problem = window.get_by_label("something is wrong").rect();
    let timeline = window.get_by_label("filmstrip").rect();
    assert!(app.shared.errors.open && problem.bottom() <= timeline.top());
    press(&mut window, Key::N);
    assert!(!window.state().shared.errors.open);
}
