//! The name that was probably meant by a mistyped one.

/// The name most similar to `wanted`, in any letter case; of equally similar ones the first. `None` if none is
/// near: at most a third of the letters of the longer one may differ (changed, left out, added, or two
/// neighbours in the other order).
pub(crate) fn nearest<'a>(
    wanted: &str,
    names: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let wanted = wanted.trim().to_lowercase();
    let distance = |name: &str| {
        let name = name.to_lowercase();
        let letters = name.chars().count().max(wanted.chars().count());
        let distance = strsim::damerau_levenshtein(&name, &wanted);
        (distance <= letters / 3).then_some(distance)
    };
    let near = names
        .into_iter()
        .filter_map(|name| Some((distance(name)?, name)));
    let nearest = near.min_by_key(|&(distance, _)| distance);
    nearest.map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_similar_names_are_suggested() {
        let names = ["background", "street", "sky", "Car"];
        for (wanted, expected) in [
            ("streets", Some("street")),
            (" Steret ", Some("street")),
            ("cra", Some("Car")),
            ("sk", Some("sky")),
            ("", None),
            ("99", None),
            ("truck", None),
        ] {
            assert_eq!(nearest(wanted, names), expected, "{wanted:?}");
        }
        assert_eq!(nearest("car", ["background"]), None);
    }
}
