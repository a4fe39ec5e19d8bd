//! Rows made of watched files, which come piece by piece.

use jiff::Timestamp;
use windrow_formats::batch::file::{FileClass, FileReference};

use crate::counter_rows::CounterBuilder;
use crate::failed_request_rows::FailedRequestBuilder;
use crate::limits::PIECE_ROWS_BYTES_MAX;
use crate::request_rows::{RequestBuilder, RequestFile};
use crate::rows::Rows;
use crate::schema::{COUNTERS, Definition, FAILED_REQUESTS, IIS};

/// A table whose rows are made of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileTable {
    /// `iis`, of logs of web servers.
    Requests,
    /// `failed_requests`, of traces of requests.
    FailedRequests,
    /// `counters`, of logs of performance counters.
    Counters,
}

impl FileTable {
    /// All of them.
    pub const ALL: [FileTable; 3] = [
        FileTable::Requests,
        FileTable::FailedRequests,
        FileTable::Counters,
    ];

    /// The one that is made of such files.
    #[must_use]
    pub fn of(class: FileClass) -> Option<FileTable> {
        let mut all = FileTable::ALL.into_iter();
        all.find(|table| table.class() == class)
    }

    /// The files that it is made of.
    #[must_use]
    pub fn class(self) -> FileClass {
        match self {
            FileTable::Requests => FileClass::IisLog,
            FileTable::FailedRequests => FileClass::FailedRequest,
            FileTable::Counters => FileClass::Counters,
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.definition().name
    }

    /// What its rows are.
    #[must_use]
    pub fn rows(self) -> &'static str {
        match self {
            FileTable::Requests => "requests of web servers",
            FileTable::FailedRequests => "traces of failed requests",
            FileTable::Counters => "values of performance counters",
        }
    }

    pub(crate) fn definition(self) -> &'static Definition {
        match self {
            FileTable::Requests => &IIS,
            FileTable::FailedRequests => &FAILED_REQUESTS,
            FileTable::Counters => &COUNTERS,
        }
    }
}

/// What a piece of a file holds.
///
/// A server writes the file, and a few bytes of it can be told to become many: each line repeats the names of its fields,
/// each value that of its counter. Lines beyond 128 MiB of rows count as one bad line.
#[derive(Debug, Default)]
pub struct PieceRows {
    /// Its rows.
    pub rows: Rows,
    /// How many lines, or values of lines, are none.
    pub bad: u64,
    /// The first of them, by its number, and what is wrong with it.
    pub first_bad: Option<(u64, String)>,
}

impl PieceRows {
    /// Reads a piece of a file of this machine, taken in at this time. What is no row is counted, the first of it named.
    #[must_use]
    pub fn read(
        table: FileTable,
        machine: &str,
        reference: &FileReference,
        bytes: Vec<u8>,
        received_at: Timestamp,
    ) -> PieceRows {
        let mut piece = PieceRows::default();
        piece.rows = match table {
            FileTable::Requests => piece.requests(machine, reference, bytes, received_at),
            FileTable::FailedRequests => {
                let mut rows = FailedRequestBuilder::new(received_at);
                let added = rows.push(machine, reference, &bytes);
                piece.note(added.map_err(|what| (1, what)));
                rows.finish()
            }
            FileTable::Counters => {
                let mut rows = CounterBuilder::new(received_at);
                rows.read(machine, reference, &bytes, |line, what| {
                    piece.note(Err((line, what)));
                });
                rows.finish()
            }
        };
        piece
    }

    fn requests(
        &mut self,
        machine: &str,
        reference: &FileReference,
        bytes: Vec<u8>,
        received_at: Timestamp,
    ) -> Rows {
        let mut rows = RequestBuilder::new(received_at);
        let mut file = RequestFile::of_piece(reference, bytes).of_machine(machine);
        let mut read = |rows: &mut RequestBuilder| {
            file.read(rows, |_| {}, |line, what| self.note(Err((line, what))))
        };
        // It reads from memory, which gives no error.
        while let Ok(Some(_)) = read(&mut rows) {
            if rows.bytes() > PIECE_ROWS_BYTES_MAX {
                self.note(Err((file.line(), too_many_rows())));
                break;
            }
        }
        rows.finish()
    }

    fn note(&mut self, read: Result<(), (u64, String)>) {
        if let Err((line, what)) = read {
            self.bad += 1;
            self.first_bad.get_or_insert((line, what));
        }
    }
}

/// Why the rest of a piece is left out.
pub(crate) fn too_many_rows() -> String {
    let most = PIECE_ROWS_BYTES_MAX >> 20;
    format!(
        "from this line on the rest of the piece is left out: its rows would take more than {most} MiB"
    )
}
