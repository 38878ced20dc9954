//! Answers for people: columns that fit the terminal, or one line for each value where they cannot.
//!
//! Contract: nothing that is cut is cut silently, and nothing of a value reaches the terminal as a control.

use std::borrow::Cow;

use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, SchemaRef};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::cells::{Cell, cell, text};
use crate::render::{Palette, Role, counted, escape, quoted};

/// Characters of a value that are held: more than a screen shows.
const CELL_CHARS_MAX: usize = 2_000;
/// Bytes of all values that are held.
const GRID_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Columns that a cut value has at least.
const CELL_WIDTH_MIN: usize = 8;
/// Blanks between two columns.
const GAP: usize = 2;

/// The rows of an answer, as they are shown.
#[derive(Debug)]
pub struct Grid {
    names: Vec<String>,
    right: Vec<bool>,
    rows: Vec<Vec<String>>,
    plans: Vec<String>,
    bytes: usize,
    cut: bool,
}

impl Grid {
    /// An empty one.
    pub fn new(schema: &SchemaRef) -> Self {
        let names = schema.fields().iter().map(|field| quoted(field.name()).into_owned()).collect();
        let is_number = |ty: &DataType| ty.is_numeric();
        let right = schema.fields().iter().map(|field| is_number(field.data_type())).collect();
        Self { names, right, rows: Vec::new(), plans: Vec::new(), bytes: 0, cut: false }
    }

    /// Adds the rows of a batch.
    pub fn add(&mut self, batch: &RecordBatch) {
        for row in 0..batch.num_rows() {
            if let [kind, plan] = batch.columns()
                && let (Some(kind), Some(plan)) = (text(kind.as_ref(), row), text(plan.as_ref(), row))
                && self.names == ["plan_type", "plan"]
            {
                let lines = plan.lines().map(|line| format!("  {}\n", escape(line)));
                self.plans.push(format!("{}\n{}", escape(&kind), lines.collect::<String>()));
            }
            let shown: Vec<String> = batch.columns().iter().map(|column| self.shown(column.as_ref(), row)).collect();
            self.bytes += shown.iter().map(String::len).sum::<usize>();
            self.rows.push(shown);
        }
    }

    /// Whether it has no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Whether it holds more than anyone looks through.
    pub fn is_full(&self) -> bool {
        self.bytes > GRID_BYTES_MAX
    }

    fn shown(&mut self, array: &dyn Array, row: usize) -> String {
        match cell(array, row) {
            Cell::Null => "NULL".to_owned(),
            Cell::Plain(text) | Cell::Number(text) => text,
            Cell::Json(text) => escape(&self.held(&text)).into_owned(),
            Cell::Text(text) => readable(&self.held(&text)),
            Cell::Bytes(bytes) => match std::str::from_utf8(&bytes) {
                Ok(text) => readable(&self.held(text)),
                Err(_) => {
                    self.cut |= bytes.len() > CELL_CHARS_MAX;
                    let hex = bytes.iter().take(CELL_CHARS_MAX).map(|byte| format!("{byte:02x}"));
                    let more = if bytes.len() > CELL_CHARS_MAX { "…" } else { "" };
                    format!("x'{}'{more}", hex.collect::<String>())
                }
            },
        }
    }

    fn held<'a>(&mut self, text: &'a str) -> Cow<'a, str> {
        match text.char_indices().nth(CELL_CHARS_MAX) {
            Some((at, _)) => {
                self.cut = true;
                Cow::Owned(format!("{}…", &text[..at]))
            }
            None => Cow::Borrowed(text),
        }
    }

    /// The text; without a width nothing is cut but what was too long to be held.
    pub fn render(mut self, palette: Palette, width: Option<usize>) -> String {
        if let Some(plan) = self.plan() {
            return plan;
        }
        let widths = self.widths();
        let fitting = match width {
            Some(width) => fit(&widths, width),
            None => Some(widths.clone()),
        };
        let mut out = match &fitting {
            Some(fitting) => self.columns(palette, fitting),
            None => self.records(palette, width.unwrap_or(usize::MAX)),
        };
        out.push_str(&format!("{}\n", counted(self.rows.len() as u64, "row", "rows")));
        if self.cut {
            let (what, instead) = ("values end with … where they were cut:", "--format jsonl writes them whole");
            let fits = width.is_none_or(|width| what.width() + 1 + instead.width() <= width);
            for line in if fits { vec![format!("{what} {instead}")] } else { vec![what.to_owned(), instead.to_owned()] }
            {
                out.push_str(&format!("{}\n", palette.paint(Role::Doubt, &line)));
            }
        }
        out
    }

    /// What EXPLAIN answers is text of many lines.
    fn plan(&self) -> Option<String> {
        (self.names == ["plan_type", "plan"]).then(|| self.plans.concat())
    }

    fn widths(&self) -> Vec<usize> {
        let mut widths: Vec<usize> = self.names.iter().map(|name| name.width()).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.width());
            }
        }
        widths
    }

    fn columns(&mut self, palette: Palette, widths: &[usize]) -> String {
        let mut out = String::new();
        let names: Vec<String> = self.names.iter().zip(widths).map(|(name, width)| clipped(name, *width).0).collect();
        let header = line(&names, &self.right, widths);
        out.push_str(&format!("{}\n", palette.paint(Role::Strong, &header)));
        let rules: Vec<String> = widths.iter().map(|width| "─".repeat(*width)).collect();
        out.push_str(&format!("{}\n", palette.paint(Role::Faint, &line(&rules, &self.right, widths))));
        for row in &self.rows {
            let mut cells = Vec::with_capacity(row.len());
            for (cell, width) in row.iter().zip(widths) {
                let (text, cut) = clipped(cell, *width);
                self.cut |= cut;
                cells.push(text);
            }
            out.push_str(&line(&cells, &self.right, widths));
            out.push('\n');
        }
        out
    }

    /// One line for each value.
    fn records(&mut self, palette: Palette, width: usize) -> String {
        let mut out = String::new();
        let longest = self.names.iter().map(|name| name.width()).max().unwrap_or(0).min(width / 2);
        for (number, row) in self.rows.iter().enumerate() {
            out.push_str(&format!("{}\n", palette.paint(Role::Faint, &format!("── row {}", number + 1))));
            for (name, cell) in self.names.iter().zip(row) {
                let (name, _) = clipped(name, longest);
                let room = width.saturating_sub(longest + GAP).max(CELL_WIDTH_MIN);
                let (text, cut) = clipped(cell, room);
                self.cut |= cut;
                let blanks = " ".repeat(longest.saturating_sub(name.width()) + GAP);
                out.push_str(&format!("{}{blanks}{text}\n", palette.paint(Role::Strong, &name)));
            }
        }
        out
    }
}

/// As it is where it cannot be misread; quotes inside, as in JSON, mislead nobody.
fn readable(text: &str) -> String {
    let without = text.replace('"', "'");
    let is_plain = matches!(quoted(&without), Cow::Borrowed(_)) && !text.starts_with('"');
    if is_plain { text.to_owned() } else { quoted(text).into_owned() }
}

/// The widths that fit: the widest columns give way first; none where even that is not enough.
fn fit(widths: &[usize], width: usize) -> Option<Vec<usize>> {
    let gaps = GAP * widths.len().saturating_sub(1);
    let room = width.checked_sub(gaps)?;
    if widths.iter().sum::<usize>() <= room {
        return Some(widths.to_vec());
    }
    // The greatest width that no column may exceed.
    let total = |most: usize| widths.iter().map(|width| (*width).min(most)).sum::<usize>();
    let (mut low, mut high) = (CELL_WIDTH_MIN, width.max(CELL_WIDTH_MIN));
    if total(low) > room {
        return None;
    }
    while low < high {
        let middle = (low + high).div_ceil(2);
        if total(middle) <= room {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    Some(widths.iter().map(|width| (*width).min(low)).collect())
}

/// A text of at most so many columns, and whether it was cut.
fn clipped(text: &str, width: usize) -> (String, bool) {
    if text.width() <= width {
        return (text.to_owned(), false);
    }
    let (mut out, mut used) = (String::new(), 0);
    for c in text.chars() {
        let wide = c.width().unwrap_or(0);
        if used + wide >= width {
            break;
        }
        out.push(c);
        used += wide;
    }
    out.push('…');
    (out, true)
}

fn line(cells: &[String], right: &[bool], widths: &[usize]) -> String {
    let mut out = String::new();
    for (index, ((cell, right), width)) in cells.iter().zip(right).zip(widths).enumerate() {
        if index > 0 {
            out.push_str(&" ".repeat(GAP));
        }
        let blanks = " ".repeat(width.saturating_sub(cell.width()));
        out.push_str(&if *right { format!("{blanks}{cell}") } else { format!("{cell}{blanks}") });
    }
    out.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Int64Array, StringArray};

    use super::*;

    fn grid(columns: &[(&str, ArrayRef)]) -> Grid {
        let batch = RecordBatch::try_from_iter(columns.iter().map(|(name, array)| (*name, Arc::clone(array))));
        let batch = batch.expect("columns are equally long");
        let mut grid = Grid::new(&batch.schema());
        grid.add(&batch);
        grid
    }

    fn texts(values: &[&str]) -> ArrayRef {
        Arc::new(StringArray::from(values.to_vec()))
    }

    #[test]
    fn the_widest_column_gives_way_and_says_so() {
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![Some(7), None]));
        let grid = grid(&[("id", numbers), ("text", texts(&["a rather long text", "\u{1b}[31mred"]))]);
        insta::assert_snapshot!(grid.render(Palette::PLAIN, Some(16)), @r#"
          id  text
        ────  ──────────
           7  a rather …
        NULL  "\u{1b}[3…
        2 rows
        values end with … where they were cut:
        --format jsonl writes them whole
        "#);
    }

    #[test]
    fn what_cannot_stand_side_by_side_stands_one_below_the_other() {
        let columns: Vec<(String, ArrayRef)> =
            (0..9).map(|n| (format!("column_{n}"), texts(&["some value"]))).collect();
        let columns: Vec<(&str, ArrayRef)> = columns.iter().map(|(n, a)| (n.as_str(), Arc::clone(a))).collect();
        let shown = grid(&columns).render(Palette::PLAIN, Some(40));
        assert!(shown.starts_with("── row 1\ncolumn_0  some value\ncolumn_1"), "{shown}");
        assert!(shown.lines().all(|line| line.width() <= 40), "{shown}");
        assert!(shown.ends_with("1 row\n"), "{shown}");
    }

    #[test]
    fn without_a_width_nothing_is_cut() {
        let shown = grid(&[("a", texts(&[&"x".repeat(500)]))]).render(Palette::PLAIN, None);
        assert!(shown.contains(&"x".repeat(500)) && !shown.contains('…'));
        let shown = grid(&[("a", texts(&[&"x".repeat(5_000)]))]).render(Palette::PLAIN, None);
        assert!(shown.contains("--format jsonl writes them whole"));
    }
}
