use super::*;

/// A footer of one list of so many structs, of which there is none.
fn of_list(count: &[u8]) -> Vec<u8> {
    // The fields `version` and `row_groups`, and the end.
    [&[0x15, 0x02, 0x39, 0xfc], count, &[0]].concat()
}

#[test]
fn a_list_is_as_long_as_there_is_room_for() {
    check(&of_list(&[0])).unwrap();
    // 2,147,483,647 row groups.
    check(&of_list(&[0xff, 0xff, 0xff, 0xff, 0x07])).unwrap_err();
    let of_empty = |count: usize, written: &[u8]| {
        let footer = of_list(written);
        let (begin, end) = footer.split_at(footer.len() - 1);
        [begin, &vec![0; count], end].concat()
    };
    check(&of_empty(32_767, &[0xff, 0xff, 0x01])).unwrap();
    // More than the format knows, each of which asks for hundreds of bytes.
    check(&of_empty(32_768, &[0x80, 0x80, 0x02])).unwrap_err();
    // A number without an end.
    check(&of_list(&[0xff; 12])).unwrap_err();
    check(&[]).unwrap_err();
    // Sixty-four million values without a byte.
    check(&[0x19, 0xf0, 0x80, 0x80, 0x80, 0x20, 0, 0]).unwrap_err();
    check(&[0x1b, 0x80, 0x80, 0x80, 0x20, 0x11, 0, 0]).unwrap_err();
    check(&[0x1b, 3, 0, 0, 0]).unwrap_err();
    // Structs in structs.
    check(&[0x1c; 100_000]).unwrap_err();
    // Every type there is: truth, numbers, 8 bytes, text, lists, a map, 16 bytes.
    let all = [
        &[0x11, 0x12, 0x13, 7, 0x16, 0x80, 1, 0x17][..],
        &[0; 8],
        &[
            0x18, 2, b'a', b'b', 0x19, 0x21, 1, 2, 0x1b, 1, 0x58, 3, 1, b'x', 0x1b, 0, 0x1d,
        ],
        &[0; 16],
        &[0x0c, 0x40, 0, 0],
    ];
    check(&all.concat()).unwrap();
    check(&all.concat()[..40]).unwrap_err();
}

#[test]
fn a_length_fits_into_its_file() {
    let trailer = |length: u32| [&length.to_le_bytes()[..], MAGIC].concat();
    assert_eq!(length(&trailer(0), 12), Ok(0));
    assert_eq!(length(&trailer(88), 100), Ok(88));
    length(&trailer(89), 100).unwrap_err();
    length(&trailer(u32::MAX), 1 << 40).unwrap_err();
    length(&trailer(0), 11).unwrap_err();
    length(b"\0\0\0\0PAR2", 100).unwrap_err();
    length(b"", 100).unwrap_err();
}

#[test]
fn what_a_disk_cannot_read_is_told_from_what_a_folder_cannot_keep() {
    let io = |error: io::Error| is_of_disk(&ParquetError::External(Box::new(error)));
    let unreadable = || io::Error::from_raw_os_error(5);
    assert!(io(unreadable()));
    assert!(io(io::Error::other(unreadable())), "what was read of it");
    let scratch = || io::Error::other(Scratch::from(unreadable()));
    assert!(!io(scratch()), "the lake's file is well");
    assert!(!is_damage(&ParquetError::External(Box::new(scratch()))));
}

#[test]
fn what_passes_is_no_damage() {
    let io = |error: io::Error| is_damage(&ParquetError::External(Box::new(error)));
    let too_many_files = 24;
    assert!(!io(io::Error::from_raw_os_error(too_many_files)));
    assert!(!io(io::ErrorKind::FileTooLarge.into()), "a limit of ours");
    assert!(io(io::Error::from_raw_os_error(5)), "the medium is bad");
    assert!(io(io::Error::from_raw_os_error(2)), "there is no file");
    assert!(
        io(io::Error::other("Unknown frame descriptor")),
        "zstd's own"
    );
    assert!(is_damage(&ParquetError::General("no magic".to_owned())));
    let store = |error: object_store::Error| is_damage(&ParquetError::External(Box::new(error)));
    let source = || "refused".into();
    let of_disk = |number| object_store::Error::Generic {
        store: "near",
        source: Box::new(io::Error::from_raw_os_error(number)),
    };
    assert!(store(of_disk(5)), "the medium is bad");
    assert!(!store(of_disk(too_many_files)));
    assert!(!io(io::Error::other(of_disk(too_many_files))));
    assert!(!store(object_store::Error::Generic {
        store: "far",
        source: source()
    }));
    assert!(store(object_store::Error::NotFound {
        path: "a".to_owned(),
        source: source()
    }));
}
