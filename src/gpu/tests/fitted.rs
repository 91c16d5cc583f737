use super::*;

/// A photo and a mask that are fitted to their picture look as if the shader had reduced and scaled them, on whole
/// pixels.
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
    let truth = pipelines.labels(PHOTO.map(|side| side as usize), &e.truth);
    let sources = Sources {
        photo: Arc::new(pipelines.photo(&e.photo).unwrap()),
        truth: Some(Arc::new(truth.unwrap())),
        corrected: None,
        size: SIZE,
        before: state.clone(),
        after: state,
        share: 0.0,
        labels: Arc::new(labels.unwrap()),
        doubt: None,
        second: None,
    };
    let view = |layer, [height, width]: [f32; 2], origin: f32| PaneView {
        layer,
        origin: [origin; 2],
        extent: [width, height],
        fine: true,
        opacity: 0.5,
        lit: None,
    };
    let fitted = |view: &PaneView| pipelines.fitted(&classes, &sources, view).unwrap();
    let drawn = |sources: &Sources, view: &PaneView| {
        let pane = pipelines
            .pane_on(FORMAT, &classes, sources, view, false)
            .unwrap();
        let size = [0, 1].map(|side| (view.origin[1 - side] + view.extent[1 - side]) as u32);
        pixels_of(&device, &queue, size, |pass| pipelines.draw(pass, &pane))
    };
    for layer in [Layer::Overlay, Layer::Map, Layer::Error, Layer::Photo] {
        for size in [[32.0, 48.0], [43.0, 65.0], [64.0, 96.0], [83.0, 111.0]] {
            let (made, view) = fitted(&view(layer, size, 2.0));
            let reads_photo = layer != Layer::Map;
            let is_reduced = reads_photo && size[0] < PHOTO[0] as f32;
            assert_eq!(!Arc::ptr_eq(&made.photo, &sources.photo), is_reduced);
            assert_eq!(made.corrected.is_some(), layer != Layer::Photo);
            same(&drawn(&made, &view), &drawn(&sources, &view));
        }
    }

    // Where the picture begins and ends within a pixel, every pixel of what is fitted is still drawn once.
    let (made, on_pixels) = fitted(&view(Layer::Photo, [43.4, 64.6], 7.5));
    assert_eq!(
        (on_pixels.origin, on_pixels.extent),
        ([8.0; 2], [65.0, 43.0])
    );
    assert_eq!(made.photo.size(), [65, 43]);

    // They are made once, few are kept, and none of what is closed.
    let (again, _) = fitted(&view(Layer::Photo, [43.0, 65.0], 0.0));
    assert!(Arc::ptr_eq(&made.photo, &again.photo));
    for height in 1..20 {
        fitted(&view(Layer::Overlay, [height as f32, 30.0], 0.0));
    }
    let counts = || {
        [
            pipelines.photos.lock().unwrap().len(),
            pipelines.masks.lock().unwrap().len(),
        ]
    };
    assert_eq!(counts(), [4, 4]);
    // Neither is fitted to a picture that is mostly outside its pane, or has no texture.
    for size in [[4096.0, 4096.0], [1.0, 100_000.0]] {
        assert!(
            fitted(&view(Layer::Overlay, size, 0.0))
                .0
                .corrected
                .is_none()
        );
    }
    drop((made, again));
    drop(sources);
    let photo = Arc::new(pipelines.photo(&e.photo).unwrap());
    let state = Arc::new(pipelines.state(&e.before).unwrap());
    let labels = Arc::new(pipelines.labels(SIZE, &vec![0; SIZE[0] * SIZE[1]]).unwrap());
    let other = Sources {
        photo,
        truth: None,
        corrected: None,
        size: SIZE,
        before: state.clone(),
        after: state,
        share: 0.0,
        labels,
        doubt: None,
        second: None,
    };
    let whole = view(Layer::Photo, [64.0, 96.0], 0.0);
    pipelines.fitted(&classes, &other, &whole).unwrap();
    assert_eq!(counts(), [0, 0]);
}
