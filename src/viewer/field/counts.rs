//! The counts of the particles, as text and as a small histogram.

use crate::format::short;
use crate::gpu::field::Tally;
use crate::viewer::theme::GRID;
use eframe::egui::{Color32, FontId, Painter, Pos2, Rect, Vec2, vec2};

/// Size of the histogram with its caption, in points.
pub(super) const HISTOGRAM: Vec2 = vec2(200.0, 5.0 * GRID);
/// Minimum number of particles for a histogram.
pub(super) const FEW: u32 = 500;
const CAPTION: f32 = 15.0;

/// What the time s in the counts is.
pub(super) const HELP: &str = "s is the time for which a particle has followed the field: dx/ds = f(x), from s = 0 \
     at its start. It is not the time t of a flow from a photo to a mask.";

/// The counts, one per line.
pub(super) fn lines(tally: &Tally) -> Vec<String> {
    let share = |n: u32| 100.0 * f64::from(n) / f64::from(tally.particles.max(1));
    let [done, steps] = tally.steps;
    let clock = tally
        .mean_clock
        .map_or("-".to_owned(), |s| short(f64::from(s)));
    let progress = if done < steps {
        format!("step {done} of {steps}, {} particles", tally.particles)
    } else {
        format!("{} particles", tally.particles)
    };
    vec![
        format!(
            "{:.1} % arrived, on average at time s = {clock}",
            share(tally.arrived)
        ),
        format!(
            "{:.1} % crossed another class's neighbourhood ({} traversals)",
            share(tally.crossing),
            tally.traversals
        ),
        progress,
    ]
}

/// Number of bins of arrivals in the histograms of all panes, so that they can be compared; 0 for few
/// particles.
pub(super) fn bins(tallies: &[Tally]) -> usize {
    let last = |tally: &Tally| tally.histogram.iter().rposition(|&count| count > 0);
    let many = tallies.iter().filter(|tally| tally.particles >= FEW);
    let most = many.filter_map(last).max();
    most.map_or(0, |last| (last + 1).max(8))
}

/// Draws the numbers of arrivals over s, in `bins` bins.
pub(super) fn histogram(painter: &Painter, corner: Pos2, tally: &Tally, bins: usize, ink: Color32) {
    let [width, height] = [HISTOGRAM.x, HISTOGRAM.y - CAPTION];
    let base = corner.y + height;
    let most = tally.histogram.iter().copied().max().unwrap_or(0).max(1);
    let step = width / bins.max(1) as f32;
    for (i, &count) in tally.histogram.iter().take(bins).enumerate() {
        let tall = height * count as f32 / most as f32;
        let at = Pos2::new(corner.x + i as f32 * step, base - tall);
        let bar = Rect::from_min_size(at, vec2((step - 1.0).max(0.5), tall));
        painter.rect_filled(bar, 0.0, ink.gamma_multiply(0.75));
    }
    painter.hline(
        corner.x..=corner.x + width,
        base,
        (1.0, ink.gamma_multiply(0.5)),
    );
    let text = caption(tally, bins);
    let font = FontId::proportional(11.0);
    let galley = painter.layout_no_wrap(text, font, ink);
    painter.galley(Pos2::new(corner.x, base + 1.0), galley, ink);
}

/// What the bins show. The last one that a tally has holds all later arrivals as well.
fn caption(tally: &Tally, bins: usize) -> String {
    let at = |bin: usize| short(f64::from(bin as f32 * Tally::BIN));
    match bins {
        _ if bins < tally.histogram.len() => format!("arrivals by time s, from 0 to {}", at(bins)),
        _ => format!(
            "arrivals by time s, last bar {} and later",
            at(bins.saturating_sub(1))
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_bin_is_said_to_hold_all_later_arrivals() {
        let tally = Tally {
            histogram: vec![0; 64],
            ..Tally::default()
        };
        assert_eq!(caption(&tally, 8), "arrivals by time s, from 0 to 1.00");
        assert_eq!(
            caption(&tally, 64),
            "arrivals by time s, last bar 7.88 and later"
        );
    }

    #[test]
    fn bins_reach_to_the_last_arrival_of_either_run() {
        let mut early = Tally {
            particles: FEW,
            histogram: vec![0; 64],
            ..Tally::default()
        };
        assert_eq!(bins(&[early.clone()]), 0);
        early.histogram[2] = 5;
        assert_eq!(bins(&[early.clone()]), 8);
        let mut late = early.clone();
        late.histogram[30] = 1;
        assert_eq!(bins(&[early, late.clone()]), 31);
        late.particles = FEW - 1;
        assert_eq!(bins(&[late]), 0);
    }
}
