//! The encoding in double precision against the reference (equations 7 and 8).

use crate::common;

use flowseg::encoding::Centroids;
use safetensors::{Dtype, SafeTensors};

#[test]
fn centroids_agree_to_the_last_digits() {
    let bytes = std::fs::read(common::shared("fixtures/potential.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let f64s = |name: &str| -> Vec<f64> {
        let view = file.tensor(name).unwrap();
        assert_eq!(view.dtype(), Dtype::F64);
        view.data()
            .as_chunks::<8>()
            .0
            .iter()
            .map(|&b| f64::from_le_bytes(b))
            .collect()
    };
    for n in [2, 11, 59, 150, 171] {
        let expected = f64s(&format!("centroids.{n}"));
        let centroids = Centroids::kronecker(n);
        let found: Vec<f64> = centroids.points().iter().flatten().copied().collect();
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(&expected) {
            assert!(
                (found - expected).abs() < 1e-12,
                "N {n}: {found} for {expected}"
            );
        }
        // Decoding: the nearest of the reference's centroids.
        let view = file.tensor(&format!("nearest.{n}")).unwrap();
        let nearest = view
            .data()
            .as_chunks::<8>()
            .0
            .iter()
            .map(|&b| i64::from_le_bytes(b));
        for (point, nearest) in f64s(&format!("x.{n}")).chunks(3).zip(nearest) {
            let point = [0, 1, 2].map(|a| point[a] as f32);
            assert_eq!(centroids.nearest(&point), nearest as usize);
        }
    }
}
