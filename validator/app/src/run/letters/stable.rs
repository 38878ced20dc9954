//! Up to which instant the letters of a topic are all told, while transactions are open in it.
//!
//! Contract: a look is judged at an instant before which each letter that was committed then can be read. One that lies behind a
//! transaction that is still open is not told by the brokers before that ends, and its message would be called missing.

use validator_core::position::TopicPartition;
use validator_tap::{Ends, Tap, TapError};

/// A look that letters could not be read for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Behind {
    at_ms: i64,
    /// What the partitions of the letters held then.
    high_watermarks: Vec<i64>,
}

/// Where the letters end, as far as they are told.
pub(super) struct Stable {
    /// By partition.
    pub ends: Vec<Ends>,
    /// When all that was committed was before these ends; none: no look is known of which this can be said.
    pub at_ms: Option<i64>,
}

impl Behind {
    fn of(at_ms: i64, ends: &[Ends]) -> Self {
        Self { at_ms, high_watermarks: ends.iter().map(|end| end.high_watermark).collect() }
    }

    /// Whether no transaction of then is open any more.
    fn is_told(&self, ends: &[Ends]) -> bool {
        self.high_watermarks.iter().zip(ends).all(|(held, end)| end.last_stable >= *held)
    }
}

/// Asks where the letters end for a look of this instant. Where one transaction follows the other some are open at any time: the look
/// is then judged at the instant of one before it (`behind`), whose transactions have ended. Blocking.
///
/// # Errors
/// As [`Tap::ends`].
pub(super) fn stable(tap: &dyn Tap, at_ms: i64, behind: &mut Option<Behind>) -> Result<Stable, TapError> {
    let mut ends = tap.ends()?;
    let now = Behind::of(at_ms, &ends);
    if !now.is_told(&ends) {
        // High watermarks are asked for behind last stable offsets: what comes between them is behind no transaction.
        ends = tap.ends()?;
    }
    if now.is_told(&ends) {
        *behind = None;
        return Ok(Stable { ends, at_ms: Some(at_ms) });
    }
    let before = behind.take_if(|before| before.is_told(&ends));
    behind.get_or_insert(now);
    Ok(Stable { ends, at_ms: before.map(|before| before.at_ms) })
}

/// The first partition with letters behind an open transaction, and where it begins.
pub(super) fn first_open(tap: &dyn Tap, ends: &[Ends]) -> Option<(TopicPartition, i64)> {
    let open = ends.iter().find(|end| end.last_stable < end.high_watermark)?;
    Some((tap.partitions()[open.partition.0 as usize].tp.clone(), open.last_stable))
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::ops::{ControlFlow, Range};
    use std::sync::Mutex;

    use validator_core::hole::Hole;
    use validator_core::position::PartitionIndex;
    use validator_tap::{Message, PartitionRange, ReadEnd, Wanted};

    use super::*;

    /// Last stable offset and high watermark of one partition, by how often they are asked for.
    #[derive(Debug, Default)]
    struct Edges(Mutex<VecDeque<(i64, i64)>>);

    impl Tap for Edges {
        fn partitions(&self) -> &[PartitionRange] {
            &[]
        }

        fn read(&self, _: &[Wanted], _: &mut dyn FnMut(&Message<'_>) -> ControlFlow<()>) -> Result<ReadEnd, TapError> {
            Ok(ReadEnd::default())
        }

        fn ends(&self) -> Result<Vec<Ends>, TapError> {
            let next = self.0.lock().expect("nobody panics with it").pop_front();
            let (last_stable, high_watermark) = next.expect("asked for no more often");
            Ok(vec![Ends { partition: PartitionIndex(0), log_start: 0, last_stable, high_watermark }])
        }

        fn explain(&self, _: &[(PartitionIndex, Range<i64>)]) -> Result<Vec<(PartitionIndex, Hole)>, TapError> {
            Ok(Vec::new())
        }

        fn compacted(&self, _: &str) -> Option<bool> {
            None
        }
    }

    #[test]
    fn a_look_is_judged_at_an_instant_whose_letters_are_all_told() {
        let (edges, mut behind) = (Edges::default(), None);
        let mut look = |at_ms, asked: &[(i64, i64)]| {
            edges.0.lock().expect("nobody panics with it").extend(asked);
            let found = stable(&edges, at_ms, &mut behind).expect("told");
            assert!(edges.0.lock().expect("nobody panics with it").is_empty(), "asked less often");
            (found.at_ms, found.ends[0].last_stable)
        };
        assert_eq!(look(100, &[(8, 8)]), (Some(100), 8));
        assert_eq!(look(200, &[(8, 9), (9, 10)]), (Some(200), 9), "one came while the ends were asked for");
        assert_eq!(look(300, &[(8, 10), (8, 11)]), (None, 8), "a transaction is open since offset 8");
        assert_eq!(look(400, &[(8, 12), (8, 12)]), (None, 8));
        assert_eq!(look(500, &[(11, 13), (11, 13)]), (Some(300), 11), "it has ended, another has begun");
        assert_eq!(look(600, &[(12, 14), (12, 14)]), (None, 12));
        assert_eq!(look(700, &[(13, 15), (13, 15)]), (Some(500), 13));
        assert_eq!(look(800, &[(15, 15)]), (Some(800), 15), "all have ended");
        assert_eq!(look(900, &[(15, 17), (15, 17)]), (None, 15), "what was behind before is forgotten");
    }
}
