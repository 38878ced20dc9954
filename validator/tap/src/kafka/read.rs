//! Reading ranges of partitions with one consumer.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use rdkafka::consumer::Consumer as _;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};
use validator_core::position::TopicPartition;

use super::KafkaTap;
use super::client::{Ahead, Consumer, Deadline, Isolation, client_error};
use super::native::{Batch, Event, Source, Taken};
use super::open::Asker;
use super::progress::{Next, Progress};
use super::sources::Sources;
use crate::{Message, ReadEnd, TapError, Wanted, limits};

impl KafkaTap {
    /// Reads with the given isolation; see [`crate::Tap::read`].
    pub(super) fn read_as(
        &self,
        isolation: Isolation,
        wanted: &[Wanted],
        each: &mut dyn FnMut(&Message<'_>) -> ControlFlow<()>,
    ) -> Result<ReadEnd, TapError> {
        let mut progress: Vec<Progress<'_>> =
            wanted.iter().map(|(partition, ranges)| Progress::new(*partition, ranges)).collect();
        for progress in &mut progress {
            // What retention had taken when the tap was opened needs no look.
            progress.begin_at(self.range(progress).log_start);
        }
        if progress.iter().all(Progress::is_done) {
            return Ok(end(progress, false));
        }
        let consumer = self.clients.consumer(isolation, ahead(wanted))?;
        let mut assignment = TopicPartitionList::new();
        for progress in &progress {
            if let Some(target) = progress.target() {
                let tp = &self.range(progress).tp;
                assignment
                    .add_partition_offset(&tp.topic, tp.partition, Offset::Offset(target))
                    .map_err(|error| client_error(&error))?;
            }
        }
        consumer.assign(&assignment).map_err(|error| client_error(&error))?;
        let mut reading = Reading { tap: self, consumer: &consumer, progress, sources: Sources::default() };
        let stopped = reading.run(each)?.is_break();
        Ok(end(reading.progress, stopped))
    }

    fn range(&self, progress: &Progress<'_>) -> &crate::PartitionRange {
        &self.partitions[progress.partition.0 as usize]
    }
}

fn end(progress: Vec<Progress<'_>>, stopped: bool) -> ReadEnd {
    ReadEnd { partitions: progress.into_iter().map(Progress::into_end).collect(), stopped }
}

/// Long ranges are worth reading ahead; of short ones most of it would be thrown away.
fn ahead(wanted: &[Wanted]) -> Ahead {
    let ranges = wanted.iter().flat_map(|(_, ranges)| ranges);
    let (count, offsets) = ranges.fold((0, 0_i64), |(n, sum), r| (n + 1, sum.saturating_add(r.end - r.start)));
    if count > wanted.len() as i64 && offsets / count.max(1) < limits::SHORT_RANGE_OFFSETS {
        Ahead::Little
    } else {
        Ahead::Far
    }
}

/// One read on its way.
struct Reading<'a> {
    tap: &'a KafkaTap,
    consumer: &'a Consumer,
    progress: Vec<Progress<'a>>,
    /// The index in `progress` of each partition met.
    sources: Sources,
}

impl Reading<'_> {
    fn run(&mut self, each: &mut dyn FnMut(&Message<'_>) -> ControlFlow<()>) -> Result<ControlFlow<()>, TapError> {
        let consumer = self.consumer;
        let Some(mut batch) = Batch::of(consumer, limits::KAFKA_BATCH) else {
            return Err(TapError::Client { what: "the consumer has no queue".to_owned() });
        };
        let mut progressed = Instant::now();
        let mut moves: Vec<(usize, Next)> = Vec::new();
        while self.progress.iter().any(|p| !p.is_done()) {
            batch.take(limits::POLL);
            let mut any = false;
            for event in batch.events() {
                let Some((index, next)) = self.serve(&batch, &event, each, &mut any)? else { continue };
                match next {
                    Step::Break => return Ok(ControlFlow::Break(())),
                    Step::Go(Next::Continue) => {}
                    Step::Go(next) => {
                        moves.retain(|(moved, _)| *moved != index);
                        moves.push((index, next));
                    }
                }
            }
            for (index, next) in moves.drain(..) {
                self.go(index, next);
            }
            if any {
                progressed = Instant::now();
                continue;
            }
            // Also keeps the log lines from piling up.
            self.consumer.last_word();
            if progressed.elapsed() >= self.tap.stall_timeout {
                self.stall();
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

/// What an event asks for.
enum Step {
    Go(Next),
    Break,
}

impl Reading<'_> {
    /// Serves one event; the partition it concerns and what follows from it. `any` is set where it brought something.
    fn serve(
        &mut self,
        batch: &Batch<'_>,
        event: &Event<'_>,
        each: &mut dyn FnMut(&Message<'_>) -> ControlFlow<()>,
        any: &mut bool,
    ) -> Result<Option<(usize, Step)>, TapError> {
        match event {
            Event::Message(taken) => {
                let Some(index) = self.index_of(batch, taken.source()) else { return Ok(None) };
                let wanted = self.progress[index].meet(taken.offset());
                *any |= wanted;
                let flow = if wanted { self.deliver(index, taken, each) } else { ControlFlow::Continue(()) };
                let next = self.progress[index].after(taken.offset());
                let step = if flow.is_break() { Step::Break } else { Step::Go(next) };
                Ok(Some((index, step)))
            }
            Event::End { at, offset } => {
                let Some(index) = self.index_of(batch, *at) else { return Ok(None) };
                let next = self.progress[index].end_of_partition(*offset);
                *any |= next == Next::Done;
                Ok(Some((index, Step::Go(next))))
            }
            Event::Failed { at, code, text } => {
                tracing::debug!(?code, "{text}");
                self.consumer.heard(text.as_str());
                let index = at.and_then(|at| self.index_of(batch, at));
                let step = index.and_then(|index| self.failed(index, *code, text)).map(Step::Go);
                Ok(index.zip(step))
            }
        }
    }

    fn deliver(
        &self,
        index: usize,
        taken: &Taken<'_>,
        each: &mut dyn FnMut(&Message<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        each(&Message {
            partition: self.progress[index].partition,
            offset: taken.offset(),
            timestamp_ms: taken.timestamp_ms(),
            key: taken.key(),
            payload: taken.payload(),
            lazy_headers: taken,
        })
    }

    fn index_of(&mut self, batch: &Batch<'_>, source: Source) -> Option<usize> {
        let (progress, tap) = (&self.progress, self.tap);
        self.sources.index_of(batch, source, |tp| progress.iter().position(|p| tap.range(p).tp == *tp))
    }

    /// What a failure of one partition means; `None` where it passes by itself.
    fn failed(&mut self, index: usize, code: RDKafkaErrorCode, text: &str) -> Option<Next> {
        let tp = self.tap.range(&self.progress[index]).tp.clone();
        match code {
            RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange => {
                if let Some(next) = self.begin_later(index, &tp) {
                    return Some(next);
                }
            }
            RDKafkaErrorCode::BadMessage
            | RDKafkaErrorCode::InvalidMessage
            | RDKafkaErrorCode::BadCompression
            | RDKafkaErrorCode::NotImplemented
            | RDKafkaErrorCode::MessageSizeTooLarge
            | RDKafkaErrorCode::UnknownTopicOrPartition
            | RDKafkaErrorCode::UnknownTopic
            | RDKafkaErrorCode::UnknownPartition
            | RDKafkaErrorCode::Fatal => {}
            RDKafkaErrorCode::TopicAuthorizationFailed => {
                let forbidden = TapError::TopicForbidden { topic: tp.topic, right: "READ" };
                self.progress[index].fail(Arc::new(forbidden));
                return Some(Next::Done);
            }
            _ => return None,
        }
        let position = self.progress[index].position();
        self.progress[index].fail(Arc::new(TapError::Unreadable { tp, position, what: text.to_owned() }));
        Some(Next::Done)
    }

    /// Retention has overtaken the read: goes on at the log's new start. `None` where that is not what happened.
    fn begin_later(&mut self, index: usize, tp: &TopicPartition) -> Option<Next> {
        let deadline = Deadline::after(self.tap.open_timeout);
        let consumer = self.tap.clients.consumer(Isolation::Uncommitted, Ahead::Little).ok()?;
        let asker = Asker { consumer: &consumer, deadline, clients: &self.tap.clients, silence: None };
        let (log_start, _) = asker.watermarks(tp).ok()?;
        let target = self.progress[index].target()?;
        (log_start > target).then(|| self.progress[index].begin_at(log_start))
    }

    fn go(&mut self, index: usize, next: Next) {
        let tp = &self.tap.range(&self.progress[index]).tp;
        let outcome = match next {
            Next::Continue => Ok(()),
            Next::Seek(offset) => self
                .consumer
                .seek(&tp.topic, tp.partition, Offset::Offset(offset), self.tap.open_timeout)
                .or_else(|_| self.consumer.assign_again(tp, offset)),
            Next::Done => {
                // Nothing more of it shall be fetched; should that fail, what comes is thrown away.
                let mut list = TopicPartitionList::new();
                list.add_partition(&tp.topic, tp.partition);
                self.consumer.pause(&list).or(Ok(()))
            }
        };
        if let Err(error) = outcome {
            let position = self.progress[index].position();
            let error = TapError::Unreadable { tp: tp.clone(), position, what: error.to_string() };
            self.progress[index].fail(Arc::new(error));
        }
    }

    fn stall(&mut self) {
        let seconds = self.tap.stall_timeout.as_secs();
        for index in 0..self.progress.len() {
            let tp = self.tap.range(&self.progress[index]).tp.clone();
            let position = self.progress[index].position();
            let last = self.consumer.last_word().unwrap_or_else(|| "nothing was heard".to_owned());
            self.progress[index].fail(Arc::new(TapError::Stalled { tp, position, seconds, last }));
        }
    }
}
