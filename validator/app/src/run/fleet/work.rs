//! A member at work: partitions into parcels, asks into answers.
//!
//! Contract: a partition is read on from where the parcels that wait for the judge end, and what was posted by another member
//! meanwhile is not posted again. How far it reads ahead is bounded: a judge that is slow, or not there, stops the tap.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::Arc;
use std::time::Instant;

use tokio::task::JoinSet;
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;
use validator_core::error_chain::error_chain;
use validator_core::position::{FileIndex, PartitionIndex};
use validator_core::shadow::lane::Lane;
use validator_core::shadow::told::lane_of;
use validator_engine::follow::Following;
use validator_engine::reconcile::Run;
use validator_ledger::{LaneHead, LedgerError, Link};
use validator_table::Reloaded;
use validator_tap::Membership;

use super::ahead::Ahead;
use super::dividing::{ScanAsk, answer};
use super::parcel::parcels;
use crate::failure::Failure;
use crate::run::keeping::damaged;
use crate::run::limits::{HAND_EVERY, PARCELS_AHEAD, PARCELS_AT_ONCE};
use crate::run::logs;
use crate::run::opening::Live;
use crate::run::reading::{Read, Reader};

/// See the module.
pub struct Working {
    name: String,
    member: String,
    link: Link,
    membership: Arc<Membership>,
    /// What the tap reads by.
    run: Run,
    /// What asks are answered by; none while one is.
    desk: Option<Box<Desk>>,
    lanes: Vec<Lane>,
    terms: [u8; 32],
    binding: [u8; 32],
    reader: Option<Reader>,
    /// By partition that is read here: where its next parcel begins.
    next: BTreeMap<PartitionIndex, i64>,
    /// Parcels of them that wait for the judge.
    ahead: usize,
    /// The ask that is worked at.
    claimed: Option<[u8; 32]>,
    answers: JoinSet<Answered>,
    /// The judge is this process, which has no time for its own asks.
    is_judge: bool,
}

enum Heard {
    Time,
    Read(Option<Read>),
    Answered(Answered),
}

/// An ask that was worked at.
struct Answered {
    desk: Box<Desk>,
    ask: [u8; 32],
    /// None: it is left to others.
    answer: Option<Vec<u8>>,
}

/// The table's side, where asks are answered beside the reading of partitions.
struct Desk {
    live: Live,
    /// The snapshot that was last asked for.
    pinned: Option<Run>,
}

impl Working {
    /// Over what is opened. `terms` are those of the files, and the binding that the judge goes by.
    pub fn new(
        (name, member): (String, String),
        link: Link,
        membership: Arc<Membership>,
        live: Live,
        lanes: Vec<Lane>,
        (terms, binding): ([u8; 32], [u8; 32]),
    ) -> Self {
        Self {
            name,
            member,
            link,
            membership,
            run: live.run.clone(),
            desk: Some(Box::new(Desk { live, pinned: None })),
            lanes,
            terms,
            binding,
            reader: None,
            next: BTreeMap::new(),
            ahead: 0,
            claimed: None,
            answers: JoinSet::new(),
            is_judge: false,
        }
    }

    /// Until it is told to stop, or both sides are to be opened anew.
    ///
    /// # Errors
    /// What cannot be read, or no member any more.
    pub async fn run(mut self, stop: &CancellationToken) -> Result<(), Failure> {
        let mut looks_at = Instant::now();
        loop {
            let heard = {
                let (reader, answers, has_room) = (&mut self.reader, &mut self.answers, self.ahead < PARCELS_AHEAD);
                let read = async {
                    match reader {
                        Some(reader) if has_room => reader.read.recv().await,
                        _ => pending().await,
                    }
                };
                let answered = async {
                    match answers.join_next().await {
                        Some(answered) => answered,
                        None => pending().await,
                    }
                };
                tokio::select! {
                    biased;
                    () = stop.cancelled() => return Ok(()),
                    () = sleep_until(looks_at.into()) => Heard::Time,
                    answered = answered => match answered {
                        Ok(answered) => Heard::Answered(answered),
                        Err(error) => return Err(Failure::Following(format!("a scan broke off: {error}"))),
                    },
                    read = read => Heard::Read(read),
                }
            };
            let goes_on = match heard {
                Heard::Time => {
                    let goes_on = self.look().await?;
                    looks_at = Instant::now() + HAND_EVERY;
                    goes_on
                }
                Heard::Read(read) => self.read(read).await?,
                Heard::Answered(Answered { desk, ask, answer }) => {
                    (self.desk, self.claimed) = (Some(desk), None);
                    self.link.answer(ask, answer).await?;
                    self.claim().await?;
                    true
                }
            };
            if !goes_on {
                return Ok(());
            }
        }
    }

    /// Looks at the ledger and the group: what is to be read here, and from where on.
    async fn look(&mut self) -> Result<bool, Failure> {
        if let Some(seat) = self.link.seat().await? {
            if seat.terms != self.terms {
                return Err(LedgerError::OtherTerms { name: self.name.clone() }.into());
            }
            if seat.binding != Some(self.binding) {
                return Ok(false);
            }
            self.is_judge = seat.member == self.member;
        }
        let ours = self.membership.ours()?;
        let heads = self.link.lane_heads().await?;
        let position = |head: &LaneHead| Ok(lane_of(head.row.clone()).map_err(damaged)?.position);
        let Some(ahead) = Ahead::of(&heads, self.lanes.iter().map(|lane| &lane.tp), &ours, position)? else {
            return Ok(false);
        };
        for (lane, end) in ahead.strays {
            self.link.drop_behind(lane, end).await?;
        }
        self.ahead = ahead.parcels;
        if ahead.next != self.next {
            self.read_from(ahead.next)?;
        }
        match self.claimed {
            Some(ask) => self.link.keep_claim(ask).await?,
            None => self.claim().await?,
        }
        Ok(true)
    }

    fn read_from(&mut self, next: BTreeMap<PartitionIndex, i64>) -> Result<(), Failure> {
        let names = |of: &BTreeMap<PartitionIndex, i64>| -> Vec<String> {
            of.iter().map(|(lane, at)| format!("{}@{at}", self.lanes[lane.0 as usize].tp)).collect()
        };
        tracing::info!(pipeline = self.name, member = self.member, partitions = ?names(&next), "reads");
        self.reader = None;
        if !next.is_empty() {
            let from = next.iter().map(|(lane, at)| (*lane, *at)).collect();
            self.reader = Some(Reader::start_apart(&self.name, &self.run, from).map_err(Failure::Runtime)?);
        }
        self.next = next;
        Ok(())
    }

    /// Posts what was read; false: the judge goes by something else.
    async fn read(&mut self, first: Option<Read>) -> Result<bool, Failure> {
        let (mut read, mut all) = (first, Vec::new());
        let mut wrong = None;
        loop {
            match read {
                Some(Read::Following(Following::Batch(batch))) => all.extend(parcels(batch)),
                Some(Read::Following(other)) => wrong = self.told(other),
                Some(Read::Ended(Some(error))) => wrong = Some(Failure::Run(error.into())),
                Some(Read::Posted(_)) => {}
                Some(Read::Ended(None)) | None => {
                    wrong = Some(Failure::Following("the topics are followed no further".to_owned()));
                }
            }
            if wrong.is_some() || all.len() >= PARCELS_AT_ONCE {
                break;
            }
            match self.reader.as_mut().and_then(|reader| reader.read.try_recv().ok()) {
                Some(next) => read = Some(next),
                None => break,
            }
        }
        if !all.is_empty() {
            match self.link.post(self.binding, &all).await {
                Err(LedgerError::OtherTerms { .. }) => return Ok(false),
                posted => posted?,
            }
            self.ahead += all.len();
            self.next.extend(all.into_iter().map(|parcel| (parcel.lane, parcel.offsets.end)));
        }
        wrong.map_or(Ok(true), Err)
    }

    /// What is told beside messages; an error ends this reading.
    fn told(&self, following: Following) -> Option<Failure> {
        let tp = |lane: PartitionIndex| self.lanes.get(lane.0 as usize).map(|lane| lane.tp.clone());
        match following {
            Following::Batch(_) | Following::Quiet | Following::Trimmed { .. } => None,
            Following::OutOfRange { partition, asked, log_start, high_watermark, .. } => {
                let tp = tp(partition)?;
                if asked >= log_start {
                    return Some(Failure::Away(Arc::new(logs::not_that_log(tp, asked, high_watermark))));
                }
                logs::say_overtaken(&self.name, &tp, asked..log_start);
                None
            }
            Following::Lost { text, since } => {
                tracing::warn!(pipeline = self.name, seconds = since.as_secs(), "no broker answers: {text}");
                None
            }
            Following::Stopped { why, .. } => Some(Failure::Away(why)),
        }
    }

    /// Takes an ask up, where there is one and this process has time.
    async fn claim(&mut self) -> Result<(), Failure> {
        if self.is_judge || self.desk.is_none() {
            return Ok(());
        }
        let Some((ask, body)) = self.link.claim(self.binding).await? else { return Ok(()) };
        let Some(mut desk) = self.desk.take() else { return Ok(()) };
        self.claimed = Some(ask);
        let pipeline = self.name.clone();
        self.answers.spawn(async move {
            let answer = desk.answer(&pipeline, &body).await;
            Answered { desk, ask, answer }
        });
        Ok(())
    }
}

impl Desk {
    /// What an ask is answered, empty where the judge is to look itself; none: it is left to others.
    async fn answer(&mut self, pipeline: &str, body: &[u8]) -> Option<Vec<u8>> {
        let Ok(ask) = serde_json::from_slice::<ScanAsk>(body) else { return Some(Vec::new()) };
        let Some(run) = self.run_at(ask.snapshot).await else { return Some(Vec::new()) };
        let files: Option<Vec<FileIndex>> = ask.paths.iter().map(|path| run.pinned.index_of(path)).collect();
        let Some(files) = files else { return Some(Vec::new()) };
        match run.scan_files(&ask.lanes(), &files).await {
            Ok(scans) => {
                tracing::info!(pipeline, files = scans.len(), "scanned files for the judge");
                Some(answer(&scans))
            }
            Err(error) => {
                tracing::warn!(pipeline, "files are left to others: {}", error_chain(&error));
                None
            }
        }
    }

    /// Both sides over a snapshot; none: it is not there for this member, or of another schema.
    async fn run_at(&mut self, snapshot: i64) -> Option<Run> {
        if let Some(run) = self.pinned.as_ref().filter(|run| run.pinned.snapshot_id == Some(snapshot)) {
            return Some(run.clone());
        }
        let live = &mut self.live;
        if let Ok(Reloaded::Changed(table)) = live.source.reload(&live.table).await {
            live.table = *table;
        }
        let pinned = live.table.pin_with(&live.cache, snapshot).await.ok()?;
        let run = live.run.repinned(Arc::new(pinned))?;
        Some(self.pinned.insert(run).clone())
    }
}
