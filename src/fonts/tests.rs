use super::order::reordered;
use super::*;
use crate::fonts::system::SystemFont;
use eframe::egui::epaint::text::Fonts;
use eframe::egui::{Color32, FontId};
use fontdb::Database;
use image::{Rgb, RgbImage};

/// A system whose only font is the window's monospaced one.
fn small_system() -> System {
    let mut database = Database::new();
    database.load_font_data(epaint_default_fonts::HACK_REGULAR.to_vec());
    System::new(database)
}

fn request(cluster: &str) -> GlyphRasterizerRequest<'_> {
    GlyphRasterizerRequest {
        cluster,
        family: &FontFamily::Proportional,
        font_size_px: 14.0,
        subpixel_offset_px: 0.0,
    }
}

#[test]
fn a_font_is_found_by_the_characters_that_it_has() {
    let system = small_system();
    let SystemFont { bytes, index, name } = system.find('Ж').unwrap();
    assert_eq!((bytes, index), (epaint_default_fonts::HACK_REGULAR, 0));
    assert!(name.contains("Hack"), "{name}");
    // A second lookup returns the same bytes.
    assert!(std::ptr::eq(system.find('ж').unwrap().bytes, bytes));
    assert!(system.find('人').is_none());
    let insert = insert(&system, "Ж").unwrap();
    assert_eq!(insert.data.bytes(), bytes);
}

#[test]
fn ranges_of_characters_hold_what_the_font_maps() {
    let coverage = Coverage::of([(epaint_default_fonts::UBUNTU_LIGHT, 0)]);
    for (character, has) in [
        ('a', true),
        ('Ω', true),
        ('ж', true),
        ('人', false),
        ('ش', false),
    ] {
        assert_eq!(coverage.has(character), has, "{character}");
    }
    assert!(!Coverage::default().has('a'));
    // A file that is not a font has no characters.
    assert!(!Coverage::of([(&b"not a font"[..], 0)]).has('a'));
}

#[test]
fn characters_without_a_font_are_spelled() {
    for (text, spelled) in [
        ("人", "Ren "),
        ("树", "Shu "),
        ("д", "d"),
        ("\u{e000}", "[E000]"),
        ("\n", " "),
        ("e\u{301}", "e"),
    ] {
        assert_eq!(latin::spelled(text), spelled, "{text:?}");
    }
    assert_eq!(latin::spelled(&"人".repeat(100)).chars().count(), 24);
    let system = small_system();
    let drawn = spell(|| &system, &request("人")).unwrap();
    let [width, height] = drawn.bitmap.image.size;
    assert!(width > 20 && height > 8 && drawn.advance_px > width as f32);
    // Characters that a font has, tabs and icons are not drawn here.
    for cluster in ["a", "Ж", "\t", "é"] {
        assert!(
            spell(|| &system, &request(cluster)).is_none(),
            "{cluster:?}"
        );
    }
    let icons = FontFamily::Name("material-icons-outlined".into());
    let icon = GlyphRasterizerRequest {
        family: &icons,
        ..request("\u{e145}")
    };
    assert!(spell(|| &system, &icon).is_none());
}

/// Missing letters of a right-to-left word stay in order.
#[test]
fn a_spelled_word_reads_from_left_to_right() {
    let system = OnceLock::new();
    let latin_only = GlyphRasterizer::new("test", move |request| {
        spell(|| system.get_or_init(small_system), request)
    });
    let mut fonts = Fonts::new(Default::default(), FontDefinitions::default())
        .with_glyph_rasterizer(latin_only.with_priority(FontPriority::Highest));
    let font = FontId::proportional(14.0);
    let line =
        fonts
            .with_pixels_per_point(1.0)
            .layout_no_wrap("שלום".to_owned(), font, Color32::WHITE);
    let glyphs: Vec<char> = line.rows[0].glyphs.iter().map(|g| g.chr).collect();
    assert_eq!(glyphs, ['ש', 'ל', 'ו', 'ם']);
    assert!(line.rows[0].glyphs.is_sorted_by(|a, b| a.pos.x < b.pos.x));
}

#[test]
fn words_of_right_to_left_scripts_are_put_in_visual_order() {
    for (text, drawn) in [
        ("road sign", "road sign"),
        ("إشارة مرور", "مرور إشارة"),
        ("شارع", "شارع"),
        // Latin text with a Hebrew name in it, and vice versa.
        ("sign שלום עולם end", "sign עולם שלום end"),
        ("שלום New York עולם", "עולם New York שלום"),
    ] {
        assert_eq!(reordered(text, |_| true), drawn);
        // Spelled in Latin letters, they read from the left.
        assert_eq!(reordered(text, |_| false), text);
    }
}

#[test]
fn names_that_look_alike_are_numbered() {
    let names = |names: &[&str]| -> Vec<String> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        distinct(&names)
    };
    assert_eq!(
        names(&["sky", "road", "sky "]),
        ["sky (0)", "road", "sky  (2)"]
    );
    let alike = names(&["\u{e000}", "[E000]", "sky"]);
    assert!(
        alike[0].ends_with(" (0)") && alike[1].ends_with(" (1)"),
        "{alike:?}"
    );
    assert_eq!(alike[2], "sky");
}

#[test]
fn a_pen_writes_at_the_given_place_and_elides_in_the_middle() {
    let mut pen = Pen::new(16.0);
    let mut picture = RgbImage::from_pixel(200, 40, Rgb([255; 3]));
    pen.write(&mut picture, "Heaven", [20.0, 30.0], [0, 0, 0]);
    let ink: Vec<(u32, u32)> = picture
        .enumerate_pixels()
        .filter(|(_, _, p)| p.0[0] < 128)
        .map(|(x, y, _)| (x, y))
        .collect();
    let span = |of: fn(&(u32, u32)) -> u32| {
        let values = ink.iter().map(of);
        (values.clone().min().unwrap(), values.max().unwrap())
    };
    let ((left, right), (top, bottom)) = (span(|p| p.0), span(|p| p.1));
    assert!((20..24).contains(&left) && right as f32 <= 20.0 + pen.width("Heaven"));
    assert_eq!(bottom, 29);
    assert!((30.0 - top as f32 - pen.capital()).abs() <= 1.0);
    // Parts outside the picture are clipped.
    pen.write(&mut picture, "Heaven", [-30.0, 3.0], [0, 0, 0]);
    pen.write(&mut picture, "Heaven", [190.0, 60.0], [0, 0, 0]);

    for name in [
        "screen, silver screen, projection screen".to_owned(),
        "é".repeat(300),
        "e\u{301}".repeat(300),
        "人行道".repeat(2000),
    ] {
        let elided = pen.elide(&name, 120.0);
        assert!(pen.width(&elided) <= 120.0, "{elided}");
        let (head, tail) = elided.split_once('\u{2026}').unwrap();
        assert!(
            name.starts_with(head) && name.ends_with(tail) && !head.is_empty() && !tail.is_empty()
        );
        assert!(!tail.starts_with('\u{301}'), "{elided:?}");
    }
    assert_eq!(pen.elide("sky", 120.0), "sky");
    assert_eq!(pen.elide("sky", 0.0), "\u{2026}");
}
