//! The value of each figure at one moment.

use validator_core::judge::RowTally;
use validator_core::verdict::{Cause, MessageVerdict, RowVerdict, Verdict};

use super::figure::{Figure, Series};
use super::history::History;
use crate::run::status::{Phase, Status};

/// The findings that one alert speaks of.
pub type Group = Option<(Verdict, Option<Cause>)>;

/// One moment of one pipeline.
pub struct View<'a> {
    /// What it says of itself.
    pub status: &'a Status,
    /// What it said before.
    pub history: &'a History,
    /// The findings that are meant; none: all.
    pub group: Group,
    /// The wall clock.
    pub now_ms: i64,
}

impl View<'_> {
    /// The value of a figure, flags as 0 and 1; none where it is not known.
    pub fn value(&self, figure: Figure) -> Option<f64> {
        let status = self.status;
        let flag = |is_so: bool| Some(f64::from(u8::from(is_so)));
        match figure {
            Figure::Fidelity(None) => status.figures().fidelity,
            Figure::Fidelity(Some(window)) => {
                let (unfaithful, whole) = self.spent(window)?;
                (whole > 0).then(|| 1.0 - unfaithful as f64 / whole as f64)
            }
            Figure::Completeness => status.figures().completeness,
            Figure::Precision => status.figures().precision,
            Figure::Coverage => status.figures().coverage,
            Figure::BurnRate(window) => self.burn_rate(window),
            Figure::Messages(verdict, None) => Some(status.messages.of(verdict) as f64),
            Figure::Messages(verdict, Some(window)) => self.change(Series::Messages(verdict), window),
            Figure::Rows(verdict, None) => Some(count(status, Series::Rows(verdict)) as f64),
            Figure::Rows(verdict, Some(window)) => self.change(Series::Rows(verdict), window),
            Figure::Findings(verdict) => Some(self.findings(verdict) as f64),
            Figure::Consumed(None) => Some(count(status, Series::Consumed) as f64),
            Figure::Consumed(Some(window)) => self.change(Series::Consumed, window),
            Figure::Lag => status.lag().map(|lag| lag as f64),
            Figure::Age => Some(status.age_s(self.now_ms)),
            Figure::Landing(share) => status.landing.as_ref()?.quantile(share),
            Figure::HeadRoom => status.head_room_s(),
            Figure::CheckpointAge => {
                let at_ms = status.checkpoint.map_or(status.since_ms, |checkpoint| checkpoint.at_ms);
                Some((self.now_ms - at_ms).max(0) as f64 / 1_000.0)
            }
            Figure::Disputed => Some(status.segments.disputed as f64),
            Figure::Starting => flag(status.phase == Phase::Starting),
            Figure::Degraded => flag(status.phase == Phase::Degraded),
            Figure::CannotJudge => flag(matches!(status.phase, Phase::CannotJudge | Phase::Failed)),
            Figure::Failed => flag(status.phase == Phase::Failed),
        }
    }

    fn change(&self, series: Series, window_ms: i64) -> Option<f64> {
        self.history.change(self.status, series, window_ms).map(|change| change as f64)
    }

    /// Unfaithful ones that a window added, and of how many: what is taken back (rows that land late) is no loss. Loss
    /// without anything new, such as rows that are deleted, is of itself.
    fn spent(&self, window_ms: i64) -> Option<(i64, i64)> {
        let unfaithful = self.history.change(self.status, Series::Unfaithful, window_ms)?.max(0);
        let whole = self.history.change(self.status, Series::Whole, window_ms)?;
        Some((unfaithful, whole.max(unfaithful)))
    }

    /// The share of unfaithful ones of a window, in budgets (1 − target). A window without anything spends nothing. Source:
    /// The Site Reliability Workbook, chapter 5.
    fn burn_rate(&self, window_ms: i64) -> Option<f64> {
        let (unfaithful, whole) = self.spent(window_ms)?;
        let share = if whole > 0 { unfaithful as f64 / whole as f64 } else { 0.0 };
        let budget = 1.0 - self.status.target;
        Some(match (share > 0.0, budget > 0.0) {
            (false, _) => 0.0,
            (true, true) => share / budget,
            // A target of 1 has no budget: any loss spends more than all of it.
            (true, false) => f64::INFINITY,
        })
    }

    fn findings(&self, verdict: Option<Verdict>) -> u64 {
        let is_meant = |of: &(Verdict, Option<Cause>)| {
            verdict.is_none_or(|verdict| of.0 == verdict) && self.group.is_none_or(|group| *of == group)
        };
        let ignored = |of| self.status.ignored.get(of).copied().unwrap_or(0);
        let told = self.status.findings.iter().map(|(of, count)| (of, count.saturating_sub(ignored(of))));
        told.filter(|(of, _)| is_meant(of)).map(|(_, count)| count).sum()
    }
}

/// Verdict and cause as words, `missing/lost`; empty of all findings.
pub fn words(group: Group) -> String {
    match group {
        None => String::new(),
        Some((verdict, None)) => verdict.as_str().to_owned(),
        Some((verdict, Some(cause))) => format!("{verdict}/{cause}"),
    }
}

/// The group of these words; none where they are those of another version.
pub fn group_of(words: &str) -> Option<Group> {
    let (verdict, cause) = match words.split_once('/') {
        Some((verdict, cause)) => (verdict, Some(cause)),
        None => (words, None),
    };
    let verdict = Verdict::all().find(|known| known.as_str() == verdict)?;
    let cause = match cause {
        Some(cause) => Some(Cause::of(verdict).into_iter().find(|known| known.as_str() == cause)?),
        None => None,
    };
    Some(Some((verdict, cause)))
}

/// A count of a status.
pub fn count(status: &Status, series: Series) -> u64 {
    let (messages, rows) = (&status.messages, &status.rows);
    match series {
        Series::Whole => {
            let figures = status.figures();
            figures.due + figures.phantom + figures.surplus
        }
        Series::Unfaithful => {
            let figures = status.figures();
            figures.due + figures.phantom + figures.surplus - figures.faithful
        }
        Series::Consumed => MessageVerdict::ALL.iter().map(|verdict| messages.of(*verdict)).sum(),
        Series::Messages(verdict) => messages.of(verdict),
        Series::Rows(verdict) => count_rows(rows, verdict),
    }
}

/// Rows of a verdict.
pub fn count_rows(rows: &RowTally, verdict: RowVerdict) -> u64 {
    match verdict {
        RowVerdict::Intact => rows.intact,
        RowVerdict::Corrupted => rows.corrupted,
        RowVerdict::Copies => rows.copies,
        RowVerdict::Phantom => rows.phantom,
        RowVerdict::Unjudged => rows.unjudged,
        RowVerdict::Unobservable => rows.unobservable,
        RowVerdict::OutOfScope => rows.out_of_scope,
        // They stand beside another verdict, and are findings.
        RowVerdict::Misrouted | RowVerdict::Stale => 0,
    }
}
