//! What a service holds, by simulated time: bytes of the heap, and whether they grow.
//!
//! A sample is what a copy of the service takes, once it let go of pages that the ledger has: the world, the ledger and what tests hold
//! are not in it. All worlds of a binary take turns, since the allocator counts for all of them.

use std::sync::Mutex;

use validator_core::limits::PAGES_HELD_MAX;
use validator_core::shadow::holdings::Holdings;

use crate::HEAP;
use crate::ledger::bytes_of;
use crate::service::{Held, Service};

/// By how much a service may grow in a simulated hour: what 36 bytes a commit are.
pub const GROWTH_BYTES_MAX: f64 = 65_536.0;

/// By how much the greatest peak of the second half may be above that of the first: how much is on its way when a clock goes ahead, and is
/// before the judge then, is chance.
const PEAKS_APART_MAX: usize = 4;

/// Whose turn it is.
pub static TURN: Mutex<()> = Mutex::new(());

/// The end of a period, when all is at rest.
#[derive(Debug, Clone, Copy)]
pub struct Rest {
    /// How old the world is.
    hours: f64,
    /// Bytes of the heap.
    heap: usize,
    /// Bytes that a restart would read.
    saved: usize,
    /// Bytes of the greatest page of the ledger, whether it is held or not.
    page: usize,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Measured {
    /// By period.
    pub rests: Vec<Rest>,
    /// By period the most bytes of any minute.
    pub peaks: Vec<usize>,
    /// The most pages that were held.
    pub pages: usize,
    /// What was held at the last rest.
    pub holdings: Holdings,
    peak: usize,
}

impl Measured {
    /// A sample of a minute.
    pub fn sample(&mut self, held: &Held) -> usize {
        let holdings = held.shadow.holdings();
        self.pages = self.pages.max(holdings.pages);
        self.holdings = holdings;
        let before = HEAP.current_usage();
        let mut copy = held.clone();
        copy.shadow.let_go();
        let bytes = HEAP.current_usage() - before;
        self.peak = self.peak.max(bytes);
        bytes
    }

    /// A sample at the end of a period.
    pub fn rest(&mut self, service: &Service) {
        let bytes = self.sample(&service.held);
        let hours = service.world.age_ms() as f64 / 3_600_000.0;
        let (saved, page) = (bytes_of(&service.ledger.saved()), service.ledger.page_bytes_max());
        self.rests.push(Rest { hours, heap: bytes, saved, page });
        self.peaks.push(std::mem::take(&mut self.peak));
    }

    /// By how many bytes the heap and the saved state grow in an hour, from the end of the second period to that of the last but one:
    /// in those between nothing happens that stays.
    pub fn growth(&self) -> (f64, f64) {
        let slope = |of: fn(&Rest) -> usize| {
            slope(&self.between().iter().map(|rest| (rest.hours, of(rest) as f64)).collect::<Vec<_>>())
        };
        (slope(|rest| rest.heap), slope(|rest| rest.saved))
    }

    fn between(&self) -> &[Rest] {
        let upto = self.rests.len().saturating_sub(1);
        &self.rests[1.min(upto)..upto]
    }

    /// Whether it grows, in words; none: it does not.
    pub fn grows(&self) -> Option<String> {
        let (heap, saved) = self.growth();
        let (first, later) = self.peaks.split_at(self.peaks.len() / 2);
        let most = |peaks: &[usize]| peaks.iter().max().copied().unwrap_or(0);
        let (first, later) = (most(first), most(later));
        let pages: Vec<usize> = self.between().iter().map(|rest| rest.page).collect();
        if heap > GROWTH_BYTES_MAX || saved > GROWTH_BYTES_MAX {
            Some(format!("{heap:.0} bytes of the heap and {saved:.0} saved bytes an hour"))
        } else if later > first * PEAKS_APART_MAX {
            Some(format!("{later} bytes at a peak of the second half, {first} in the first"))
        } else if pages.last() > pages.first().map(|bytes| bytes * 2).as_ref() {
            Some(format!("the greatest page by period has {pages:?} bytes"))
        } else if self.holdings.pages > PAGES_HELD_MAX {
            Some(format!("{} pages are held at rest", self.holdings.pages))
        } else {
            None
        }
    }
}

/// Of least squares.
fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let over: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    let under: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    if under > 0.0 { over / under } else { 0.0 }
}

#[test]
fn a_slope_is_that_of_a_line() {
    assert_eq!(slope(&[(0.0, 5.0), (1.0, 7.0), (2.0, 9.0)]), 2.0);
    assert_eq!(slope(&[(1.0, 5.0)]), 0.0);
}
