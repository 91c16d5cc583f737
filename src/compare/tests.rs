use super::*;
use crate::data::Truth;
use crate::encoding::Centroids;
use crate::labels::{IGNORE, LabelMap};
use crate::votes::Votes;
use image::{Rgb, RgbImage};

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn map(width: usize, data: &[u16]) -> LabelMap {
    LabelMap {
        width,
        height: data.len() / width,
        data: data.to_vec(),
    }
}

#[test]
fn classes_are_matched_by_name() {
    let joint = JointClasses::new(
        &names(&["sky", "road", "car"]),
        &names(&["car", "tree", "sky"]),
    );
    let joint = joint.unwrap();
    assert_eq!(joint.names(), names(&["sky", "road", "car", "tree"]));
    assert_eq!(
        joint.labels(Side::A, vec![0, 1, 2, IGNORE]),
        [0, 1, 2, IGNORE]
    );
    assert_eq!(joint.labels(Side::B, vec![0, 1, 2, 9]), [2, 3, 0, IGNORE]);
    let truth = joint.truth(
        map(4, &[0, 1, 2, IGNORE]),
        &names(&["road", "boat", "tree"]),
    );
    assert_eq!(truth.labels.data, [1, IGNORE, 3, IGNORE]);
    assert_eq!(truth.known, [false, true, false, true]);
    // Labels in the classes of one model, and in those of both.
    let own = |table: &[&str]| {
        let table = crate::data::ClassTable::new(names(table));
        Truth::new(
            map(4, &[0, 1, 2, IGNORE]),
            &names(&["road", "boat", "tree"]),
            &table,
        )
    };
    let of_a = joint.truth_of(Side::A, &own(&["sky", "road", "car"]));
    assert_eq!(of_a.labels.data, [1, IGNORE, IGNORE, IGNORE]);
    assert_eq!(of_a.known, [false, true, false, false]);
    let of_b = joint.truth_of(Side::B, &own(&["car", "tree", "sky"]));
    assert_eq!(of_b.labels.data, [IGNORE, IGNORE, 3, IGNORE]);
    assert_eq!(of_a.or(&of_b), truth);
    // As in joint training, letter case does not matter, and an exact name comes first.
    let cases = JointClasses::new(
        &names(&["sky", "Sky", "Road"]),
        &names(&["ROAD", "Sky", "SKY"]),
    );
    let cases = cases.unwrap();
    assert_eq!(cases.names(), names(&["sky", "Sky", "Road"]));
    assert_eq!(cases.labels(Side::B, vec![0, 1, 2]), [2, 1, 0]);
    let truth = cases.truth(map(2, &[0, 1]), &names(&["road", "SKY"]));
    assert_eq!(truth.labels.data, [2, 0]);
    assert_eq!(truth.known, [true, false, true]);
    // Two classes of one model stay two.
    let apart = JointClasses::new(&names(&["sky"]), &names(&["SKY", "sky", "Sky"])).unwrap();
    assert_eq!(apart.names(), names(&["sky", "SKY", "Sky"]));
    assert_eq!(apart.labels(Side::B, vec![0, 1, 2]), [1, 0, 2]);
    let other = JointClasses::new(&names(&["sky"]), &names(&["SKY", "Sky"])).unwrap();
    assert_eq!(other.names(), names(&["sky", "Sky"]));
    assert_eq!(other.labels(Side::B, vec![0, 1]), [0, 1]);
    // The first model keeps its colours, and an added class has another one.
    let first = vec![[1, 2, 3], [4, 5, 6], [7, 8, 9]];
    let colours = joint.colours(&first);
    assert_eq!(colours.len(), 4);
    assert_eq!(colours[..3], first);
    // A class that was added to the first model for corrections is not one of the second's.
    let corrected = [first.as_slice(), &[[200, 10, 10]]].concat();
    assert_eq!(joint.colours(&corrected), colours);
    assert!((0..4).all(|k| !colours[..k].contains(&colours[k])));
    let same = JointClasses::new(&names(&["a", "b", "a"]), &names(&["a", "b", "a"])).unwrap();
    assert_eq!(same.names(), names(&["a", "b", "a (2)"]));
    assert_eq!(same.colours(&first), first);
    let many: Vec<String> = (0..40_000).map(|k| k.to_string()).collect();
    let others: Vec<String> = (0..40_000).map(|k| format!("b{k}")).collect();
    assert!(JointClasses::new(&many, &others).is_none());
}

#[test]
fn an_added_class_never_has_a_colour_of_the_first_model() {
    // All but one of the colours that the joint table would have by itself.
    let all = Centroids::kronecker(6).colours();
    let a = names(&["a", "b", "c", "d", "e"]);
    let joint = JointClasses::new(&a, &names(&["f"])).unwrap();
    for left_out in 0..6 {
        let mut first = all.clone();
        let left = first.remove(left_out);
        assert_eq!(joint.colours(&first)[5], left);
    }
}

#[test]
fn classes_that_one_model_lacks_are_named() {
    let said = |a: &[&str], b: &[&str]| {
        let joint = JointClasses::new(&names(a), &names(b));
        joint.unwrap().unshared()
    };
    assert_eq!(said(&["sky", "road"], &["Road", "sky"]), None);
    assert_eq!(
        said(&["sky"], &["cell", "road"]).unwrap(),
        "The models share no class, so that all pixels differ."
    );
    assert_eq!(
        said(&["sky", "road", "car"], &["car", "tree"]).unwrap(),
        "Only A has sky, road. Only B has tree."
    );
    assert_eq!(
        said(&["sky"], &["sky", "tree"]).unwrap(),
        "Only B has tree."
    );
    let many: Vec<String> = (0..12).map(|k| format!("c{k}")).collect();
    let joint = JointClasses::new(&many, &many[..1]).unwrap();
    let said = joint.unshared().unwrap();
    assert!(said.ends_with("c8 and 3 more."), "{said}");
}

#[test]
fn disagreement_of_a_small_example() {
    let mut comparison = Comparison::new(4);
    let truth = Truth {
        labels: map(4, &[0, 0, 1, 1, 2, IGNORE, 0, 1]),
        known: vec![true, true, true, false],
    };
    let a = [0, 0, 1, 1, 0, 0, 0, 1];
    let b = [0, 1, 1, 1, 2, 3, 0, 0];
    comparison.add(&a, &b, Some(&truth));
    // Pixels 1, 4, 5 and 7 differ.
    assert_eq!(comparison.agreement(), Some(0.5));
    let rows = comparison.rows();
    let of = |class: usize| rows.iter().find(|row| row.class == class).unwrap();
    // Class 0: A has 0, 1, 4, 5, 6 and B has 0, 6, 7; both have 0 and 6 of six pixels.
    assert_eq!(of(0).disagreement, Some(1.0 - 2.0 / 6.0));
    assert_eq!(of(0).shares, [5.0 / 8.0, 3.0 / 8.0]);
    assert_eq!(of(1).disagreement, Some(1.0 - 2.0 / 4.0));
    assert_eq!(of(2).disagreement, Some(1.0));
    // Against the labels of seven pixels: class 0 of A is right at 0, 1, 6 and wrong at 4.
    assert_eq!(of(0).iou, [Some(3.0 / 4.0), Some(2.0 / 4.0)]);
    assert_eq!(of(0).difference, Some(-0.25));
    assert_eq!(of(1).iou, [Some(1.0), Some(2.0 / 4.0)]);
    assert_eq!(of(2).iou, [Some(0.0), Some(1.0)]);
    // The labels do not have class 3, so it has no score and counts in no mean.
    assert_eq!((of(3).disagreement, of(3).iou), (Some(1.0), [None, None]));
    let [a_miou, b_miou] = comparison.miou().map(Option::unwrap);
    assert!((a_miou - (0.75 + 1.0 + 0.0) / 3.0).abs() < 1e-12);
    assert!((b_miou - (0.5 + 0.5 + 1.0) / 3.0).abs() < 1e-12);

    let mut twice = comparison.clone();
    twice.merge(&comparison);
    assert_eq!(twice.agreement(), Some(0.5));
    assert_eq!(twice.rows(), rows);

    let mut unlabelled = Comparison::new(4);
    unlabelled.add(&a, &a, None);
    assert_eq!(
        (unlabelled.agreement(), unlabelled.miou()),
        (Some(1.0), [None, None])
    );
    assert_eq!(unlabelled.rows().len(), 2);
    assert_eq!(Comparison::new(4).agreement(), None);
}

#[test]
fn a_class_is_scored_on_photos_of_data_sets_that_have_it() {
    let mut comparison = Comparison::new(3);
    let truth = |data: &[u16], known: [bool; 3]| Truth {
        labels: map(2, data),
        known: known.to_vec(),
    };
    // The first data set has all classes; the second lacks class 2, which B sees on its photo.
    let (first, second) = (
        truth(&[0, 2], [true; 3]),
        truth(&[0, 1], [true, true, false]),
    );
    comparison.add(&[0, 2], &[0, 2], Some(&first));
    comparison.add(&[0, 1], &[2, 1], Some(&second));
    let rows = comparison.rows();
    let iou: Vec<_> = rows.iter().map(|row| row.iou).collect();
    let all = [Some(1.0), Some(1.0)];
    // The pixel is missing from class 0, and is no error of class 2.
    assert_eq!(iou, [[Some(1.0), Some(0.5)], all, all]);
    // What the results share is counted everywhere.
    assert_eq!(comparison.agreement(), Some(0.75));
}

#[test]
fn labels_are_compared_at_the_photos_size() {
    let joint = JointClasses::new(&names(&["a", "b"]), &names(&["b", "a"])).unwrap();
    let votes = |labels: &[u16]| Votes::for_labels(labels, 2, [1, 2]);
    let (a, b) = (votes(&[0, 1]), votes(&[1, 1]));
    let truth = joint.truth(map(4, &[0, 0, 1, 1]), &names(&["a", "b"]));
    let both = |size| [a.labels(size), b.labels(size)];
    let size = [1, 4];
    let (comparison, labels) = Comparison::of_labels(&joint, both(size), size, Some(&truth));
    assert_eq!(labels, [vec![0, 0, 1, 1], vec![0; 4]]);
    assert_eq!(comparison.agreement(), Some(0.5));
    assert_eq!(comparison.miou(), [Some(1.0), Some(0.25)]);
    // Labels of another size cannot belong to this photo.
    let size = [2, 4];
    let (comparison, _) = Comparison::of_labels(&joint, both(size), size, Some(&truth));
    assert_eq!(comparison.miou(), [None, None]);
}

#[test]
fn a_sheet_shows_both_results_and_their_disagreement() {
    let photo = RgbImage::from_pixel(6, 4, Rgb([90, 120, 60]));
    let a = vec![0; 24];
    let mut b = a.clone();
    b[0] = 1;
    let colours = Centroids::kronecker(3).colours();
    let of = |b: &[u16], captions| {
        sheet(&Sheet {
            photo: &photo,
            captions,
            labels: [&a, b],
            classes: &names(&["sky", "road", "unseen"]),
            colours: &colours,
        })
    };
    let one = of(&b, ["one", "two"]);
    let red = |sheet: &RgbImage| sheet.pixels().filter(|p| p.0 == [230, 40, 40]).count();
    // One pixel of a photo that is magnified 80 times.
    assert_eq!(red(&one), 80 * 80);
    assert_eq!(red(&of(&a, ["one", "two"])), 0);
    assert_ne!(one, of(&b, ["one", "other"]));
    assert!(one.pixels().any(|p| p.0 == colours[1]) && one.width() > 2 * 480);
    assert_eq!(
        disagreement(&photo, [&a, &b], 3).get_pixel(0, 0).0,
        [230, 40, 40]
    );
}
