//! Results derived from the settings: centroids, seeds, the gradient curve and the scene.

use super::interface::{FieldInput, Pin};
use super::settings::{Cut, FieldSettings};
use super::style::pin_colour;
use crate::encoding::{COLOUR_AXES, Centroids};
use crate::gpu::field::{
    CloudStyle, FieldScene, FieldStyle, FieldView, LayerSettings, Lines, Particles, Polyline,
    Slice, Spheres,
};
use crate::potential::Potential;
use crate::vector_field::seeds::{self, Seeding};
use crate::vector_field::{
    CentroidTable, FieldKind, GradientCurve, Integration, Neighbourhood, ParticlePath, Plane,
    VectorField,
};
use glam::{DVec3, Vec3};
use std::sync::Arc;

/// What a scene depends on besides the settings.
#[derive(Clone, Copy)]
pub(super) struct SceneOptions {
    pub(super) style: FieldStyle,
    /// A class that is drawn larger.
    pub(super) highlighted: Option<usize>,
    /// Limit on the cost of computing a slice.
    pub(super) effort: Effort,
    /// Whether all particles have taken their steps, so that they are drawn where they started.
    pub(super) over: bool,
}

/// Limit on the work for a slice: evaluations of one class's part of the potential per frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effort {
    /// No limit: on a graphics card, or for an exported picture.
    Full,
    /// What a software adapter can do once, in a fraction of a second.
    Once,
    /// What a software adapter can do in every frame.
    Often,
}

impl Effort {
    /// Texels along an edge of a slice's heat map for `classes` classes.
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

/// Number of points of the gradient curve.
const CURVE: usize = 241;

/// Temperatures whose curves are compared with that of the settings, and the number of points of each.
const OTHERS: [f64; 3] = [1.0, 2.0, 4.0];
const COARSE: usize = 60;

/// Cached results, each with its inputs.
#[derive(Default)]
pub(super) struct Derived {
    /// The colours of the open model's classes; empty for those of the centroids.
    pub(super) colours: Vec<[u8; 3]>,
    table: Option<(TableKey, Arc<CentroidTable>)>,
    seeds: Option<(SeedKey, Arc<Vec<Vec3>>)>,
    curve: Option<(CurveKey, GradientCurve)>,
    others: Option<(CurveKey, Arc<Curves>)>,
    paths: Option<(PathKey, Arc<Paths>)>,
}

/// Gradient curves, each with its temperature.
pub(super) type Curves = Vec<(f64, GradientCurve)>;

/// The paths of a particle in the vanilla and in the reshaped field.
pub(super) type Paths = [ParticlePath; 2];

/// The axes that are drawn, all axes of the centroids, and their colours if they are not their own.
type TableKey = ([usize; COLOUR_AXES], Centroids, Option<Vec<[u8; 3]>>);

/// Kind, number and random seed of starting points.
type SeedKey = (Source, u32, u64);

#[derive(PartialEq)]
enum Source {
    Cube,
    Sphere(Vec3, f32),
    Slice(Plane),
    /// The number of the photo, and the axes along which its pixels lie.
    Photo(Option<u64>, [usize; COLOUR_AXES]),
}

#[derive(PartialEq)]
struct CurveKey {
    table: Arc<CentroidTable>,
    potential: Potential,
    target: usize,
    towards: usize,
    correction: f32,
}

impl CurveKey {
    fn new(field: VectorField<'_>, table: &Arc<CentroidTable>, towards: usize) -> Self {
        Self {
            table: table.clone(),
            potential: field.potential,
            target: field.target,
            towards,
            correction: field.correction,
        }
    }
}

#[derive(PartialEq)]
struct PathKey {
    table: Arc<CentroidTable>,
    potential: Potential,
    target: usize,
    correction: f32,
    neighbourhood: Neighbourhood,
    rule: Integration,
    start: DVec3,
}

impl Derived {
    /// The centroids selected by the settings.
    pub(super) fn table(
        &mut self,
        settings: &FieldSettings,
        model: &Centroids,
    ) -> Arc<CentroidTable> {
        // A control may just have chosen centroids with fewer axes than are drawn.
        let drawn = settings.fitting_axes(model.dims());
        let colours = self.colours.get(..model.len());
        let colours = colours.filter(|_| settings.models_table);
        let fits = |(axes, centroids, _): &TableKey| {
            *axes == drawn
                && if settings.models_table {
                    centroids == model
                } else {
                    centroids.len() == settings.classes
                        && *centroids == Centroids::kronecker(settings.classes)
                }
        };
        if let Some((key, table)) = self.table.as_mut().filter(|(key, _)| fits(key)) {
            if key.2.as_deref() != colours {
                let mut coloured = (**table).clone();
                coloured.colours = colours.map_or_else(|| key.1.colours(), <[_]>::to_vec);
                key.2 = colours.map(<[_]>::to_vec);
                *table = Arc::new(coloured);
            }
            return table.clone();
        }
        let colours = colours.map(<[_]>::to_vec);
        let centroids = if settings.models_table {
            model.clone()
        } else {
            Centroids::kronecker(settings.classes)
        };
        let mut table = CentroidTable::along(&centroids, drawn);
        if let Some(colours) = &colours {
            table.colours.clone_from(colours);
        }
        let table = Arc::new(table);
        let key = (drawn, centroids, colours);
        self.table.insert((key, table)).1.clone()
    }

    /// The gradient curve of a field towards another class; `None` as in [`GradientCurve::sample`].
    pub(super) fn curve(
        &mut self,
        field: VectorField<'_>,
        table: &Arc<CentroidTable>,
        towards: usize,
    ) -> Option<GradientCurve> {
        let key = CurveKey::new(field, table, towards);
        if let Some((_, curve)) = self.curve.as_ref().filter(|(old, _)| *old == key) {
            return Some(curve.clone());
        }
        let curve = GradientCurve::sample(field, towards, CURVE)?;
        self.curve = Some((key, curve.clone()));
        Some(curve)
    }

    /// The curves of a field at other temperatures than its own, for comparison.
    pub(super) fn other_curves(
        &mut self,
        field: VectorField<'_>,
        table: &Arc<CentroidTable>,
        towards: usize,
    ) -> Arc<Curves> {
        let key = CurveKey::new(field, table, towards);
        if let Some((_, curves)) = self.others.as_ref().filter(|(old, _)| *old == key) {
            return curves.clone();
        }
        let others = OTHERS.into_iter();
        let others = others.filter(|&temperature| temperature != field.potential.temperature);
        let sampled = others.filter_map(|temperature| {
            let potential = Potential {
                temperature,
                ..field.potential
            };
            let other = VectorField { potential, ..field };
            let curve = GradientCurve::sample(other, towards, COARSE)?;
            Some((temperature, curve))
        });
        let curves = Arc::new(sampled.collect());
        self.others.insert((key, curves)).1.clone()
    }

    /// The paths of a particle that starts at a point, in the vanilla and in the reshaped field.
    pub(super) fn paths(
        &mut self,
        field: VectorField<'_>,
        table: &Arc<CentroidTable>,
        rule: Integration,
        start: DVec3,
    ) -> Arc<Paths> {
        let key = PathKey {
            table: table.clone(),
            potential: field.potential,
            target: field.target,
            correction: field.correction,
            neighbourhood: field.neighbourhood,
            rule,
            start,
        };
        if let Some((_, paths)) = self.paths.as_ref().filter(|(old, _)| *old == key) {
            return paths.clone();
        }
        let kinds = [FieldKind::Reconstructive, FieldKind::Reshaped];
        let paths = kinds.map(|kind| field.of_kind(kind).integrate(start, rule));
        self.paths.insert((key, Arc::new(paths))).1.clone()
    }

    fn seeds(
        &mut self,
        settings: &FieldSettings,
        table: &CentroidTable,
        plane: Plane,
        input: &FieldInput<'_>,
    ) -> Arc<Vec<Vec3>> {
        let photo = input.cloud.as_ref();
        let source = match settings.seeding {
            Seeding::Cube => Source::Cube,
            Seeding::Sphere => Source::Sphere(table.point(settings.target), settings.sphere),
            Seeding::Slice => Source::Slice(plane),
            Seeding::Photo => Source::Photo(photo.map(|cloud| cloud.photo), settings.axes),
        };
        let key = (source, settings.count, settings.seed);
        if let Some((_, seeds)) = self.seeds.as_ref().filter(|(old, _)| *old == key) {
            return seeds.clone();
        }
        let (source, count, seed) = &key;
        let count = *count as usize;
        let seeds = Arc::new(match source {
            Source::Cube => seeds::cube(count, *seed),
            Source::Sphere(centre, radius) => seeds::sphere(count, *seed, *centre, *radius),
            Source::Slice(plane) => seeds::slice(count, *seed, plane),
            Source::Photo(..) => seeds::photo(photo.map_or(&[], |cloud| cloud.source), count),
        });
        self.seeds = Some((key, seeds.clone()));
        seeds
    }

    pub(super) fn scene(
        &mut self,
        settings: &FieldSettings,
        input: &FieldInput<'_>,
        table: &Arc<CentroidTable>,
        options: SceneOptions,
    ) -> FieldScene {
        let plane = plane(settings, table);
        let layers = &settings.layers;
        let mut view = FieldView {
            table: table.clone(),
            potential: settings.potential,
            target: settings.target,
            correction: settings.correction(),
            neighbourhood: settings.neighbourhood,
            panes: settings.panes(),
            plane: layers.slice.shown.then_some(plane),
            resolution: options.effort.texels(table.len()),
            seeds: Arc::default(),
            camera: settings.camera,
            style: options.style,
        };
        let particles = layers.particles.shown();
        let particles = particles.filter(|_| !FieldKind::has_network(&settings.panes()));
        if particles.is_some() {
            view.seeds = self.seeds(settings, table, plane, input);
        }
        let pins = input.pins.iter().enumerate().filter(|_| layers.cloud.shown);
        let layers = LayerSettings {
            frame: Some(Lines::cube(options.style.ink)),
            arrows: layers.arrows.shown(),
            cloud: layers.cloud.shown().map(|cloud| CloudStyle {
                colours: settings.drawn_colours(),
                ..cloud
            }),
            slice: layers.slice.shown().map(|slice| Slice {
                quantity: settings.drawn_quantity(),
                ..slice
            }),
            streamlines: Some(layers.streamlines),
            particles: particles.map(|particles| Particles {
                at_start: particles.at_start || options.over,
                ..particles
            }),
            centroids: Some(Spheres {
                radius: sphere_radius(table.len()),
                highlighted: options.highlighted,
            }),
            lines: Some(Lines::trajectories(pins.map(trajectory).collect())),
        };
        FieldScene { view, layers }
    }
}

/// Radius of the centroids' spheres in world units; they shrink as their number grows.
pub(super) fn sphere_radius(classes: usize) -> f32 {
    (0.06 * (11.0 / classes.max(4) as f32).powf(0.4)).clamp(0.012, 0.07)
}

fn trajectory((index, pin): (usize, &Pin<'_>)) -> Polyline {
    let [r, g, b] = pin_colour(index);
    Polyline {
        points: pin.trajectory.iter().map(|&x| x.into()).collect(),
        colour: [r, g, b, 255],
    }
}

/// The axis of the cube that the slice is perpendicular to if three centroids do not span a plane.
pub(super) const OTHERWISE: usize = 2;

/// The plane of the slice.
pub(super) fn plane(settings: &FieldSettings, table: &CentroidTable) -> Plane {
    spanned(settings, table).unwrap_or(Plane::across(OTHERWISE, settings.slice_at))
}

/// The plane that the settings ask for; `None` if the centroids lie on one line.
pub(super) fn spanned(settings: &FieldSettings, table: &CentroidTable) -> Option<Plane> {
    let [a, b, c] = match settings.cut {
        Cut::Axis(axis) => return Some(Plane::across(axis, settings.slice_at)),
        Cut::Classes(classes) => classes,
        Cut::Neighbours => neighbours(table, settings.target)?,
    };
    Plane::through(table.point(a), table.point(b), table.point(c))
}

/// The target and the two classes nearest to it that are not collinear with it.
pub(super) fn neighbours(table: &CentroidTable, target: usize) -> Option<[usize; 3]> {
    let first = table.nearest_neighbour(target)?;
    let [a, b] = [target, first].map(|k| table.point(k));
    let gap = |k: usize| table.points[k].distance_squared(table.points[target]);
    let second = (0..table.len())
        .filter(|&k| k != target && k != first)
        .filter(|&k| Plane::through(a, b, table.point(k)).is_some())
        .min_by(|&i, &j| gap(i).total_cmp(&gap(j)))?;
    Some([target, first, second])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::Source as FlowSource;

    #[test]
    fn the_models_centroids_have_the_colours_of_its_classes() {
        let model = Centroids::kronecker(4);
        let mut settings = FieldSettings::default();
        let mut derived = Derived::default();
        let own = derived.table(&settings, &model);
        assert_eq!(own.colours, model.colours());
        // One class was added for corrections.
        let colours: Vec<[u8; 3]> = (0..5).map(|k| [k, 100, 200]).collect();
        derived.colours.clone_from(&colours);
        let coloured = derived.table(&settings, &model);
        assert_eq!(coloured.colours, colours[..4]);
        assert!(coloured.same_points(&own));
        assert!(Arc::ptr_eq(&coloured, &derived.table(&settings, &model)));
        derived.colours.clear();
        assert_eq!(*derived.table(&settings, &model), *own);
        derived.colours = colours;
        settings.models_table = false;
        settings.classes = 4;
        assert_eq!(derived.table(&settings, &model).colours, model.colours());
    }

    #[test]
    fn the_slice_passes_through_the_target_and_its_nearest_neighbour() {
        for n in [3, 11, 150] {
            let table = CentroidTable::new(&Centroids::kronecker(n));
            let settings = FieldSettings {
                target: 1,
                ..FieldSettings::default()
            };
            let plane = plane(&settings, &table);
            let nearest = table.nearest_neighbour(1).unwrap();
            for k in [1, nearest] {
                let off = (table.point(k) - plane.origin).dot(plane.normal());
                assert!(off.abs() < 1e-4);
            }
        }
    }

    #[test]
    fn a_slice_among_many_classes_is_coarser_where_work_is_expensive() {
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
    fn the_same_class_twice_spans_no_plane_and_neighbours_do() {
        let table = CentroidTable::new(&Centroids::kronecker(11));
        for target in [0, 1, 4] {
            let classes = neighbours(&table, target).unwrap();
            let mut settings = FieldSettings {
                cut: Cut::Classes(classes),
                target,
                ..FieldSettings::default()
            };
            assert!(spanned(&settings, &table).is_some());
            settings.cut = Cut::Classes([target, target, 5]);
            assert_eq!(spanned(&settings, &table), None);
            assert_eq!(plane(&settings, &table), Plane::across(OTHERWISE, 0.0));
        }
    }

    #[test]
    fn paths_and_curves_are_cached_until_their_settings_change() {
        let table = Arc::new(CentroidTable::new(&Centroids::kronecker(7)));
        let settings = FieldSettings::default();
        let mut field = VectorField {
            table: &table,
            potential: settings.potential,
            target: settings.target,
            kind: settings.kind,
            correction: 1.0,
            neighbourhood: settings.neighbourhood,
        };
        let mut derived = Derived::default();
        let rule = Integration::default();
        let paths = derived.paths(field, &table, rule, DVec3::ZERO);
        assert!(Arc::ptr_eq(
            &paths,
            &derived.paths(field, &table, rule, DVec3::ZERO)
        ));
        assert_eq!(paths[0].points[0], DVec3::ZERO);
        assert!(!Arc::ptr_eq(
            &paths,
            &derived.paths(field, &table, rule, DVec3::X)
        ));
        let curves = derived.other_curves(field, &table, 1);
        let temperatures = |curves: &Curves| curves.iter().map(|(t, _)| *t).collect::<Vec<f64>>();
        assert_eq!(temperatures(&curves), [2.0, 4.0]);
        assert!(Arc::ptr_eq(
            &curves,
            &derived.other_curves(field, &table, 1)
        ));
        field.potential.temperature = 2.0;
        let curves = derived.other_curves(field, &table, 1);
        assert_eq!(temperatures(&curves), [1.0, 4.0]);
    }

    #[test]
    fn two_classes_have_a_slice_too() {
        let table = CentroidTable::new(&Centroids::kronecker(2));
        let settings = FieldSettings {
            target: 0,
            ..FieldSettings::default()
        };
        assert_eq!(plane(&settings, &table), Plane::across(2, 0.0));
    }

    #[test]
    fn seeds_are_cached_until_their_settings_change() {
        let model = Centroids::kronecker(7);
        let input = FieldInput {
            centroids: &model,
            classes: &[],
            colours: &[],
            cloud: None,
            source: FlowSource::Image,
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
