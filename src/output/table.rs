//! Tables as kubectl prints them: upper-case titles, cells at least 6 wide, 3 apart, no borders, nothing after the last cell.
//!
//! Source of the widths: kubernetes/cli-runtime `pkg/printers/tabwriter.go`.

use comfy_table::{ColumnConstraint, Table, Width, presets};
use jiff::Timestamp;

use super::colour::Paint;
use super::escape;

/// One column of a table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Column {
    pub title: &'static str,
    /// Shown only with `-o wide`.
    pub wide: bool,
}

impl Column {
    /// A column that is always shown.
    pub const fn new(title: &'static str) -> Self {
        Self { title, wide: false }
    }

    /// A column of `-o wide`.
    pub const fn wide(title: &'static str) -> Self {
        Self { title, wide: true }
    }
}

/// Something that is a row of a table.
pub trait Tabular {
    const COLUMNS: &'static [Column];

    /// One cell per column, also for the wide ones.
    fn cells(&self, now: Timestamp) -> Vec<String>;

    /// Lines that stand below the row, under its second column.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }

    /// Colours a finished line of the table; by default none.
    fn paint(&self, _paint: Paint, line: String) -> String {
        line
    }
}

/// A column that is known only at run time, with a cell for each row. It stands behind the others.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Extra {
    pub title: String,
    pub cells: Vec<String>,
}

/// What the flags say about tables.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Style {
    pub wide: bool,
    /// False with `--no-headers`.
    pub headers: bool,
    pub paint: Paint,
}

impl Default for Style {
    fn default() -> Self {
        Self { wide: false, headers: true, paint: Paint::PLAIN }
    }
}

/// How wide the columns of a table have become, so that rows that come later stand below those before them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Widths(Vec<u16>);

/// The table of these rows, with a line end after each line; empty without rows.
pub fn render<T: Tabular>(rows: &[T], style: Style, now: Timestamp) -> String {
    render_with(rows, &[], style, now)
}

/// The same with more columns.
pub fn render_with<T: Tabular>(rows: &[T], more: &[Extra], style: Style, now: Timestamp) -> String {
    render_below(&mut Widths::default(), rows, more, style, now)
}

/// The same below rows that stand there already, as kubectl prints what a watch brings (kubernetes/cli-runtime `pkg/printers/tabwriter.go`,
/// RememberWidths).
pub fn render_below<T: Tabular>(widths: &mut Widths, rows: &[T], more: &[Extra], style: Style, now: Timestamp) -> String {
    let shown = |column: &Column| style.wide || !column.wide;
    let own = T::COLUMNS.iter().filter(|column| shown(column)).map(|column| column.title);
    let titles: Vec<&str> = own.chain(more.iter().map(|column| column.title.as_str())).collect();
    let cells: Vec<Vec<String>> = rows
        .iter()
        .enumerate()
        .map(|(at, row)| {
            let own = row.cells(now).into_iter().zip(T::COLUMNS).filter(|(_, column)| shown(column)).map(|(cell, _)| cell);
            own.chain(more.iter().map(|column| column.cells.get(at).cloned().unwrap_or_default())).collect()
        })
        .collect();
    let mut lines = grid(&titles, cells, style.headers, widths).into_iter();
    let indent = usize::from(widths.0.first().copied().unwrap_or(MINIMUM));
    let mut text = String::new();
    if style.headers && !rows.is_empty() {
        push_line(&mut text, &lines.next().unwrap_or_default());
    }
    for (row, line) in rows.iter().zip(lines) {
        push_line(&mut text, &row.paint(style.paint, line));
        for note in row.notes() {
            push_line(&mut text, &format!("{:width$}{}", "", escape::terminal(&note), width = indent));
        }
    }
    text
}

/// A table whose columns are only known at run time.
pub fn render_dynamic(titles: &[&str], cells: Vec<Vec<String>>, headers: bool) -> String {
    grid(titles, cells, headers, &mut Widths::default()).iter().fold(String::new(), |mut text, line| {
        push_line(&mut text, line);
        text
    })
}

/// What stands in place of an empty table, for standard error.
pub fn nothing_found(namespace: Option<&str>) -> String {
    match namespace {
        Some(namespace) => format!("No resources found in {namespace} namespace.\n"),
        None => "No resources found\n".to_owned(),
    }
}

const PADDING: u16 = 3;
const MINIMUM: u16 = 6;

fn grid(titles: &[&str], cells: Vec<Vec<String>>, headers: bool, widths: &mut Widths) -> Vec<String> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    if headers {
        table.set_header(titles);
    }
    for row in cells {
        table.add_row(row.iter().map(|cell| escape::terminal(cell).into_owned()));
    }
    let contents = table.column_max_content_widths();
    widths.0.resize(contents.len().max(widths.0.len()), MINIMUM);
    for ((column, content), width) in table.column_iter_mut().zip(contents).zip(&mut widths.0) {
        *width = (*width).max(content + PADDING);
        column.set_padding((0, PADDING)).set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(*width)));
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect()
}

fn push_line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Machine(&'static str, &'static str, &'static str);

    impl Tabular for Machine {
        const COLUMNS: &'static [Column] = &[Column::new("NAME"), Column::new("N"), Column::wide("NODE")];

        fn cells(&self, _: Timestamp) -> Vec<String> {
            vec![self.0.to_owned(), self.1.to_owned(), self.2.to_owned()]
        }

        fn notes(&self) -> Vec<String> {
            if self.1.is_empty() { vec!["hint: count them".to_owned()] } else { Vec::new() }
        }
    }

    const ROWS: [Machine; 3] = [Machine("database-1", "2", "node-a"), Machine("w", "", "node-b"), Machine("x\ny", "größe", "")];

    fn shown(style: Style) -> String {
        render(&ROWS, style, Timestamp::UNIX_EPOCH).replace(' ', "·")
    }

    #[test]
    fn what_comes_later_stands_below_what_came_before() {
        let mut widths = Widths::default();
        let mut shown =
            |rows: &[Machine], headers| render_below(&mut widths, rows, &[], Style { headers, ..Style::default() }, Timestamp::UNIX_EPOCH);
        let lines = [shown(&ROWS[..1], true), shown(&[Machine("w", "7", "")], false), shown(&[Machine("a-longer-name", "7", "")], false)];
        assert_eq!(lines.concat(), "NAME         N\ndatabase-1   2\nw            7\na-longer-name   7\n");
    }

    #[test]
    fn columns_line_up_as_kubectls_do() {
        insta::assert_snapshot!(shown(Style::default()), @r#"
        NAME·········N
        database-1···2
        w
        ·············hint:·count·them
        x\ny·········größe
        "#);
    }

    #[test]
    fn wide_adds_columns_and_headers_can_go() {
        insta::assert_snapshot!(shown(Style { wide: true, headers: false, ..Style::default() }), @r#"
        database-1···2·······node-a
        w····················node-b
        ·············hint:·count·them
        x\ny·········größe
        "#);
    }

    #[test]
    fn no_rows_are_no_table() {
        assert_eq!(render::<Machine>(&[], Style::default(), Timestamp::UNIX_EPOCH), "");
        assert_eq!(nothing_found(Some("shop")), "No resources found in shop namespace.\n");
    }
}
