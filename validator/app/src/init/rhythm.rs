//! The rhythm in which rows are committed, and the `settle` that follows from it.

use super::limits::COMMITS_MAX;

/// Distances between commits that added rows, milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rhythm {
    /// Commits that were looked at.
    pub commits: usize,
    /// Half of the distances are at most this.
    pub median_ms: i64,
    /// 95 of 100 are at most this.
    pub most_ms: i64,
}

/// Steps that a person would write, milliseconds: seconds, minutes, hours.
const STEPS_MS: [i64; 19] = [
    1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000, 90_000, 120_000, 300_000, 600_000, 900_000, 1_800_000,
    3_600_000, 7_200_000, 14_400_000, 21_600_000, 43_200_000, 86_400_000,
];

impl Rhythm {
    /// The rhythm of these commits, oldest first; none of fewer than three.
    pub fn of(commits_ms: &[i64]) -> Option<Self> {
        let newest = &commits_ms[commits_ms.len().saturating_sub(COMMITS_MAX)..];
        let mut apart: Vec<i64> = newest.windows(2).map(|pair| pair[1] - pair[0]).filter(|ms| *ms >= 0).collect();
        apart.sort_unstable();
        if apart.len() < 2 {
            return None;
        }
        let share = |of_100: usize| apart[(apart.len() * of_100).div_ceil(100).clamp(1, apart.len()) - 1];
        Some(Self { commits: newest.len(), median_ms: share(50), most_ms: share(95) })
    }

    /// A message may wait for one commit and be written by the next: twice the distance, in a step that a person would
    /// write.
    pub fn settle_ms(self) -> i64 {
        let wanted = self.most_ms.saturating_mul(2);
        STEPS_MS.into_iter().find(|step| *step >= wanted).unwrap_or(wanted)
    }
}

/// Milliseconds as a duration that a person would write: `90s`, `15m`, `2h`.
pub fn duration(ms: i64) -> String {
    match ms {
        _ if ms % 3_600_000 == 0 && ms > 0 => format!("{}h", ms / 3_600_000),
        _ if ms % 60_000 == 0 && ms > 0 => format!("{}m", ms / 60_000),
        _ if ms % 1_000 == 0 => format!("{}s", ms / 1_000),
        _ => format!("{ms}ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settle_is_twice_the_usual_distance_of_commits() {
        let every_minute: Vec<i64> = (0..50).map(|n| n * 60_000).collect();
        let rhythm = Rhythm::of(&every_minute).expect("fifty commits are a rhythm");
        assert_eq!((rhythm.commits, rhythm.median_ms, duration(rhythm.settle_ms()).as_str()), (50, 60_000, "2m"));
        assert_eq!(Rhythm::of(&[0, 60_000]), None, "one distance is no rhythm");
        let quarter: Vec<i64> = (0..200).map(|n| n * 900_000).collect();
        assert_eq!(Rhythm::of(&quarter).map(|rhythm| duration(rhythm.settle_ms())).as_deref(), Some("30m"));
    }
}
