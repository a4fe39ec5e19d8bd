//! SQL over the lake's tables: the newest version of `events`, and after it the tail not yet committed; the other tables
//! that the query names; and views with the names that analysts know (`views`).
//!
//! Invariants: a query only reads, and reads nothing but these; an event is seen once, because
//! rows of the tail that the version already holds are left out by the journal's sequence; memory,
//! threads and time are bounded by [`QueryLimits`], planning included; what the engine does not count
//! has bounds of its own (`growth`).

use std::collections::BTreeMap;
use std::future::Future;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::{FieldRef, SchemaRef};
use datafusion::catalog::{MemTable, TableProvider};
use datafusion::common::ScalarValue;
use datafusion::datasource::ViewTable;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::context::SQLOptions;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{FairSpillPool, MemoryPool};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::logical_expr::{Expr, ident, lit};
use datafusion::physical_plan::execute_stream;
use datafusion::prelude::{SessionConfig, SessionContext};
use deltalake::DeltaTable;
use jiff::Timestamp;
use tokio::time::{Instant, timeout_at};

use crate::error::QueryError;
use crate::file_rows::FileTable;
use crate::files::Tally;
use crate::lake::{self, Lake};
use crate::output::QueryOutput;
use crate::rows::Rows;
use crate::schema::{self, Definition};

mod constants;
mod damage;
mod depth;
mod functions;
mod growth;
mod names;
mod refusal;
mod view;
mod views;
mod yields;

pub use functions::{Described, functions};
use growth::Budget;
pub(crate) use views::{EVENT_COUNTS, HAPPENED};
pub use views::{View, views};

/// Bounds of one query.
#[derive(Clone, Copy, Debug)]
pub struct QueryLimits {
    /// Memory for sorting, grouping and joining, in bytes. What a scan reads at a time comes on top.
    pub memory_bytes: usize,
    /// Parts of the plan that run at the same time.
    pub partitions: NonZeroUsize,
    /// Rows of the answer; what is beyond is cut and the output says so.
    pub rows: Option<u64>,
    /// Time from start to the last row.
    pub time: Option<Duration>,
    /// The events that the view has.
    pub period: Period,
}

/// Events by their time: the view then has these and no others, and none without a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Period {
    /// Not before this.
    pub from: Option<Timestamp>,
    /// Before this.
    pub to: Option<Timestamp>,
}

impl Default for QueryLimits {
    fn default() -> QueryLimits {
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        QueryLimits {
            memory_bytes: 256 << 20,
            partitions: NonZeroUsize::new(cores.min(8)).unwrap_or(NonZeroUsize::MIN),
            rows: None,
            time: None,
            period: Period::default(),
        }
    }
}

/// Rows that the journal has and the lake may not have yet.
#[derive(Clone, Debug, Default)]
pub struct Tail {
    /// The application under which the journal's rows are committed: its position in the lake says
    /// which rows of the tail are there already.
    pub app_id: String,
    /// Rows in the order of the journal. Take them before the query starts: a row then is in the
    /// tail, in the lake, or in both, and never in neither.
    pub rows: Vec<Rows>,
    /// The same of tables made of files: rows up to each of these positions of the application, ascending.
    pub of_files: BTreeMap<FileTable, Vec<(i64, Rows)>>,
}

impl Lake {
    /// Answers one SQL statement over the view `events`: the newest version of the lake and the tail.
    pub async fn query(
        &self,
        sql: &str,
        tail: Tail,
        limits: QueryLimits,
    ) -> Result<QueryOutput, QueryError> {
        answer(sql, limits, self.session(sql, tail, limits)).await
    }

    /// Makes a table known that is in the lake alone; where nothing was put into it yet, it has no rows.
    async fn make_known(
        &self,
        session: &Session,
        definition: &'static Definition,
        period: Period,
        tail: &FileTail,
    ) -> Result<(), QueryError> {
        let waiting = tail.of(definition);
        match self.other(definition).await? {
            Some(table) => {
                let mut newest = table.newest().await?;
                let position = match waiting.is_empty() {
                    true => None,
                    false => newest.position(&tail.app_id).await?,
                };
                let table = newest.table().clone();
                drop(newest);
                let rows = after(waiting, position);
                session.register(definition, &table, rows).await?;
            }
            None => session.register_rows(definition, after(waiting, None))?,
        }
        session.narrow(definition.name, "time", period).await
    }

    /// A session that knows the tables of the lake that this query may be about.
    pub(crate) async fn session(
        &self,
        sql: &str,
        tail: Tail,
        limits: QueryLimits,
    ) -> Result<Session, QueryError> {
        // Before the newest version of `events` is read: what was counted then is in it.
        let counts = match lake::names(sql, &schema::COUNTS) {
            true => Some(self.counts().await?),
            false => None,
        };
        let (table, position) = {
            let mut newest = self.events().newest().await?;
            let position = match tail.rows.is_empty() {
                true => None,
                false => newest.position(&tail.app_id).await?,
            };
            (newest.table().clone(), position)
        };
        let rows = Rows::merge(
            tail.rows
                .iter()
                .map(|rows| rows.after(position.unwrap_or(0))),
        );
        let root = self.events().site().root();
        let session = Session::new(limits, Arc::new(Tally::noting(root, self.met())))?;
        let of_files = FileTail {
            app_id: tail.app_id,
            rows: tail.of_files,
        };
        let tail = rows;
        let counted = match counts {
            Some(counts) => self.further(counts, &table, &tail, &session.tally).await?,
            None => None,
        };
        session.register(&schema::EVENTS, &table, tail).await?;
        match counted {
            Some((counts, further)) => {
                session.register(&schema::COUNTS, &counts, further).await?;
                session
                    .narrow(schema::COUNTS.name, "bucket", limits.period)
                    .await?;
            }
            None => session.count_events(limits.period).await?,
        }
        session
            .narrow(schema::EVENTS.name, "time", limits.period)
            .await?;
        for definition in schema::OTHERS {
            if lake::names(sql, definition) {
                self.make_known(&session, definition, limits.period, &of_files)
                    .await?;
            }
        }
        Ok(session)
    }
}

/// Rows that the journal has and tables made of files may not have yet.
struct FileTail {
    app_id: String,
    rows: BTreeMap<FileTable, Vec<(i64, Rows)>>,
}

impl FileTail {
    /// Those of this table.
    fn of(&self, definition: &Definition) -> &[(i64, Rows)] {
        let mut all = self.rows.iter();
        let of = all.find(|(table, _)| table.name() == definition.name);
        of.map_or(&[], |(_, rows)| rows)
    }
}

/// The rows that are not of a position up to this one.
fn after(waiting: &[(i64, Rows)], position: Option<i64>) -> Rows {
    let missing = waiting
        .iter()
        .filter(|(to, _)| position.is_none_or(|position| *to > position));
    Rows::merge(missing.map(|(_, rows)| rows.clone()))
}

/// Answers one SQL statement in this session, once it is there.
pub(crate) async fn answer(
    sql: &str,
    limits: QueryLimits,
    session: impl Future<Output = Result<Session, QueryError>>,
) -> Result<QueryOutput, QueryError> {
    let begun = Instant::now();
    depth::check(sql).map_err(|message| QueryError::Refused { message })?;
    let session = match limits.time {
        None => session.await?,
        Some(time) => timeout_at(begun + time, session)
            .await
            .map_err(|_| QueryError::Time { limit: time })??,
    };
    let tables = session.tables();
    let tally = Arc::clone(&session.tally);
    let stream = depth::on_deep_stack(begin(session, sql.to_owned()));
    let stream = match limits.time {
        None => stream.await?,
        Some(time) => timeout_at(begun + time, stream)
            .await
            .map_err(|_| QueryError::Time { limit: time })??,
    };
    let (schema, stream) = stream.map_err(|error| refusal::explain(error, sql, limits, &tables))?;
    Ok(QueryOutput::new(schema, stream, limits, begun, tally))
}

/// What one query is planned and run in.
pub(crate) struct Session {
    pub(crate) context: SessionContext,
    budget: Budget,
    /// What of the files could not be read.
    pub(crate) tally: Arc<Tally>,
}

impl Session {
    /// A session that knows no table.
    pub(crate) fn new(limits: QueryLimits, tally: Arc<Tally>) -> Result<Session, QueryError> {
        let (context, budget) = new_context(limits, &tally).map_err(run_failed)?;
        Ok(Session {
            context,
            budget,
            tally,
        })
    }

    /// What a query can name: tables, and views where there are events.
    fn tables(&self) -> Vec<String> {
        let tables = self.context.catalog("datafusion");
        let tables = tables.and_then(|catalog| catalog.schema("public"));
        let mut names = tables.map_or_else(Vec::new, |schema| schema.table_names());
        names.sort_unstable();
        if names.iter().any(|name| name == schema::EVENTS.name) {
            let views = views().iter().map(|view| view.name.to_owned());
            let views: Vec<String> = views.filter(|view| !names.contains(view)).collect();
            names.extend(views);
        }
        names
    }

    /// Makes a version of a table known, and after it rows that are not in it.
    pub(crate) async fn register(
        &self,
        definition: &Definition,
        table: &DeltaTable,
        tail: Rows,
    ) -> Result<(), QueryError> {
        let provider = table
            .table_provider()
            .with_session(Arc::new(self.context.state()))
            .await;
        let provider = provider.map_err(run_failed)?;
        let provider = self.with_newer(definition, provider).map_err(run_failed)?;
        let view = view::Tailed::new(provider, tail);
        self.context
            .register_table(definition.name, Arc::new(view))
            .map_err(run_failed)?;
        Ok(())
    }

    /// A table that was not made yet, with the rows that it will have.
    fn register_rows(&self, definition: &Definition, rows: Rows) -> Result<(), QueryError> {
        let batches = rows.batches().to_vec();
        let table = MemTable::try_new(definition.arrow_schema(), vec![batches]);
        let registered = table.and_then(|table| {
            self.context
                .register_table(definition.name, Arc::new(table))
        });
        registered.map_err(run_failed)?;
        Ok(())
    }

    /// A table with the columns that came after its version, which have no values in it. Only a lake that is opened to
    /// read can be of an earlier version: who writes brings it to the newest one.
    fn with_newer(
        &self,
        definition: &Definition,
        table: Arc<dyn TableProvider>,
    ) -> Result<Arc<dyn TableProvider>, DataFusionError> {
        let known = table.schema();
        let missing = |field: &FieldRef| known.index_of(field.name()).is_err();
        let schema = definition.arrow_schema();
        if !schema.fields().iter().any(missing) {
            return Ok(table);
        }
        let columns = schema.fields().iter().map(|field| {
            Ok(match missing(field) {
                true => lit(ScalarValue::try_from(field.data_type())?).alias(field.name()),
                false => ident(field.name()),
            })
        });
        let columns = columns.collect::<Result<Vec<_>, DataFusionError>>()?;
        Ok(self.context.read_table(table)?.select(columns)?.into_view())
    }

    /// Makes the view that counts events known before those are narrowed, where not all are meant: as in the table of
    /// its name, five minutes are meant as a whole, by when they begin.
    pub(crate) async fn count_events(&self, period: Period) -> Result<(), QueryError> {
        if period == Period::default() {
            return Ok(());
        }
        let counting = async {
            let sql = views::counts_of(period);
            let plan = self.context.state().create_logical_plan(&sql).await?;
            let view = ViewTable::new(plan, Some(sql));
            self.context.register_table(EVENT_COUNTS, Arc::new(view))
        };
        counting.await.map_err(run_failed)?;
        Ok(())
    }

    /// Puts a view with fewer rows in the place of a table, by their time in this column, where not all are meant.
    pub(crate) async fn narrow(
        &self,
        table: &str,
        column: &str,
        period: Period,
    ) -> Result<(), QueryError> {
        let Some(wanted) = within(column, period) else {
            return Ok(());
        };
        let narrowed = async {
            let frame = self.context.table(table).await?.filter(wanted)?;
            self.context.deregister_table(table)?;
            self.context.register_table(table, frame.into_view())
        };
        narrowed.await.map_err(run_failed)?;
        Ok(())
    }
}

/// Plans a statement and begins to run it: its columns, and its rows.
async fn begin(
    session: Session,
    sql: String,
) -> Result<(SchemaRef, SendableRecordBatchStream), DataFusionError> {
    let mut state = session.context.state();
    let dialect = state.config().options().sql_parser.dialect;
    let statement = state.sql_to_statement(&sql, &dialect)?;
    let items = names::written(&statement);
    views::make_known(&session.context, &state, &statement).await?;
    let plan = state.statement_to_plan(statement).await?;
    SQLOptions::new()
        .with_allow_ddl(false)
        .with_allow_dml(false)
        .with_allow_statements(false)
        .verify_plan(&plan)?;
    let plan = state.optimize(&plan)?;
    session.budget.planned();
    let usual = state.config().batch_size();
    let rows = constants::batch_rows(&plan, usual)?;
    *state.config_mut() = state.config().clone().with_batch_size(rows);
    let planner = Arc::clone(state.query_planner());
    let plan = planner.create_physical_plan(&plan, &state).await?;
    let stream = execute_stream(plan, state.task_ctx())?;
    Ok((names::named(&stream.schema(), &items), stream))
}

/// Events of this period; none where all are meant. Files of other times are not opened, as their statistics tell: the
/// date is not asked for, since not every row lies under that of its time.
pub(crate) fn within(column: &str, period: Period) -> Option<Expr> {
    let instant = |time: Timestamp| {
        let microseconds = Some(time.as_microsecond());
        lit(ScalarValue::TimestampMicrosecond(
            microseconds,
            Some("UTC".into()),
        ))
    };
    let from = period.from.map(|from| ident(column).gt_eq(instant(from)));
    let to = period.to.map(|to| ident(column).lt(instant(to)));
    from.into_iter().chain(to).reduce(Expr::and)
}

fn run_failed(error: DataFusionError) -> QueryError {
    QueryError::Run(Box::new(error))
}

fn new_context(
    limits: QueryLimits,
    tally: &Arc<Tally>,
) -> Result<(SessionContext, Budget), DataFusionError> {
    // Spilled rows would lie outside the data folder; a query that is too large is told so instead.
    let pool: Arc<dyn MemoryPool> = Arc::new(FairSpillPool::new(limits.memory_bytes));
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::clone(&pool))
        .with_disk_manager_builder(
            DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled),
        )
        .build_arc()?;
    let mut config = SessionConfig::new()
        .with_target_partitions(limits.partitions.get())
        .with_information_schema(true)
        .with_create_default_catalog_and_schema(true);
    // Measured on these columns: reading text a second time for the filter costs more than it saves.
    config.options_mut().execution.parquet.pushdown_filters = false;
    let mut state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime)
        .with_default_features()
        .with_physical_optimizer_rule(Arc::new(yields::YieldAtJoins))
        .with_physical_optimizer_rule(Arc::new(damage::GoOnWithout(Arc::clone(tally))));
    let known = state.scalar_functions().get_or_insert_default();
    known.extend(functions::all());
    let budget = growth::hold(&mut state, &pool);
    Ok((SessionContext::new_with_state(state.build()), budget))
}

/// What went wrong while rows were computed: the question was understood, so it is not refused any more.
pub(crate) fn explain_run(error: DataFusionError, limits: QueryLimits) -> QueryError {
    match refusal::explain(error, "", limits, &[]) {
        QueryError::Refused { message } => QueryError::Value { message },
        other => other,
    }
}

#[cfg(test)]
mod tests;
