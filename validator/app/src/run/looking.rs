//! Looks at the table: from the poll to the applied snapshot.
//!
//! Contract: metadata is loaded first, then the ends of the partitions are asked for, and nothing of the table is applied before
//! the tap has passed them: no row comes before its message. Where something cannot be asked the look is given up, its instant
//! with it, and the next poll tries again.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use validator_core::error_chain::error_chain;
use validator_core::position::{FileIndex, PartitionIndex};
use validator_core::shadow::event::{CannotLook, Event, Look, Step};
use validator_core::shadow::file::FileFacts;
use validator_engine::live::lanes::Lanes;
use validator_engine::live::scan::FileScan;
use validator_engine::reconcile::Run;
use validator_table::{Pinned, Reloaded, SnapshotSelector, StepPlan, TableError};

use super::actor::Actor;
use super::jobs::{Done, blocking};
use super::letters::LettersOfLook;
use super::logs;
use super::sight::{Found, Sight, Unseen};
use crate::failure::Failure;
use crate::open;

/// Where the current look is.
#[derive(Default)]
pub enum Looking {
    /// There is none: the next poll begins one.
    #[default]
    Resting,
    /// Catalog and brokers are asked.
    Asking,
    /// Its files are read or a snapshot is pinned; the answer goes on with it.
    Working(Plan),
    /// It waits for the tap to pass the barrier, or for the next step.
    Going(Plan),
}

/// A look that is not applied yet.
pub struct Plan {
    /// When it began, or an instant before that where not all letters of then are told.
    pub(super) at_ms: i64,
    /// By partition: last stable offset, high watermark.
    barrier: Vec<(PartitionIndex, i64, i64)>,
    /// Snapshots to step over, oldest first.
    steps: VecDeque<StepPlan>,
    /// The one that is pinned.
    target: Option<Target>,
    /// Whether the snapshot that the shadow stands at was asked for, where it is not what drills read.
    has_asked_line: bool,
    /// How far dead letters are read.
    pub(super) letters: LettersOfLook,
}

/// A pinned step.
struct Target {
    step: StepPlan,
    run: Run,
    live: Vec<FileFacts>,
    is_last: bool,
}

impl Looking {
    /// Whether there is no look.
    pub fn is_resting(&self) -> bool {
        matches!(self, Self::Resting)
    }
}

impl Actor {
    /// Begins a look when it is time, and goes on with the one that there is as far as it can.
    pub(super) async fn look(&mut self) -> Result<(), Failure> {
        if self.looking.is_resting() && Instant::now() >= self.next_look {
            self.next_look = Instant::now() + self.poll;
            self.looking = Looking::Asking;
            self.asking.doubts.look_begins();
            self.begin_asking();
        }
        loop {
            match std::mem::take(&mut self.looking) {
                Looking::Going(plan) if self.has_passed(&plan) => self.looking = self.go_on(plan).await?,
                other => {
                    self.looking = other;
                    return Ok(());
                }
            }
        }
    }

    /// Looks as soon as it can.
    pub(super) fn look_now(&mut self) {
        self.next_look = Instant::now();
    }

    fn begin_asking(&mut self) {
        let (table, source) = (self.live.table.clone(), self.live.source.clone());
        let tap = Arc::clone(&self.live.run.messages.tap);
        let outside = self.outside.clone();
        let (tps, positions) = (self.topic_partitions(), self.shadow.lanes().iter().map(|lane| lane.position));
        let positions: Vec<i64> = positions.collect();
        self.jobs.begin(async move {
            let at_ms = outside.now_ms();
            let found = async {
                let reloaded = source.reload(&table).await.map_err(Unseen::Table)?;
                let topics: BTreeSet<String> = tps.iter().map(|tp| tp.topic.clone()).collect();
                let asked = blocking(move || {
                    let (ends, grown) = (tap.ends()?, tap.grown()?);
                    let kept = topics.into_iter().filter_map(|topic| Some((tap.retention_ms(&topic)?, topic)));
                    Ok((ends, grown, kept.map(|(ms, topic)| (topic, ms)).collect()))
                });
                let (ends, grown, retention_ms) = asked.await.map_err(Unseen::Brokers)?;
                match logs::cut_behind(&tps, &positions, &ends) {
                    Some(cut) => Err(Unseen::Brokers(cut)),
                    None => Ok(grown.is_empty().then_some(Found { reloaded, ends, retention_ms })),
                }
            };
            Done::Look(match found.await {
                Ok(None) => Sight::Grown,
                Ok(Some(found)) => Sight::Asked { at_ms, found: Ok(found) },
                Err(unseen) => Sight::Asked { at_ms, found: Err(unseen) },
            })
        });
    }

    /// Partitions that the look waits for, and where they are.
    pub(super) fn waits_for(&self) -> Vec<(PartitionIndex, i64)> {
        let Looking::Going(plan) = &self.looking else { return Vec::new() };
        let lanes = plan
            .barrier
            .iter()
            .map(|(lane, barrier, _)| (*lane, self.shadow.lanes()[lane.0 as usize].position, *barrier));
        lanes.filter(|(_, position, barrier)| position < barrier).map(|(lane, position, _)| (lane, position)).collect()
    }

    fn has_passed(&self, plan: &Plan) -> bool {
        let lanes = self.shadow.lanes();
        plan.barrier.iter().all(|(lane, barrier, _)| lanes[lane.0 as usize].position >= *barrier)
    }

    /// A job of the look has ended.
    pub(super) async fn looked_up(&mut self, sight: Sight) -> Result<(), Failure> {
        let looking = std::mem::take(&mut self.looking);
        match (sight, looking) {
            (Sight::Asked { at_ms, found: Ok(found) }, _) => self.asked(at_ms, found).await,
            (Sight::Asked { found: Err(unseen), .. }, _) => self.unseen(&unseen).await,
            (Sight::Grown, _) => {
                self.reopen = Some("there are new partitions");
                Ok(())
            }
            (Sight::Pinned(pinned, steps), Looking::Working(plan)) => self.pinned(*pinned, steps, plan).await,
            (Sight::AtLine(pinned), Looking::Working(plan)) => self.at_line(*pinned, plan),
            (Sight::Scanned(Ok(scans)), Looking::Working(plan)) => self.scanned(scans, plan).await,
            (Sight::Scanned(Err(error)), _) => self.cannot_read("the table's files", error).await,
            (Sight::Lettered(letters), Looking::Working(plan)) => self.lettered(letters, plan).await,
            (Sight::Pinned(..) | Sight::AtLine(_) | Sight::Scanned(_) | Sight::Lettered(_), _) => Ok(()),
        }
    }

    async fn asked(&mut self, at_ms: i64, found: Found) -> Result<(), Failure> {
        let Found { reloaded, ends, retention_ms } = found;
        for (topic, id) in self.live.run.messages.tap.topic_ids() {
            self.notes.topic_ids.entry(topic).or_insert(id);
        }
        let lanes = self.shadow.lanes();
        let kept = |lane: PartitionIndex| retention_ms.get(&lanes.get(lane.0 as usize)?.tp.topic).copied();
        self.watching.ends(at_ms, &ends, kept);
        if let Reloaded::Changed(table) = reloaded {
            self.live.table = *table;
        }
        let steps = match self.live.table.steps(self.shadow.line(), &SnapshotSelector::Current) {
            Ok(steps) => VecDeque::from(steps),
            Err(error) => return self.unseen(&Unseen::Table(error)).await,
        };
        if !steps.is_empty() {
            self.idle.moved();
        }
        // Those that the contract leaves out are behind those that are followed.
        let followed = ends.iter().take(self.shadow.lanes().len());
        let barrier = followed.map(|end| (end.partition, end.last_stable, end.high_watermark)).collect();
        let letters = LettersOfLook::default();
        self.looking = Looking::Going(Plan { at_ms, barrier, steps, target: None, has_asked_line: false, letters });
        Ok(())
    }

    async fn unseen(&mut self, unseen: &Unseen) -> Result<(), Failure> {
        self.idle.moved();
        match unseen {
            Unseen::Table(error) => {
                self.warn(&format!("the table cannot be looked at: {}", error_chain(error)));
                self.cannot_look(error.cannot_look()).await
            }
            Unseen::Brokers(error) => {
                self.warn(&format!("the brokers cannot be asked: {}", error_chain(error)));
                self.cannot_look(CannotLook::Broker).await
            }
        }
    }

    async fn pinned(
        &mut self,
        pinned: Result<Option<(StepPlan, Pinned)>, TableError>,
        steps: VecDeque<StepPlan>,
        mut plan: Plan,
    ) -> Result<(), Failure> {
        plan.steps = steps;
        match pinned {
            Err(error) => return self.unseen(&Unseen::Table(error)).await,
            Ok(None) => {}
            Ok(Some((step, pinned))) => {
                open::refuse_masked(&self.pipeline, &self.live.run.messages.binding, &pinned)?;
                let live = pinned.facts();
                let Some(run) = self.live.run.repinned(Arc::new(pinned)) else {
                    self.reopen = Some("the schema of the table has changed");
                    return Ok(());
                };
                plan.target = Some(Target { step, run, live, is_last: plan.steps.is_empty() });
            }
        }
        self.looking = Looking::Going(plan);
        Ok(())
    }

    /// Where the snapshot that the shadow stands at could not be pinned when it was opened, it can by now: what drills read.
    fn at_line(&mut self, pinned: Result<Pinned, TableError>, plan: Plan) -> Result<(), Failure> {
        match pinned.map(|pinned| self.live.go_to(Arc::new(pinned))) {
            Ok(true) => self.live.is_at_line = true,
            Ok(false) => {
                self.reopen = Some("the schema of the table has changed");
                return Ok(());
            }
            Err(error) => {
                self.warn(&format!("the snapshot that was last applied cannot be read: {}", error_chain(&error)))
            }
        }
        self.looking = Looking::Going(plan);
        Ok(())
    }

    async fn scanned(&mut self, scans: Vec<FileScan>, mut plan: Plan) -> Result<(), Failure> {
        let (gone, there): (Vec<FileScan>, Vec<FileScan>) = scans.into_iter().partition(|scan| scan.is_gone);
        for scan in there {
            self.take_scan(scan).await?;
        }
        let mut is_news = false;
        for scan in &gone {
            is_news |= self.asking.doubts.miss(&scan.scanned.facts.path);
        }
        if is_news {
            // Perhaps expired while it was looked at: the metadata of now says what there is.
            tracing::info!(pipeline = self.name, "files are not there, and the table is looked at again");
            self.idle.moved();
            self.look_now();
            return Ok(());
        }
        if !gone.is_empty()
            && let Some(target) = plan.target.take_if(|target| !target.is_last)
        {
            // The metadata still has a snapshot whose files are gone; what the head lacks is told of the head.
            tracing::warn!(pipeline = self.name, snapshot = target.step.snapshot.id, "a snapshot is passed over");
            target.step.pass_over(&mut plan.steps);
            self.looking = Looking::Going(plan);
            return Ok(());
        }
        for scan in gone {
            self.take_scan(scan).await?;
        }
        self.looking = Looking::Going(plan);
        Ok(())
    }

    /// A file was read.
    pub(super) async fn take_scan(&mut self, scan: FileScan) -> Result<(), Failure> {
        self.notes.table.scanned(&scan);
        let (bags, path) = (scan.scanned.bags.clone(), scan.scanned.facts.path.clone());
        tracing::info!(pipeline = self.name, path = scan.scanned.facts.path, rows = bags.rows, "scanned a file");
        let bytes = scan.scanned.facts.size;
        self.publisher.change(|status| status.read_bytes.files += bytes);
        self.must(Event::Scanned(scan.scanned)).await?;
        let file = self.shadow.last_file();
        self.fresh.insert(file, bags);
        self.asking.doubts.scanned(file, &path, scan.faults, scan.is_gone, &self.shadow);
        Ok(())
    }

    /// The next part of a look whose barrier is passed.
    async fn go_on(&mut self, mut plan: Plan) -> Result<Looking, Failure> {
        if self.begin_letters(&mut plan) {
            return Ok(Looking::Working(plan));
        }
        if plan.target.is_none() && !plan.steps.is_empty() {
            let (table, cache) = (self.live.table.clone(), Arc::clone(&self.live.cache));
            let mut steps = std::mem::take(&mut plan.steps);
            self.jobs.begin(async move {
                let pinned = table.pin_next(&cache, &mut steps).await;
                Done::Look(Sight::Pinned(Box::new(pinned), steps))
            });
            return Ok(Looking::Working(plan));
        }
        let cursor = self.shadow.line().cursor.as_ref().map(|cursor| cursor.id);
        if let (None, false, false, Some(id)) = (&plan.target, self.live.is_at_line, plan.has_asked_line, cursor) {
            plan.has_asked_line = true;
            let (table, cache) = (self.live.table.clone(), Arc::clone(&self.live.cache));
            self.jobs.begin(async move { Done::Look(Sight::AtLine(Box::new(table.pin_with(&cache, id).await))) });
            return Ok(Looking::Working(plan));
        }
        if !self.has_begun().await? {
            tracing::debug!(pipeline = self.name, "no message came that says with which window the books begin");
            self.idle.looked();
            return Ok(Looking::Resting);
        }
        let is_last = plan.target.as_ref().is_none_or(|target| target.is_last);
        let step = plan.target.as_ref().map(|target| Step {
            snapshot: target.step.snapshot.clone(),
            uuid: target.run.pinned.uuid.clone(),
            why: target.step.why,
            live: target.live.clone(),
            moved_ms: self.moved_ms(&target.run),
        });
        // What the table was before the look began says nothing about the instant of the look.
        let at_ms = if is_last { plan.at_ms } else { self.shadow.judged_at_ms() };
        let look = Look { at_ms, barrier: plan.barrier.clone(), step };
        if look.step.is_some() && self.asking.doubts.has_read() && self.swap().await? {
            return Ok(Looking::Going(plan));
        }
        let unscanned = self.shadow.difference(&look).unscanned;
        if !unscanned.is_empty() {
            return self.scan(unscanned, &look, plan).await;
        }
        self.apply_look(look).await?;
        if let Some(target) = plan.target.take() {
            tracing::info!(pipeline = self.name, snapshot = target.step.snapshot.id, why = ?target.step.why, "applied a snapshot");
            self.notes.table.pinned(&target.run.pinned, &self.shadow);
            self.notes.steps += 1;
            self.notes.metadata_location.clone_from(&target.run.pinned.metadata_location);
            (self.live.run, self.live.is_at_line) = (target.run, true);
        }
        self.is_urgent |= self.unsaved_since.is_some();
        self.asking.due();
        if is_last {
            self.asking.doubts.looked(|path| self.shadow.is_live(path));
            self.idle.looked();
            self.watching.looked(&self.publisher);
        }
        Ok(if is_last { Looking::Resting } else { Looking::Going(plan) })
    }

    /// Reads files that the look needs. One that is live and was read again already first takes its own place.
    async fn scan(&mut self, paths: Vec<String>, look: &Look, plan: Plan) -> Result<Looking, Failure> {
        let is_live = paths.iter().any(|path| self.shadow.is_live(path));
        if look.step.is_some() && is_live && self.swap().await? {
            return Ok(Looking::Going(plan));
        }
        let run = plan.target.as_ref().map_or(&self.live.run, |target| &target.run);
        let files: Vec<FileIndex> = paths.iter().filter_map(|path| run.pinned.index_of(path)).collect();
        if files.len() < paths.len() {
            // A live file that is to be read again is not in what is pinned: only the next snapshot tells what became of it.
            self.warn("a live file cannot be found again, and the look is given up");
            self.cannot_look(CannotLook::Catalog).await?;
            return Ok(Looking::Resting);
        }
        if let Some(judging) = &self.fleet {
            let (dividing, run, lanes) = (judging.dividing.clone(), run.clone(), Lanes::of(&self.shadow));
            self.jobs.begin(async move { Done::Look(Sight::Scanned(dividing.scans(run, lanes, files).await)) });
            return Ok(Looking::Working(plan));
        }
        let portion = run.scan_portions(&files).into_iter().next().unwrap_or_default();
        let (run, lanes) = (run.clone(), self.lanes_to_scan());
        self.jobs.begin(async move { Done::Look(Sight::Scanned(run.scan_files(&lanes, &portion).await)) });
        Ok(Looking::Working(plan))
    }
}
