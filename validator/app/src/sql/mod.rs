//! `validator sql`: a query over what the configuration names, its answer in one of four formats.
//!
//! Contract: reads and does nothing else; opens only what the query names; an answer that is not whole says so and ends
//! with exit code 3, and a file is written whole or not at all.

mod cells;
mod fields;
mod grid;
mod lines;
mod names;
mod open;
mod sink;
mod wrong;

use std::future::Future;
use std::io::Read;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::mpsc;
use validator_engine::query::{self, Limits, Query};

use crate::cli::{AnswerFormat, Exit, SqlArgs};
use crate::config::{Loader, Problem};
use crate::failure::Failure;
use crate::open::MEMORY_BYTES_DEFAULT;
use crate::terminal::Terminal;

use open::Opener;
use sink::{End, Sink};
use wrong::Wrong;

/// Rows of an answer for people, unless they ask for more: some screens.
const TABLE_ROWS_MAX: usize = 1_000;
/// Rows of an answer in other formats.
const ROWS_MAX: usize = 1_000_000;
/// Bytes of each thread's stack: a chain of operators is a tree as deep as it is long.
const STACK_BYTES: usize = 8 * 1024 * 1024;
/// Batches between the query and who writes its answer.
const QUEUE_BATCHES: usize = 2;

/// Why an answer is not whole.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Cut {
    /// There are more rows.
    #[error("the answer is cut: it has more than {0} rows")]
    Rows(usize),
    /// There is more than a table for people holds.
    #[error("the answer is cut: its values are too large for a table")]
    Table,
    /// It takes too long.
    #[error("the answer is cut: it took longer than {}", humantime::format_duration(*.0))]
    Time(Duration),
    /// Ctrl-C.
    #[error("the answer is cut: interrupted")]
    Interrupted,
}

impl Cut {
    /// What raises the limit.
    pub fn hint(&self) -> String {
        match self {
            Self::Rows(rows) => {
                let more = rows.saturating_mul(10);
                format!("`--max-rows {more}` allows more; LIMIT asks for fewer")
            }
            Self::Table => "`--format jsonl` writes all of them; name the columns that you need".to_owned(),
            Self::Time(time) => {
                let more = humantime::format_duration(time.saturating_mul(10)).to_string().replace(' ', "");
                format!("`--timeout {more}` allows more; fewer columns, _offset and _partition of messages take less")
            }
            Self::Interrupted => "a LIMIT ends a query by itself".to_owned(),
        }
    }
}

/// Runs the command.
///
/// # Errors
/// [`Failure`], with its exit code.
pub fn sql(args: &SqlArgs, terminal: &Terminal) -> Result<Exit, Failure> {
    if args.format == AnswerFormat::Parquet && args.output.is_none() {
        let problem = Problem::new("a Parquet file is no text for a terminal");
        return Err(vec![problem.hint("name a file: `--output answer.parquet`")].into());
    }
    let text = text_of(&args.query)?;
    let wrong = Wrong::new(&text);
    let parsed = query::parse(&text).map_err(|error| wrong.query(error))?;
    let loader = Loader::of_process(chrono::Utc::now().timestamp_millis());
    let service = loader.service(args.config.as_deref())?;
    terminal.warn(&service.warnings);
    let memory = usize::try_from(service.memory_bytes.unwrap_or(MEMORY_BYTES_DEFAULT)).unwrap_or(usize::MAX);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let limits = Limits { memory, temp: service.temp.clone(), threads };
    let runtime = tokio::runtime::Builder::new_multi_thread().thread_stack_size(STACK_BYTES).enable_all().build();
    let runtime = runtime.map_err(Failure::Runtime)?;
    let answered = runtime.block_on(async {
        let watched = tokio::time::timeout(args.timeout, async {
            let mut opener = Opener::new(&loader, &service, &args.tables, &wrong);
            let planned = interruptible(async {
                let relations = opener.open(&parsed).await?;
                query::plan(parsed, relations, &limits).await.map_err(|error| wrong.query(error))
            });
            let planned = planned.await?;
            terminal.warn(&opener.warnings());
            answer(planned, args, terminal, &wrong).await
        });
        watched.await.unwrap_or_else(|_| Err(Cut::Time(args.timeout).into()))
    });
    // A broker that is waited for must not be waited for any longer.
    runtime.shutdown_background();
    answered.map(|()| Exit::Holds)
}

/// The query, from the command line or stdin.
fn text_of(argument: &str) -> Result<String, Failure> {
    if argument != "-" {
        return Ok(argument.to_owned());
    }
    let mut text = String::new();
    let most = validator_engine::query::TEXT_BYTES_MAX as u64 + 1;
    match std::io::stdin().lock().take(most).read_to_string(&mut text) {
        Ok(_) => Ok(text),
        Err(error) => Err(vec![Problem::new(format!("the query cannot be read from stdin: {error}"))].into()),
    }
}

/// Ends with Ctrl-C, cleanly.
async fn interruptible<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::select! {
        done = work => done,
        _ = tokio::signal::ctrl_c() => Err(Cut::Interrupted.into()),
    }
}

/// Writes the answer as it comes.
async fn answer(planned: Query, args: &SqlArgs, terminal: &Terminal, wrong: &Wrong) -> Result<(), Failure> {
    let most = args.max_rows.map(usize::from);
    let most = most.unwrap_or(if args.format == AnswerFormat::Table { TABLE_ROWS_MAX } else { ROWS_MAX });
    let mut sink = Sink::new(args.format, args.output.as_deref(), planned.schema())?;
    let (queue, mut batches) = mpsc::channel(QUEUE_BATCHES);
    // On a task of its own, so that a long computation does not keep Ctrl-C waiting.
    tokio::spawn(async move {
        let mut answer = match planned.run().await {
            Ok(answer) => answer,
            Err(error) => return drop(queue.send(Err(error)).await),
        };
        while let Some(batch) = answer.next().await {
            if queue.send(batch).await.is_err() {
                return;
            }
        }
    });
    let mut left = most;
    let cut = loop {
        let next = interruptible(async { Ok(batches.recv().await) }).await;
        let batch = match next {
            Ok(None) => break None,
            Ok(Some(Ok(batch))) => batch,
            Ok(Some(Err(error))) => {
                sink.finish(terminal, End::Failed)?;
                return Err(wrong.query(error));
            }
            Err(cut) => break Some(cut),
        };
        let rows = batch.num_rows();
        if !sink.add(&batch.slice(0, rows.min(left)))? {
            return Ok(());
        }
        if rows > left {
            break Some(Cut::Rows(most).into());
        }
        if sink.is_full() {
            break Some(Cut::Table.into());
        }
        left -= rows;
    };
    sink.finish(terminal, if cut.is_none() { End::Whole } else { End::Cut })?;
    cut.map_or(Ok(()), Err)
}
