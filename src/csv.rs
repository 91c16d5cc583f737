//! Tables as comma-separated values (RFC 4180), safe to open in a spreadsheet.

use std::borrow::Cow;

/// One line with its line ending: cells with a comma, a quote or a line break are quoted. Text that
/// a spreadsheet would run as a formula gets an apostrophe in front, which marks it as text.
pub fn line<S: AsRef<str>>(cells: impl IntoIterator<Item = S>) -> String {
    let quoted = |cell: S| {
        let cell = as_text(cell.as_ref());
        if cell.contains([',', '"', '\n', '\r']) {
            format!("\"{}\"", cell.replace('"', "\"\""))
        } else {
            cell.into_owned()
        }
    };
    let cells: Vec<String> = cells.into_iter().map(quoted).collect();
    cells.join(",") + "\n"
}

/// The cells of every row of a table that was written by `line`, quotes resolved. Lines may end as on Windows.
pub fn rows(table: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell) = (Vec::new(), Vec::new(), String::new());
    let mut quoted = false;
    let mut rest = table.chars().peekable();
    while let Some(next) = rest.next() {
        match next {
            // Within quotes, two are one quote of the text.
            '"' if quoted && rest.next_if_eq(&'"').is_some() => cell.push('"'),
            '"' => quoted = !quoted,
            '\r' if !quoted && rest.peek() == Some(&'\n') => {}
            ',' if !quoted => row.push(std::mem::take(&mut cell)),
            '\n' if !quoted => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            other => cell.push(other),
        }
    }
    rows
}

/// Whether a table begins with these column heads.
pub fn has_columns(table: &str, columns: &[&str]) -> bool {
    let head = table.split_inclusive('\n').next().unwrap_or_default();
    rows(head).first().is_some_and(|head| head == columns)
}

/// A cell that is not mistaken for a formula. Signed numbers start like one but are left alone.
fn as_text(cell: &str) -> Cow<'_, str> {
    let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    if formula && cell.parse::<f64>().is_err() {
        Cow::Owned(format!("'{cell}"))
    } else {
        Cow::Borrowed(cell)
    }
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

    #[test]
    fn rows_are_read_as_they_were_written() {
        let written = [
            vec!["a,b", "say \"so\"", "x\ny"],
            vec!["", "1.5", "\""],
            vec![""],
        ];
        let table: String = written.iter().map(|cells| line(cells.iter())).collect();
        assert_eq!(rows(&table), written);
        assert_eq!(rows("a,\"b\r\n\"\r\n"), [["a", "b\r\n"]]);
        assert!(rows("").is_empty());
    }

    #[test]
    fn a_name_is_not_run_as_a_formula() {
        assert_eq!(
            line(["=1+1", "+a", "-c", "@sum", "\tx", "\r", "=A1,B1"]),
            "'=1+1,'+a,'-c,'@sum,'\tx,\"'\r\",\"'=A1,B1\"\n"
        );
        assert_eq!(line(["-1.5", "+2e-3", "a=b", ""]), "-1.5,+2e-3,a=b,\n");
    }
}
