//! `validator sql`: a query over what the configuration names, its answer in one of four formats.
//!
//! Contract: reads and does nothing else; opens only what the query names; an answer that is not whole says so and ends
//! with exit code 3, and a file is written whole or not at all.

mod cells;
mod fields;
mod grid;
mod lines;
mod masked;
mod names;
mod open;
mod sink;
mod watch;
mod wrong;

use std::io::Read;
use std::time::Duration;

use arrow_array::RecordBatch;
use thiserror::Error;
use tokio::sync::mpsc;
use validator_engine::query::{self, Limits, Query, QueryError};

use crate::cli::{AnswerFormat, Exit, SqlArgs};
use crate::config::{Loader, Problem};
use crate::failure::Failure;
use crate::open::{MEMORY_BYTES_DEFAULT, runtime_of};
use crate::terminal::Terminal;

use open::Opener;
use sink::{End, Sink};
use watch::Watch;
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
    let format = args.answer_format().map_err(|why| vec![Problem::new(why)])?;
    if format == AnswerFormat::Parquet && args.output.is_none() {
        let problem = Problem::new("a Parquet file is no text for a terminal");
        return Err(vec![problem.hint("name a file: `--output answer.parquet`")].into());
    }
    let mut names = args.tables.iter().map(|table| &table.name).collect::<Vec<_>>();
    names.sort_unstable();
    if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        let problem = Problem::new(format!("--table {} is given twice", twice[0]));
        return Err(vec![problem.hint("each table has a name of its own")].into());
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
    let runtime = runtime_of(tokio::runtime::Builder::new_multi_thread().thread_stack_size(STACK_BYTES))?;
    let mut watch = Watch::begin(args.timeout).map_err(Failure::Runtime)?;
    let answered = runtime.block_on(async {
        let mut opener = Opener::new(&loader, &service, args, &wrong);
        let planned = watch.over(async {
            let relations = opener.open(&parsed).await?;
            // On a task of its own: what is constant is computed here.
            let planned = tokio::spawn(query::plan(parsed, relations, limits)).await;
            planned.map_err(|error| Failure::Runtime(error.into()))?.map_err(|error| wrong.query(error))
        });
        let planned = planned.await?;
        terminal.warn(&opener.warnings());
        answer(planned, (args, format), terminal, &wrong, &mut watch).await
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

/// Writes the answer as it comes.
async fn answer(
    planned: Query,
    (args, format): (&SqlArgs, AnswerFormat),
    terminal: &Terminal,
    wrong: &Wrong,
    watch: &mut Watch,
) -> Result<(), Failure> {
    let most = args.max_rows.map(usize::from);
    let most = most.unwrap_or(if format == AnswerFormat::Table { TABLE_ROWS_MAX } else { ROWS_MAX });
    let mut sink = Sink::new(format, args.output.as_deref(), planned.schema())?;
    let mut batches = begun(planned);
    let mut left = most;
    let cut = loop {
        let next = watch.over(async { Ok(batches.recv().await) }).await;
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
        let shown = batch.slice(0, rows.min(left));
        let added = writing(sink.is_direct(), move || sink.add(&shown).map(|is_read| (sink, is_read)));
        let is_read;
        (sink, is_read) = watch.over(added).await?;
        if !is_read {
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
    let (terminal, end) = (*terminal, if cut.is_none() { End::Whole } else { End::Cut });
    let finished = writing(sink.is_direct(), move || sink.finish(&terminal, end));
    watch.over(finished).await?;
    cut.map_or(Ok(()), Err)
}

/// The batches of the answer, made on a task of its own, so that a long computation does not keep Ctrl-C waiting.
fn begun(planned: Query) -> mpsc::Receiver<Result<RecordBatch, QueryError>> {
    let (queue, batches) = mpsc::channel(QUEUE_BATCHES);
    tokio::spawn(async move {
        let mut answer = match planned.run() {
            Ok(answer) => answer,
            Err(error) => return drop(queue.send(Err(error)).await),
        };
        while let Some(batch) = answer.next().await {
            if queue.send(batch).await.is_err() {
                return;
            }
        }
    });
    batches
}

/// Writes: a reader that has paused keeps a thread waiting, and neither Ctrl-C nor the timeout. A file has no reader, and
/// must be gone when the process ends.
async fn writing<T: Send + 'static>(
    is_direct: bool,
    write: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    if !is_direct {
        return write();
    }
    tokio::task::spawn_blocking(write).await.map_err(|error| Failure::Runtime(error.into()))?
}
