//! The heat map: partitions × slices of their offset ranges, with the number of findings in each.
//!
//! Contract: bounded; where there are more partitions than rows, neighbours are joined and the page says so. Cells of a
//! row add up to its total.

use validator_core::report::PartitionReport;
use validator_core::spread::Slices;

use crate::render::short::name;
use crate::render::{count, counted};

/// Most rows.
const ROWS_MAX: usize = 24;

/// Shades beside that of none.
const SHADES: u32 = 5;

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct HeatView {
    /// What a column is: `1`, …
    pub columns: Vec<String>,
    /// Partitions, or runs of them.
    pub rows: Vec<HeatRow>,
    /// How it is to be read, and what was joined.
    pub sentences: Vec<String>,
}

/// One row.
#[derive(Debug, Clone)]
pub struct HeatRow {
    /// `trades[0]`, or `trades[0] to trades[3]`.
    pub name: String,
    /// `0..1,000`
    pub offsets: String,
    /// In the order of offsets.
    pub cells: Vec<HeatCell>,
    /// Findings of the row.
    pub total: String,
}

/// One cell.
#[derive(Debug, Clone)]
pub struct HeatCell {
    /// A short number; empty for none.
    pub number: String,
    /// `3 findings at offsets 0..100`
    pub title: String,
    /// 0 for none, to 5.
    pub shade: u32,
}

/// The heat map of a report's partitions; `slices` are theirs, in their order.
pub fn heat(partitions: &[PartitionReport], slices: &[Slices], findings: u64) -> HeatView {
    let columns = slices.iter().map(|one| one.counts().len()).max().unwrap_or(0);
    if columns == 0 {
        return HeatView::default();
    }
    let each = partitions.len().div_ceil(ROWS_MAX);
    let groups: Vec<(&[PartitionReport], &[Slices])> = partitions.chunks(each).zip(slices.chunks(each)).collect();
    let sums: Vec<Vec<u64>> = groups.iter().map(|(_, slices)| summed(slices, columns)).collect();
    let most = sums.iter().flatten().copied().max().unwrap_or(0);
    let one_topic = partitions.windows(2).all(|pair| pair[0].topic == pair[1].topic);
    let rows = groups.iter().zip(&sums);
    let rows = rows.map(|((partitions, slices), sums)| row(partitions, one_topic, slices, (sums, most))).collect();
    let located: u64 = slices.iter().map(Slices::total).sum();
    let mut sentences = vec![format!(
        "Each row is a partition, cut into up to {columns} slices of the offsets that were read, from the first on the left \
         to the last on the right; a cell counts the findings in its slice."
    )];
    if each > 1 {
        sentences.push(format!(
            "There are {}, more than fit: {each} neighbours share a row.",
            counted(partitions.len() as u64, "partition", "partitions")
        ));
    }
    if findings > located {
        let elsewhere = match findings - located {
            1 => "1 finding is about a row alone, a file or the table, and has no offset".to_owned(),
            many => format!("{} findings are about rows alone, files or the table, and have no offset", count(many)),
        };
        sentences.push(format!("{elsewhere}: not in this map."));
    }
    HeatView { columns: (1..=columns).map(|nth| nth.to_string()).collect(), rows, sentences }
}

/// Findings by column; a shorter range is spread over them.
fn summed(slices: &[Slices], columns: usize) -> Vec<u64> {
    let mut sums = vec![0; columns];
    for one in slices {
        for (nth, number) in one.counts().iter().enumerate() {
            sums[nth * columns / one.counts().len()] += number;
        }
    }
    sums
}

fn row(partitions: &[PartitionReport], one_topic: bool, slices: &[Slices], (sums, most): (&[u64], u64)) -> HeatRow {
    // Where there is one topic, its name says nothing here.
    let title_of = |one: &PartitionReport| match one_topic {
        true => one.partition.to_string(),
        false => format!("{}[{}]", name(&one.topic), one.partition),
    };
    let name = match partitions {
        [first, .., last] => format!("{} to {}", title_of(first), title_of(last)),
        _ => partitions.first().map(title_of).unwrap_or_default(),
    };
    let offsets = match partitions {
        [one] => format!("{}..{}", one.from, one.to),
        _ => counted(partitions.len() as u64, "partition", "partitions"),
    };
    let cells = sums.iter().enumerate().map(|(column, number)| HeatCell {
        number: if *number > 0 { compact(*number) } else { String::new() },
        title: title(*number, column, slices, sums.len()),
        shade: shade(*number, most),
    });
    HeatRow { name, offsets, cells: cells.collect(), total: count(sums.iter().sum()) }
}

fn title(number: u64, column: usize, slices: &[Slices], columns: usize) -> String {
    let findings = counted(number, "finding", "findings");
    let [one] = slices else { return findings };
    let held = (0..one.counts().len()).find(|nth| nth * columns / one.counts().len() == column);
    held.map_or(findings.clone(), |nth| {
        let offsets = one.offsets(nth);
        format!("{findings} at offsets {}..{}", offsets.start, offsets.end)
    })
}

/// By the logarithm: one finding among thousands elsewhere is still seen.
fn shade(number: u64, most: u64) -> u32 {
    match (number, most) {
        (0, _) => 0,
        (_, 0..=1) => 2,
        _ => 1 + ((number as f64).ln() / (most as f64).ln() * f64::from(SHADES - 1)).round() as u32,
    }
}

/// At most four characters: `999`, `1.2k`, `34k`, `5M`.
fn compact(number: u64) -> String {
    const UNITS: [&str; 7] = ["", "k", "M", "G", "T", "P", "E"];
    let power = (0..UNITS.len()).rev().find(|power| number >= 1000u64.pow(*power as u32)).unwrap_or(0);
    let unit = 1000u64.pow(power as u32);
    let (whole, tenth) = (number / unit, number / (unit / 10).max(1) % 10);
    match (power, whole) {
        (1.., 1..10) if tenth > 0 => format!("{whole}.{tenth}{}", UNITS[power]),
        _ => format!("{whole}{}", UNITS[power]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_fit_into_a_cell() {
        let cases = [(1, "1"), (999, "999"), (1_000, "1k"), (1_299, "1.2k"), (34_999, "34k"), (5_000_000, "5M")];
        for (number, text) in cases {
            assert_eq!(compact(number), text);
        }
        assert!(compact(u64::MAX).len() <= 4);
    }

    #[test]
    fn shades_grow_with_numbers_and_one_is_seen() {
        assert_eq!([shade(0, 9), shade(1, 1), shade(1, 1_000_000), shade(1_000_000, 1_000_000)], [0, 2, 1, 5]);
        assert!((1..1000).all(|number| shade(number, 1000) <= shade(number + 1, 1000)));
        assert_eq!(shade(u64::MAX, u64::MAX), 5);
    }
}
