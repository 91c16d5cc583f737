//! Outputs from which no class can be decided.

use super::*;

#[test]
fn a_pixel_whose_outputs_are_not_finite_has_no_class() {
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut features = values(random([2, 4, 3], 1));
        // In the third pixel of the first patch.
        features[7] = value;
        let z = Tensor::<3>::from_data(TensorData::new(features, [2, 4, 3]), &Device::flex());
        let weight = random([3, 5], 2).inner();
        let (shares, around) = (random([4, 1], 3).inner(), random([2, 1, 5], 4).inner());
        for argmax in [argmax, reference::argmax] {
            let found = argmax(z.clone(), weight.clone(), shares.clone(), around.clone());
            let found = found.into_data().convert::<i32>();
            for (pixel, class) in found.try_to_vec::<i32>().unwrap().into_iter().enumerate() {
                assert_eq!(class == 5, pixel == 2, "{value}: {class} at {pixel}");
            }
        }
    }
}
