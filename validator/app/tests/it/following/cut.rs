//! A tap whose following tells its ends and pauses at random, as brokers do.

use std::ops::{ControlFlow, Range};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use validator_core::hole::Hole;
use validator_core::position::PartitionIndex;
use validator_tap::{
    Follow, Followed, Message, PartitionRange, ReadEnd, RowSource, Schemas, Tap, TapError, Wanted, wanted_of,
};

/// Numbers that look random, the same for the same seed.
#[derive(Debug)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number from 1 to `most`.
    pub fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        1 + self.0 % most
    }
}

/// See the module.
#[derive(Debug)]
pub struct CutTap {
    inner: Arc<dyn Tap>,
    seed: u64,
    followings: AtomicU64,
}

impl CutTap {
    pub fn new(inner: Arc<dyn Tap>, seed: u64) -> Self {
        Self { inner, seed, followings: AtomicU64::new(0) }
    }
}

impl Tap for CutTap {
    fn partitions(&self) -> &[PartitionRange] {
        self.inner.partitions()
    }

    fn read(
        &self,
        wanted: &[Wanted],
        each: &mut dyn FnMut(&Message<'_>) -> ControlFlow<()>,
    ) -> Result<ReadEnd, TapError> {
        self.inner.read(wanted, each)
    }

    fn follow(&self, from: &[(PartitionIndex, i64)], each: Follow<'_>) -> Result<(), TapError> {
        let following = self.followings.fetch_add(1, Ordering::Relaxed);
        let mut dice = Dice::new(self.seed ^ (following << 32));
        // How long a batch mostly is.
        let (length, mut last) = (dice.below(60), None);
        let end = self.inner.read(&wanted_of(self, from), &mut |message| {
            // The partition that was read before is at its end, so far.
            if let Some((partition, position)) = last.replace((message.partition, message.offset + 1))
                && dice.below(length) == 1
                && partition != message.partition
            {
                each(Followed::End { partition, position })?;
            }
            each(Followed::Message(message))?;
            if dice.below(length) == 1 {
                let partition = message.partition;
                match dice.below(4) {
                    1 => each(Followed::End { partition, position: message.offset + 1 }),
                    2 => each(Followed::Trimmed { partition, log_start: 0 }),
                    _ => each(Followed::Quiet),
                }?;
            }
            ControlFlow::Continue(())
        })?;
        if !end.stopped {
            let _ = validator_tap::tell_ends(&end.partitions, each);
        }
        Ok(())
    }

    fn explain(&self, gaps: &[(PartitionIndex, Range<i64>)]) -> Result<Vec<(PartitionIndex, Hole)>, TapError> {
        self.inner.explain(gaps)
    }

    fn compacted(&self, topic: &str) -> Option<bool> {
        self.inner.compacted(topic)
    }

    fn schemas(&self) -> Option<Arc<Schemas>> {
        self.inner.schemas()
    }

    fn rows(&self) -> Option<&dyn RowSource> {
        self.inner.rows()
    }
}
