//! Crash dumps: what the streams of a minidump say of the crash, without its memory.
//!
//! Which process it was, when and where it failed and with what code, on which Windows, and which modules, of which build,
//! were loaded. Streams that are wrong are named, and the others are read. Only what is looked at is read from the file,
//! whose size does not matter: a full dump has gigabytes.
//!
//! Source: the structures of minidumpapiset.h (MINIDUMP_HEADER and the streams), verrsrc.h for versions; CodeView records as
//! LLVM's documentation of PDB files tells them.

use std::fmt;
use std::io::{self, Read, Seek, SeekFrom};

use jiff::Timestamp;

use crate::guid::Guid;
use crate::input::{Input, Short, utf16};
use crate::limits::{
    MINIDUMP_MODULES_MAX, MINIDUMP_NAME_BYTES_MAX, MINIDUMP_RECORD_BYTES_MAX, MINIDUMP_STREAMS_MAX,
};

#[cfg(test)]
mod tests;

/// What a dump says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Minidump {
    /// When it was written.
    pub written: Option<Timestamp>,
    /// Why.
    pub exception: Option<Exception>,
    /// Number of the process.
    pub process_id: Option<u32>,
    /// When the process was started.
    pub process_started: Option<Timestamp>,
    /// How many threads it had.
    pub threads: Option<u32>,
    /// Where it ran.
    pub system: Option<System>,
    /// What was loaded, the program itself first.
    pub modules: Vec<Module>,
    /// What could not be read.
    pub faults: Vec<Fault>,
}

/// What ended the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exception {
    /// The thread.
    pub thread_id: u32,
    /// What happened: an NTSTATUS on Windows, `0xc0000005` of an access violation.
    pub code: u32,
    /// Where the code lies that did it.
    pub address: u64,
    /// What an access violation wanted, and with which address: 0 to read, 1 to write, 8 to run.
    pub access: Option<(u64, u64)>,
}

/// A system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct System {
    /// PROCESSOR_ARCHITECTURE_*.
    pub architecture: u16,
    /// How many processors.
    pub processors: u8,
    /// Version of the system: major, minor, build.
    pub version: [u32; 3],
    /// VER_PLATFORM_*: 2 is Windows; other writers have numbers of their own for other systems.
    pub platform: u32,
}

/// A module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Module {
    /// Its file.
    pub name: String,
    /// Where it lies.
    pub base: u64,
    /// How many bytes it has there.
    pub bytes: u32,
    /// When it was built, or a number in its place, as its header says.
    pub time_stamp: u32,
    /// Version of the file, four numbers.
    pub version: Option<[u16; 4]>,
    /// What its symbols are found by.
    pub build: Option<Build>,
}

/// What names the build of a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Build {
    /// Of a PDB file.
    Pdb {
        /// Its GUID.
        guid: Guid,
        /// How often it was changed since.
        age: u32,
        /// Its name.
        file: String,
    },
    /// Of another file (a build id of ELF), or an older form.
    Other(Vec<u8>),
}

/// What is wrong with a dump.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{part} at {offset:#x}: {what}")]
pub struct Fault {
    /// Which part.
    pub part: &'static str,
    /// Where in the file.
    pub offset: u64,
    /// What.
    pub what: FaultKind,
}

/// What is wrong with a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FaultKind {
    /// It has less than it should.
    #[error(transparent)]
    Short(#[from] Short),
    /// It has more than any dump.
    #[error("{count} of them, more than {most}")]
    TooMany {
        /// How many.
        count: u32,
        /// How many are read.
        most: usize,
    },
}

/// Why a file is no dump.
#[derive(Debug, thiserror::Error)]
pub enum DumpError {
    /// It cannot be read.
    #[error("cannot be read")]
    Read(#[from] io::Error),
    /// It begins in another way.
    #[error("it does not begin as a minidump does")]
    Signature,
}

/// `MDMP`.
const SIGNATURE: u32 = 0x504d_444d;
/// MINIDUMP_VERSION, the lower half: the upper one is its writer's.
const VERSION: u16 = 0xa793;

const HEADER_BYTES: usize = 32;
const LOCATION_BYTES: usize = 12;
const MODULE_BYTES: usize = 108;
const MODULE: &str = "a module";

/// MINIDUMP_STREAM_TYPE of the streams that are read.
const THREADS: u32 = 3;
const MODULES: u32 = 4;
const EXCEPTION: u32 = 6;
const SYSTEM: u32 = 7;
const MISC: u32 = 15;

impl Minidump {
    /// Reads a dump.
    ///
    /// # Errors
    /// The file cannot be read, or is no dump. What is wrong within one is among its [faults](Minidump::faults).
    pub fn read<R: Read + Seek>(source: R) -> Result<Minidump, DumpError> {
        let mut file = File {
            source,
            buffer: Vec::new(),
        };
        let head = file.piece(0, HEADER_BYTES)?.to_vec();
        let mut head = Input::new(&head);
        let mut take = || head.u32().map_err(|_| DumpError::Signature);
        let (signature, version, count) = (take()?, take()?, take()?);
        let (directory, _checksum, written) = (take()?, take()?, take()?);
        if signature != SIGNATURE || version as u16 != VERSION {
            return Err(DumpError::Signature);
        }
        let mut dump = Minidump {
            written: moment(written),
            ..Minidump::default()
        };
        dump.streams(&mut file, directory, count)?;
        Ok(dump)
    }

    /// The program that failed.
    #[must_use]
    pub fn process(&self) -> Option<&Module> {
        self.modules.first()
    }

    /// The module in which it failed; none where the address lies in none.
    #[must_use]
    pub fn failing_module(&self) -> Option<&Module> {
        let address = self.exception?.address;
        self.modules.iter().find(|module| {
            let offset = address.checked_sub(module.base);
            offset.is_some_and(|offset| offset < u64::from(module.bytes))
        })
    }

    fn streams<R: Read + Seek>(
        &mut self,
        file: &mut File<R>,
        at: u32,
        count: u32,
    ) -> io::Result<()> {
        let offset = u64::from(at);
        let taken = (count as usize).min(MINIDUMP_STREAMS_MAX);
        if taken < count as usize {
            let most = MINIDUMP_STREAMS_MAX;
            self.fault("the directory", offset, FaultKind::TooMany { count, most });
        }
        let directory = file.piece(offset, taken * LOCATION_BYTES)?.to_vec();
        let mut input = Input::new(&directory);
        for _ in 0..taken {
            let mut entry = || Ok::<_, Short>((input.u32()?, input.u32()?, input.u32()?));
            let (kind, bytes, at) = match entry() {
                Ok(entry) => entry,
                Err(short) => {
                    self.fault("the directory", offset, short.into());
                    break;
                }
            };
            self.stream(file, kind, bytes as usize, u64::from(at))?;
        }
        Ok(())
    }

    fn stream<R: Read + Seek>(
        &mut self,
        file: &mut File<R>,
        kind: u32,
        bytes: usize,
        at: u64,
    ) -> io::Result<()> {
        let (part, most) = match kind {
            THREADS => ("the list of threads", 4),
            // A dump has one list of each kind: with more, a small file could ask for any number of modules.
            MODULES if self.modules.is_empty() => return self.modules(file, bytes, at),
            EXCEPTION => ("the exception", 168),
            SYSTEM => ("the description of the system", 24),
            MISC => ("the description of the process", 24),
            _ => return Ok(()),
        };
        let piece = file.piece(at, bytes.min(most))?;
        let mut input = Input::new(piece);
        let read = match kind {
            THREADS => input.u32().map(|threads| self.threads = Some(threads)),
            EXCEPTION => exception(&mut input).map(|exception| self.exception = Some(exception)),
            SYSTEM => system(&mut input).map(|system| self.system = Some(system)),
            _ => self.misc(&mut input),
        };
        if let Err(short) = read {
            self.fault(part, at, short.into());
        }
        Ok(())
    }

    /// MINIDUMP_MISC_INFO, whose flags say which of its values count.
    fn misc(&mut self, input: &mut Input<'_>) -> Result<(), Short> {
        let (_size, flags) = (input.u32()?, input.u32()?);
        let (process_id, started) = (input.u32()?, input.u32()?);
        self.process_id = (flags & 1 != 0).then_some(process_id);
        self.process_started = (flags & 2 != 0).then(|| moment(started)).flatten();
        Ok(())
    }

    /// MINIDUMP_MODULE_LIST. Each module is read by itself: what one says of its name does not cost another one.
    fn modules<R: Read + Seek>(
        &mut self,
        file: &mut File<R>,
        bytes: usize,
        at: u64,
    ) -> io::Result<()> {
        let count = match Input::new(file.piece(at, 4.min(bytes))?).u32() {
            Ok(count) => count,
            Err(short) => {
                self.fault("the list of modules", at, short.into());
                return Ok(());
            }
        };
        let most = MINIDUMP_MODULES_MAX;
        if count as usize > most {
            self.fault(
                "the list of modules",
                at,
                FaultKind::TooMany { count, most },
            );
        }
        let count = (count as usize).min(most);
        // Some writers align what follows the count.
        let is_aligned = bytes == 8 + count * MODULE_BYTES;
        let first = at + if is_aligned { 8 } else { 4 };
        for number in 0..count {
            let at = first + (number * MODULE_BYTES) as u64;
            let piece = file.piece(at, MODULE_BYTES)?.to_vec();
            let read = Module::read(&mut Input::new(&piece));
            let (mut module, name, record) = match read {
                Ok(read) => read,
                Err(short) => {
                    self.fault("the list of modules", at, short.into());
                    return Ok(());
                }
            };
            self.name(file, &mut module, name)?;
            self.build(file, &mut module, record)?;
            self.modules.push(module);
        }
        Ok(())
    }

    /// MINIDUMP_STRING.
    fn name<R: Read + Seek>(
        &mut self,
        file: &mut File<R>,
        module: &mut Module,
        at: u64,
    ) -> io::Result<()> {
        let bytes = match Input::new(file.piece(at, 4)?).u32() {
            Ok(bytes) => (bytes as usize).min(MINIDUMP_NAME_BYTES_MAX),
            Err(short) => {
                self.fault(MODULE, at, short.into());
                return Ok(());
            }
        };
        let text = file.piece(at + 4, bytes)?;
        module.name = utf16(text);
        let left = text.len();
        if left < bytes {
            let short = Short {
                at: 0,
                left,
                wanted: bytes,
            };
            self.fault(MODULE, at, short.into());
        }
        Ok(())
    }

    /// The CodeView record of a module.
    fn build<R: Read + Seek>(
        &mut self,
        file: &mut File<R>,
        module: &mut Module,
        (bytes, at): (u32, u64),
    ) -> io::Result<()> {
        let wanted = (bytes as usize).min(MINIDUMP_RECORD_BYTES_MAX);
        if wanted == 0 {
            return Ok(());
        }
        let record = file.piece(at, wanted)?;
        match build(&mut Input::new(record)) {
            Ok(build) => module.build = Some(build),
            Err(short) => self.fault(MODULE, at, short.into()),
        }
        Ok(())
    }

    fn fault(&mut self, part: &'static str, offset: u64, what: FaultKind) {
        // One module after the other can be wrong: as many faults as there may be modules are enough.
        if self.faults.len() < MINIDUMP_MODULES_MAX {
            self.faults.push(Fault { part, offset, what });
        }
    }
}

/// MINIDUMP_EXCEPTION_STREAM.
fn exception(input: &mut Input<'_>) -> Result<Exception, Short> {
    let thread_id = input.u32()?;
    input.take(4)?;
    let (code, _flags) = (input.u32()?, input.u32()?);
    input.take(8)?;
    let address = input.u64()?;
    let parameters = input.u32()?;
    input.take(4)?;
    let (wanted, with) = (input.u64()?, input.u64()?);
    Ok(Exception {
        thread_id,
        code,
        address,
        access: (code == ACCESS_VIOLATION && parameters >= 2).then_some((wanted, with)),
    })
}

/// STATUS_ACCESS_VIOLATION.
const ACCESS_VIOLATION: u32 = 0xc000_0005;

/// MINIDUMP_SYSTEM_INFO.
fn system(input: &mut Input<'_>) -> Result<System, Short> {
    let architecture = input.u16()?;
    input.take(4)?;
    let processors = input.u8()?;
    input.take(1)?;
    Ok(System {
        architecture,
        processors,
        version: [input.u32()?, input.u32()?, input.u32()?],
        platform: input.u32()?,
    })
}

impl Module {
    /// MINIDUMP_MODULE: the module, where its name lies, and its CodeView record.
    fn read(input: &mut Input<'_>) -> Result<(Module, u64, (u32, u64)), Short> {
        let base = input.u64()?;
        let (bytes, _checksum) = (input.u32()?, input.u32()?);
        let (time_stamp, name) = (input.u32()?, input.u32()?);
        let (signature, _version) = (input.u32()?, input.u32()?);
        let (high, low) = (input.u32()?, input.u32()?);
        input.take(36)?;
        let record = (input.u32()?, u64::from(input.u32()?));
        let version = [
            (high >> 16) as u16,
            high as u16,
            (low >> 16) as u16,
            low as u16,
        ];
        let module = Module {
            base,
            bytes,
            time_stamp,
            version: (signature == FIXED_FILE_INFO).then_some(version),
            ..Module::default()
        };
        Ok((module, u64::from(name), record))
    }

    /// By what symbol servers file the module: time stamp and size.
    #[must_use]
    pub fn code_id(&self) -> String {
        format!("{:08X}{:x}", self.time_stamp, self.bytes)
    }
}

/// Signature of a VS_FIXEDFILEINFO.
const FIXED_FILE_INFO: u32 = 0xfeef_04bd;

fn build(input: &mut Input<'_>) -> Result<Build, Short> {
    let whole = input.rest();
    if input.array()? != *b"RSDS" {
        return Ok(Build::Other(whole.to_vec()));
    }
    Ok(Build::Pdb {
        guid: input.guid()?,
        age: input.u32()?,
        file: String::from_utf8_lossy(input.until_zero()).into_owned(),
    })
}

fn moment(seconds: u32) -> Option<Timestamp> {
    (seconds != 0)
        .then(|| Timestamp::from_second(i64::from(seconds)).ok())
        .flatten()
}

/// A file that is read in pieces.
struct File<R> {
    source: R,
    buffer: Vec<u8>,
}

impl<R: Read + Seek> File<R> {
    /// What lies at an offset, as far as the file has it. All callers ask for no more than a limit.
    fn piece(&mut self, at: u64, bytes: usize) -> io::Result<&[u8]> {
        self.buffer.clear();
        self.source.seek(SeekFrom::Start(at))?;
        self.source
            .by_ref()
            .take(bytes as u64)
            .read_to_end(&mut self.buffer)?;
        Ok(&self.buffer)
    }
}

impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, build] = self.version;
        let name = if self.platform == 2 { "Windows " } else { "" };
        let architecture = match self.architecture {
            0 => "x86",
            5 => "ARM",
            9 => "x64",
            12 => "ARM64",
            _ => "another architecture",
        };
        write!(f, "{name}{major}.{minor}.{build} {architecture}")
    }
}
