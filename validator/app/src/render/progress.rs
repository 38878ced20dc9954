//! Progress on stderr: what is being done, how far, how fast, how long still, only on a terminal; and, unless all is to be
//! quiet, that very much differs, as soon as it is known.

use std::io::{self, Write as _};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use validator_engine::reconcile::Dispute;

use super::number::count;

/// How often the clock of a bar moves without any advance.
const TICK: Duration = Duration::from_millis(200);

/// With a known end. Narrow terminals keep the numbers and lose the bar.
const BOUNDED: &str = "{prefix} {wide_bar} {human_pos}/{human_len} {per_sec} {eta} left";

/// Without a known end.
const UNBOUNDED: &str = "{prefix} {human_pos} {per_sec} {elapsed}";

/// Messages of disputed segments that take a while to be read again.
const MANY_MESSAGES: u64 = 100_000;

/// What a run says while it goes on.
#[derive(Debug, Clone)]
pub struct Progress {
    bars: MultiProgress,
    shown: bool,
    talks: bool,
}

/// One bar; it goes away when it is dropped.
#[derive(Debug)]
pub struct Phase {
    bars: MultiProgress,
    bar: ProgressBar,
}

impl Progress {
    /// Bars on stderr if `talks` and `interactive`; without the first not a word.
    pub fn new(talks: bool, interactive: bool) -> Self {
        let shown = talks && interactive;
        let target = if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        Self { bars: MultiProgress::with_draw_target(target), shown, talks }
    }

    /// Not a word.
    pub fn none() -> Self {
        Self::new(false, false)
    }

    /// Says what is about to be read again, if that is most of a large run.
    pub fn disputed(&self, dispute: Dispute) {
        if let Some(text) = self.talks.then(|| of_dispute(dispute)).flatten() {
            // Where stderr is closed the run goes on without its talk.
            let _ = self.bars.suspend(|| writeln!(io::stderr(), "{text}"));
        }
    }

    /// Starts a bar: `messages`, `rows`. `total` is an estimate and may be passed.
    pub fn phase(&self, name: &str, total: Option<u64>) -> Phase {
        let template = if total.is_some() { BOUNDED } else { UNBOUNDED };
        let style = ProgressStyle::with_template(template).expect("the templates are constants and tested");
        let bar = self.bars.add(ProgressBar::no_length().with_style(style).with_prefix(name.to_owned()));
        if let Some(total) = total {
            bar.set_length(total);
        }
        if self.shown {
            bar.enable_steady_tick(TICK);
        }
        Phase { bars: self.bars.clone(), bar }
    }

    /// Runs something that writes to the terminal, with the bars out of its way.
    pub fn suspend<T>(&self, write: impl FnOnce() -> T) -> T {
        self.bars.suspend(write)
    }
}

fn of_dispute(Dispute { segments, messages }: Dispute) -> Option<String> {
    let (differing, all) = (segments.disputed, segments.balanced + segments.disputed);
    (differing * 2 > all && messages >= MANY_MESSAGES).then(|| {
        let (differing, all, messages) = (count(differing), count(all), count(messages));
        format!("{differing} of {all} segments differ: their {messages} messages are compared one by one")
    })
}

impl Phase {
    /// So many more are done. Cheap, from any thread; call it by batch, not by message.
    pub fn advance(&self, more: u64) {
        self.bar.inc(more);
        if let Some(length) = self.bar.length()
            && self.bar.position() > length
        {
            self.bar.set_length(self.bar.position());
        }
    }

    /// How many are done.
    pub fn position(&self) -> u64 {
        self.bar.position()
    }
}

impl Drop for Phase {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
        self.bars.remove(&self.bar);
    }
}

#[cfg(test)]
mod tests {
    use validator_engine::reconcile::SegmentNumbers;

    use super::*;

    #[test]
    fn that_most_of_a_large_run_differs_is_said_and_nothing_of_less() {
        let text = |balanced, disputed, messages| {
            of_dispute(Dispute { segments: SegmentNumbers { balanced, disputed }, messages })
        };
        let said = "1,200 of 1,224 segments differ: their 5,000,000 messages are compared one by one";
        assert_eq!(text(24, 1_200, 5_000_000).as_deref(), Some(said));
        assert_eq!(text(1_200, 24, 5_000_000), None);
        assert_eq!(text(0, 1, 99_999), None);
        assert_eq!(text(10, 0, 0), None);
    }

    #[test]
    fn a_phase_counts_and_outgrows_its_estimate() {
        let progress = Progress::none();
        let phase = progress.phase("messages", Some(10));
        phase.advance(7);
        phase.advance(7);
        assert_eq!((phase.position(), phase.bar.length()), (14, Some(14)));
        let open = progress.phase("rows", None);
        open.advance(3);
        assert_eq!((open.position(), open.bar.length()), (3, None));
    }
}
