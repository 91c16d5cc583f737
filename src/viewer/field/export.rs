//! Pictures and tables to save.

use super::widgets::group;
use super::{Export, FieldInput, FieldLab, class_name, readout};
use crate::gpu::field::{Table, Tally};
use crate::viewer::theme::GRID;
use eframe::egui::{self, Ui};
use image::ImageEncoder;

/// The buttons.
pub fn controls(lab: &mut FieldLab, ui: &mut Ui, input: &FieldInput<'_>) {
    group(ui, "Export", "", None, |ui| {
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = GRID / 2.0;
            let size = &mut lab.settings.export;
            for (value, help) in size.iter_mut().zip(["Width in pixels", "Height in pixels"]) {
                let edit = egui::DragValue::new(value).range(16..=16_384);
                ui.add(edit).on_hover_text(help);
            }
            if ui
                .button("PNG")
                .on_hover_text("The view at this size, without names")
                .clicked()
            {
                picture(lab);
            }
            let table = lab.derived.table(&lab.settings, input.centroids);
            if ui
                .button("Curve")
                .on_hover_text("The gradient curve as CSV")
                .clicked()
            {
                let curve = super::curve::sample(lab, &table);
                lab.pending.export = curve.map(|curve| text("gradient-curve.csv", curve.csv()));
            }
            let help = "Centroids, distances and probabilities at the picked point, as CSV";
            if ui.button("Table").on_hover_text(help).clicked() {
                lab.pending.export = Some(text("field-table.csv", numbers(lab, &table, input)));
            }
        });
    });
}

fn text(name: &str, text: String) -> Export {
    Export {
        name: name.to_owned(),
        bytes: text.into_bytes(),
    }
}

fn picture(lab: &mut FieldLab) {
    let [width, height] = lab.settings.export;
    let Some(renderer) = &mut lab.renderer else {
        return;
    };
    // What is a point wide in a view 800 pixels high stays as wide in proportion.
    let scale = (height as f32 / 800.0).max(0.5);
    match renderer.picture([width, height], scale) {
        Ok(pixels) => {
            let mut bytes = Vec::new();
            let written = image::codecs::png::PngEncoder::new(&mut bytes).write_image(
                &pixels,
                width,
                height,
                image::ExtendedColorType::Rgba8,
            );
            match written {
                Ok(()) => {
                    lab.pending.export = Some(Export {
                        name: "field.png".to_owned(),
                        bytes,
                    });
                }
                Err(error) => {
                    lab.pending.error = Some(format!("cannot encode the picture: {error}"))
                }
            }
        }
        Err(error) => lab.pending.error = Some(error.to_string()),
    }
}

/// A line a class: its centroid, and what is true of it at the picked point (or the cube's centre);
/// then a line a pane with the particles' counts.
fn numbers(lab: &FieldLab, table: &std::sync::Arc<Table>, input: &FieldInput<'_>) -> String {
    let point = lab.picked.unwrap_or_default().map(f64::from);
    let flow = lab.flow(table);
    let (here, field) = flow.at(point);
    let mut csv = format!(
        "# x = {point:?}; Phi = {}; grad Phi = {:?}; f = {field:?}\n\
         class,name,red,green,blue,half_gap,distance,probability\n",
        here.phi, here.gradient
    );
    for (k, mu) in table.centroids.points().iter().enumerate() {
        let distance: f64 = (0..3)
            .map(|a| (point[a] - mu[a]).powi(2))
            .sum::<f64>()
            .sqrt();
        let name = class_name(&lab.settings, input, k).replace('"', "\"\"");
        csv += &format!(
            "{k},\"{name}\",{},{},{},{},{distance},{}\n",
            mu[0], mu[1], mu[2], table.half_gap[k], here.probability[k]
        );
    }
    for (kind, tally) in lab.settings.panes().into_iter().zip(&lab.tallies) {
        if let Some(tally) = tally {
            csv += &format!(
                "# {}: {}\n",
                super::controls::kind_name(kind),
                summary(tally)
            );
        }
    }
    csv
}

/// A run's counts in a line.
pub fn summary(tally: &Tally) -> String {
    format!(
        "{} of {} arrived, {} traversed a foreign neighbourhood ({} traversals), mean arrival s = {}",
        tally.arrived,
        tally.particles,
        tally.crossing,
        tally.traversals,
        tally
            .mean_clock
            .map_or("none".to_owned(), |s| readout::short(f64::from(s)))
    )
}
