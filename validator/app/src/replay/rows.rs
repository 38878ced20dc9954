//! Rows of data files by their places, and the predicate that means exactly them.
//!
//! Contract: a predicate names file and position, so that it finds nothing, and never another row, once a rewrite has moved
//! the rows. It is Spark SQL over the metadata columns that Iceberg gives every table.

use std::collections::BTreeMap;

use serde::Serialize;
use validator_core::finding::RowPlace;

/// Rows of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rows {
    /// The file's path, as the manifest has it.
    pub file: String,
    /// 0-based row numbers, ascending.
    pub positions: Vec<u64>,
    /// They and no others, in Spark SQL.
    pub predicate: String,
}

/// Rows of files, each once, with the offset that each shows where that is known.
#[derive(Debug, Default)]
pub struct RowSet {
    files: BTreeMap<String, BTreeMap<u64, Option<i64>>>,
}

impl RowSet {
    /// Adds a row; one without a position is a file and no row.
    pub fn add(&mut self, row: &RowPlace, offset: Option<i64>) {
        if let Some(position) = row.position {
            self.files.entry(row.file.clone()).or_default().insert(position, offset);
        }
    }

    /// By file; `offset_column` guards rows whose offset is known.
    pub fn rows(self, offset_column: Option<&str>) -> Vec<Rows> {
        let of_file = |(file, rows): (String, BTreeMap<u64, Option<i64>>)| {
            let positions: Vec<u64> = rows.keys().copied().collect();
            let mut predicate = format!("_file = {} AND _pos IN ({})", literal(&file), list(&positions));
            let offsets: Option<Vec<i64>> = rows.values().copied().collect();
            if let (Some(column), Some(mut offsets)) = (offset_column, offsets) {
                offsets.sort_unstable();
                offsets.dedup();
                predicate += &format!(" AND {} IN ({})", identifier(column), list(&offsets));
            }
            Rows { file, positions, predicate }
        };
        self.files.into_iter().map(of_file).collect()
    }
}

fn list<T: ToString>(numbers: &[T]) -> String {
    numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Text as Spark reads it: a backslash escapes, a doubled quote does not.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// A path of column names, each quoted.
pub fn identifier(path: &str) -> String {
    path.split('.').map(|name| format!("`{}`", name.replace('`', "``"))).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_predicate_means_the_rows_of_a_file_and_is_guarded_by_their_offsets() {
        let mut set = RowSet::default();
        let place = |file: &str, position| RowPlace { file: file.to_owned(), position };
        set.add(&place("b's\\.parquet", Some(7)), Some(12));
        set.add(&place("b's\\.parquet", Some(3)), Some(12));
        set.add(&place("a.parquet", Some(0)), None);
        set.add(&place("c.parquet", None), Some(1));
        let rows = set.rows(Some("meta.offset"));
        assert_eq!(rows.iter().map(|rows| rows.positions.as_slice()).collect::<Vec<_>>(), [[0].as_slice(), &[3, 7]]);
        assert_eq!(rows[0].predicate, "_file = 'a.parquet' AND _pos IN (0)");
        let expected = r"_file = 'b\'s\\.parquet' AND _pos IN (3, 7) AND `meta`.`offset` IN (12)";
        assert_eq!(rows[1].predicate, expected);
    }
}
