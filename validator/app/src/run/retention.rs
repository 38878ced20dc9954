//! When a broker will delete what is not consumed: told from the age of what was read last and the topic's retention, and from how the first
//! offset of each partition has moved; the sooner counts.
//!
//! Contract: of a log that gets no more messages and is consumed nothing is said. Age counts where messages that a look found wait still at
//! the next one; it is known as soon as anything was read. What moves the log's start besides (retention by size, deletion by hand) is told
//! once it has moved twice. A log is deleted in steps, so the rate is that between steps, and an answer is true to about one step.

use std::collections::{BTreeMap, VecDeque};

use super::limits::{HEAD_ROOM_WARNS_S, STEPS_KEPT};

/// The first offsets of all partitions, watched.
#[derive(Debug, Default)]
pub struct Retention {
    lanes: BTreeMap<u32, Watched>,
}

#[derive(Debug, Default)]
struct Watched {
    /// The first offset as last seen.
    log_start: Option<i64>,
    /// When it moved, and where to; milliseconds since the epoch.
    steps: VecDeque<(i64, i64)>,
    /// Where it ends, as last asked.
    end: Option<i64>,
    /// Where it ended at the last step but one, and at the last.
    ends: [Option<i64>; 2],
    /// Where it ended at the look before.
    end_before: Option<i64>,
    /// For how long the brokers keep messages.
    retention_ms: Option<i64>,
    /// The timestamp of what was read last.
    read_ms: Option<i64>,
    /// It was said that the head-room is short.
    is_told: bool,
}

impl Retention {
    /// The log of a partition ends there: to be told before where it begins.
    pub fn observe_end(&mut self, lane: u32, end: i64) {
        let watched = self.lanes.entry(lane).or_default();
        watched.end_before = watched.end.replace(end);
    }

    /// For how long the brokers keep messages of a partition by their age.
    pub fn observe_retention(&mut self, lane: u32, retention_ms: Option<i64>) {
        self.lanes.entry(lane).or_default().retention_ms = retention_ms;
    }

    /// A message of that time was read of a partition, and nothing behind it.
    pub fn observe_read(&mut self, lane: u32, timestamp_ms: i64) {
        self.lanes.entry(lane).or_default().read_ms = Some(timestamp_ms);
    }

    /// The log of a partition begins there.
    pub fn observe(&mut self, lane: u32, at_ms: i64, log_start: i64) {
        let watched = self.lanes.entry(lane).or_default();
        match watched.log_start.replace(log_start) {
            Some(before) if before < log_start => {
                // A clock that steps back would make the rate anything.
                watched.steps.retain(|(step_ms, _)| *step_ms < at_ms);
                watched.steps.push_back((at_ms, log_start));
                watched.ends = [watched.ends[1], watched.end];
                if watched.steps.len() > STEPS_KEPT {
                    watched.steps.pop_front();
                }
            }
            // It was made anew.
            Some(before) if before > log_start => watched.steps.clear(),
            Some(_) | None => {}
        }
    }

    /// Seconds until the log begins behind the position; none: nothing says that it ever will.
    pub fn head_room_s(&self, lane: u32, position: i64, now_ms: i64) -> Option<f64> {
        let watched = self.lanes.get(&lane)?;
        let (by_age, by_steps) = (watched.by_age(position, now_ms), watched.by_steps(position, now_ms));
        by_age.into_iter().chain(by_steps).min_by(f64::total_cmp)
    }

    /// Whether it is time to say that the head-room of a partition is short: once, until it is long again.
    pub fn warns(&mut self, lane: u32, head_room_s: Option<f64>) -> bool {
        let Some(watched) = self.lanes.get_mut(&lane) else { return false };
        let is_short = head_room_s.is_some_and(|seconds| seconds < HEAD_ROOM_WARNS_S);
        let is_new = is_short && !watched.is_told;
        // Back and forth around the bound is told once.
        if is_short || head_room_s.is_none_or(|seconds| seconds > 2.0 * HEAD_ROOM_WARNS_S) {
            watched.is_told = is_short;
        }
        is_new
    }
}

impl Watched {
    /// By the age of what is to be read next: no less than that of what was read last.
    fn by_age(&self, position: i64, now_ms: i64) -> Option<f64> {
        let goes_ms = self.read_ms?.saturating_add(self.retention_ms?);
        let waits = self.end_before.is_some_and(|end| position < end);
        waits.then(|| goes_ms.saturating_sub(now_ms).max(0) as f64 / 1_000.0)
    }

    /// By how the log's start has moved.
    fn by_steps(&self, position: i64, now_ms: i64) -> Option<f64> {
        let ((first_ms, first), (last_ms, last)) = (self.steps.front()?, self.steps.back()?);
        let gaps = i64::try_from(self.steps.len()).ok()? - 1;
        // Nothing has come from one deletion to the next, and all is consumed: there is nothing to lose.
        let is_quiet = self.end.is_some_and(|end| position >= end && self.ends == [Some(end); 2]);
        if gaps < 1 || is_quiet {
            return None;
        }
        let (since_ms, gap_ms) = ((now_ms - last_ms).max(0), (last_ms - first_ms) / gaps);
        // Steps that do not come any more make it slower.
        let has_paused = since_ms > 2 * gap_ms;
        let until_ms = if has_paused { now_ms } else { *last_ms };
        let per_ms = (last - first) as f64 / (until_ms - first_ms) as f64;
        let whole_ms = (position - last).max(0) as f64 / per_ms;
        let room_ms = if has_paused { whole_ms } else { whole_ms - since_ms as f64 };
        Some(room_ms.max(0.0) / 1_000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A log that loses 1,000 offsets every ten seconds, watched every second for a minute.
    fn watched() -> Retention {
        let mut retention = Retention::default();
        for second in 0..=60 {
            retention.observe(0, second * 1_000, second / 10 * 1_000);
        }
        retention
    }

    #[test]
    fn steps_of_deletion_tell_when_the_position_is_reached() {
        let retention = watched();
        // 100 offsets a second; 4,000 offsets above where the log begins at second 60.
        assert_eq!(retention.head_room_s(0, 10_000, 60_000), Some(40.0));
        assert_eq!(retention.head_room_s(0, 10_000, 65_000), Some(35.0));
        assert_eq!(retention.head_room_s(0, 6_000, 60_000), Some(0.0), "the next step takes it");
        assert_eq!(retention.head_room_s(0, 0, 60_000), Some(0.0), "it is gone");
    }

    #[test]
    fn one_step_and_a_log_that_stands_say_nothing() {
        let mut retention = Retention::default();
        assert_eq!(retention.head_room_s(0, 9, 0), None);
        for (at_ms, log_start) in [(0, 0), (10_000, 0), (20_000, 500), (30_000, 500)] {
            retention.observe(0, at_ms, log_start);
            assert_eq!(retention.head_room_s(0, 900, at_ms), None);
        }
        retention.observe(0, 40_000, 1_000);
        assert!(retention.head_room_s(0, 1_900, 40_000).is_some());
        retention.observe(0, 50_000, 0);
        assert_eq!(retention.head_room_s(0, 900, 50_000), None, "another log");
    }

    #[test]
    fn a_log_that_is_deleted_no_more_leaves_ever_more_time() {
        let retention = watched();
        let later = [120_000, 600_000].map(|now_ms| retention.head_room_s(0, 10_000, now_ms).expect("it moved"));
        // 5,000 offsets in 110 and in 590 seconds.
        assert!((later[0] - 88.0).abs() < 0.1 && (later[1] - 472.0).abs() < 0.1, "{later:?}");
    }

    #[test]
    fn a_consumed_log_that_gets_nothing_more_has_nothing_to_lose() {
        let mut retention = Retention::default();
        for (at_ms, log_start) in [(0, 0), (10_000, 400), (20_000, 800)] {
            retention.observe_end(0, 1_000);
            retention.observe(0, at_ms, log_start);
        }
        assert_eq!(retention.head_room_s(0, 1_000, 20_000), None);
        assert_eq!(retention.head_room_s(0, 900, 20_000), Some(2.5), "not all of it is consumed");
        retention.observe_end(0, 1_100);
        assert!(retention.head_room_s(0, 1_100, 20_000).is_some(), "there is more");
    }

    #[test]
    fn age_tells_it_as_soon_as_anything_was_read_while_messages_wait() {
        let mut retention = Retention::default();
        retention.observe_retention(0, Some(600_000));
        retention.observe_end(0, 1_000);
        retention.observe_read(0, 100_000);
        assert_eq!(retention.head_room_s(0, 500, 400_000), None, "they came since the look before");
        retention.observe_end(0, 1_000);
        assert_eq!(retention.head_room_s(0, 500, 400_000), Some(300.0));
        assert_eq!(retention.head_room_s(0, 500, 800_000), Some(0.0));
        assert_eq!(retention.head_room_s(0, 1_000, 400_000), None, "nothing waits");
        // The log moves faster than by age: what is sooner counts.
        for (at_ms, log_start) in [(380_000, 100), (390_000, 200), (400_000, 300)] {
            retention.observe(0, at_ms, log_start);
        }
        assert_eq!(retention.head_room_s(0, 500, 400_000), Some(20.0));
        retention.observe_retention(0, None);
        assert_eq!(retention.head_room_s(0, 500, 400_000), Some(20.0));
    }

    #[test]
    fn a_short_head_room_is_said_once() {
        let mut retention = watched();
        let short = Some(HEAD_ROOM_WARNS_S / 2.0);
        assert!(retention.warns(0, short) && !retention.warns(0, short));
        assert!(!retention.warns(0, Some(HEAD_ROOM_WARNS_S * 1.5)) && !retention.warns(0, short));
        assert!(!retention.warns(0, None) && retention.warns(0, short));
        assert!(!retention.warns(7, short), "nobody watches it");
    }
}
