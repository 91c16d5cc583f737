//! A trajectory as safetensors, and its statistics as CSV.

use super::scene::Scene;
use crate::{csv, labels, trajectory};
use safetensors::SafeTensorError;
use safetensors::tensor::{Dtype, TensorView};
use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The trajectory as a safetensors file: `states` `[T, d, H, W]` f32, `times` `[T]` f32 and
/// `labels` `[T, H, W]` u16. The metadata key `flowseg` holds JSON with the class names and their
/// centroids `[N][d]`.
///
/// # Errors
/// Arrays that don't fit their shapes.
pub fn safetensors(scene: &Scene) -> Result<Vec<u8>, SafeTensorError> {
    let t = &scene.trajectory;
    let [height, width] = t.size;
    let count = t.states.len();
    let little_endian = |values: &[f32]| -> Vec<u8> {
        values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect()
    };
    let states: Vec<u8> = t.states.iter().flat_map(|s| little_endian(s)).collect();
    let times = little_endian(t.times);
    let labels = t.labels.iter().copied().flatten();
    let labels: Vec<u8> = labels.flat_map(|label| label.to_le_bytes()).collect();
    let card = serde_json::json!({
        "format": 1,
        "kind": "trajectory",
        "classes": scene.classes,
        "centroids": (0..scene.centroids.len()).map(|k| scene.centroids.code(k)).collect::<Vec<_>>(),
    });
    let tensors = [
        (
            "labels",
            TensorView::new(Dtype::U16, vec![count, height, width], &labels)?,
        ),
        (
            "states",
            TensorView::new(
                Dtype::F32,
                vec![count, scene.centroids.dims(), height, width],
                &states,
            )?,
        ),
        ("times", TensorView::new(Dtype::F32, vec![count], &times)?),
    ];
    let metadata = HashMap::from([("flowseg".to_owned(), card.to_string())]);
    safetensors::serialize(tensors, Some(metadata))
}

/// The columns of [`numbers`] before the shares.
const COLUMNS: [&str; 4] = ["step", "t", "settled", "mean_speed"];

/// Statistics of every state as CSV, one row each: `step`, `t`, `settled` (the share of pixels that
/// already have their final class and keep it), `mean_speed` (over the step that leaves the state, so
/// the last state has none), then `share_NAME` for every class. Shares are 0 to 1 and count pixels at
/// the network's size.
pub fn numbers(scene: &Scene) -> Vec<u8> {
    let t = &scene.trajectory;
    let [height, width] = t.size;
    let settle = trajectory::settle_steps(&t.labels);
    let settled = trajectory::settled_share(&settle, t.labels.len());
    let mut table = String::new();
    let fixed = COLUMNS.map(str::to_owned);
    let shares = scene.classes.iter().map(|name| format!("share_{name}"));
    table += &csv::line(fixed.into_iter().chain(shares));
    for (step, &time) in t.times.iter().enumerate() {
        let speed = t.states.get(step + 1).map_or(String::new(), |after| {
            let dt = t.times[step + 1] - time;
            trajectory::mean_speed(t.states[step], after, height * width, dt).to_string()
        });
        let fixed = [
            step.to_string(),
            time.to_string(),
            settled[step].to_string(),
            speed,
        ];
        let shares = labels::shares(t.labels[step], scene.classes.len());
        let shares = shares.iter().map(f32::to_string);
        table += &csv::line(fixed.into_iter().chain(shares));
    }
    table.into_bytes()
}

/// Whether a file is a table as [`numbers`] writes it, from its first columns.
pub(super) fn is_own_numbers(path: &Path) -> bool {
    let columns = COLUMNS.join(",") + ",";
    let mut start = vec![0; columns.len()];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && start == columns.as_bytes()
}
