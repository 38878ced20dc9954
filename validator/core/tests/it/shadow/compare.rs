//! What the shadow says at rest, in the words of the truth.

use std::collections::{BTreeMap, BTreeSet};

use fixtures_kit::story::{Content, Key, Moment, StoryFinding, StoryMode, StoryTruth, key_of};
use validator_core::judge::{Draft, MessageState, MessageTally, RowTally};
use validator_core::position::{MessageAt, PartitionIndex};
use validator_core::segment::SegmentKey;
use validator_core::shadow::blame::{Taker, Took};
use validator_core::shadow::delta::{FindingChange, FindingPlace};
use validator_core::shadow::event::Why;
use validator_core::shadow::file::FileId;
use validator_core::shadow::told::{Facts, is_of_event, is_told_once};
use validator_core::verdict::{Cause, MessageVerdict, Verdict};

use super::machine::Machine;

/// What a finding is about: the message, or the rows of one that has none.
type Place = (Option<(usize, i64)>, Vec<(usize, u64)>);

impl Machine<'_> {
    /// The truth of the moment. `said`: where it leaves something open, this is one of the answers.
    pub fn truth(&self, said: &StoryTruth) -> StoryTruth {
        let high_watermarks = self.shadow.lanes().iter().map(|lane| lane.high_watermark);
        let ends: Vec<(i64, i64)> = self.positions().into_iter().zip(high_watermarks).collect();
        let seen: Vec<usize> = self.steps.iter().map(|(snapshot, _)| *snapshot).collect();
        let (ends, seen, judged_at_ms) = (ends.as_slice(), seen.as_slice(), self.shadow.judged_at_ms());
        let hidden = (-10..1_000).filter(|window| self.shadow.is_hidden(Some(*window))).collect();
        let unknown = match self.world.mode {
            StoryMode::Upsert => self.lacking(said),
            _ => self.unseen(said).into_iter().chain(self.paired_unseen(said)).collect(),
        };
        let moment = Moment { ends, head: self.cursor(), seen, hidden: &hidden, unknown: &unknown, judged_at_ms };
        if self.world.mode == StoryMode::Upsert {
            return StoryTruth::upserted(self.world.story, &moment, &self.withdrawn(said));
        }
        StoryTruth::windowed(self.world.story, self.world.mode, self.shadow.floor().first(), &moment)
    }

    /// Messages that are said to have a row which is another one, and of which the shadow says that nobody knows whether they had their own: where
    /// one is not known to have expired, a row whose identity is damaged may be its.
    fn paired_unseen(&self, said: &StoryTruth) -> Vec<(usize, i64)> {
        let corrupted = said.findings.iter().filter(|finding| finding.verdict == "corrupted");
        corrupted.filter_map(|finding| finding.message).filter(|at| self.may_have_stood(at)).collect()
    }

    /// Whether the shadow says that nobody knows whether a message had a row.
    pub fn may_have_stood(&self, (lane, offset): &(usize, i64)) -> bool {
        let partition = PartitionIndex(u32::try_from(*lane).expect("few lanes"));
        self.shadow.may_have_stood(MessageAt { partition, offset: *offset })
    }

    /// Messages that were shown for sure, or are said to have been. One that a deletion of an unknown key may explain counts as
    /// any other that has no row.
    fn withdrawn(&self, said: &StoryTruth) -> BTreeSet<(usize, i64)> {
        let may_be = |finding: &&StoryFinding| matches!(finding.verdict, "withdrawn" | "unobservable");
        let of_said = said.findings.iter().filter(may_be).filter_map(|finding| finding.message);
        // Where values come back, the row that was there may be that of the first version. One of a lane before may have come later.
        let of_said = of_said.filter(|(lane, offset)| !self.comes_back(*lane, *offset));
        of_said.chain(self.shown.iter().copied()).collect()
    }

    /// Messages of which it is said that they have no row and never had one, or a row that is another one, and that were not shown for sure.
    fn lacking(&self, said: &StoryTruth) -> BTreeSet<(usize, i64)> {
        let lacks =
            |finding: &&StoryFinding| matches!(finding.verdict, "missing" | "overdue" | "unobservable" | "corrupted");
        let lacking = said.findings.iter().filter(lacks).filter_map(|finding| finding.message);
        lacking.filter(|at| !self.shown.contains(at)).collect()
    }

    /// Notes which messages the table shows, where all is at rest.
    pub fn note_shown(&mut self) {
        let Some(head) = self.cursor() else { return };
        let (story, positions) = (self.world.story, self.positions());
        let rows = story.snapshots[head].live.iter().flat_map(|(file, _)| &story.files[*file].rows);
        let rows: BTreeSet<(Key, u64)> = rows.map(|row| (key_of(row.lane, row.offset), row.value)).collect();
        // Of equal versions nobody can say whose row it is.
        let mut shown: BTreeMap<(Key, u64), Vec<(usize, i64)>> = BTreeMap::new();
        for (number, lane) in story.lanes.iter().enumerate() {
            for message in lane.messages.iter().filter(|one| (lane.first()..positions[number]).contains(&one.offset)) {
                let Content::Row(value) = message.content else { continue };
                let row = (key_of(number, message.offset), value);
                if rows.contains(&row) {
                    shown.entry(row).or_default().push((number, message.offset));
                }
            }
        }
        self.shown.extend(shown.into_values().filter(|equal| equal.len() == 1).flatten());
    }

    /// Whether an earlier message of the lane and key of a message has the same values.
    fn comes_back(&self, number: usize, offset: i64) -> bool {
        let lane = &self.world.story.lanes[number];
        let of = |offset: i64| lane.messages.iter().find(|message| message.offset == offset).map(|one| one.content);
        let earlier = lane.messages.iter().filter(|one| (lane.first()..offset).contains(&one.offset));
        let mut equal = earlier.filter(|one| Some(one.content) == of(offset));
        equal.any(|one| key_of(number, one.offset) == key_of(number, offset))
    }

    /// What the shadow says.
    pub fn said(&self) -> StoryTruth {
        let totals = self.shadow.standing();
        let mut findings: BTreeMap<Place, StoryFinding> = BTreeMap::new();
        let mut put = |finding: StoryFinding| {
            let rows = if finding.message.is_some() { Vec::new() } else { finding.rows.clone() };
            findings.insert((finding.message, rows), finding);
        };
        self.told().into_iter().for_each(&mut put);
        self.of_runs().into_iter().for_each(&mut put);
        for draft in self.shadow.findings().into_values() {
            put(self.of_draft(draft));
        }
        let mut findings: Vec<StoryFinding> = findings.into_values().collect();
        // A row alone may stand several times, once for each entry of its file.
        findings.extend(self.repeated());
        findings.sort();
        let messages = totals.lanes.iter().map(|lane| words_of(&lane.messages)).collect();
        let late = totals.lanes.iter().map(|lane| lane.messages.late).collect();
        // What the shadow does not know it counts by files: see `check_late`.
        StoryTruth { messages, rows: words_of_rows(&totals.rows), late, untold: 0, findings, expired: Vec::new() }
    }

    /// Of each message of which nobody can know whether its row came late the shadow says so: of all rows of its file, where it
    /// must.
    pub fn check_late(&self, truth: &StoryTruth) {
        if self.world.mode == StoryMode::Upsert {
            return assert_eq!(self.shadow.standing().late(), None, "nothing of keys says it");
        }
        let standing = self.shadow.standing();
        let (said, intact) = (standing.untold, standing.messages().intact);
        let (late, known) = (standing.messages().late, truth.late.iter().sum());
        assert!(
            late <= known && known <= late + said,
            "{known} are late, {late} are said, and {said} rows are not known"
        );
        assert!(truth.untold <= said, "of {} intact messages nobody knows it, and {said} rows are said", truth.untold);
        if said == 0 {
            assert_eq!(late, known, "all is known");
        } else if truth.untold == intact && said == standing.rows_read && intact > 0 {
            assert_eq!(standing.late(), None, "nothing is known");
        }
    }

    /// What a segment of a window counts as before it is read is what the judge says of each of its messages: how many there are.
    pub fn check_unread(&self) -> usize {
        if !matches!(self.world.mode, StoryMode::Key | StoryMode::Content) {
            return 0;
        }
        let findings = self.shadow.findings();
        let mut unread = 0;
        for (number, lane) in self.world.story.lanes.iter().enumerate() {
            let messages = self.messages(number, &(lane.first()..self.positions()[number]));
            for message in messages.iter().filter(|message| message.state == MessageState::Judged) {
                let segment = self.segment_of_message(message);
                let Some(verdict) = self.shadow.unread(segment).filter(|_| !self.shadow.floor().is_above(segment))
                else {
                    continue;
                };
                let place = FindingPlace::Message { lane: message.at.partition, offset: message.at.offset };
                assert!(findings.contains_key(&(place, verdict.into())), "{:?} is no {verdict:?}", message.at);
                unread += 1;
            }
        }
        unread
    }

    /// Undecodable messages, diverted ones too: told when they came or were named, and kept by the ledger.
    fn told(&self) -> Vec<StoryFinding> {
        let undecodable = |finding: &&FindingChange| is_of_event(finding.verdict, &finding.facts);
        let of_ledger = self.ledger.findings.values().filter(undecodable).filter_map(|finding| match &finding.place {
            FindingPlace::Message { lane, offset } => Some(StoryFinding {
                verdict: finding.verdict.as_str(),
                cause: finding.cause.map(Cause::as_str),
                message: Some((lane.0 as usize, *offset)),
                rows: Vec::new(),
            }),
            _ => None,
        });
        of_ledger.collect()
    }

    /// What the ledger has open beside undecodable messages and the table: what the state says (I7).
    pub fn check_ledger(&self) {
        let open = self.ledger.findings.values().filter(|finding| !is_of_event(finding.verdict, &finding.facts));
        let open: BTreeSet<(FindingPlace, Verdict)> = open.map(|one| (one.place.clone(), one.verdict)).collect();
        let said = self.shadow.findings().into_keys().filter(|(place, verdict)| !self.is_told_once(place, *verdict));
        assert_eq!(open, said.collect(), "I7: open findings are those of the state");
        self.check_unseen();
    }

    fn is_told_once(&self, place: &FindingPlace, verdict: Verdict) -> bool {
        let FindingPlace::Message { lane, offset } = place else { return is_told_once(verdict) };
        let mut messages = self.world.story.lanes[lane.0 as usize].messages.iter();
        messages.any(|message| {
            let is_unread = message.content == Content::Undecodable || self.is_unknown_deletion(message);
            message.offset == *offset && is_unread
        })
    }

    /// The ledger says it of each message without a row, where nobody can know whether it had one; of a whole segment without rows it
    /// is always known.
    fn check_unseen(&self) {
        let rowless = [MessageVerdict::Missing, MessageVerdict::Overdue].map(Verdict::Message);
        for finding in self.ledger.findings.values().filter(|finding| rowless.contains(&finding.verdict)) {
            let FindingPlace::Message { lane, offset } = finding.place else { continue };
            let said = Facts::from_bytes(finding.verdict, &finding.facts).expect("as it was written").may_have_stood;
            let now = self.shadow.may_have_stood(MessageAt { partition: lane, offset });
            assert_eq!(said, now, "whether {lane:?}@{offset} may have had a row");
        }
        let width = self.world.story.width as i64;
        for (segment, (verdict, ..)) in self.shadow.runs() {
            let SegmentKey::Offsets { partition, index } = *segment else { continue };
            let may = self.shadow.may_have_stood(MessageAt { partition, offset: index * width });
            assert!(!may || !rowless.contains(&Verdict::Message(*verdict)), "{segment} may have had rows");
        }
    }

    /// Who is named for a row that is gone did it, or is the last of those who may have. Given back: withdrawn messages, and
    /// of them those for which one step is named.
    pub fn check_blames(&self, said: &StoryTruth) -> (usize, usize) {
        let withdrawn = said.findings.iter().filter(|finding| finding.verdict == "withdrawn");
        let (mut all, mut named) = (0, 0);
        let steps: Vec<usize> = self.steps.iter().map(|(snapshot, _)| *snapshot).collect();
        // Equal messages of content alone are not told apart, and rows of keys are those of any version.
        let is_told_apart = matches!(self.world.mode, StoryMode::Offset | StoryMode::Key);
        let withdrawn = withdrawn.filter(|_| is_told_apart);
        for (lane, offset) in withdrawn.filter_map(|finding| finding.message) {
            let partition = PartitionIndex(u32::try_from(lane).expect("few lanes"));
            let blame = self.shadow.blame(MessageAt { partition, offset });
            let blame = blame.unwrap_or_else(|| panic!("nobody is named for {lane}@{offset}"));
            let Some(at) = StoryTruth::lost_at(self.world.story, &steps, lane, offset) else { continue };
            let is_meant = |at: usize| blame.taker == self.taker_at(at);
            let fits = if blame.alone { is_meant(at) } else { (at..steps.len()).any(is_meant) };
            assert!(fits, "{lane}@{offset} was lost at step {at} of {:?}, and {blame:?} is said", self.steps);
            (all, named) = (all + 1, named + usize::from(blame.alone));
        }
        (all, named)
    }

    fn taker_at(&self, at: usize) -> Taker {
        let (snapshot, why) = self.steps[at];
        let last = self.steps[at.saturating_sub(1)].0;
        let (named, took) = match (why, self.world.story.snapshots[snapshot].operation) {
            (Why::RolledBack, _) => (last, Took::RolledBack),
            (Why::Recreated, _) => (last, Took::Recreated),
            (Why::Jumped, _) => (snapshot, Took::Between),
            (Why::Next, "append") => (snapshot, Took::Append),
            (Why::Next, "replace") => (snapshot, Took::Replace),
            (Why::Next, "delete") => (snapshot, Took::Delete),
            (Why::Next, _) => (snapshot, Took::Overwrite),
        };
        Taker { snapshot: named as i64, took }
    }

    fn of_runs(&self) -> Vec<StoryFinding> {
        let mut findings = Vec::new();
        for (segment, (verdict, cause, messages)) in self.shadow.runs().clone() {
            let SegmentKey::Offsets { partition, index } = segment else { continue };
            let width = self.world.story.width as i64;
            let (lane, position) = (partition.0 as usize, self.positions()[partition.0 as usize]);
            let range = (index * width).max(self.world.story.lanes[lane].first())..((index + 1) * width).min(position);
            let judged = self.world.story.lanes[lane].messages.iter().filter(|message| {
                range.contains(&message.offset) && matches!(message.content, Content::Row(_) | Content::Inexact(_))
            });
            let before = findings.len();
            findings.extend(judged.map(|message| StoryFinding {
                verdict: verdict.as_str(),
                cause: cause.map(Cause::as_str),
                message: Some((lane, message.offset)),
                rows: Vec::new(),
            }));
            assert_eq!((findings.len() - before) as u64, messages, "a run says how many messages it has");
        }
        findings
    }

    fn of_draft(&self, draft: &Draft) -> StoryFinding {
        let corrupted = draft.verdict == Verdict::Message(MessageVerdict::Corrupted);
        let mut rows: Vec<(usize, u64)> =
            draft.rows.iter().map(|row| (self.of_story[&FileId(row.file.0)], row.position)).collect();
        rows.sort_unstable();
        StoryFinding {
            verdict: draft.verdict.as_str(),
            cause: draft.cause.map(Cause::as_str).filter(|cause| !corrupted || *cause == "stale_value"),
            message: draft.message.map(|at| (at.partition.0 as usize, at.offset)),
            rows,
        }
    }

    fn repeated(&self) -> Vec<StoryFinding> {
        let mut seen = BTreeSet::new();
        let alone = self.shadow.drafts().iter().filter(|draft| draft.message.is_none());
        alone.filter(|draft| !seen.insert(draft.rows[0])).map(|draft| self.of_draft(draft)).collect()
    }
}

fn words_of(tally: &MessageTally) -> BTreeMap<&'static str, u64> {
    let counts = MessageVerdict::ALL.iter().map(|verdict| (verdict.as_str(), tally.of(*verdict)));
    counts.filter(|(_, count)| *count > 0).collect()
}

fn words_of_rows(rows: &RowTally) -> BTreeMap<&'static str, u64> {
    let counts = [
        ("intact", rows.intact),
        ("corrupted", rows.corrupted),
        ("copies", rows.copies),
        ("phantom", rows.phantom),
        ("unjudged", rows.unjudged),
        ("unobservable", rows.unobservable),
        ("out_of_scope", rows.out_of_scope),
    ];
    counts.into_iter().filter(|(_, count)| *count > 0).collect()
}
