//! Third cells among the labels of a real data set.

use crate::common;

use flowseg::assignment::{assign, third_cells};
use flowseg::data::{Dataset, mixtures};
use flowseg::encoding::Encoding;

#[test]
fn an_assignment_and_more_dimensions_leave_few_third_cells_in_camvid() {
    let data = Dataset::open(&common::shared("data/camvid"), "training").unwrap();
    let mixtures = mixtures::mixtures(&data, [336, 448]).unwrap();
    assert!(mixtures.len() > 1000);
    let share = |dims: usize| {
        let centroids = Encoding::Kronecker.codes(data.classes().len(), dims);
        let order = assign(&centroids, &mixtures);
        let assigned = third_cells(&centroids.clone().ordered(&order), &mixtures);
        let by_index = third_cells(&centroids, &mixtures);
        println!("d = {dims}: {by_index:.3} by index, {assigned:.3} assigned");
        [by_index, assigned]
    };
    let ([index3, assigned3], [index8, assigned8]) = (share(3), share(8));
    assert!(assigned3 < index3 / 3.0 && index8 < index3 && assigned8 <= index8);
}
