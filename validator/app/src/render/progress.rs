//! Progress on stderr: what is being done, how far, how fast, how long still. Only on a terminal.

use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often the clock of a bar moves without any advance.
const TICK: Duration = Duration::from_millis(200);

/// With a known end. Narrow terminals keep the numbers and lose the bar.
const BOUNDED: &str = "{prefix} {wide_bar} {human_pos}/{human_len} {per_sec} {eta} left";

/// Without a known end.
const UNBOUNDED: &str = "{prefix} {human_pos} {per_sec} {elapsed}";

/// The bars of a run.
#[derive(Debug, Clone)]
pub struct Progress {
    bars: MultiProgress,
    shown: bool,
}

/// One bar; it goes away when it is dropped.
#[derive(Debug)]
pub struct Phase {
    bars: MultiProgress,
    bar: ProgressBar,
}

impl Progress {
    /// Bars on stderr, or none: `--quiet`, no terminal.
    pub fn new(shown: bool) -> Self {
        let target = if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        Self { bars: MultiProgress::with_draw_target(target), shown }
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
    use super::*;

    #[test]
    fn a_phase_counts_and_outgrows_its_estimate() {
        let progress = Progress::new(false);
        let phase = progress.phase("messages", Some(10));
        phase.advance(7);
        phase.advance(7);
        assert_eq!((phase.position(), phase.bar.length()), (14, Some(14)));
        let open = progress.phase("rows", None);
        open.advance(3);
        assert_eq!((open.position(), open.bar.length()), (3, None));
    }
}
