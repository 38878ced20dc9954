//! Reading messages again on several threads: for the drill, for look-ups, and for the drills of a continuous run.

use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::error::DataFusionError;
use validator_core::position::MessageAt;
use validator_tap::Wanted;

use crate::drill::{DrillError, share};
use crate::message_batch::MessageBatch;
use crate::message_reader::{MessageSide, ReadError};
use crate::observations::Observations;

/// What `each` returned for the batches, in no order, and what was seen of the partitions. Messages that `asked` does not
/// hold of are not even decoded.
///
/// # Errors
/// What `each` fails with; a source that cannot be read to the end.
pub(crate) async fn reread<R: Send + 'static>(
    side: &MessageSide,
    wanted: Vec<Wanted>,
    threads: usize,
    asked: impl Fn(MessageAt) -> bool + Send + Sync + 'static,
    each: impl Fn(MessageBatch) -> Result<R, DataFusionError> + Send + Sync + 'static,
) -> Result<(Vec<R>, Observations), DrillError> {
    let mut all = (Vec::new(), Observations::new(side.tap.partitions().len()));
    if wanted.is_empty() {
        return Ok(all);
    }
    let (asked, each) = (Arc::new(asked), Arc::new(each));
    let tasks: Vec<_> = share(wanted, threads)
        .into_iter()
        .map(|share| {
            let (side, asked, each) = (side.clone(), Arc::clone(&asked), Arc::clone(&each));
            tokio::task::spawn_blocking(move || read_share(&side, &share, &*asked, &*each))
        })
        .collect();
    for task in tasks {
        let (results, seen) = task.await.map_err(DrillError::Task)??;
        all.0.extend(results);
        all.1.merge(seen);
    }
    Ok(all)
}

fn read_share<R>(
    side: &MessageSide,
    share: &[Wanted],
    asked: &dyn Fn(MessageAt) -> bool,
    each: &dyn Fn(MessageBatch) -> Result<R, DataFusionError>,
) -> Result<(Vec<R>, Observations), DrillError> {
    let (mut results, mut failed) = (Vec::new(), None);
    let read = side.read_asked(share, asked, &mut |batch| match each(batch) {
        Ok(result) => {
            results.push(result);
            ControlFlow::Continue(())
        }
        Err(error) => {
            failed = Some(error);
            ControlFlow::Break(())
        }
    });
    let seen = read.map_err(DrillError::Messages)?;
    for (index, partition) in seen.partitions.iter().enumerate() {
        if let Some(failure) = &partition.failure {
            let tp = side.tap.partitions()[index].tp.to_string();
            return Err(DrillError::Messages(ReadError::Lost { tp, failure: failure.clone() }));
        }
    }
    failed.map_or(Ok((results, seen)), |error| Err(DrillError::Rows(error)))
}
