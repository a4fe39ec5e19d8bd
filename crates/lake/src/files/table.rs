//! Makes a session know files as a table.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::catalog::TableProvider;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{
    ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl,
};
use datafusion::error::DataFusionError;
use deltalake::DeltaTableBuilder;
use url::Url;

use super::events::{EventFiles, Foreign};
use super::kind::{Found, Kind};
use super::scan::Scanned;
use super::tally::Tally;
use super::{SourceError, text, w3c};
use crate::footer;
use crate::query::Session;
use crate::schema;
use crate::store::site::damaged_log_file;

/// Makes the session know what was found by this name.
pub(super) async fn register(
    session: &Session,
    name: &str,
    found: &Found,
    events: &Arc<dyn EventFiles>,
    tally: &Arc<Tally>,
) -> Result<(), SourceError> {
    let failed = SourceError::engine(&found.path);
    let scanned = |schema, form| {
        Arc::new(Scanned {
            schema,
            form,
            files: found.files.clone(),
            tally: Arc::clone(tally),
        })
    };
    let table: Arc<dyn TableProvider> = match found.kind {
        Kind::Parquet => {
            if let Some(damaged) = damaged(&found.files) {
                return Err(damaged);
            }
            parquet_table(session, found).await.map_err(&failed)?
        }
        Kind::Delta => {
            if let Some((path, why)) = damaged_log_file(&found.path) {
                return Err(SourceError::Columns { path, why });
            }
            delta_table(session, &found.path).await.map_err(&failed)?
        }
        Kind::Evtx => scanned(
            schema::EVENTS.arrow_schema(),
            Arc::new(Foreign(Arc::clone(events))),
        ),
        Kind::W3c => {
            let form = w3c::Logs::of(&found.files)?;
            scanned(form.schema(), Arc::new(form))
        }
        Kind::Ndjson | Kind::Csv => {
            let form = text::Texts::of(&found.files, found.kind)?;
            scanned(form.schema(), Arc::new(form))
        }
    };
    session
        .context
        .register_table(datafusion::common::TableReference::bare(name), table)
        .map_err(failed)?;
    Ok(())
}

/// Whether a table has times by which a period can be cut out.
pub(super) async fn has_time(session: &Session, name: &str) -> bool {
    let table = datafusion::common::TableReference::bare(name);
    let Ok(table) = session.context.table_provider(table).await else {
        return false;
    };
    let schema = table.schema();
    let time = schema.field_with_name("time");
    time.is_ok_and(|time| matches!(time.data_type(), DataType::Timestamp(..)))
}

/// Names of files and folders that count, below those that are named after values of columns.
const COUNTING: &str = "[!._]*";

/// A file, or a folder in which folders may be named after values of columns (`date=2026-11-21`).
async fn parquet_table(
    session: &Session,
    found: &Found,
) -> Result<Arc<dyn TableProvider>, DataFusionError> {
    let url = match found.path.is_dir() {
        true => Url::from_directory_path(&found.path),
        false => Url::from_file_path(&found.path),
    };
    let url = url.map_err(|()| DataFusionError::Plan("no path of a file".to_owned()))?;
    let mut url = ListingTableUrl::parse(url)?;
    if found.path.is_dir() {
        // What others are just writing, and their notes, do not count: the files are those that were found.
        url = url.with_glob(COUNTING)?;
    }
    let is_named_so = |file: &PathBuf| file.extension().is_some_and(|it| it == "parquet");
    let extension = match found.files.iter().all(is_named_so) {
        true => ".parquet",
        false => "",
    };
    let state = session.context.state();
    let options =
        ListingOptions::new(Arc::new(ParquetFormat::default())).with_file_extension(extension);
    let partitions = options.infer_partitions(&state, &url).await?;
    let partitions = partitions.into_iter().map(|name| (name, DataType::Utf8));
    let options = options.with_table_partition_cols(partitions.collect());
    let config = ListingTableConfig::new(url).with_listing_options(options);
    let config = config.infer_schema(&state).await?;
    Ok(Arc::new(ListingTable::try_new(config)?))
}

/// The first of these files that does not end as Parquet does. Asked before the engine sees any: it trusts footers.
fn damaged(files: &[PathBuf]) -> Option<SourceError> {
    files.iter().find_map(|path| {
        let file = File::open(path).ok()?;
        let error = footer::reader(file).err()?;
        Some(SourceError::Columns {
            path: path.clone(),
            why: format!("{error}; the others can be asked without it"),
        })
    })
}

async fn delta_table(
    session: &Session,
    path: &Path,
) -> Result<Arc<dyn TableProvider>, DataFusionError> {
    let url = Url::from_directory_path(path);
    let url = url.map_err(|()| DataFusionError::Plan("no path of a folder".to_owned()))?;
    let failed = |error: deltalake::DeltaTableError| DataFusionError::External(Box::new(error));
    let table = DeltaTableBuilder::from_url(url).map_err(failed)?;
    let table = table.load().await.map_err(failed)?;
    let state = Arc::new(session.context.state());
    let provider = table.table_provider().with_session(state).await?;
    Ok(provider)
}
