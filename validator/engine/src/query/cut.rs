//! What a query's filters say of the messages that have to be read at all.
//!
//! Contract: what is cut away holds no message that the filters keep. Offsets, partitions and topics are cut exactly;
//! of timestamps only the earliest is used, for later messages may bear any.

use std::collections::BTreeSet;

use arrow_schema::DataType;
use datafusion::common::{Column, ScalarValue};
use datafusion::logical_expr::{BinaryExpr, Expr, Operator, TableProviderFilterPushDown as Pushed};
use validator_tap::PartitionRange;

/// A part of a topic.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cut {
    topics: Option<BTreeSet<String>>,
    partitions: Option<BTreeSet<i64>>,
    /// Bounds of partitions and offsets, half-open.
    partition: Range,
    offset: Range,
    /// No message before the first with this timestamp, in milliseconds since the epoch, is kept.
    pub since_ms: Option<i64>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Range {
    from: Option<i64>,
    to: Option<i64>,
}

impl Range {
    fn from(&mut self, value: i64) {
        self.from = Some(self.from.map_or(value, |from| from.max(value)));
    }

    fn to(&mut self, value: i64) {
        self.to = Some(self.to.map_or(value, |to| to.min(value)));
    }

    fn holds(&self, value: i64) -> bool {
        self.from.is_none_or(|from| value >= from) && self.to.is_none_or(|to| value < to)
    }
}

impl Cut {
    /// What these filters, all of which hold, leave.
    pub fn of(filters: &[Expr]) -> Self {
        let mut cut = Self::default();
        for filter in filters {
            cut.add(filter);
        }
        cut
    }

    /// How one filter is pushed into the read.
    pub fn support(filter: &Expr) -> Pushed {
        Self::default().add(filter)
    }

    fn add(&mut self, filter: &Expr) -> Pushed {
        match filter {
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => match (left.as_ref(), right.as_ref()) {
                (Expr::Column(column), Expr::Literal(value, _)) => self.compare(column, *op, value),
                (Expr::Literal(value, _), Expr::Column(column)) => {
                    op.swap().map_or(Pushed::Unsupported, |op| self.compare(column, op, value))
                }
                _ => Pushed::Unsupported,
            },
            Expr::InList(list) if !list.negated => match list.expr.as_ref() {
                Expr::Column(column) => {
                    let literal = |expr: &Expr| if let Expr::Literal(v, _) = expr { Some(v.clone()) } else { None };
                    let values: Option<Vec<ScalarValue>> = list.list.iter().map(literal).collect();
                    values.map_or(Pushed::Unsupported, |values| self.one_of(column, &values))
                }
                _ => Pushed::Unsupported,
            },
            _ => Pushed::Unsupported,
        }
    }

    fn compare(&mut self, column: &Column, op: Operator, value: &ScalarValue) -> Pushed {
        match column.name.as_str() {
            "_topic" | "_partition" if op == Operator::Eq => self.one_of(column, std::slice::from_ref(value)),
            "_partition" => bound(&mut self.partition, op, value),
            "_offset" => bound(&mut self.offset, op, value),
            "_timestamp" if matches!(op, Operator::Eq | Operator::Gt | Operator::GtEq) => match milliseconds(value) {
                Some(ms) => {
                    self.since_ms = Some(self.since_ms.map_or(ms, |since| since.max(ms)));
                    Pushed::Inexact
                }
                None => Pushed::Unsupported,
            },
            _ => Pushed::Unsupported,
        }
    }

    fn one_of(&mut self, column: &Column, values: &[ScalarValue]) -> Pushed {
        match column.name.as_str() {
            "_topic" => {
                let text = |value: &ScalarValue| value.try_as_str().flatten().map(str::to_owned);
                keep(&mut self.topics, values.iter().map(text).collect())
            }
            "_partition" => keep(&mut self.partitions, values.iter().map(whole).collect()),
            _ => Pushed::Unsupported,
        }
    }

    /// The offsets that are left of a partition; none where nothing is.
    pub fn range(&self, range: &PartitionRange) -> Option<std::ops::Range<i64>> {
        let number = i64::from(range.tp.partition);
        let is_kept = self.topics.as_ref().is_none_or(|topics| topics.contains(&range.tp.topic))
            && self.partitions.as_ref().is_none_or(|partitions| partitions.contains(&number))
            && self.partition.holds(number);
        let from = range.from.max(range.log_start).max(self.offset.from.unwrap_or(i64::MIN));
        let to = range.to.min(self.offset.to.unwrap_or(i64::MAX));
        (is_kept && from < to).then_some(from..to)
    }
}

fn keep<T: Ord>(kept: &mut Option<BTreeSet<T>>, values: Option<BTreeSet<T>>) -> Pushed {
    let Some(values) = values else { return Pushed::Unsupported };
    *kept = Some(match kept.take() {
        Some(kept) => kept.into_iter().filter(|value| values.contains(value)).collect(),
        None => values,
    });
    Pushed::Exact
}

fn bound(range: &mut Range, op: Operator, value: &ScalarValue) -> Pushed {
    let Some(value) = whole(value) else { return Pushed::Unsupported };
    match op {
        Operator::Eq => {
            range.from(value);
            range.to(value.saturating_add(1));
        }
        Operator::Gt => range.from(value.saturating_add(1)),
        Operator::GtEq => range.from(value),
        Operator::Lt => range.to(value),
        Operator::LtEq => range.to(value.saturating_add(1)),
        _ => return Pushed::Unsupported,
    }
    Pushed::Exact
}

/// A whole number that needs no rounding and is not at the edge of what offsets can be.
fn whole(value: &ScalarValue) -> Option<i64> {
    if !value.data_type().is_integer() {
        return None;
    }
    match value.cast_to(&DataType::Int64) {
        Ok(ScalarValue::Int64(Some(value))) if value < i64::MAX => Some(value),
        _ => None,
    }
}

/// An instant, rounded down: a little more is read than is asked for.
fn milliseconds(value: &ScalarValue) -> Option<i64> {
    match value {
        ScalarValue::TimestampSecond(Some(value), _) => value.checked_mul(1000),
        ScalarValue::TimestampMillisecond(Some(value), _) => Some(*value),
        ScalarValue::TimestampMicrosecond(Some(value), _) => Some(value.div_euclid(1000)),
        ScalarValue::TimestampNanosecond(Some(value), _) => Some(value.div_euclid(1_000_000)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::{col, lit};
    use validator_core::position::TopicPartition;

    use super::*;

    fn range(partition: i32, from: i64, to: i64) -> PartitionRange {
        PartitionRange {
            tp: TopicPartition { topic: "t".to_owned(), partition },
            log_start: from,
            high_watermark: to,
            last_stable: to,
            from,
            to,
            start: None,
            starts_at_first: true,
            ends_at_now: true,
            listed: true,
        }
    }

    #[test]
    fn partitions_and_offsets_are_cut_exactly() {
        let filters = [
            col("_partition").in_list(vec![lit(1_i32), lit(2_i32)], false),
            col("_offset").gt_eq(lit(5_i64)),
            lit(8_i64).gt(col("_offset")),
        ];
        assert!(filters.iter().all(|filter| Cut::support(filter) == Pushed::Exact));
        let cut = Cut::of(&filters);
        assert_eq!(cut.range(&range(0, 0, 100)), None);
        assert_eq!(cut.range(&range(1, 0, 100)), Some(5..8));
        assert_eq!(cut.range(&range(2, 6, 7)), Some(6..7));
        assert_eq!(Cut::of(&[col("_offset").eq(lit(9_i64))]).range(&range(1, 0, 9)), None);
    }

    #[test]
    fn of_timestamps_only_the_earliest_is_used() {
        let at = |micros| lit(ScalarValue::TimestampMicrosecond(Some(micros), Some("+00:00".into())));
        let filters = [col("_timestamp").gt(at(1_500)), col("_timestamp").lt(at(9_000))];
        assert_eq!(filters.each_ref().map(Cut::support), [Pushed::Inexact, Pushed::Unsupported]);
        assert_eq!(Cut::of(&filters).since_ms, Some(1));
    }

    #[test]
    fn what_is_not_understood_cuts_nothing() {
        for filter in [
            col("_offset").gt(lit(1.5)),
            col("price").gt(lit(1_i64)),
            col("_partition").not_eq(lit(1_i32)),
            col("_partition").in_list(vec![lit(1_i32)], true),
            col("_offset").gt(lit(i64::MAX)),
        ] {
            assert_eq!(Cut::support(&filter), Pushed::Unsupported, "{filter}");
            assert_eq!(Cut::of(&[filter]).range(&range(0, 0, 9)), Some(0..9));
        }
    }
}
