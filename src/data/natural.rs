//! The order of photos by the numbers in their names.

/// Text split into words and numbers, for a natural order: 9 comes before 10.
pub fn natural(name: &str) -> Vec<(u64, String)> {
    let mut parts: Vec<(u64, String)> = vec![(0, String::new())];
    let mut digits = String::new();
    for c in name.to_lowercase().chars().chain(std::iter::once('\0')) {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        if !digits.is_empty() {
            parts.push((digits.parse().unwrap_or(u64::MAX), String::new()));
            digits.clear();
        }
        if c != '\0'
            && let Some((_, text)) = parts.last_mut()
        {
            text.push(c);
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_sort_as_numbers() {
        let mut names = ["img10.png", "img9.png", "IMG1.png", "a.png"];
        names.sort_by_key(|name| natural(name));
        assert_eq!(names, ["a.png", "IMG1.png", "img9.png", "img10.png"]);
    }
}
