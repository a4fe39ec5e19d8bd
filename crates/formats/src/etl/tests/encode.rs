//! Traces as Windows writes them, as small as can be.

use crate::guid::Guid;

pub(super) const BUFFER_BYTES: usize = 2048;
pub(super) const PROVIDER: Guid = Guid([7; 16]);

/// Kind of a clock, and its frequency. It shows 1,000 as the session begins, at [`STARTED`].
type ClockOf = (u32, u64);
pub(super) const QPC: ClockOf = (1, 1_000);
pub(super) const SYSTEM: ClockOf = (2, 0);
pub(super) const CYCLES: ClockOf = (3, 0);

/// 2026-11-23T00:00:00Z.
pub(super) const STARTED: u64 = 116_444_736_000_000_000 + 20_780 * 86_400 * 10_000_000;

/// A file in the making.
pub(super) struct File {
    clock: ClockOf,
    pointer_bytes: u8,
    scheme: Option<u16>,
    buffers: Vec<(u16, Vec<Vec<u8>>)>,
}

impl File {
    pub(super) fn new(clock: ClockOf) -> File {
        File {
            clock,
            pointer_bytes: 8,
            scheme: None,
            buffers: Vec::new(),
        }
    }

    pub(super) fn pointers(self, pointer_bytes: u8) -> File {
        File {
            pointer_bytes,
            ..self
        }
    }

    pub(super) fn compressed(self, scheme: u16) -> File {
        File {
            scheme: Some(scheme),
            ..self
        }
    }

    pub(super) fn buffer(mut self, processor: u16, events: &[Vec<u8>]) -> File {
        self.buffers.push((processor, events.to_vec()));
        self
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.whole(0, &[self.first()], self.scheme.unwrap_or(3));
        for (processor, events) in &self.buffers {
            let buffer = self.whole(*processor, events, 3);
            match self.scheme {
                None => bytes.extend(buffer),
                Some(scheme) => bytes.extend(packed(&buffer, scheme)),
            }
        }
        bytes
    }

    fn whole(&self, processor: u16, events: &[Vec<u8>], state: u16) -> Vec<u8> {
        let mut buffer = vec![0; 72];
        for event in events {
            buffer.extend(event);
            buffer.resize(buffer.len().next_multiple_of(8), 0);
        }
        let filled = buffer.len() as u32;
        assert!(filled as usize <= BUFFER_BYTES);
        buffer.resize(BUFFER_BYTES, 0xff);
        buffer[..4].copy_from_slice(&(BUFFER_BYTES as u32).to_le_bytes());
        buffer[40..42].copy_from_slice(&processor.to_le_bytes());
        buffer[44..46].copy_from_slice(&state.to_le_bytes());
        buffer[48..52].copy_from_slice(&filled.to_le_bytes());
        buffer[52] = 0x20;
        buffer
    }

    /// SYSTEM_TRACE_HEADER and TRACE_LOGFILE_HEADER with the names behind it.
    fn first(&self) -> Vec<u8> {
        let (clock, frequency) = self.clock;
        let mode = if self.scheme.is_some() {
            0x0400_0000_u32
        } else {
            0
        };
        let mut event = kernel_head(2, 0, 0);
        let words = [
            BUFFER_BYTES as u32,
            0,
            26_100,
            4,
            0,
            0,
            156_250,
            0,
            mode,
            3,
            0,
            u32::from(self.pointer_bytes),
            11,
            2,
        ];
        event.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        event.extend(vec![0; 2 * usize::from(self.pointer_bytes)]);
        event.extend((-60_i32).to_le_bytes());
        event.extend([0; 172]);
        for moment in [STARTED - 10, frequency, STARTED] {
            event.extend(moment.to_le_bytes());
        }
        event.extend(clock.to_le_bytes());
        event.extend(12_u32.to_le_bytes());
        event.extend(utf16z("s1"));
        event.extend(utf16z(r"C:\s1.etl"));
        sized(event, 4)
    }
}

fn sized(mut event: Vec<u8>, at: usize) -> Vec<u8> {
    let size = event.len() as u16;
    event[at..at + 2].copy_from_slice(&size.to_le_bytes());
    event
}

pub(super) fn utf16z(text: &str) -> Vec<u8> {
    let units = text.encode_utf16().chain([0]);
    units.flat_map(u16::to_le_bytes).collect()
}

/// What the events of the kernel begin with; kinds that are smaller have less of it.
fn kernel_head(kind: u8, group: u8, opcode: u8) -> Vec<u8> {
    let mut event = vec![2, 0, kind, 0xc0, 0, 0, opcode, group];
    if kind != 17 {
        event.extend([1, 0, 0, 0, 2, 0, 0, 0]);
    }
    event.extend(1_000_u64.to_le_bytes());
    if kind == 2 {
        event.extend([0; 8]);
    }
    event
}

pub(super) fn system(group: u8, opcode: u8, payload: &[u8]) -> Vec<u8> {
    sized(
        [kernel_head(2, group, opcode), payload.to_vec()].concat(),
        4,
    )
}

pub(super) fn compact(group: u8, opcode: u8) -> Vec<u8> {
    sized(kernel_head(4, group, opcode), 4)
}

pub(super) fn perfinfo(group: u8, opcode: u8) -> Vec<u8> {
    sized(kernel_head(17, group, opcode), 4)
}

/// An event of a classic provider.
pub(super) fn full(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut event = vec![0, 0, 20, 0xc0, opcode, 4, 1, 0];
    event.extend([1, 0, 0, 0, 2, 0, 0, 0]);
    event.extend(1_500_u64.to_le_bytes());
    event.extend([8; 16]);
    event.extend([0; 8]);
    event.extend(payload);
    sized(event, 0)
}

/// A software trace with GUID, time and thread.
pub(super) fn message(number: u16) -> Vec<u8> {
    let mut event = vec![0, 0, 0, 0x90];
    event.extend(number.to_le_bytes());
    event.extend(0x2a_u16.to_le_bytes());
    event.extend(PROVIDER.0);
    event.extend(3_000_u64.to_le_bytes());
    event.extend([1, 0, 0, 0, 2, 0, 0, 0]);
    event.extend(b"said");
    sized(event, 0)
}

#[derive(Default)]
pub(super) struct Header {
    pub(super) id: u16,
    pub(super) version: u8,
    pub(super) opcode: u8,
    pub(super) task: u16,
    pub(super) keywords: u64,
    pub(super) extended: Vec<(u16, Vec<u8>)>,
}

/// An event of a provider, two seconds after the begin by the performance counter.
pub(super) fn event(header: Header, payload: &[u8]) -> Vec<u8> {
    let mut event = vec![0, 0, 19, 0xc0];
    event.extend([u8::from(!header.extended.is_empty()), 0, 0, 0]);
    event.extend([1, 0, 0, 0, 2, 0, 0, 0]);
    event.extend(3_000_u64.to_le_bytes());
    event.extend(PROVIDER.0);
    event.extend(header.id.to_le_bytes());
    event.extend([header.version, 0, 4, header.opcode]);
    event.extend(header.task.to_le_bytes());
    event.extend(header.keywords.to_le_bytes());
    event.extend([0; 24]);
    let last = header.extended.len();
    for (number, (kind, bytes)) in header.extended.into_iter().enumerate() {
        let size = (8 + bytes.len()).next_multiple_of(8);
        let more = u16::from(number + 1 < last);
        let head = [size as u16, kind, more, bytes.len() as u16];
        event.extend(head.iter().flat_map(|word| word.to_le_bytes()));
        event.extend(&bytes);
        event.resize(event.len() + size - 8 - bytes.len(), 0);
    }
    event.extend(payload);
    sized(event, 0)
}

/// One part of [`MANIFEST`].
pub(super) fn part(number: u8, of: u8, xml: &[u8]) -> Vec<u8> {
    let envelope = [1, 1, 0, 0x5b, of, 0, number, 0];
    let header = Header {
        id: 0xfffe,
        opcode: 0xfe,
        task: 0xfffe,
        ..Header::default()
    };
    event(header, &[&envelope, xml].concat())
}

/// As short as it can be: a buffer has 2,048 bytes.
pub(super) const MANIFEST: &str = "<instrumentationManifest><instrumentation><events>\
    <provider name='Own-Source' guid='{07070707-0707-0707-0707-070707070707}'>\
    <tasks><task name='Transfer' message='$(string.t)' value='5'><opcodes><opcode name='Begin' value='10'/></opcodes></task></tasks>\
    <keywords><keyword name='Network' mask='0x1'/><keyword name='Disk' mask='2'/><keyword name='Other' mask='0x4'/></keywords>\
    <events><event value='7' version='1' symbol='Began' task='Transfer' template='T'/></events>\
    <templates><template tid='T'><data name='file' inType='win:UnicodeString'/>\
    <data name='size' inType='win:UInt16'/><data name='head' inType='win:Binary' length='size'/>\
    <data name='from' inType='win:UInt32' outType='win:IPv4'/>\
    <struct name='parts' count='2'><data name='n' inType='win:Int8'/></struct></template></templates>\
    </provider></events></instrumentation><localization><resources culture='en-US'><stringTable>\
    <string id='t' value='Transfer of files'/></stringTable></resources></localization></instrumentationManifest>";

pub(super) fn payload_of_7() -> Vec<u8> {
    let mut payload = utf16z(r"C:\é");
    payload.extend([3, 0, 0xaa, 0xbb, 0xcc, 10, 0, 0, 1, 0xff, 2]);
    payload
}

/// A schema with every way to count, and a payload by it.
pub(super) fn tracelogging() -> (Vec<u8>, Vec<u8>) {
    let mut schema = vec![0, 0, 0x80, 0];
    schema.extend(b"Signed in\0");
    schema.extend(b"user\0\x01");
    schema.extend(b"status\0\x87\x04");
    schema.extend(b"two\0\x24\x02\0");
    schema.extend(b"many\0\x46");
    schema.extend(b"from\0\x98\x82\x81\x01");
    schema.extend(b"address\0\x88\x08");
    schema.extend(b"port\0\x86\x07");
    schema.extend(b"own\0\x60\x01\0x");
    schema.extend(b"json\0\x97\x0c");
    let size = (schema.len() as u16).to_le_bytes();
    schema[..2].copy_from_slice(&size);
    let mut payload = utf16z("ann");
    payload.extend((-1_073_741_715_i32).to_le_bytes());
    payload.extend([1, 2]);
    payload.extend([2, 0, 5, 0, 6, 0]);
    payload.extend([10, 0, 0, 1, 0x01, 0xbb]);
    payload.extend([2, 0, 0xab, 0xcd]);
    payload.extend([4, 0]);
    payload.extend(b"[{}]");
    (schema, payload)
}

/// A buffer as a session with compression writes it.
fn packed(buffer: &[u8], scheme: u16) -> Vec<u8> {
    let filled = u32::from_le_bytes([buffer[48], buffer[49], buffer[50], buffer[51]]);
    let plain = &buffer[72..filled as usize];
    let events = match scheme {
        2 => lznt1(plain),
        _ => xpress(plain),
    };
    let mut bytes = buffer[..72].to_vec();
    bytes.extend(events);
    let stored = (bytes.len() as u32).to_le_bytes();
    bytes[..4].copy_from_slice(&stored);
    bytes[52] |= 0x40;
    bytes
}

/// The longest repetition at a place: distance and length.
fn repetition(plain: &[u8], at: usize, from: usize, longest: usize) -> Option<(usize, usize)> {
    let length = |begin: usize| {
        let same = (at..plain.len()).take_while(|here| plain[begin + here - at] == plain[*here]);
        same.count().min(longest)
    };
    // Looking at few places keeps the tests quick; the nearest and the furthest are looked at.
    let nearest = at.saturating_sub(64).max(from);
    let found = (from..nearest)
        .take(4)
        .chain(nearest..at)
        .map(|begin| (at - begin, length(begin)));
    found
        .filter(|(_, length)| *length >= 3)
        .max_by_key(|(_, length)| *length)
}

/// Plain LZ77 (MS-XCA 2.3).
pub(super) fn xpress(plain: &[u8]) -> Vec<u8> {
    let mut out = vec![0; 4];
    let (mut flags_at, mut bit, mut at) = (0, 32, 0);
    let mut half: Option<usize> = None;
    while at < plain.len() {
        if bit == 0 {
            flags_at = out.len();
            out.extend([0; 4]);
            bit = 32;
        }
        bit -= 1;
        let Some((distance, length)) = repetition(plain, at, at.saturating_sub(8192), 70_000)
        else {
            out.push(plain[at]);
            at += 1;
            continue;
        };
        let flags = u32::from_le_bytes([
            out[flags_at],
            out[flags_at + 1],
            out[flags_at + 2],
            out[flags_at + 3],
        ]);
        out[flags_at..flags_at + 4].copy_from_slice(&(flags | 1 << bit).to_le_bytes());
        at += length;
        let length = length - 3;
        out.extend((((distance - 1) as u16) << 3 | length.min(7) as u16).to_le_bytes());
        if length < 7 {
            continue;
        }
        let nibble = (length - 7).min(15) as u8;
        match half.take() {
            Some(place) => out[place] |= nibble << 4,
            None => {
                half = Some(out.len());
                out.push(nibble);
            }
        }
        match length {
            ..22 => {}
            22..277 => out.push((length - 22) as u8),
            277..65_536 => {
                out.push(255);
                out.extend((length as u16).to_le_bytes());
            }
            _ => {
                out.extend([255, 0, 0]);
                out.extend((length as u32).to_le_bytes());
            }
        }
    }
    // The flags behind the last item say that nothing follows.
    if bit == 0 {
        out.extend([0xff; 4]);
    }
    out
}

/// LZNT1 (MS-XCA 2.5).
pub(super) fn lznt1(plain: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for chunk in plain.chunks(4096) {
        let mut packed = Vec::new();
        let (mut flags_at, mut bit, mut at) = (0, 8, 0);
        while at < chunk.len() {
            if bit == 8 {
                flags_at = packed.len();
                packed.push(0);
                bit = 0;
            }
            let bits = (4..12).find(|bits| at <= 1 << bits).unwrap_or(12);
            let longest = (1_usize << (16 - bits)) + 2;
            match repetition(chunk, at, 0, longest) {
                Some((distance, length)) => {
                    packed[flags_at] |= 1 << bit;
                    let token = ((distance - 1) << (16 - bits)) | (length - 3);
                    packed.extend((token as u16).to_le_bytes());
                    at += length;
                }
                None => {
                    packed.push(chunk[at]);
                    at += 1;
                }
            }
            bit += 1;
        }
        let (kind, bytes) = match packed.len() < chunk.len() {
            true => (0xb000, packed.as_slice()),
            false => (0x3000, chunk),
        };
        out.extend((kind | (bytes.len() - 1) as u16).to_le_bytes());
        out.extend(bytes);
    }
    out
}
