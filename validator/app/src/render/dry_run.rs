//! `--dry-run`: what would be read, and how much.

use super::number::{bytes, count, counted};
use crate::open::Estimate;

/// What a run would read, as text.
pub fn dry_run(estimate: &Estimate) -> String {
    let partitions = counted(estimate.partitions as u64, "partition", "partitions");
    let files = counted(estimate.files as u64, "file", "files");
    format!(
        "would read\n  messages  {} at most, of {partitions}\n  rows      {}, of {files}, {}\nnothing was judged\n",
        count(estimate.messages),
        count(estimate.rows),
        bytes(estimate.bytes),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dry_run_says_messages_rows_files_and_bytes() {
        let estimate = Estimate { messages: 1_000_000, partitions: 3, files: 1, rows: 999_999, bytes: 123_456_789 };
        insta::assert_snapshot!(dry_run(&estimate), @r"
        would read
          messages  1,000,000 at most, of 3 partitions
          rows      999,999, of 1 file, 117.7 MiB
        nothing was judged
        ");
    }
}
