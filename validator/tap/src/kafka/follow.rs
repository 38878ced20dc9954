//! Following partitions with one consumer, for ever.
//!
//! Contract: a message below the position of its partition is not told again; one behind it moves the position. Nothing is
//! reset: where an offset is not in the log, retention has overtaken and it goes on at the log's start, or the log is not the
//! one that was followed and its partition stops.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer as _;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};
use validator_core::position::{PartitionIndex, TopicPartition};

use super::KafkaTap;
use super::client::{Ahead, Consumer, Isolation, client_error};
use super::lookout::{Lookout, TopicState};
use super::native::{Batch, Event, Source, Taken};
use super::sources::Sources;
use super::watch::{Look, Watch};
use crate::{Follow, Followed, Message, TapError, limits};

impl KafkaTap {
    /// See [`crate::Tap::follow`].
    pub(super) fn follow_from(&self, from: &[(PartitionIndex, i64)], each: Follow<'_>) -> Result<(), TapError> {
        let lane = |(partition, position): &(PartitionIndex, i64)| Lane {
            partition: *partition,
            tp: self.partitions[partition.0 as usize].tp.clone(),
            position: *position,
            state: State::Going,
        };
        let lanes: Vec<Lane> = from.iter().map(lane).collect();
        let lookout = self.lookout()?;
        let watch = Watch::start(Arc::clone(&lookout), lanes.iter().map(|lane| lane.tp.clone()).collect())?;
        let ahead = if self.far.load(Ordering::Relaxed) { Ahead::Far } else { Ahead::Some };
        let consumer = self.clients.consumer(Isolation::Committed, ahead)?;
        let mut assignment = TopicPartitionList::with_capacity(lanes.len());
        for lane in &lanes {
            assignment
                .add_partition_offset(&lane.tp.topic, lane.tp.partition, Offset::Offset(lane.position))
                .map_err(|error| client_error(&error))?;
        }
        consumer.assign(&assignment).map_err(|error| client_error(&error))?;
        let mut following = Following {
            consumer: &consumer,
            lookout,
            watch,
            lanes,
            sources: Sources::default(),
            moved: false,
            patience: limits::FOLLOW_LOST.min(self.stall_timeout),
            heard: Instant::now(),
            lost: None,
        };
        // How it ends is what `each` said.
        following.run(each).map(|_| ())
    }
}

/// One partition on its way.
struct Lane {
    partition: PartitionIndex,
    tp: TopicPartition,
    /// The offset to come.
    position: i64,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Going,
    /// It does not go on, and a look that begins after this question will say why; `out`: its offset was out of range.
    Asking {
        question: u64,
        out: bool,
    },
    /// Its topic is not to be found, which is believed when it stays so.
    Missing {
        since: Instant,
        out: bool,
    },
    Stopped,
}

/// One following on its way.
struct Following<'a> {
    consumer: &'a Consumer,
    lookout: Arc<Lookout>,
    watch: Watch,
    lanes: Vec<Lane>,
    sources: Sources,
    /// A message came since the last batch.
    moved: bool,
    /// Time without a word from any broker after which they are lost.
    patience: Duration,
    /// When a broker last said anything.
    heard: Instant,
    /// When it was last told that none does.
    lost: Option<Instant>,
}

impl Following<'_> {
    fn run(&mut self, each: Follow<'_>) -> Result<ControlFlow<()>, TapError> {
        let Some(mut batch) = Batch::of(self.consumer, limits::KAFKA_BATCH) else {
            return Err(TapError::Client { what: "the consumer has no queue".to_owned() });
        };
        let mut quiet = Instant::now();
        loop {
            batch.take(limits::FOLLOW_QUIET.saturating_sub(quiet.elapsed()).max(Duration::from_millis(1)));
            let mut again = Vec::new();
            for event in batch.events() {
                if self.serve(&batch, &event, each).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            if std::mem::take(&mut self.moved) {
                self.heard();
            }
            if self.looks(each, &mut again).is_break() {
                return Ok(ControlFlow::Break(()));
            }
            for lane in again {
                self.go_on(lane)?;
            }
            if quiet.elapsed() >= limits::FOLLOW_QUIET {
                quiet = Instant::now();
                if self.quiet(each).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
        }
    }

    fn quiet(&mut self, each: Follow<'_>) -> ControlFlow<()> {
        // Also keeps the log lines from piling up.
        let said = self.consumer.last_word();
        let since = self.heard.elapsed();
        if since >= self.patience && self.lost.is_none_or(|told| told.elapsed() >= limits::FOLLOW_LOOK) {
            self.lost = Some(Instant::now());
            let text = said.or_else(|| self.lookout.last_word()).unwrap_or_else(|| "nothing was heard".to_owned());
            each(Followed::Lost { text, since })?;
        }
        each(Followed::Quiet)
    }

    fn heard(&mut self) {
        self.heard = Instant::now();
        self.lost = None;
    }

    fn serve(&mut self, batch: &Batch<'_>, event: &Event<'_>, each: Follow<'_>) -> ControlFlow<()> {
        match event {
            Event::Message(taken) => {
                let Some(index) = self.index_of(batch, taken.source()) else { return ControlFlow::Continue(()) };
                self.message(index, taken, each)
            }
            Event::End { at, offset } => {
                let Some(index) = self.index_of(batch, *at) else { return ControlFlow::Continue(()) };
                self.heard();
                let lane = &mut self.lanes[index];
                if lane.state != State::Going || *offset < lane.position {
                    return ControlFlow::Continue(());
                }
                lane.position = *offset;
                each(Followed::End { partition: lane.partition, position: *offset })
            }
            Event::Failed { at, code, text } => {
                tracing::debug!(?code, "{text}");
                self.consumer.heard(text.as_str());
                match at.and_then(|at| self.index_of(batch, at)) {
                    Some(index) => self.failed(index, *code, text, each),
                    None => ControlFlow::Continue(()),
                }
            }
        }
    }

    fn message(&mut self, index: usize, taken: &Taken<'_>, each: Follow<'_>) -> ControlFlow<()> {
        self.moved = true;
        let lane = &mut self.lanes[index];
        // What comes of a partition whose log is in doubt is read again once it is not.
        if lane.state != State::Going || taken.offset() < lane.position {
            return ControlFlow::Continue(());
        }
        lane.position = taken.offset() + 1;
        let message = Message {
            partition: lane.partition,
            offset: taken.offset(),
            timestamp_ms: taken.timestamp_ms(),
            key: taken.key(),
            payload: taken.payload(),
            lazy_headers: taken,
        };
        each(Followed::Message(&message))
    }

    fn index_of(&mut self, batch: &Batch<'_>, source: Source) -> Option<usize> {
        let lanes = &self.lanes;
        self.sources.index_of(batch, source, |tp| lanes.iter().position(|lane| lane.tp == *tp))
    }

    /// What a failure of one partition means.
    fn failed(&mut self, index: usize, code: RDKafkaErrorCode, text: &str, each: Follow<'_>) -> ControlFlow<()> {
        use RDKafkaErrorCode as Code;
        if self.lanes[index].state != State::Going {
            return ControlFlow::Continue(());
        }
        match code {
            Code::AutoOffsetReset | Code::OffsetOutOfRange | Code::LogTruncation => self.ask(index, true),
            Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition => self.ask(index, false),
            Code::TopicAuthorizationFailed => {
                let topic = self.lanes[index].tp.topic.clone();
                return self.stop(index, TapError::TopicForbidden { topic, right: "READ" }, each);
            }
            Code::BadMessage
            | Code::InvalidMessage
            | Code::BadCompression
            | Code::NotImplemented
            | Code::MessageSizeTooLarge
            | Code::Fatal => {
                let Lane { tp, position, .. } = &self.lanes[index];
                let why = TapError::Unreadable { tp: tp.clone(), position: *position, what: text.to_owned() };
                return self.stop(index, why, each);
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn ask(&mut self, index: usize, out: bool) {
        self.lanes[index].state = State::Asking { question: self.watch.ask(), out };
    }

    fn stop(&mut self, index: usize, why: TapError, each: Follow<'_>) -> ControlFlow<()> {
        let lane = &mut self.lanes[index];
        lane.state = State::Stopped;
        // Nothing more of it shall be fetched; should that fail, what comes is thrown away.
        let mut list = TopicPartitionList::new();
        list.add_partition(&lane.tp.topic, lane.tp.partition);
        if let Err(error) = self.consumer.pause(&list) {
            tracing::debug!(%error, "{} is not paused", lane.tp);
        }
        each(Followed::Stopped { partition: lane.partition, why: Arc::new(why) })
    }

    /// Goes on at the position of a lane that was in doubt.
    fn go_on(&mut self, index: usize) -> Result<(), TapError> {
        let lane = &mut self.lanes[index];
        lane.state = State::Going;
        self.consumer.assign_again(&lane.tp, lane.position).map_err(|error| client_error(&error))?;
        self.sources = Sources::default();
        Ok(())
    }

    /// Takes the looks that were made; `again` gets the lanes that go on.
    fn looks(&mut self, each: Follow<'_>, again: &mut Vec<usize>) -> ControlFlow<()> {
        while let Some(look) = self.watch.next() {
            let look = match look {
                Ok(look) => look,
                Err(text) => {
                    self.consumer.heard(text);
                    continue;
                }
            };
            self.heard();
            for index in 0..self.lanes.len() {
                self.looked(index, &look, each, again)?;
            }
        }
        ControlFlow::Continue(())
    }

    fn looked(&mut self, index: usize, look: &Look, each: Follow<'_>, again: &mut Vec<usize>) -> ControlFlow<()> {
        let Lane { partition, state, position, .. } = self.lanes[index];
        let topic = self.lanes[index].tp.topic.clone();
        if state == State::Stopped || again.contains(&index) {
            return ControlFlow::Continue(());
        }
        match look.topics.get(&topic) {
            Some(TopicState::Recreated) => return self.stop(index, TapError::TopicRecreated { topic }, each),
            Some(TopicState::Missing) => return self.missing(index, each),
            _ => {}
        }
        let Some((log_start, high_watermark)) = look.bounds[index] else { return ControlFlow::Continue(()) };
        let out = match state {
            State::Asking { question, .. } if question > look.asked => return ControlFlow::Continue(()),
            State::Asking { out, .. } => out,
            State::Missing { out, .. } => out,
            State::Going | State::Stopped => return each(Followed::Trimmed { partition, log_start }),
        };
        if (log_start..=high_watermark).contains(&position) && !out {
            again.push(index);
            return ControlFlow::Continue(());
        }
        each(Followed::OutOfRange { partition, asked: position, log_start, high_watermark, refused: out })?;
        if log_start > position {
            self.lanes[index].position = log_start;
            again.push(index);
        } else {
            // Said already: it is told by nothing else.
            self.lanes[index].state = State::Stopped;
        }
        ControlFlow::Continue(())
    }

    /// Brokers that have just come back may not know it yet.
    fn missing(&mut self, index: usize, each: Follow<'_>) -> ControlFlow<()> {
        let lane = &mut self.lanes[index];
        let (since, out) = match lane.state {
            State::Missing { since, out } => (since, out),
            State::Asking { out, .. } => (Instant::now(), out),
            State::Going | State::Stopped => (Instant::now(), false),
        };
        if since.elapsed() >= limits::FOLLOW_GONE {
            let topic = lane.tp.topic.clone();
            return self.stop(index, TapError::TopicMissing { topic }, each);
        }
        lane.state = State::Missing { since, out };
        ControlFlow::Continue(())
    }
}
