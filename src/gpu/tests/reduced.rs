use super::*;
use crate::gpu::textures::Photo;

/// The photo at half its size, as a software adapter draws it: from a reduced photo, which is made once.
#[test]
fn a_reduced_photo_looks_as_if_it_were_reduced_while_it_is_drawn() {
    let e = example(3);
    let (device, queue) = device();
    let pipelines = Pipelines::new(&device, &queue, FORMAT).unwrap();
    let colours = [[255, 0, 0], [0, 255, 0], [0, 0, 255]];
    let classes = pipelines.classes(&e.centroids, &colours, |_| true).unwrap();
    let state = Arc::new(pipelines.state(&e.after).unwrap());
    let labels = pipelines.decode(&classes, SIZE, &state, &state, 0.0);
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
    let reduced = |size| pipelines.reduced(&classes, &sources, &look(size)).unwrap();
    for size in [PHOTO.map(|side| side / 2), [43, 65]] {
        let photo = reduced(size).unwrap();
        let drawn = |photo: &Photo| {
            let pane = pipelines.pane_on(FORMAT, &classes, &sources, photo, &look(size));
            let pane = pane.unwrap();
            pixels_of(&device, &queue, size, |pass| pipelines.draw(pass, &pane))
        };
        same(&drawn(&photo), &drawn(&sources.photo));
        assert!(Arc::ptr_eq(&photo, &reduced(size).unwrap()));
    }
    // Not where there is nothing to reduce, nor ever more of them.
    assert!(reduced(PHOTO).is_none());
    for height in 1..20 {
        reduced([height, 30]).unwrap();
    }
    assert_eq!(pipelines.reduced.lock().unwrap().len(), 4);
}
