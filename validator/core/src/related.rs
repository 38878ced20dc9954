//! Mode `content`: which missing message and which phantom row are the two halves of one damaged row.
//!
//! Contract: they are when they differ in one column, and when neither differs in one column from another one: a link that is
//! not unique is none. Linear in values, whatever repeats. Source: interface.md §4, Content mode.

use std::collections::HashMap;

use crate::value::{Fingerprint, Value};

/// The fingerprints of one content, by column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Print {
    columns: Box<[Fingerprint]>,
    sum: Fingerprint,
}

impl Print {
    /// Of these values, one for each column.
    pub fn of(values: &[Value]) -> Self {
        let columns: Box<[Fingerprint]> =
            values.iter().enumerate().map(|(column, value)| value.fingerprint(column)).collect();
        let sum = columns.iter().fold(0, |sum: Fingerprint, print| sum.wrapping_add(*print));
        Self { columns, sum }
    }

    /// The same for two contents that are equal in all other columns.
    fn without(&self, column: usize) -> Fingerprint {
        self.sum.wrapping_sub(self.columns[column])
    }
}

/// One link, by places in the two lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Link {
    /// The missing message.
    pub message: usize,
    /// The phantom row.
    pub row: usize,
    /// The column in which they differ.
    pub column: usize,
}

/// The unique links between these messages and rows, in the order of the messages. No message equals a row.
pub fn links(messages: &[Print], rows: &[Print]) -> Vec<Link> {
    let columns = messages.iter().chain(rows).map(|print| print.columns.len()).min().unwrap_or(0);
    let mut partners_of_message = vec![0u64; messages.len()];
    let mut partners_of_row = vec![0u64; rows.len()];
    let mut links = Vec::new();
    for column in 0..columns {
        let mut alike: HashMap<Fingerprint, (Vec<usize>, Vec<usize>)> = HashMap::new();
        for (message, print) in messages.iter().enumerate() {
            alike.entry(print.without(column)).or_default().0.push(message);
        }
        for (row, print) in rows.iter().enumerate() {
            if let Some((_, rows)) = alike.get_mut(&print.without(column)) {
                rows.push(row);
            }
        }
        for (messages, rows) in alike.values() {
            messages.iter().for_each(|message| partners_of_message[*message] += rows.len() as u64);
            rows.iter().for_each(|row| partners_of_row[*row] += messages.len() as u64);
            if let ([message], [row]) = (messages.as_slice(), rows.as_slice()) {
                links.push(Link { message: *message, row: *row, column });
            }
        }
    }
    links.retain(|link| partners_of_message[link.message] == 1 && partners_of_row[link.row] == 1);
    links.sort_unstable();
    links
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn print(values: &[i64]) -> Print {
        Print::of(&values.iter().map(|value| Value::integer(*value)).collect::<Vec<_>>())
    }

    fn linked(messages: &[&[i64]], rows: &[&[i64]]) -> Vec<(usize, usize, usize)> {
        let prints = |of: &[&[i64]]| of.iter().map(|values| print(values)).collect::<Vec<_>>();
        links(&prints(messages), &prints(rows)).iter().map(|link| (link.message, link.row, link.column)).collect()
    }

    #[test]
    fn a_message_and_a_row_that_differ_in_one_column_are_linked() {
        assert_eq!(linked(&[&[1, 2, 3], &[7, 8, 9]], &[&[7, 8, 8], &[1, 5, 3]]), [(0, 1, 1), (1, 0, 2)]);
    }

    #[test]
    fn two_columns_are_no_link_and_swapped_ones_neither() {
        assert_eq!(linked(&[&[1, 2, 3]], &[&[1, 5, 5]]), []);
        assert_eq!(linked(&[&[1, 2, 3]], &[&[2, 1, 3]]), []);
    }

    #[test]
    fn a_link_that_is_not_unique_is_none() {
        // Two rows for a message, in the same column and in another one; two messages for a row; equal messages.
        assert_eq!(linked(&[&[1, 2]], &[&[1, 3], &[1, 4]]), []);
        assert_eq!(linked(&[&[1, 2]], &[&[1, 3], &[4, 2]]), []);
        assert_eq!(linked(&[&[1, 2], &[1, 3]], &[&[1, 4]]), []);
        assert_eq!(linked(&[&[1, 2], &[1, 2]], &[&[1, 4]]), []);
    }

    proptest! {
        #[test]
        fn links_are_those_of_a_comparison_of_all_with_all(
            messages in prop::collection::vec(prop::collection::vec(0i64..3, 3), 0..6),
            rows in prop::collection::vec(prop::collection::vec(0i64..3, 3), 0..6),
        ) {
            // No message equals a row: step 1 has paired those.
            let rows: Vec<Vec<i64>> = rows.into_iter().filter(|row| !messages.contains(row)).collect();
            let differing = |message: &[i64], row: &[i64]| -> Vec<usize> {
                (0..3).filter(|column| message[*column] != row[*column]).collect()
            };
            let near = |message: &[i64], row: &[i64]| differing(message, row).len() == 1;
            let mut expected = Vec::new();
            for (m, message) in messages.iter().enumerate() {
                for (r, row) in rows.iter().enumerate() {
                    let alone = rows.iter().filter(|other| near(message, other)).count() == 1
                        && messages.iter().filter(|other| near(other, row)).count() == 1;
                    if near(message, row) && alone {
                        expected.push((m, r, differing(message, row)[0]));
                    }
                }
            }
            let messages: Vec<&[i64]> = messages.iter().map(Vec::as_slice).collect();
            let rows: Vec<&[i64]> = rows.iter().map(Vec::as_slice).collect();
            prop_assert_eq!(linked(&messages, &rows), expected);
        }
    }
}
