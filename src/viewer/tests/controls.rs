//! Menus, toolbars and lines of text: what they offer, where they fit, and what is in front.

use super::*;
use crate::viewer::commands::{self, Action, Command, run::run};
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

/// How the label of a menu's entry begins: with its icon, other than that of a button of the same name.
fn in_menu(action: Action) -> String {
    let entry = commands::entry(action).unwrap();
    format!("{} {}", entry.icon.codepoint, entry.name)
}

/// What has an effect only while a flow is shown or computed.
const OF_A_FLOW: [Action; 18] = [
    Action::Play,
    Action::First,
    Action::StepBack,
    Action::StepForward,
    Action::Last,
    Action::Fit,
    Action::ActualSize,
    Action::ZoomIn,
    Action::ZoomOut,
    Action::Compare,
    Action::Export,
    Action::Brush,
    Action::Show(Layer::Photo),
    Action::Show(Layer::Raw),
    Action::Show(Layer::Map),
    Action::Show(Layer::Overlay),
    Action::Show(Layer::Probability),
    Action::CorrectMask,
];

fn is_enabled(window: &Window, action: Action) -> bool {
    commands::is_enabled(&window.state().shared, action)
}

#[test]
fn the_window_fills_the_screen_and_gives_it_back() {
    let mut window = done(1, Theme::Dark);
    let context = window.ctx.clone();
    for full in [false, true] {
        for viewport in window.input_mut().viewports.values_mut() {
            viewport.fullscreen = Some(full);
        }
        window.step();
        let app = &mut window.state_mut().shared;
        run(app, &context, Action::FullScreen.into());
        window.step();
        let root = &window.output().viewport_output[&egui::ViewportId::ROOT];
        let asked = egui::ViewportCommand::Fullscreen(!full);
        assert!(root.commands.contains(&asked), "{:?}", root.commands);
    }
}

#[test]
fn a_tab_shows_that_it_has_the_focus() {
    for theme in [Theme::Dark, Theme::Light] {
        let mut window = done(1, theme);
        let tab = window.get_by_label("Charts").rect();
        let edge = |window: &mut Window| {
            let at = tab.left_center() + egui::vec2(1.0, 0.0);
            let picture = window.render().unwrap();
            picture.get_pixel(at.x as u32, at.y as u32)[0]
        };
        let before = edge(&mut window);
        window.get_by_label("Charts").focus();
        window.run_steps(2);
        let after = edge(&mut window);
        assert!(before.abs_diff(after) > 90, "{theme:?}: {before}, {after}");
    }
}

#[test]
fn an_empty_window_offers_nothing_about_a_photo_or_a_model() {
    let folder = tempfile::tempdir().unwrap();
    let mut empty = window(options(&[folder.path()], 1), Theme::Dark);
    until(&mut empty, "the empty folder", |app| {
        app.shared.errors.open && !app.shared.busy()
    });
    for action in OF_A_FLOW.into_iter().chain([Action::Rerun]) {
        assert!(!is_enabled(&empty, action), "{action:?}");
    }
    let mut shown = done(1, Theme::Dark);
    for action in OF_A_FLOW {
        assert!(is_enabled(&shown, action), "{action:?}");
    }
    shown.state_mut().shared.model = None;
    assert!(!is_enabled(&shown, Action::Compare));
}

#[test]
fn a_photo_that_is_not_shown_is_neither_compared_nor_brushed_nor_exported() {
    let missing = Path::new("no-such-photo.png");
    let mut window = window(options(&[missing], 1), Theme::Dark);
    until(&mut window, "the failure", |app| {
        app.shared.errors.open && !app.shared.busy()
    });
    for action in OF_A_FLOW {
        assert!(!is_enabled(&window, action), "{action:?}");
    }
    let before = window.state().shared.active_layer();
    for key in [Key::K, Key::B, Key::Num7, Key::Num2] {
        press(&mut window, key);
    }
    window.key_press_modifiers(Modifiers::COMMAND, Key::E);
    window.step();
    let app = &window.state().shared;
    assert!(app.second.is_none() && !app.brushing && app.dialogs.export.is_none());
    assert_eq!(app.active_layer(), before);
    let brush = window.get_by_label_contains("Brush a region");
    assert!(brush.accesskit_node().is_disabled());
}

#[test]
fn keys_are_named_only_where_they_work_while_a_mask_is_corrected() {
    let mut window = super::correct::correcting();
    let named = |window: &Window, name: &str| window.query_all_by_label_contains(name).count();
    for (name, keys) in [("Fit to view", "(F)"), ("Brush a region", "(B)")] {
        assert_eq!(named(&window, name), 1, "{name}");
        assert_eq!(named(&window, &format!("{name} {keys}")), 0, "{name}");
    }
    assert_eq!(named(&window, "Brush (B)"), 1);
    assert!(!is_enabled(&window, Action::Brush));
    press(&mut window, Key::Escape);
    window.run_steps(2);
    for name in ["Fit to view (F)", "Brush a region (B)"] {
        assert_eq!(named(&window, name), 1, "{name}");
    }
    assert!(is_enabled(&window, Action::Brush));
}

#[test]
fn number_keys_choose_the_same_classes_for_every_photo_also_while_its_mask_is_awaited() {
    let mut window = super::correct::correcting();
    let class = |window: &Window| window.state().shared.correct.class;
    press(&mut window, Key::Num2);
    assert_eq!(class(&window), 1);
    press(&mut window, Key::N);
    let app = &window.state().shared;
    assert!(app.correct.on && !app.correct.is_ready());
    press(&mut window, Key::Num3);
    assert_eq!(class(&window), 2);
    assert_eq!(window.state().shared.active_layer(), Layer::Overlay);
    until(&mut window, "the next mask", |app| {
        complete(app) && app.shared.correct.is_ready()
    });
    assert_eq!(class(&window), 2);
    press(&mut window, Key::Num2);
    assert_eq!(class(&window), 1);
}

#[test]
fn a_class_is_added_by_typing_its_name() {
    let mut window = super::correct::correcting();
    let classes = |window: &Window| {
        let model = window.state().shared.model.as_ref();
        model.map_or(Vec::new(), |model| model.classes.clone())
    };
    let before = classes(&window).len();
    window.get_by_label("Add a class").click();
    window.run_steps(3);
    // The field has the focus at once, and keeps it if it is clicked.
    window.event(Event::Text("ow".into()));
    window.run_steps(2);
    let (role, name) = (
        egui::accesskit::Role::TextInput,
        "Another class, for photos that need it",
    );
    window.get_by_role_and_label(role, name).click();
    window.run_steps(2);
    window.event(Event::Text("l".into()));
    window.run_steps(2);
    window.key_press(Key::Enter);
    window.run_steps(3);
    assert_eq!(classes(&window)[before..], ["owl"]);
    let class = window.state().shared.correct.class;
    assert_eq!(usize::from(class), before);
    assert!(window.query_by_role_and_label(role, name).is_none());
}

/// The places of the controls of the bar at the top.
fn top_bar(window: &Window) -> Vec<Rect> {
    let controls = window.root().children_recursive().filter(|node| {
        let role = node.accesskit_node().role();
        matches!(role, egui::Role::Button | egui::Role::ComboBox)
    });
    let places = controls.map(|node| node.rect());
    places.filter(|place| place.center().y < 40.0).collect()
}

#[test]
fn nothing_of_the_top_bar_is_drawn_over_anything_else() {
    let mut window = done(1, Theme::Dark);
    for width in [1280.0, 800.0, 720.0, 640.0, 480.0] {
        window.set_size(Vec2::new(width, 600.0));
        window.run_steps(3);
        let places = top_bar(&window);
        for name in ["Next photo", "Export", "Keyboard shortcuts"] {
            let named = window.query_all_by_label_contains(name);
            let inside = named.map(|node| node.rect()).any(|at| places.contains(&at));
            assert!(inside, "{name} at {width}: {places:?}");
        }
        for (i, place) in places.iter().enumerate() {
            let fits = place.left() >= 0.0 && place.right() <= width;
            assert!(fits, "{place} at {width}");
            let over = |other: &Rect| place.shrink(0.5).intersects(other.shrink(0.5));
            assert!(!places[..i].iter().any(over), "{place} at {width}");
        }
    }
    // The narrowest bar has its menus in one.
    let edits = |window: &Window| window.query_all_by_label_contains("Edit").count();
    assert_eq!(edits(&window), 0);
    window.get_by_label("Menu").click();
    window.run_steps(3);
    assert!(edits(&window) > 0);
}

#[test]
fn the_buttons_of_the_photos_panel_fit_a_narrow_window() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = with_photos(folder.path(), "photo");
    dock::reveal(&mut window.state_mut().layout, PanelKind::Photos);
    window.set_size(Vec2::new(800.0, 600.0));
    window.run_steps(3);
    let tiles = &window.state().layout.tiles;
    let panel = tiles.find_pane(&PanelKind::Photos).unwrap();
    let area = tiles.rect(panel).unwrap();
    for name in ["Segment all", "Export all"] {
        let place = window.get_by_label_contains(name).rect();
        assert!(area.contains_rect(place), "{name}: {place} in {area}");
    }
}

#[test]
fn menus_offer_what_has_an_effect_and_mark_what_is_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = with_photos(folder.path(), "photo");
    window.get_by_label("View").click();
    window.run_steps(2);
    for (layer, disabled) in [
        (Layer::Truth, true),
        (Layer::Second, true),
        (Layer::Disagreement, true),
        (Layer::Map, false),
    ] {
        let name = in_menu(Action::Show(layer));
        let node = window.get_by_label_contains(&name);
        assert_eq!(node.accesskit_node().is_disabled(), disabled, "{layer:?}");
    }
    let is_on = |window: &Window| {
        let name = in_menu(Action::Colours);
        let node = window.get_by_label_contains(&name);
        node.accesskit_node().toggled() == Some(Toggled::True)
    };
    assert!(!is_on(&window));
    window.state_mut().shared.settings.published_colours = true;
    window.run_steps(2);
    assert!(is_on(&window));
}

#[test]
fn no_numbers_of_a_pixel_are_drawn_over_a_dialog() {
    let mut window = done(1, Theme::Dark);
    let is_told = |window: &Window| {
        let told = window.query_by_label("click to pin, Shift-drag to brush");
        told.is_some()
    };
    // Beside the dialog.
    window.event(Event::PointerMoved(pos2(260.0, 400.0)));
    window.run_steps(8);
    assert!(is_told(&window));
    window.key_press_modifiers(Modifiers::COMMAND, Key::E);
    window.run_steps(3);
    assert!(window.state().shared.dialogs.export.is_some());
    assert!(window.state().shared.hover.pixel.is_some());
    assert!(!is_told(&window));
}

#[test]
fn nothing_stays_under_the_pointer_in_a_covered_panel() {
    let mut window = done(1, Theme::Dark);
    until(&mut window, "the shares", |app| app.shared.is_compared());
    let class = {
        let app = &window.state().shared;
        let model = app.model.as_ref().unwrap();
        let order = crate::viewer::classes_panel::order_of(app, model);
        model.classes[order[0]].clone()
    };
    dock::reveal(&mut window.state_mut().layout, PanelKind::Classes);
    window.run_steps(2);
    let row = window.get_by_label_contains(&format!("{class}, ")).rect();
    for (at, cover) in [
        (row.center(), PanelKind::Model),
        (pos2(480.0, 400.0), PanelKind::Field),
    ] {
        let is_over = |window: &Window| {
            let hover = &window.state().shared.hover;
            [hover.class.is_some(), hover.pixel.is_some()]
        };
        window.event(Event::PointerMoved(at));
        window.run_steps(2);
        let is_class = cover == PanelKind::Model;
        assert_eq!(is_over(&window), [is_class, !is_class]);
        dock::reveal(&mut window.state_mut().layout, cover);
        window.step();
        assert_eq!(is_over(&window), [false; 2]);
    }
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

/// The place of the toolbar, and those of its controls.
fn toolbar(window: &Window) -> (Rect, Vec<Rect>) {
    let app = window.state();
    let canvas = app.layout.tiles.find_pane(&PanelKind::Canvas).unwrap();
    let area = app.layout.tiles.rect(canvas).unwrap();
    let bar = area.with_max_y(area.top() + app.panels.canvas.bar_height);
    let controls = window.root().children_recursive().filter(|node| {
        let role = node.accesskit_node().role();
        matches!(
            role,
            egui::Role::Button | egui::Role::Slider | egui::Role::SpinButton
        )
    });
    let places = controls.map(|node| node.rect());
    let of_bar = places.filter(|place| bar.contains(place.center()));
    (bar, of_bar.collect())
}

#[test]
fn nothing_of_the_toolbar_is_drawn_over_anything_else() {
    let mut window = done(1, Theme::Dark);
    // The names of six layers, the uncertainty, four arrangements, three of the zoom, brush and correct.
    let mut count = 16;
    for (second, opacity) in [(false, true), (false, false), (true, true), (true, false)] {
        if second && window.state().shared.second.is_none() {
            press(&mut window, Key::K);
            count += 2;
        }
        let view = &mut window.state_mut().shared.settings.view;
        view.arrangement = view::Arrangement::Single;
        view.layers[0] = if opacity { Layer::Overlay } else { Layer::Map };
        for width in [1800.0, 1280.0, 1100.0, 900.0, 800.0] {
            window.set_size(Vec2::new(width, 600.0));
            window.run_steps(3);
            let (bar, places) = toolbar(&window);
            let state = format!("{second} {opacity} {width}: {places:?} in {bar}");
            let expected = count + if opacity { 2 } else { 0 };
            assert_eq!(places.len(), expected, "{state}");
            for (i, place) in places.iter().enumerate() {
                assert!(bar.contains_rect(*place), "{place} of {state}");
                let over = |other: &Rect| place.shrink(0.5).intersects(other.shrink(0.5));
                assert!(!places[..i].iter().any(over), "{place} of {state}");
            }
        }
    }
}

#[test]
fn the_toolbar_of_a_narrow_canvas_has_further_rows() {
    let mut window = done(1, Theme::Dark);
    for (width, rows) in [(1800.0, 1), (800.0, 2)] {
        window.set_size(Vec2::new(width, 600.0));
        window.run_steps(3);
        let (bar, places) = toolbar(&window);
        assert_eq!(bar.height(), 40.0 + 36.0 * (rows - 1) as f32);
        for name in [
            "Photo",
            "Uncertainty",
            "Fit to view (F)",
            "Correct the mask (M)",
        ] {
            let named = window.query_all_by_label_contains(name);
            let inside = named.map(|node| node.rect()).any(|at| places.contains(&at));
            assert!(inside, "{name} at {width}: {places:?} in {bar}");
        }
    }
}

/// Opens the first sample in place of the photos of the list.
fn open_sample(window: &mut Window) {
    let context = window.ctx.clone();
    let number = window.state().shared.opener.number();
    let photos = Command::ShowPhotos(PhotoList::samples(1), number);
    run(&mut window.state_mut().shared, &context, photos);
    window.run_steps(2);
}

/// What the list was scrolled to earlier does not hide the shown photo.
#[test]
fn the_list_of_photos_begins_at_the_shown_photo() {
    let folder = tempfile::tempdir().unwrap();
    let photo = |at: usize| folder.path().join(format!("p{at:02}.png"));
    for at in 0..40 {
        image::RgbImage::new(24, 16).save(photo(at)).unwrap();
    }
    let mut of_scenes = options(&[&photo(39)], 1);
    of_scenes.model = Some("scenes".into());
    let mut window = window(of_scenes, Theme::Dark);
    until(&mut window, "the flow", complete);
    dock::reveal(&mut window.state_mut().layout, PanelKind::Photos);
    window.run_steps(3);
    let listed = |window: &Window, at: usize| {
        let states = ["mask made", "no mask yet"];
        let rows = states.map(|state| format!("p{at:02}.png, {state}"));
        rows.iter().any(|row| window.query_by_label(row).is_some())
    };
    assert!(listed(&window, 39) && !listed(&window, 0));
    // A new session, whose first photo is shown.
    let context = window.ctx.clone();
    run(
        &mut window.state_mut().shared,
        &context,
        Command::ShowPhoto(0),
    );
    window.state_mut().panels.photos = Default::default();
    window.run_steps(3);
    assert!(listed(&window, 0));
}

#[test]
fn photos_that_are_opened_are_not_left_behind_runs() {
    let mut window = done(1, Theme::Dark);
    for cover in [PanelKind::Runs, PanelKind::Race] {
        dock::reveal(&mut window.state_mut().layout, cover);
        window.run_steps(2);
        assert!(!dock::is_shown(&window.state().layout, PanelKind::Canvas));
        open_sample(&mut window);
        assert!(dock::is_shown(&window.state().layout, PanelKind::Canvas));
    }
}

#[test]
fn photos_that_are_opened_leave_the_field_in_front_while_runs_are_seen_beside_it() {
    let mut window = done(1, Theme::Dark);
    let layout = &mut window.state_mut().layout;
    let runs = layout.tiles.find_pane(&PanelKind::Runs).unwrap();
    let root = layout.root.unwrap();
    layout.move_tile_to_container(runs, root, 0, false);
    dock::reveal(layout, PanelKind::Field);
    window.run_steps(2);
    assert!(dock::is_shown(&window.state().layout, PanelKind::Runs));
    open_sample(&mut window);
    assert!(dock::is_shown(&window.state().layout, PanelKind::Field));
}

#[test]
fn only_photos_named_at_the_start_stay_behind_the_panel_in_front() {
    let folder = tempfile::tempdir().unwrap();
    let mut of_race = options(&[folder.path()], 1);
    of_race.front = Front::Race { pause_after: 0 };
    let mut window = window(of_race, Theme::Dark);
    until(&mut window, "the empty folder", |app| {
        app.shared.errors.open && !app.shared.busy() && !app.shared.opener.busy()
    });
    window.run_steps(2);
    assert!(dock::is_shown(&window.state().layout, PanelKind::Race));
    open_sample(&mut window);
    assert!(dock::is_shown(&window.state().layout, PanelKind::Canvas));
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
    let app = &mut window.state_mut().shared;
    app.errors.report("something else about no-such-photo.png");
    assert_eq!(app.describe(), said);
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
