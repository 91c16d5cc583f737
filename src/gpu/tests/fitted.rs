use super::*;

/// A photo and a mask that are fitted to their picture look as if the shader had reduced and scaled them.
#[test]
fn fitted_sources_are_drawn_like_the_originals() {
    let e = example(3);
    let (device, queue) = device();
    let pipelines = Pipelines::new(&device, &queue, FORMAT).unwrap();
    let colours = [[255, 0, 0], [0, 255, 0], [0, 0, 255]];
    let classes = pipelines.classes(&e.centroids, &colours, |_| true);
    let classes = classes.unwrap();
    let state = Arc::new(pipelines.state(&e.before).unwrap());
    let labels = pipelines.decoded(SIZE, e.centroids.decode(&e.before));
    let sources = Sources {
        photo: Arc::new(pipelines.photo(&e.photo).unwrap()),
        truth: None,
        corrected: None,
        size: SIZE,
        before: state.clone(),
        after: state,
        share: 0.0,
        labels: Arc::new(labels.unwrap()),
        doubt: None,
        second: None,
    };
    let look = |[height, width]: [u32; 2]| Look {
        layer: Layer::Overlay,
        origin: [0.0; 2],
        extent: [width as f32, height as f32],
        fine: true,
        opacity: 0.5,
        lit: None,
    };
    let fitted = |size| pipelines.fitted(&classes, &sources, &look(size)).unwrap();
    for size in [PHOTO.map(|side| side / 2), [43, 65], PHOTO, [83, 111]] {
        let is_reduced = size[0] < PHOTO[0];
        let made = fitted(size);
        assert_eq!(!Arc::ptr_eq(&made.photo, &sources.photo), is_reduced);
        let drawn = |sources: &Sources| {
            let pane = pipelines.pane_on(FORMAT, &classes, sources, &look(size));
            let pane = pane.unwrap();
            pixels_of(&device, &queue, size, |pass| pipelines.draw(pass, &pane))
        };
        same(&drawn(&made), &drawn(&sources));
        // They are made once.
        let again = fitted(size);
        let masks = [made, again].map(|sources| (sources.photo, sources.corrected.unwrap()));
        let [(photo, mask), (same_photo, same_mask)] = masks;
        assert!(Arc::ptr_eq(&photo, &same_photo) && Arc::ptr_eq(&mask, &same_mask));
    }
    for height in 1..20 {
        fitted([height, 30]);
    }
    assert_eq!(pipelines.photos.lock().unwrap().len(), 4);
    assert_eq!(pipelines.masks.lock().unwrap().len(), 4);
    assert!(fitted([4096, 4096]).corrected.is_none());
}

/// The reference of the other tests, and the function of the program.
#[test]
fn labels_are_scaled_as_the_shader_draws_them() {
    let labels: Vec<u16> = (0..7 * 9).map(|i| (i * 31 % 11 / 3) as u16).collect();
    for to in [[7, 9], [28, 36], [13, 50], [5, 4], [1, 1], [0, 3]] {
        let scaled = crate::labels::bilinear(&labels, [7, 9], to);
        assert_eq!(scaled, scale_labels(&labels, [7, 9], to), "{to:?}");
    }
}
