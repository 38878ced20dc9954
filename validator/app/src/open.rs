//! Opening both sides of a pipeline, and binding its contract to them.
//!
//! Contract: the snapshot is pinned first, only then is `now` resolved (interface, section 4, Scope).

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use validator_core::clock::Clock;
use validator_core::contract::{Contract, Identity};
use validator_core::digest::DigestKey;
use validator_core::schema::{Schema, Type};
use validator_core::segment::{OffsetWidth, WindowLength};
use validator_engine::PlanContext;
use validator_engine::binding::{BindProblem, Binding, BoundIdentity, bind};
use validator_engine::expr::ExprError;
use validator_engine::identity::IdentityDigests;
use validator_engine::message_reader::MessageSide;
use validator_engine::reconcile::{Progress, Run};
use validator_engine::segments::{KeyCut, MessageSegments};
use validator_table::{
    CatalogConfig, Pinned, Reloaded, SnapshotSelector as TableSnapshot, Storage, Table, TableError, TableName,
};
use validator_tap::Tap;

use crate::config::{Catalog, Pipeline, Problem, Service, SnapshotSelector, join};
use crate::decoders::Decoders;
use crate::failure::Failure;
use crate::fitting::{check_placed, check_whole};
use crate::messages::open_tap;
use crate::reconcile::Request;

/// Both sides, opened, and the contract as this table has it.
#[derive(Debug, Clone)]
pub struct Sides {
    /// The contract; its identity is the one that the table has.
    pub contract: Arc<Contract>,
    /// The messages.
    pub tap: Arc<dyn Tap>,
    /// The table.
    pub pinned: Arc<Pinned>,
    /// Decoders of the pipeline's format.
    pub decoders: Arc<Decoders>,
    /// Fields that messages are known to have; none where any may come.
    pub known: Option<Vec<(String, Type)>>,
}

/// What a run would read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Estimate {
    /// Messages at most.
    pub messages: u64,
    /// Partitions.
    pub partitions: usize,
    /// Data files.
    pub files: usize,
    /// Rows, as the manifests claim.
    pub rows: u64,
    /// Bytes, as the manifests claim.
    pub bytes: u64,
}

impl Sides {
    /// What a run over them would read.
    pub fn estimate(&self) -> Estimate {
        let files = &self.pinned.files;
        Estimate {
            messages: self.tap.estimate(),
            partitions: self.tap.partitions().iter().filter(|range| range.listed).count(),
            files: files.len(),
            rows: files.iter().map(|file| file.record_count * u64::from(file.entries)).sum(),
            bytes: files.iter().map(|file| file.size).sum(),
        }
    }
}

/// The runtime of one command.
///
/// # Errors
/// The system gives no threads.
pub fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    runtime_of(&mut tokio::runtime::Builder::new_multi_thread())
}

/// The same, of a builder.
///
/// # Errors
/// As [`runtime`].
pub fn runtime_of(builder: &mut tokio::runtime::Builder) -> Result<tokio::runtime::Runtime, Failure> {
    // Where its first thread is refused the runtime panics, and where later ones are it waits for them for ever.
    let least = std::thread::available_parallelism().map_or(1, usize::from) + THREADS_BESIDE;
    given(least).and_then(|()| builder.enable_all().build()).map_err(Failure::Runtime)
}

/// Threads beside those of the runtime itself, each of which waits for files or brokers: one for either side of a pass, one for
/// findings, one for the clock.
const THREADS_BESIDE: usize = 4;

/// Whether the system gives so many threads at once.
fn given(threads: usize) -> std::io::Result<()> {
    let gate = Mutex::new(());
    let held = gate.lock();
    std::thread::scope(|scope| {
        let wait = || drop(gate.lock());
        let given = (0..threads).try_for_each(|_| std::thread::Builder::new().spawn_scoped(scope, wait).map(drop));
        drop(held);
        given
    })
}

/// Opens the table, then the topic.
///
/// # Errors
/// [`Failure`].
pub async fn sides(pipeline: &Pipeline, service: &Service, request: &Request) -> Result<Sides, Failure> {
    let table = TableSource::of(pipeline, service)?.load().await?;
    let pinned = Arc::new(table.pin(&snapshot(request)).await?);
    sides_at(pipeline, service, request, pinned).await
}

/// Opens the topic beside a snapshot that was pinned before.
///
/// # Errors
/// [`Failure`].
pub async fn sides_at(
    pipeline: &Pipeline,
    service: &Service,
    request: &Request,
    pinned: Arc<Pinned>,
) -> Result<Sides, Failure> {
    let mut contract = pipeline.contract.clone();
    contract.identity = identity(pipeline, &pinned.schema)?;
    let is_upsert = matches!(contract.identity, Identity::Key { upsert: Some(_), .. });
    let request = request.clone();
    let opened = over(contract, service, pinned, move |contract, service| open_tap(contract, service, &request));
    let sides = opened.await?;
    if is_upsert {
        check_whole(sides.tap.as_ref())?;
    }
    Ok(sides)
}

/// Opens the messages in the caller's own way, and decoders for them.
///
/// # Errors
/// [`Failure`].
pub async fn over(
    contract: Contract,
    service: &Service,
    pinned: Arc<Pinned>,
    open: impl FnOnce(&Contract, &Service) -> Result<Arc<dyn Tap>, Failure> + Send + 'static,
) -> Result<Sides, Failure> {
    let service = service.clone();
    let opened = tokio::task::spawn_blocking(move || {
        let tap = open(&contract, &service)?;
        let decoders = Decoders::new(&contract, &service, tap.as_ref())?;
        Ok::<_, Failure>((contract, tap, decoders))
    });
    let (contract, tap, decoders) = opened.await.map_err(|error| Failure::Runtime(std::io::Error::other(error)))??;
    let known = decoders.known_fields().map(<[_]>::to_vec);
    Ok(Sides { contract: Arc::new(contract), tap, pinned, decoders: Arc::new(decoders), known })
}

/// Where a pipeline's table is: asked once by a single run, again and again by a continuous one.
#[derive(Debug, Clone)]
pub struct TableSource {
    catalog: CatalogConfig,
    name: TableName,
    storage: Storage,
}

impl TableSource {
    /// As both files say.
    ///
    /// # Errors
    /// They do not fit each other, or the table's name is none.
    pub fn of(pipeline: &Pipeline, service: &Service) -> Result<Self, Failure> {
        Self::at(join(pipeline, service)?, &pipeline.contract.table)
    }

    /// A table of that name in its catalog.
    ///
    /// # Errors
    /// The name is none.
    pub fn at(catalog: &Catalog, table: &str) -> Result<Self, Failure> {
        let name = TableName::parse(table).map_err(Failure::Name)?;
        let storage = Storage::local().with_s3(catalog.store.clone());
        Ok(Self { catalog: catalog.config.clone(), name, storage })
    }

    /// The table's current metadata.
    ///
    /// # Errors
    /// As [`validator_table::load_with`].
    pub async fn load(&self) -> Result<Table, TableError> {
        validator_table::load_with(&self.catalog, &self.name, self.storage.clone()).await
    }

    /// The metadata again, if it changed.
    ///
    /// # Errors
    /// As [`Table::reload`].
    pub async fn reload(&self, table: &Table) -> Result<Reloaded, TableError> {
        table.reload(&self.catalog, &self.storage).await
    }
}

/// The run over both sides.
///
/// # Errors
/// What keeps the contract from fitting them, each at its place in the pipeline file.
pub fn run(
    pipeline: &Pipeline,
    service: &Service,
    sides: &Sides,
    clock: Clock,
    request: &Request,
    progress: Progress,
) -> Result<Run, Failure> {
    let key = DigestKey::from_bytes(service.digest_key_bytes());
    let binding = bound(pipeline, sides)?;
    check_placed(pipeline, &binding.identity, sides.tap.as_ref())?;
    let digests = Arc::new(IdentityDigests::new(&binding.columns, &binding.identity, &key)?);
    let segments = segments(pipeline, &sides.contract, &binding, Arc::clone(&digests))?;
    let binding = Arc::new(binding);
    sides.decoders.try_mapping(&binding).map_err(|wrong| {
        let problem = |(column, error): (String, ExprError)| {
            pipeline.problem_of_sql(&place_of(&sides.contract, &column), &error.to_string())
        };
        wrong.into_iter().map(problem).collect::<Vec<_>>()
    })?;
    Ok(Run {
        contract: Arc::clone(&sides.contract),
        messages: MessageSide {
            tap: Arc::clone(&sides.tap),
            decoders: sides.decoders.clone(),
            binding,
            null_payload: sides.contract.null_payload,
            segments: Arc::new(segments),
        },
        pinned: Arc::clone(&sides.pinned),
        within: BTreeMap::new(),
        dead_letters: None,
        digests,
        key,
        clock,
        threads: request.threads,
        judge: request.judge,
        keep: request.keep,
        context: context(service)?,
        progress,
    })
}

/// The key of the pipeline file that says what a column is made of; its format where none does.
fn place_of(contract: &Contract, column: &str) -> String {
    match column {
        "filter" => "pipeline.filter".to_owned(),
        "delete_when" => "identity.delete_when".to_owned(),
        _ if contract.map.contains_key(column) => format!("map.{column}"),
        _ if contract.fields.iter().any(|(name, _)| name == column) => format!("fields.{column}"),
        _ => "pipeline.format".to_owned(),
    }
}

/// The contract bound to both schemas.
///
/// # Errors
/// All problems, each at its place in the pipeline file.
pub fn bound(pipeline: &Pipeline, sides: &Sides) -> Result<Binding, Vec<Problem>> {
    let binding = bind(&sides.contract, &sides.pinned.schema, &sides.known)
        .map_err(|problems| problems.into_iter().map(|problem| placed(pipeline, sides, problem)).collect::<Vec<_>>())?;
    refuse_masked(pipeline, &binding, &sides.pinned)?;
    Ok(binding)
}

/// Refuses a mask of columns whose values are in the paths of files.
///
/// # Errors
/// The columns, each at its place in the pipeline file.
pub(crate) fn refuse_masked(pipeline: &Pipeline, binding: &Binding, pinned: &Pinned) -> Result<(), Vec<Problem>> {
    let told: BTreeSet<String> = partitioning(pinned).into_iter().filter(|name| binding.mask.hides(name)).collect();
    let refuse = |name: &String| {
        let what =
            format!("{name} cannot be masked: the table is partitioned by it, so paths of files hold its values");
        pipeline.problem_at_word("compare.mask", name, what).hint(format!("take `{name}` out of `mask`"))
    };
    if told.is_empty() { Ok(()) } else { Err(told.iter().map(refuse).collect()) }
}

/// Names in one hint.
const NAMES_SHOWN: usize = 20;

/// The columns that files are partitioned by.
pub(crate) fn partitioning(pinned: &Pinned) -> BTreeSet<String> {
    let by_spec: BTreeMap<i32, usize> =
        pinned.files.iter().zip(0..).map(|(file, index)| (file.spec_id, index)).collect();
    let checks = by_spec.values().filter_map(|index| pinned.partition_check(&pinned.files[*index]));
    checks.flat_map(|check| check.sources().iter().map(|field| field.name.clone()).collect::<Vec<_>>()).collect()
}

fn placed(pipeline: &Pipeline, sides: &Sides, problem: BindProblem) -> Problem {
    let hint = problem.hint.clone().unwrap_or_else(|| names_hint(sides, &problem.what));
    let at = match &problem.word {
        Some(word) => pipeline.problem_at_word(&problem.key, word, problem.what),
        None => pipeline.problem_of_sql(&problem.key, &problem.what),
    };
    at.hint(hint)
}

/// The names that there are, for a problem with one that is not.
fn names_hint(sides: &Sides, what: &str) -> String {
    let of_table: Vec<&str> = sides.pinned.schema.fields.iter().map(|field| field.name.as_str()).collect();
    let of_messages = sides.known.iter().flatten().map(|(name, _)| name.as_str());
    let (whose, names) = match what.starts_with("messages have no field") {
        true => ("messages have", of_messages.collect()),
        false => ("the table has", of_table),
    };
    let more = if names.len() > NAMES_SHOWN { ", …" } else { "" };
    format!("{whose} {}{more}", names[..names.len().min(NAMES_SHOWN)].join(", "))
}

fn segments(
    pipeline: &Pipeline,
    contract: &Contract,
    binding: &Binding,
    digests: Arc<IdentityDigests>,
) -> Result<MessageSegments, Failure> {
    Ok(match (&contract.identity, &binding.identity) {
        (Identity::Key { every_ms, shards, .. }, BoundIdentity::Key { window, .. })
        | (Identity::Content { every_ms, shards, .. }, BoundIdentity::Content { window, .. }) => {
            MessageSegments::Key(Arc::new(KeyCut {
                window: window.clone(),
                length: WindowLength::from_ms(*every_ms)
                    .map_err(|error| vec![pipeline.problem_at("identity.every", error.to_string())])?,
                shards: *shards,
                digests,
            }))
        }
        (Identity::Offset { width, .. }, _) => MessageSegments::Offset(OffsetWidth::new(*width)?),
        _ => unreachable!("a binding has the identity mode of its contract"),
    })
}

/// The identity that this table has: a profile knows several layouts.
pub fn identity(pipeline: &Pipeline, schema: &Schema) -> Result<Identity, Vec<Problem>> {
    let (Some(profile), Identity::Offset { width, .. }) = (pipeline.profile, &pipeline.contract.identity) else {
        return Ok(pipeline.contract.identity.clone());
    };
    profile.resolve(schema, *width).map_err(|mismatch| {
        let looked_for = mismatch.looked_for.join(", ");
        let message = format!("the table has none of the columns of profile `{}`: {looked_for}", profile.name());
        vec![
            pipeline
                .problem_at("identity.profile", message)
                .hint("name them: `columns = [\"topic\", \"partition\", \"offset\"]`"),
        ]
    })
}

fn snapshot(request: &Request) -> TableSnapshot {
    match &request.snapshot {
        None => TableSnapshot::Current,
        Some(SnapshotSelector::Id(id)) => TableSnapshot::Id(*id),
        Some(SnapshotSelector::Ref(name)) => TableSnapshot::Ref(name.clone()),
        Some(SnapshotSelector::Time(instant)) => TableSnapshot::Time(instant.floor_ms(request.started_ms)),
    }
}

/// Memory and spill of the plans.
fn context(service: &Service) -> Result<PlanContext, Failure> {
    let memory = usize::try_from(service.memory_bytes.unwrap_or(MEMORY_BYTES_DEFAULT)).unwrap_or(usize::MAX);
    let temp: Option<PathBuf> = service.temp.clone();
    validator_engine::context(memory, temp).map_err(|error| Failure::Run(error.into()))
}

/// Memory of the plans where `[service] memory` is not given.
pub const MEMORY_BYTES_DEFAULT: u64 = 2 << 30;
