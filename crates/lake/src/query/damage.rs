//! Data files that are damaged or gone: what of them cannot be read is left out of the answer and told, and the rest is
//! the answer.
//!
//! The engine ends a query at the first file that it cannot read, and its error seldom names the file. So whatever reads
//! a file is wrapped here: its end is looked at first (`footer`), and an error that is one of the file ends this part of
//! this file alone. Rows that were read before stay in the answer. Errors of the question, of memory and of a store that
//! does not answer go on as they are.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::error::DataFusionError;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::projection::ProjectionExprs;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use datafusion::physical_plan::{DisplayFormatType, ExecutionPlan};
use datafusion_datasource::TableSchema;
use datafusion_datasource::file::FileSource;
use datafusion_datasource::file_scan_config::FileScanConfig;
use datafusion_datasource::file_stream::FileOpener;
use datafusion_datasource::morsel::{Morsel, MorselPlan, MorselPlanner, Morselizer};
use datafusion_datasource::source::DataSourceExec;
use futures::stream::BoxStream;
use futures::{FutureExt as _, StreamExt as _};
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt as _};
use parquet::errors::ParquetError;

use crate::files::Tally;
use crate::footer;
use crate::limits::FOOTER_GUESS_BYTES;

/// What the engine calls the form of the lake's files.
const PARQUET: &str = "parquet";

type Result<T> = std::result::Result<T, DataFusionError>;

/// Has everything that reads files go on without what is damaged, and tell it.
#[derive(Debug)]
pub(super) struct GoOnWithout(pub(super) Arc<Tally>);

impl PhysicalOptimizerRule for GoOnWithout {
    fn name(&self) -> &'static str {
        "GoOnWithout"
    }

    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|plan| {
            let scan = plan.downcast_ref::<DataSourceExec>();
            let scan = scan.and_then(|scan| scan.data_source().downcast_ref::<FileScanConfig>());
            let Some(scan) = scan.filter(|scan| scan.file_source.file_type() == PARQUET) else {
                return Ok(Transformed::no(plan));
            };
            let mut scan = scan.clone();
            scan.file_source = Arc::new(Wary {
                inner: Arc::clone(&scan.file_source),
                tally: Arc::clone(&self.0),
            });
            let plan: Arc<dyn ExecutionPlan> = DataSourceExec::from_data_source(scan);
            Ok(Transformed::yes(plan))
        })
        .data()
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Files of a kind, read warily.
#[derive(Clone)]
struct Wary {
    inner: Arc<dyn FileSource>,
    tally: Arc<Tally>,
}

impl FileSource for Wary {
    fn create_file_opener(
        &self,
        store: Arc<dyn ObjectStore>,
        config: &FileScanConfig,
        partition: usize,
    ) -> Result<Arc<dyn FileOpener>> {
        self.inner.create_file_opener(store, config, partition)
    }

    fn create_morselizer(
        &self,
        store: Arc<dyn ObjectStore>,
        config: &FileScanConfig,
        partition: usize,
    ) -> Result<Box<dyn Morselizer>> {
        let inner = self
            .inner
            .create_morselizer(Arc::clone(&store), config, partition)?;
        Ok(Box::new(WaryFiles {
            inner: Arc::from(inner),
            store,
            tally: Arc::clone(&self.tally),
        }))
    }

    fn table_schema(&self) -> &TableSchema {
        self.inner.table_schema()
    }

    fn with_batch_size(&self, batch_size: usize) -> Arc<dyn FileSource> {
        Arc::new(Wary {
            inner: self.inner.with_batch_size(batch_size),
            tally: Arc::clone(&self.tally),
        })
    }

    fn filter(&self) -> Option<Arc<dyn PhysicalExpr>> {
        self.inner.filter()
    }

    fn projection(&self) -> Option<&ProjectionExprs> {
        self.inner.projection()
    }

    fn metrics(&self) -> &ExecutionPlanMetricsSet {
        self.inner.metrics()
    }

    fn file_type(&self) -> &str {
        self.inner.file_type()
    }

    fn fmt_extra(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt_extra(format, f)
    }

    fn supports_repartitioning(&self) -> bool {
        self.inner.supports_repartitioning()
    }

    fn reorder_files(&self, files: Vec<PartitionedFile>) -> Vec<PartitionedFile> {
        self.inner.reorder_files(files)
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.inner.apply_expressions(f)
    }
}

/// The files that one thread reads.
struct WaryFiles {
    inner: Arc<dyn Morselizer>,
    store: Arc<dyn ObjectStore>,
    tally: Arc<Tally>,
}

impl fmt::Debug for WaryFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl Morselizer for WaryFiles {
    fn plan_file(&self, file: PartitionedFile) -> Result<Box<dyn MorselPlanner>> {
        let read = Read {
            location: file.object_meta.location.clone(),
            bytes: file.object_meta.size,
            tally: Arc::clone(&self.tally),
        };
        Ok(Box::new(Step::Unseen {
            inner: Arc::clone(&self.inner),
            store: Arc::clone(&self.store),
            file: Box::new(file),
            read,
        }))
    }
}

/// How far a file is read.
enum Step {
    /// Nothing of it was looked at.
    Unseen {
        inner: Arc<dyn Morselizer>,
        store: Arc<dyn ObjectStore>,
        file: Box<PartitionedFile>,
        read: Read,
    },
    /// Its end is as it has to be.
    Seen {
        inner: Box<dyn MorselPlanner>,
        read: Read,
    },
    /// There is no more of it.
    Over,
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Step::Unseen { .. } => "Unseen",
            Step::Seen { .. } => "Seen",
            Step::Over => "Over",
        })
    }
}

impl MorselPlanner for Step {
    fn plan(self: Box<Self>) -> Result<Option<MorselPlan>> {
        match *self {
            Step::Over => Ok(None),
            Step::Unseen {
                inner,
                store,
                file,
                read,
            } => {
                let seen = async move {
                    if let Err(why) = read.look(store.as_ref()).await? {
                        read.note(why);
                        return Ok(Box::new(Step::Over) as Box<dyn MorselPlanner>);
                    }
                    let inner = read.guard(|| inner.plan_file(*file))?;
                    Ok(step(inner, read))
                };
                Ok(Some(MorselPlan::new().with_pending_planner(seen)))
            }
            Step::Seen { inner, read } => match read.guard(|| inner.plan())?.flatten() {
                Some(plan) => Ok(Some(wrapped(plan, &read))),
                None => Ok(None),
            },
        }
    }
}

fn step(inner: Option<Box<dyn MorselPlanner>>, read: Read) -> Box<dyn MorselPlanner> {
    Box::new(match inner {
        Some(inner) => Step::Seen { inner, read },
        None => Step::Over,
    })
}

fn wrapped(mut plan: MorselPlan, read: &Read) -> MorselPlan {
    let morsels = plan.take_morsels().into_iter();
    let morsels = morsels.map(|inner| {
        let read = read.clone();
        Box::new(WaryMorsel { inner, read }) as Box<dyn Morsel>
    });
    let planners = plan.take_ready_planners().into_iter();
    let planners = planners.map(|inner| step(Some(inner), read.clone()));
    let made = MorselPlan::new()
        .with_morsels(morsels.collect())
        .with_planners(planners.collect());
    let Some(pending) = plan.take_pending_planner() else {
        return made;
    };
    let read = read.clone();
    made.with_pending_planner(async move {
        let inner = read.guarded(pending.into_future()).await?;
        Ok(step(inner, read))
    })
}

/// Rows of a file that are decoded together.
#[derive(Debug)]
struct WaryMorsel {
    inner: Box<dyn Morsel>,
    read: Read,
}

impl Morsel for WaryMorsel {
    fn into_stream(self: Box<Self>) -> BoxStream<'static, Result<RecordBatch>> {
        let WaryMorsel { inner, read } = *self;
        let rows = match read.guard(|| Ok(inner.into_stream())) {
            Ok(Some(rows)) => rows,
            Ok(None) => return futures::stream::empty().boxed(),
            Err(error) => return futures::stream::iter([Err(error)]).boxed(),
        };
        let rows = AssertUnwindSafe(rows).catch_unwind();
        let rows = rows.map(move |rows| read.excused(rows).transpose());
        // Nothing comes after the first that is left out.
        rows.take_while(|rows| std::future::ready(rows.is_some()))
            .filter_map(std::future::ready)
            .boxed()
    }
}

/// A file that is being read.
#[derive(Clone, Debug)]
struct Read {
    location: object_store::path::Path,
    /// Its bytes, as the table says.
    bytes: u64,
    tally: Arc<Tally>,
}

/// What a panic carries.
type Panic = Box<dyn Any + Send>;

impl Read {
    /// Looks at its end; why it is no file of the table where it is none.
    async fn look(&self, store: &dyn ObjectStore) -> Result<std::result::Result<(), String>> {
        // Not the last bytes, whichever those are: Azure knows no such range.
        let begin = self.bytes.saturating_sub(FOOTER_GUESS_BYTES);
        let options = GetOptions {
            range: Some(GetRange::Bounded(begin..self.bytes)),
            ..GetOptions::default()
        };
        if self.bytes == 0 {
            return Ok(footer::length(&[], 0).map(|_| ()));
        }
        let found = match store.get_opts(&self.location, options).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => {
                return Ok(Err("it is not there".to_owned()));
            }
            // There is no such range in a shorter one.
            Err(error) => match store.head(&self.location).await {
                Ok(found) if found.size != self.bytes => return Ok(Err(self.has(found.size))),
                _ => return of_place(error),
            },
        };
        let bytes = found.meta.size;
        if bytes != self.bytes {
            return Ok(Err(self.has(bytes)));
        }
        let end = match found.bytes().await {
            Ok(end) => end,
            Err(error) => return of_place(error),
        };
        let trailer = end.len().saturating_sub(footer::TRAILER_BYTES as usize);
        let length = match footer::length(&end[trailer..], bytes) {
            Ok(length) => length,
            Err(why) => return Ok(Err(why)),
        };
        let first = bytes - footer::TRAILER_BYTES - length;
        let known = (trailer as u64).checked_sub(length);
        let footer = match known.and_then(|first| usize::try_from(first).ok()) {
            Some(first) => end.slice(first..trailer),
            None => match store.get_range(&self.location, first..first + length).await {
                Ok(footer) => footer,
                Err(error) => return of_place(error),
            },
        };
        Ok(footer::check(&footer))
    }

    fn has(&self, bytes: u64) -> String {
        format!("it has {bytes} bytes instead of {}", self.bytes)
    }

    /// Does something with the file; none where it is damaged, which is noted.
    fn guard<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<Option<T>> {
        self.excused(catch_unwind(AssertUnwindSafe(work)))
    }

    /// The same of what takes time.
    async fn guarded<T>(&self, work: impl Future<Output = Result<T>>) -> Result<Option<T>> {
        self.excused(AssertUnwindSafe(work).catch_unwind().await)
    }

    fn excused<T>(&self, done: std::result::Result<Result<T>, Panic>) -> Result<Option<T>> {
        match done {
            Ok(Ok(value)) => Ok(Some(value)),
            Ok(Err(error)) if is_damage(&error) => {
                self.note(error.strip_backtrace());
                Ok(None)
            }
            Ok(Err(error)) => Err(error),
            Err(panic) => {
                self.note(footer::gave_up(panic.as_ref()));
                Ok(None)
            }
        }
    }

    fn note(&self, why: String) {
        let file = self.tally.file(&self.location);
        self.tally.damaged(&file, why);
    }
}

/// Why a file cannot be read that is gone or lies on a bad place of the disk; what else a store says is no damage.
fn of_place<T>(error: object_store::Error) -> Result<std::result::Result<T, String>> {
    match footer::is_of_place(&error) {
        true => Ok(Err(error.to_string())),
        false => Err(error.into()),
    }
}

/// What the reader says of a condition that cannot be computed.
const OF_THE_QUESTION: &str = "Error evaluating filter predicate";

/// What it says of a store that did not give it a file's end. It keeps nothing of the store's error but its text.
const OF_THE_STORE: [&str; 2] = ["Failed to fetch metadata", "Object Store error"];

/// What the system says of a bad place on the disk.
const UNREADABLE: &str = "(os error 5)";

/// Whether a text that is all there is of an error says that a file is not as it was written.
fn tells_damage(text: &str) -> bool {
    let is_of_store = OF_THE_STORE.iter().all(|words| text.contains(words));
    !text.contains(OF_THE_QUESTION) && (!is_of_store || text.contains(UNREADABLE))
}

fn is_damage(error: &DataFusionError) -> bool {
    let is_of_file =
        |error: &ParquetError| tells_damage(&error.to_string()) && footer::is_damage(error);
    match error.find_root() {
        DataFusionError::ParquetError(error) => is_of_file(error),
        DataFusionError::ArrowError(error, _) => match error.as_ref() {
            ArrowError::ParquetError(text) => tells_damage(text),
            ArrowError::ExternalError(error) => {
                error.downcast_ref::<ParquetError>().is_some_and(is_of_file)
            }
            _ => false,
        },
        DataFusionError::ObjectStore(error) => footer::is_of_place(error),
        DataFusionError::External(error) => {
            error.downcast_ref::<ParquetError>().is_some_and(is_of_file)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests;
