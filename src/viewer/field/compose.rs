//! From what has been chosen to the scene that is drawn.

use super::settings::{Cut, FieldSettings};
use super::{FieldInput, Pin};
use crate::encoding::Centroids;
use crate::gpu::field::seeds::{self, Seeding};
use crate::gpu::field::{
    Arrows, CloudStyle, FieldKind, Look, Particles, Plane, Polyline, Quantity, Scene, Slice, Table,
    camera::Vec3, nearest_neighbour,
};
use eframe::egui;
use std::sync::Arc;

/// What a scene depends on beside the settings.
#[derive(Clone, Copy)]
pub struct Moment {
    /// What computing a slice may cost.
    pub effort: Effort,
    /// All particles are at their end: they are shown where they started.
    pub over: bool,
}

/// How much work a slice may be: how many times, in one frame, the potential of one class is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// As much as it takes: on a graphics card, and for a picture that is kept.
    Full,
    /// What a software adapter does in a fraction of a second, once.
    Once,
    /// What it does with every frame.
    Often,
}

impl Effort {
    /// Texels along an edge of the heat map of a slice among so many classes.
    fn texels(self, classes: usize) -> u32 {
        let (work, most) = match self {
            Effort::Full => return FINE,
            Effort::Once => (2e7, FINE),
            Effort::Often => (2e6, 192),
        };
        let affordable = (work / classes.max(1) as f32).sqrt() as u32;
        affordable.clamp(48, most)
    }
}

/// Texels along an edge of the finest heat map.
const FINE: u32 = 512;

/// What is derived from settings and kept until they change.
#[derive(Default)]
pub struct Derived {
    table: Option<Arc<Table>>,
    seeds: Option<(SeedKey, Arc<Vec<Vec3>>)>,
}

#[derive(Clone, PartialEq)]
struct SeedKey {
    seeding: Seeding,
    count: u32,
    seed: u64,
    sphere: Option<(Vec3, f32)>,
    plane: Option<Plane>,
    photo: Option<u64>,
}

impl Derived {
    /// The table of centroids that the settings ask for.
    pub fn table(&mut self, settings: &FieldSettings, model: &Centroids) -> Arc<Table> {
        let fits = |table: &Table| {
            if settings.models_table {
                table.centroids == *model
            } else {
                table.centroids.len() == settings.classes
                    && table.centroids == Centroids::kronecker(settings.classes)
            }
        };
        if let Some(table) = self.table.as_ref().filter(|table| fits(table)) {
            return table.clone();
        }
        let centroids = if settings.models_table {
            model.clone()
        } else {
            Centroids::kronecker(settings.classes)
        };
        self.table.insert(Arc::new(Table::new(centroids))).clone()
    }

    /// The particles' seeds.
    fn seeds(
        &mut self,
        settings: &FieldSettings,
        table: &Table,
        plane: Plane,
        input: &FieldInput<'_>,
    ) -> Arc<Vec<Vec3>> {
        let photo = input.cloud.as_ref();
        let seeding = settings.seeding;
        let centre = table.point(settings.target);
        let key = SeedKey {
            seeding,
            count: settings.count,
            seed: settings.seed,
            sphere: (seeding == Seeding::Sphere).then_some((centre, settings.sphere)),
            plane: (seeding == Seeding::Slice).then_some(plane),
            photo: photo
                .filter(|_| seeding == Seeding::Photo)
                .map(|cloud| cloud.photo),
        };
        if let Some((_, seeds)) = self.seeds.as_ref().filter(|(old, _)| *old == key) {
            return seeds.clone();
        }
        let count = settings.count as usize;
        let seeds = match seeding {
            Seeding::Cube => seeds::cube(count, settings.seed),
            Seeding::Sphere => seeds::sphere(count, settings.seed, centre, settings.sphere),
            Seeding::Slice => seeds::slice(count, settings.seed, &plane),
            Seeding::Photo => seeds::photo(photo.map_or(&[], |cloud| cloud.source), count),
        };
        let seeds = Arc::new(seeds);
        self.seeds = Some((key, seeds.clone()));
        seeds
    }

    /// The whole scene.
    pub fn scene(
        &mut self,
        settings: &FieldSettings,
        input: &FieldInput<'_>,
        table: Arc<Table>,
        look: Look,
        highlighted: Option<usize>,
        Moment { effort, over }: Moment,
    ) -> Scene {
        let plane = plane(settings, &table);
        // Nothing can follow the network's field, and nothing shade it: it is known at points alone.
        let network = settings.panes().contains(&FieldKind::Network);
        let particles = (settings.particles && !network).then(|| Particles {
            seeds: self.seeds(settings, &table, plane, input),
            integration: settings.integration,
            trails: settings.trails,
            colours: settings.particle_colours,
            at_start: settings.at_start || over,
            radius: if settings.at_start || over {
                0.007
            } else {
                0.011
            },
            discs: settings.discs,
        });
        // A thousand spheres have to be smaller than eleven.
        let radius = 0.06 * (11.0 / table.centroids.len().max(4) as f32).powf(0.4);
        Scene {
            potential: settings.potential,
            target: settings.target,
            correction: settings.correction(),
            neighbourhood: settings.neighbourhood,
            panes: settings.panes(),
            camera: settings.camera,
            look,
            highlighted,
            radius: radius.clamp(0.012, 0.07),
            arrows: settings.arrows.then_some(Arrows {
                place: settings.arrow_place,
                per_axis: settings.arrows_per_axis,
            }),
            slice: settings.slice.then_some(Slice {
                plane,
                quantity: match settings.quantity {
                    Quantity::Magnitude if network => Quantity::Potential,
                    quantity => quantity,
                },
                boundaries: settings.boundaries,
                iso_lines: settings.iso_lines,
                neighbourhood: settings.shade,
                streamlines: settings.streamlines,
                opacity: settings.opacity,
                resolution: effort.texels(table.centroids.len()),
            }),
            particles,
            cloud: settings.cloud.then_some(CloudStyle {
                radius: settings.cloud_radius,
                colours: settings.cloud_colours,
                most: 1 << 22,
            }),
            lines: if settings.cloud {
                input
                    .pins
                    .iter()
                    .enumerate()
                    .map(|(i, pin)| trajectory(i, pin))
                    .collect()
            } else {
                Vec::new()
            },
            table,
        }
    }
}

fn trajectory(index: usize, pin: &Pin<'_>) -> Polyline {
    let [r, g, b] = pin_colour(index);
    Polyline {
        points: pin.trajectory.to_vec(),
        colour: [r, g, b, 255],
    }
}

/// The colour of a pin and its trajectory.
pub fn pin_colour(index: usize) -> [u8; 3] {
    const COLOURS: [[u8; 3]; 6] = [
        [244, 180, 64],
        [88, 140, 236],
        [226, 96, 130],
        [92, 190, 140],
        [170, 120, 226],
        [235, 128, 74],
    ];
    COLOURS[index % COLOURS.len()]
}

/// Where the slice lies; across blue where three centroids span no plane.
pub fn plane(settings: &FieldSettings, table: &Table) -> Plane {
    let classes = match settings.cut {
        Cut::Axis(axis) => return Plane::across(axis, settings.slice_at),
        Cut::Classes(classes) => Some(classes),
        Cut::Neighbours => neighbours(table, settings.target),
    };
    classes
        .and_then(|[a, b, c]| Plane::through(table.point(a), table.point(b), table.point(c)))
        .unwrap_or(Plane::across(2, settings.slice_at))
}

/// The target and the two classes nearest to it that are not in line with it.
fn neighbours(table: &Table, target: usize) -> Option<[usize; 3]> {
    let points = table.centroids.points();
    let first = nearest_neighbour(points, target)?;
    let gap = |k: usize| -> f64 {
        (0..3)
            .map(|a| (points[k][a] - points[target][a]).powi(2))
            .sum()
    };
    let second = (0..points.len())
        .filter(|&k| k != target && k != first)
        .filter(|&k| {
            Plane::through(table.point(target), table.point(first), table.point(k)).is_some()
        })
        .min_by(|&a, &b| gap(a).total_cmp(&gap(b)))?;
    Some([target, first, second])
}

/// The colours of a view in a theme.
pub fn look(visuals: &egui::Visuals) -> Look {
    let rgb = |c: egui::Color32| [c.r(), c.g(), c.b()];
    Look {
        background: rgb(visuals.extreme_bg_color),
        ink: rgb(visuals.strong_text_color()),
        ramp: if visuals.dark_mode { DARK } else { LIGHT },
    }
}

/// From near the background to bright: dim violet, through magenta and coral, to pale yellow.
const DARK: [[u8; 3]; 8] = [
    [44, 40, 74],
    [74, 52, 124],
    [116, 62, 150],
    [164, 72, 152],
    [208, 88, 132],
    [238, 122, 104],
    [250, 172, 96],
    [252, 228, 144],
];

/// From near white to dark: the same hues with lightness the other way round.
const LIGHT: [[u8; 3]; 8] = [
    [232, 226, 240],
    [250, 214, 168],
    [248, 178, 128],
    [236, 134, 118],
    [206, 94, 132],
    [160, 68, 144],
    [106, 50, 132],
    [54, 30, 92],
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::field::camera::{dot, sub};

    #[test]
    fn the_slice_passes_through_the_target_and_its_nearest_neighbour() {
        for n in [3, 11, 150] {
            let table = Table::new(Centroids::kronecker(n));
            let settings = FieldSettings {
                target: 1,
                ..FieldSettings::default()
            };
            let plane = plane(&settings, &table);
            let nearest = nearest_neighbour(table.centroids.points(), 1).unwrap();
            for k in [1, nearest] {
                let off = dot(sub(table.point(k), plane.origin), plane.normal());
                assert!(off.abs() < 1e-4);
            }
        }
    }

    #[test]
    fn a_slice_among_many_classes_is_coarser_where_work_is_dear() {
        for classes in [2, 11, 150, 1000] {
            let texels = |effort: Effort| effort.texels(classes);
            assert_eq!(texels(Effort::Full), 512);
            assert!(texels(Effort::Often) <= texels(Effort::Once));
            for (effort, work) in [(Effort::Once, 2e7), (Effort::Often, 2.4e6)] {
                let side = texels(effort) as f32;
                assert!(side * side * classes as f32 <= work, "{classes} {effort:?}");
            }
        }
        assert_eq!(Effort::Once.texels(11), 512);
    }

    #[test]
    fn two_classes_have_a_slice_too() {
        let table = Table::new(Centroids::kronecker(2));
        let settings = FieldSettings {
            target: 0,
            ..FieldSettings::default()
        };
        assert_eq!(plane(&settings, &table), Plane::across(2, 0.0));
    }

    #[test]
    fn seeds_are_drawn_anew_only_when_they_are_others() {
        let model = Centroids::kronecker(7);
        let input = FieldInput {
            centroids: &model,
            classes: &[],
            cloud: None,
            brushed: &Arc::default(),
            pins: &[],
        };
        let mut settings = FieldSettings {
            count: 100,
            ..FieldSettings::default()
        };
        let mut derived = Derived::default();
        let table = derived.table(&settings, &model);
        let plane = plane(&settings, &table);
        let first = derived.seeds(&settings, &table, plane, &input);
        settings.target = 2;
        assert!(Arc::ptr_eq(
            &first,
            &derived.seeds(&settings, &table, plane, &input)
        ));
        settings.seed = 5;
        assert!(!Arc::ptr_eq(
            &first,
            &derived.seeds(&settings, &table, plane, &input)
        ));
        assert!(Arc::ptr_eq(&table, &derived.table(&settings, &model)));
    }
}
