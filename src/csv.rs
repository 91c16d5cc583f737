//! Tables as comma-separated values (RFC 4180).

/// One line, its end included: cells with a comma, a quote or a line break are quoted.
pub fn line<S: AsRef<str>>(cells: impl IntoIterator<Item = S>) -> String {
    let quoted = |cell: S| {
        let cell = cell.as_ref();
        match cell.contains([',', '"', '\n', '\r']) {
            true => format!("\"{}\"", cell.replace('"', "\"\"")),
            false => cell.to_owned(),
        }
    };
    let cells: Vec<String> = cells.into_iter().map(quoted).collect();
    cells.join(",") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_break_a_table_is_quoted() {
        assert_eq!(line(["a", "1.5", ""]), "a,1.5,\n");
        assert_eq!(
            line(["a,b", "say \"so\"", "x\ny"]),
            "\"a,b\",\"say \"\"so\"\"\",\"x\ny\"\n"
        );
        assert_eq!(line(Vec::<String>::new()), "\n");
    }
}
