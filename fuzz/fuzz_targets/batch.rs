//! Any bytes as a stored batch: decoding refuses it, or every record or the reference to a file can be
//! read, and what was read can be written again and comes back the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use windrow_formats::batch::{Batch, Encoder, Kind};
use windrow_formats::event::{Event, Index};
use windrow_fuzz::read_everything;

fuzz_target!(|data: &[u8]| {
    let Ok(batch) = Batch::decode(data) else {
        return;
    };
    if batch.header.kind == Kind::File {
        return refers_to_a_file(&batch);
    }
    let mut encoder = Encoder::new(&batch.header);
    let mut read = Vec::new();
    let mut records = batch.records();
    while let Some(record) = records.next() {
        let Ok(record) = record else {
            assert!(records.next().is_none(), "an error is the last item");
            break;
        };
        let mut index = Index::new();
        let _ = record.read_index(&mut index);
        read_everything(Event::new(record.text, &index));
        encoder.push(record.text, record.flags, &index);
        read.push((record.text, record.flags, index));
    }

    let bytes = encoder.finish();
    let again = Batch::decode(&bytes).expect("a batch that was just made");
    assert_eq!(again.header, batch.header);
    assert_eq!(again.records().count(), read.len());
    for (record, (text, flags, index)) in again.records().zip(&read) {
        let record = record.expect("a record that was just made");
        assert_eq!((record.text, record.flags), (*text, *flags));
        let mut decoded = Index::new();
        assert_eq!(record.read_index(&mut decoded), Ok(()));
        assert_eq!(decoded, *index);
    }
});

fn refers_to_a_file(batch: &Batch<'_>) {
    assert!(batch.records().next().is_none());
    let Ok(reference) = batch.file() else { return };
    let reference = reference.expect("a batch of this kind refers to one");
    let bytes = reference.encode(&batch.header);
    let again = Batch::decode(&bytes).expect("a batch that was just made");
    assert_eq!(again.header, batch.header);
    assert_eq!(again.file(), Ok(Some(reference)));
}
