//! `validator replay`: the messages of a plan, written to a repair topic and read back.
//!
//! Contract: without `--yes` nothing is asked and nothing written. A topic that a pipeline of the service reads is refused, and one
//! that holds messages unless `--append`. It says success only where exactly the messages of the plan were read from the
//! source, acknowledged, and read back with the same key, value, headers and timestamp.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use validator_core::bag::Bag;
use validator_core::contract::{Contract, DeadLetter};
use validator_core::digest::Digest;
use validator_core::position::{PartitionIndex, TopicPartition};
use validator_tap::{
    Bounds, Header, KafkaConfig, KafkaTap, Message, Republisher, Tap, TapError, TopicPattern, Wanted, is_meant,
    with_source,
};

use super::plan::Plan;
use super::ranges::Offsets;
use super::text::wanted;
use super::{Asked, text};
use crate::cli::{Exit, ReplayArgs};
use crate::config::Problem;
use crate::failure::Failure;
use crate::messages::{kafka_config, open_tap, waiting};
use crate::reconcile::Request;
use crate::render::{counted, escape};
use crate::terminal::Terminal;

/// `validator replay`
///
/// # Errors
/// [`Failure`], with its exit code.
pub fn replay(args: &ReplayArgs, terminal: &Terminal) -> Result<Exit, Failure> {
    let asked = Asked::new(&args.of)?;
    let sources = sources(&asked)?;
    if TopicPattern::is(&args.to) {
        return Err(TapError::TopicMissing { topic: args.to.clone() }.into());
    }
    if is_meant(&sources, &args.to) {
        return Err(TapError::WritesToSource { topic: args.to.clone() }.into());
    }
    let plan = asked.plan()?;
    let (topic, to) = (&asked.pipeline.contract.name, escape(&args.to));
    if plan.messages.total == 0 {
        terminal.tell(&format!("{topic}: there is nothing to replay\n"))?;
        return Ok(Exit::Holds);
    }
    if !args.yes {
        let plan_text = text::text(&plan, terminal.palette(), terminal.width());
        terminal.answer(&format!("{plan_text}\n"))?;
        terminal.tell(&format!(
            "`--yes` would write {} to topic {to}. Nothing was written.\n",
            counted(plan.messages.total, "message", "messages")
        ))?;
        return Ok(Exit::Holds);
    }
    let Some(kafka) = &asked.service.kafka else {
        let problem = Problem::new("there are no brokers to write to");
        return Err(vec![problem.hint("`[kafka] brokers` in validator.toml names them")].into());
    };
    let config = kafka_config(kafka, vec![args.to.clone()], Bounds::default());
    let config = KafkaConfig { waiting: Some(waiting()), ..config };
    let partitions = target(&config, args.append)?;
    let request = Request { waiting: Some(waiting()), ..Request::new(asked.loader.now_ms) };
    let source = open_tap(&asked.pipeline.contract, &asked.service, &request)?;
    if source.rows().is_some() {
        let problem = Problem::new("rows of recorded Parquet files have no bytes to be replayed");
        return Err(vec![problem.hint("replay from the topic, or from a recording of its messages")].into());
    }
    let republisher = Republisher::open(&config, partitions, &sources)?;
    let done = Replaying { to: &args.to, plan: &plan }.run(source.as_ref(), republisher, &config)?;
    let replaced: usize = plan.replaced.iter().map(|rows| rows.positions.len()).sum();
    if replaced > 0 {
        let rows = counted(replaced as u64, "row", "rows");
        terminal.tell(&format!(
            "before a sink reads {to}, {rows} must go that these messages take the place of: `validator replay-plan` names them\n"
        ))?;
    }
    terminal.tell(&format!(
        "replayed {} of {topic} into {to}\nread back {}, checksum {}: the same\n",
        wanted(&plan),
        counted(done.count, "message", "messages"),
        hex(&done.sum_bytes())
    ))?;
    Ok(Exit::Holds)
}

/// The topic of dead letters: what is read from it says that a message was put aside.
fn letters(contract: &Contract) -> Option<String> {
    match &contract.fidelity.dead_letter {
        Some(DeadLetter::Topic { topic, .. }) => Some(topic.clone()),
        _ => None,
    }
}

/// The topics of this pipeline and of all that the service names, those of dead letters among them.
fn sources(asked: &Asked<'_>) -> Result<BTreeSet<String>, Failure> {
    let mut sources: BTreeSet<String> = asked.pipeline.contract.topics.iter().cloned().collect();
    for file in asked.loader.pipeline_files(&asked.service)? {
        let contract = asked.loader.pipeline_file(&file)?.contract;
        sources.extend(contract.topics.iter().cloned().chain(letters(&contract)));
    }
    sources.extend(letters(&asked.pipeline.contract));
    Ok(sources)
}

/// How many partitions the repair topic has.
fn target(config: &KafkaConfig, append: bool) -> Result<i32, Failure> {
    let tap = KafkaTap::open(config)?;
    let held: i64 = tap.partitions().iter().map(|range| range.high_watermark - range.log_start).sum();
    if held > 0 && !append {
        let topic = escape(&config.topics[0]).into_owned();
        let problem = Problem::new(format!("topic {topic} holds messages already, up to {held} of them"));
        let hint =
            "a sink may have landed them: look first, then use another topic, or `--append` to write behind them";
        return Err(vec![problem.hint(hint)].into());
    }
    Ok(i32::try_from(tap.partitions().len()).unwrap_or(i32::MAX))
}

struct Replaying<'a> {
    to: &'a str,
    plan: &'a Plan,
}

impl Replaying<'_> {
    /// The bag of what was written and read back. Before the first message is written all of them are looked at.
    fn run(&self, source: &dyn Tap, republisher: Republisher, config: &KafkaConfig) -> Result<Bag, Failure> {
        let ranges = self.wanted(source)?;
        let mut other = None;
        self.pass(source, &ranges, &mut |tp, message| {
            let told = self.plan.timestamps.get(tp).and_then(|lane| lane.get(&message.offset));
            if told.is_some_and(|told| message.timestamp_ms != Some(*told)) {
                other.get_or_insert_with(|| format!("{tp}@{}", message.offset));
            }
            Ok(())
        })?;
        if let Some(at) = other {
            let what = "has another timestamp than its finding says: the topic is not the one that was judged";
            return Err(self.failed(format!("{at} {what}; nothing was written")));
        }
        let mut sent = Bag::EMPTY;
        self.pass(source, &ranges, &mut |tp, message| {
            let headers = with_source(message.headers(), tp, message.offset);
            sent.add(&digest(message, &headers));
            republisher.send(tp, message, &headers)
        })?;
        let back = self.read_back(&republisher.finish()?, config)?;
        if back != sent {
            let what = format!(
                "what was read back is not what was written ({} of {} messages; or a header, or the timestamp: the topic needs \
                 `message.timestamp.type=CreateTime`)",
                back.count, sent.count
            );
            return Err(self.failed(what));
        }
        Ok(back)
    }

    /// Reads the messages of the plan, each once: as many as each range has.
    fn pass(
        &self,
        source: &dyn Tap,
        ranges: &[Wanted],
        each: &mut dyn FnMut(&TopicPartition, &Message<'_>) -> Result<(), TapError>,
    ) -> Result<(), Failure> {
        let (mut found, mut failed) = (vec![0_u64; self.plan.ranges.len()], None);
        let lanes = source.partitions();
        let end = source.read(ranges, &mut |message| {
            let tp = &lanes[message.partition.0 as usize].tp;
            let Some(at) = self.at(tp, message.offset) else { return ControlFlow::Continue(()) };
            found[at] += 1;
            match each(tp, message) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    failed = Some(error);
                    ControlFlow::Break(())
                }
            }
        })?;
        if let Some(error) = failed {
            return Err(error.into());
        }
        if let Some(why) = end.partitions.iter().find_map(|partition| partition.failure.as_ref()) {
            return Err(self.failed(format!("the source could not be read to the end: {why}")));
        }
        let short = self.plan.ranges.iter().zip(&found).find(|(one, found)| one.range.messages != **found);
        short.map_or(Ok(()), |(one, found)| {
            let (from, to, messages) = (one.range.from, one.range.to, one.range.messages);
            let (topic, partition) = (escape(&one.topic), one.partition);
            let what = format!("{topic}[{partition}] {from}..{to} has {found} of {messages} messages in the source");
            Err(self.failed(what))
        })
    }

    /// The ranges by the source's own partitions.
    fn wanted(&self, source: &dyn Tap) -> Result<Vec<Wanted>, Failure> {
        let mut lanes: BTreeMap<u32, Wanted> = BTreeMap::new();
        for range in &self.plan.ranges {
            let tp = TopicPartition { topic: range.topic.clone(), partition: range.partition };
            let at = source.partitions().iter().position(|one| one.tp == tp);
            let at = at.ok_or_else(|| self.failed(format!("the source has no {tp}")))?;
            let index = u32::try_from(at).unwrap_or(u32::MAX);
            let lane = lanes.entry(index).or_insert_with(|| (PartitionIndex(index), Vec::new()));
            lane.1.push(range.range.from..range.range.to);
        }
        Ok(lanes.into_values().collect())
    }

    /// The number of the range that an offset is in.
    fn at(&self, tp: &TopicPartition, offset: i64) -> Option<usize> {
        let after = self.plan.ranges.partition_point(|one| {
            (one.topic.as_str(), one.partition, one.range.from) <= (tp.topic.as_str(), tp.partition, offset)
        });
        let at = after.checked_sub(1)?;
        let one = &self.plan.ranges[at];
        (one.topic == tp.topic && one.partition == tp.partition && offset < one.range.to).then_some(at)
    }

    /// The bag of what is in the repair topic at these places.
    fn read_back(&self, written: &[(i32, i64)], config: &KafkaConfig) -> Result<Bag, Failure> {
        let tap = KafkaTap::open(config)?;
        let mut offsets: BTreeMap<i32, Offsets> = BTreeMap::new();
        written.iter().for_each(|(partition, at)| offsets.entry(*partition).or_default().add(*at, at + 1));
        let mut ranges = Vec::new();
        for (index, range) in (0..).zip(tap.partitions()) {
            if let Some(offsets) = offsets.remove(&range.tp.partition) {
                let of_lane = offsets.ranges(&[]).into_iter().map(|one| one.from..one.to).collect();
                ranges.push((PartitionIndex(index), of_lane));
            }
        }
        let mut back = Bag::EMPTY;
        let end = tap.read(&ranges, &mut |message| {
            back.add(&digest(message, &message.headers()));
            ControlFlow::Continue(())
        })?;
        match end.partitions.iter().find_map(|partition| partition.failure.as_ref()) {
            Some(why) => Err(self.failed(format!("it could not be read back: {why}"))),
            None => Ok(back),
        }
    }

    fn failed(&self, what: String) -> Failure {
        Failure::Replay { topic: escape(self.to).into_owned(), what }
    }
}

/// All of a message that a sink can see, with these headers in place of its own.
fn digest(message: &Message<'_>, headers: &[Header]) -> Digest {
    let mut hasher = blake3::Hasher::new();
    let mut add = |part: Option<&[u8]>| {
        let length = part.map_or(u64::MAX, |bytes| bytes.len() as u64);
        hasher.update(&length.to_le_bytes()).update(part.unwrap_or_default());
    };
    add(message.timestamp_ms.map(i64::to_le_bytes).as_ref().map(<[u8; 8]>::as_slice));
    add(message.key);
    add(message.payload);
    for (name, value) in headers {
        add(Some(name.as_bytes()));
        add(value.as_deref());
    }
    Digest(*hasher.finalize().as_bytes())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
