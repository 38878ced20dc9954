//! Where each offset is, in words: in one segment, or in a hole and for which reason.

use validator_ledger::{Continuity, LaneContinuity};

use crate::render::{count, counted, escape};

/// A line for each partition; of what does not fit the first thing.
pub fn lines(continuity: &Continuity) -> Vec<String> {
    let Some(broken) = &continuity.broken else { return continuity.lanes.iter().map(line).collect() };
    let (topic, partition) = (escape(&broken.tp.topic), broken.tp.partition);
    vec![format!("{topic}[{partition}] is not continuous at offset {}: {}", broken.offset, broken.what)]
}

fn line(lane: &LaneContinuity) -> String {
    let (topic, partition) = (escape(&lane.tp.topic), lane.tp.partition);
    let mut text = format!(
        "{topic}[{partition}] {}..{}: each offset is in one of {} or in a hole; {}",
        lane.start,
        lane.position,
        counted(lane.segments, "segment", "segments"),
        counted(lane.messages, "message", "messages"),
    );
    for (many, what) in [(lane.excluded, "excluded"), (lane.undecodable, "undecodable")] {
        if many > 0 {
            text += &format!(", {} {what}", count(many));
        }
    }
    for (reason, many) in &lane.holes {
        let reason = reason.map_or("without a reason so far", |reason| reason.as_str());
        text += &format!(", {} in holes ({reason})", count(*many));
    }
    text
}
