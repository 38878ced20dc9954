//! From a parsed query and what it reads to the stream of its answer.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions, StringArray};
use arrow_schema::{Field, Schema, SchemaRef};
use datafusion::catalog::{CatalogProvider, MemTable, MemoryCatalogProvider, MemorySchemaProvider, TableProvider};
use datafusion::execution::memory_pool::{FairSpillPool, TrackConsumersPool};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{SendableRecordBatchStream, SessionState, TaskContext};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::prelude::{DataFrame, SQLOptions, SessionConfig, SessionContext};
use datafusion::sql::TableReference;
use futures::StreamExt;
use validator_core::schema::{Type, UTC};

use super::error::QueryError;
use super::growth;
use super::guarded::{Guarded, Hidden};
use super::lake_table::{LakeTable, VIRTUAL};
use super::message_table::MessageTable;
use super::statement::Parsed;
use crate::limits::{QUERY_BATCH_ROWS, QUERY_SPILL_BYTES_MAX};

/// What a query may take.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of memory for what is sorted, joined and aggregated.
    pub memory: usize,
    /// Where the rest of it goes; the system's folder unless given.
    pub temp: Option<PathBuf>,
    /// Threads.
    pub threads: usize,
}

/// What a name in the query means.
#[derive(Debug)]
pub enum Relation {
    /// Rows of a table.
    Table(LakeTable),
    /// Messages.
    Messages(MessageTable),
    /// Rows at hand: a metadata table.
    Rows(RecordBatch),
}

/// A relation that is opened for a query.
#[derive(Debug)]
pub struct Opened {
    /// Its name in the query, in parts.
    pub parts: Vec<String>,
    /// Its name from now on, of at most three parts.
    pub name: Vec<String>,
    /// What it is.
    pub relation: Relation,
    /// Columns that must not be read.
    pub hidden: Hidden,
}

/// A query that is planned.
#[derive(Debug)]
pub struct Query {
    plan: Arc<dyn ExecutionPlan>,
    task: Arc<TaskContext>,
    schema: SchemaRef,
}

/// The answer, batch by batch.
pub struct Answer {
    stream: SendableRecordBatchStream,
    schema: SchemaRef,
}

/// The catalog and the schema of names of one or two parts.
const CATALOG: &str = "validator";
const SCHEMA: &str = "tables";

/// Plans a query over what its relations mean. Nothing is read yet, but all that can be wrong with the query is known.
///
/// # Errors
/// A column is not there or must not be read, a type does not fit, a function is unknown.
pub async fn plan(parsed: Parsed, relations: Vec<Opened>, limits: Limits) -> Result<Query, QueryError> {
    let most = growth::most(limits.memory);
    let context = session(&limits, most)?;
    let mut renamed = BTreeMap::new();
    for Opened { parts, name, relation, hidden } in relations {
        register(&context, &name, Guarded::over(provider(relation, &parsed)?, hidden))?;
        renamed.insert(parts, name);
    }
    let statement = parsed.renamed(&renamed)?;
    let state = context.state();
    let plan = state.statement_to_plan(statement).await;
    let plan = plan.map_err(|error| unknown_function(QueryError::of_plan(error), &state))?;
    let options = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    options.verify_plan(&plan).map_err(QueryError::of_plan)?;
    if let LogicalPlan::DescribeTable(table) = &plan {
        return Query::of(context.read_batch(described(&table.schema)?).map_err(QueryError::of_plan)?, most).await;
    }
    Query::of(DataFrame::new(state, plan), most).await
}

fn session(limits: &Limits, most: usize) -> Result<SessionContext, QueryError> {
    let reported = const { NonZeroUsize::new(3).expect("three is not zero") };
    let pool = TrackConsumersPool::new(FairSpillPool::new(limits.memory), reported);
    let mut runtime = RuntimeEnvBuilder::new().with_memory_pool(Arc::new(pool));
    if let Some(temp) = &limits.temp {
        runtime = runtime.with_temp_file_path(temp);
    }
    let runtime = runtime.with_max_temp_directory_size(QUERY_SPILL_BYTES_MAX).build_arc();
    let runtime = runtime.map_err(|error| QueryError::Runtime { words: super::error::words(&error) })?;
    let mut config = SessionConfig::new()
        .with_collect_statistics(false)
        .with_target_partitions(limits.threads.max(1))
        .with_batch_size(QUERY_BATCH_ROWS)
        .with_default_catalog_and_schema(CATALOG, SCHEMA);
    let parser = &mut config.options_mut().sql_parser;
    parser.enable_ident_normalization = false;
    parser.parse_float_as_decimal = true;
    parser.map_string_types_to_utf8view = false;
    parser.collect_spans = true;
    let context = SessionContext::new_with_config_rt(config, runtime);
    growth::weigh(&context, most).map_err(QueryError::of_plan)?;
    // After the functions have been made, as for the expressions of contracts.
    let state = context.state_ref();
    state.write().config_mut().options_mut().execution.time_zone = Some(UTC.to_owned());
    Ok(context)
}

fn provider(relation: Relation, parsed: &Parsed) -> Result<Arc<dyn TableProvider>, QueryError> {
    Ok(match relation {
        Relation::Table(table) => {
            let shown: Vec<&'static str> = VIRTUAL.into_iter().filter(|name| parsed.names_column(name)).collect();
            Arc::new(table.showing(&shown))
        }
        Relation::Messages(messages) => Arc::new(messages),
        Relation::Rows(rows) => {
            let table = MemTable::try_new(rows.schema(), vec![vec![rows]]);
            Arc::new(table.map_err(QueryError::of_plan)?)
        }
    })
}

fn register(context: &SessionContext, name: &[String], provider: Arc<dyn TableProvider>) -> Result<(), QueryError> {
    let (catalog, schema, reference) = match name {
        [table] => (CATALOG, SCHEMA, TableReference::bare(table.as_str())),
        [schema, table] => (CATALOG, schema.as_str(), TableReference::partial(schema.as_str(), table.as_str())),
        [catalog, schema @ .., table] => {
            let schema = schema.first().map_or("", String::as_str);
            (catalog.as_str(), schema, TableReference::full(catalog.as_str(), schema, table.as_str()))
        }
        [] => return Ok(()),
    };
    let of_name = context.catalog(catalog).unwrap_or_else(|| {
        let made: Arc<dyn CatalogProvider> = Arc::new(MemoryCatalogProvider::new());
        context.register_catalog(catalog, Arc::clone(&made));
        made
    });
    if of_name.schema(schema).is_none() {
        of_name.register_schema(schema, Arc::new(MemorySchemaProvider::new())).map_err(QueryError::of_plan)?;
    }
    context.register_table(reference, provider).map_err(QueryError::of_plan)?;
    Ok(())
}

/// The query engine guesses what may be meant, another thing each time.
fn unknown_function(error: QueryError, state: &SessionState) -> QueryError {
    let QueryError::Plan { words, at } = &error else { return error };
    let name = words.strip_prefix("Invalid function '").and_then(|rest| rest.split('\'').next());
    let Some(name) = name.map(str::to_owned) else { return error };
    let scalar = state.scalar_functions().keys();
    let all = scalar.chain(state.aggregate_functions().keys()).chain(state.window_functions().keys());
    let known: BTreeSet<String> = all.cloned().collect();
    QueryError::NoFunction { name, known: known.into_iter().collect(), at: *at }
}

/// The columns of a table, their types in Iceberg's words.
fn described(schema: &Schema) -> Result<RecordBatch, QueryError> {
    let fields = schema.fields();
    let ty = |field: &Arc<Field>| match Type::from_arrow(field.data_type()) {
        Some(ty) => ty.to_string(),
        None => field.data_type().to_string(),
    };
    let columns: [(&str, ArrayRef); 3] = [
        ("column_name", Arc::new(StringArray::from_iter_values(fields.iter().map(|field| field.name())))),
        ("data_type", Arc::new(StringArray::from_iter_values(fields.iter().map(ty)))),
        ("is_nullable", Arc::new(BooleanArray::from_iter(fields.iter().map(|field| Some(field.is_nullable()))))),
    ];
    RecordBatch::try_from_iter(columns).map_err(|error| QueryError::Plan { words: error.to_string(), at: None })
}

/// The columns of the answer: each has a name of its own, and no field id of what it was made of.
fn answer_schema(plan: &LogicalPlan) -> SchemaRef {
    let schema = plan.schema();
    let mut all: BTreeMap<&str, usize> = BTreeMap::new();
    schema.fields().iter().for_each(|field| *all.entry(field.name()).or_default() += 1);
    let mut used: HashSet<String> = HashSet::new();
    let fields = schema.iter().map(|(table, field)| {
        let mut name = match table {
            Some(table) if all[field.name().as_str()] > 1 => format!("{}.{}", table.table(), field.name()),
            _ => field.name().clone(),
        };
        while used.contains(&name) {
            name.push('\'');
        }
        used.insert(name.clone());
        Field::new(name, field.data_type().clone(), field.is_nullable())
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

impl Query {
    async fn of(frame: DataFrame, most: usize) -> Result<Self, QueryError> {
        let (schema, task) = (answer_schema(frame.logical_plan()), Arc::new(frame.task_ctx()));
        let (state, logical) = frame.into_parts();
        if let LogicalPlan::Explain(explain) = &logical {
            // EXPLAIN itself would answer with the reason why there is no plan, as if that was one.
            state.create_physical_plan(&explain.plan).await.map_err(QueryError::of_plan)?;
        }
        let logical = state.optimize(&logical).map_err(QueryError::of_plan)?;
        let logical = match logical {
            // What is explained is the query itself.
            LogicalPlan::Explain(_) => logical,
            other => growth::weighed(other, most).map_err(QueryError::of_plan)?,
        };
        let plan = state.query_planner().create_physical_plan(&logical, &state).await;
        let plan = plan.map_err(QueryError::of_plan)?;
        Ok(Self { plan, task, schema })
    }

    /// The columns of the answer.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Begins to read.
    ///
    /// # Errors
    /// It cannot be begun.
    pub fn run(self) -> Result<Answer, QueryError> {
        let stream = execute_stream(self.plan, self.task).map_err(QueryError::of_plan)?;
        Ok(Answer { stream, schema: self.schema })
    }
}

impl Answer {
    /// The columns.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The next batch that has rows; none at the end.
    pub async fn next(&mut self) -> Option<Result<RecordBatch, QueryError>> {
        loop {
            let batch = match self.stream.next().await? {
                Ok(batch) if batch.num_rows() == 0 => continue,
                Ok(batch) => batch,
                Err(error) => return Some(Err(QueryError::of_run(error))),
            };
            return Some(self.renamed(&batch));
        }
    }

    fn renamed(&self, batch: &RecordBatch) -> Result<RecordBatch, QueryError> {
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows())).with_match_field_names(false);
        // A plan may know a type better than its logical schema does: the batch's own counts.
        let pairs = self.schema.fields().iter().zip(batch.columns());
        let fields: Vec<Field> =
            pairs.map(|(field, column)| Field::new(field.name(), column.data_type().clone(), true)).collect();
        let named: BTreeSet<&str> = fields.iter().map(|field| field.name().as_str()).collect();
        debug_assert_eq!(named.len(), fields.len(), "answer_schema makes names unique");
        RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), batch.columns().to_vec(), &options)
            .map_err(|error| QueryError::Value { words: error.to_string() })
    }
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer").field("schema", &self.schema).finish_non_exhaustive()
    }
}
