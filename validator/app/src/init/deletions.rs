//! Deletions from a table of last versions: a null payload says nothing but its Kafka key.
//!
//! Contract: where every sampled message has its identity as its Kafka key, the identity is taken from there, and so is that
//! of deletions; where it has not, it is said that nothing names what they delete.

use super::columns::Explanation;
use super::evidence::Evidence;
use super::identity::Mode;
use super::reading::Reading;

/// Whether each message sampled has this column's value as the text of its Kafka key.
pub fn is_kafka_key(evidence: &Evidence, explained: &[Explanation], leaf: usize) -> bool {
    let (Explanation::Field { field, reading, .. }, Some(key)) = (&explained[leaf], evidence.messages.field("_key"))
    else {
        return false;
    };
    let ty = &evidence.rows.leaves[leaf].field.ty;
    evidence.messages.values.iter().all(|values| {
        let own = reading.apply(&values[*field], ty).filter(|value| !value.is_null());
        own.is_some() && own == Reading::Digits.apply(&values[key], ty)
    })
}

/// Takes the identity of an upsert table from the Kafka key where messages may delete; the field it was taken from before.
///
/// # Errors
/// What cannot be decided: there are deletions, and what they delete is not known.
pub fn by_kafka_key(
    evidence: &Evidence,
    mode: &Mode,
    explained: &mut [Explanation],
) -> Result<Option<usize>, &'static str> {
    let tombstones = evidence.messages.tombstones;
    let Mode::Upsert { columns } = mode else { return Ok(None) };
    if tombstones == 0 && evidence.compacted_away.is_none() {
        return Ok(None);
    }
    let leaf = columns.first().and_then(|column| evidence.rows.leaf(column));
    match leaf.filter(|leaf| is_kafka_key(evidence, explained, *leaf)).zip(evidence.messages.field("_key")) {
        Some((leaf, key)) => {
            let Explanation::Field { field, equal, of, .. } = explained[leaf] else { return Ok(None) };
            explained[leaf] = Explanation::Field { field: key, reading: Reading::Digits, equal, of };
            Ok((field != key).then_some(field))
        }
        None if tombstones > 0 => Err(
            "null payloads delete keys that nothing names: is the Kafka key a JSON object or an Avro record? then write `key` in [identity]",
        ),
        None => Ok(None),
    }
}
