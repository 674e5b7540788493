//! BLF files made byte by byte: every kind of object, containers, damage, bombs.

use super::*;
use crate::capture::{Counts, Format};
use flate2::{Compression, write::ZlibEncoder};
use proptest::prelude::*;
use std::io::Write as _;
use vernport_types::{CanFrame, CanId, FrameKind};

/// 1970-01-01 00:00:01.500 as the start.
fn file(objects: &[u8]) -> Vec<u8> {
    let mut file = b"LOGG".to_vec();
    file.extend(144_u32.to_le_bytes());
    file.resize(40, 0);
    for field in [1970_u16, 1, 4, 1, 0, 0, 1, 500] {
        file.extend(field.to_le_bytes());
    }
    file.resize(144, 0);
    file.extend(objects);
    file
}

fn object(kind: u32, nanos: u64, body: &[u8]) -> Vec<u8> {
    let mut object = b"LOBJ".to_vec();
    object.extend(32_u16.to_le_bytes());
    object.extend(1_u16.to_le_bytes());
    object.extend(u32::try_from(32 + body.len()).expect("small").to_le_bytes());
    object.extend(kind.to_le_bytes());
    object.extend(2_u32.to_le_bytes());
    object.extend([0; 4]);
    object.extend(nanos.to_le_bytes());
    object.extend(body);
    object.resize(object.len().next_multiple_of(4), 0);
    object
}

fn container(method: u16, objects: &[u8]) -> Vec<u8> {
    let content = if method == ZLIB {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(objects).expect("in memory");
        encoder.finish().expect("in memory")
    } else {
        objects.to_vec()
    };
    let mut container = b"LOBJ".to_vec();
    container.extend(16_u16.to_le_bytes());
    container.extend(1_u16.to_le_bytes());
    container.extend(u32::try_from(32 + content.len()).expect("small").to_le_bytes());
    container.extend(CONTAINER.to_le_bytes());
    container.extend(method.to_le_bytes());
    container.extend([0; 6]);
    container.extend(u32::try_from(objects.len()).expect("small").to_le_bytes());
    container.extend([0; 4]);
    container.extend(content);
    container
}

fn message(kind: u32, nanos: u64, flags: u8, id: u32, data: &[u8]) -> Vec<u8> {
    let mut body = vec![2, 0, flags, u8::try_from(data.len()).expect("short")];
    body.extend(id.to_le_bytes());
    body.extend(data);
    body.resize(16, 0);
    object(kind, nanos, &body)
}

fn fd_message(flags: u8, data: &[u8]) -> Vec<u8> {
    let mut body = vec![1, 0, 0, 15];
    body.extend(0x123_u32.to_le_bytes());
    body.extend([0, 0, 0, 0, 0, flags, u8::try_from(data.len()).expect("short")]);
    body.resize(20, 0);
    body.extend(data);
    body.resize(84, 0);
    object(100, 0, &body)
}

fn fd_message_64(flags: u32, data: &[u8]) -> Vec<u8> {
    let mut body = vec![3, 15, u8::try_from(data.len()).expect("short"), 0];
    body.extend((0x18FE_F100_u32 | 0x8000_0000).to_le_bytes());
    body.extend([0; 4]);
    body.extend(flags.to_le_bytes());
    body.resize(40, 0);
    body.extend(data);
    object(101, 0, &body)
}

type Frames = Vec<(i64, String, CanFrame)>;

fn read(bytes: &[u8]) -> (Frames, Counts) {
    let mut frames = Vec::new();
    let counts = Format::VectorBlf.read(bytes, &mut |event| {
        if let Event::Frame(line) = event {
            frames.push((line.time.0, line.channel.to_owned(), line.frame));
        }
    });
    (frames, counts)
}

#[test]
fn every_kind_of_object_is_read_in_and_out_of_containers() {
    let objects = [
        message(1, 1_000_000, 0, 0x123, &[1, 2, 3]),
        message(86, 2_000_000, 0, 0x98FE_F100, &[9; 8]),
        message(1, 3_000_000, 0x80, 0x123, &[0; 8]),
        object(73, 4_000_000, &[1; 40]),
        object(2, 4_000_000, &[1; 8]),
        object(104, 4_000_000, &[1; 60]),
        object(65, 5_000_000, b"an event of a person"),
        fd_message(EDL_FLAG, &[7; 64]),
        fd_message(0, &[7; 4]),
        fd_message_64(0x1000, &[8; 12]),
        fd_message_64(0x10, &[]),
        fd_message_64(0, &[8; 8]),
    ]
    .concat();
    let plain = read(&file(&objects));
    use FrameKind::{Data, Error, FdData, Remote};
    let kinds: Vec<FrameKind> = plain.0.iter().map(|frame| frame.2.kind()).collect();
    assert_eq!(kinds, [Data, Data, Remote, Error, Error, Error, FdData, Data, FdData, Remote, Data]);
    assert_eq!((plain.0[0].0, plain.0[0].1.as_str()), (1_501_000, "2"));
    assert_eq!((plain.0[1].2.id(), plain.0[1].2.data()), (CanId::Extended(0x18FE_F100), &[9; 8][..]));
    assert_eq!((plain.0[6].2.data().len(), plain.0[8].2.data().len()), (64, 12));
    assert_eq!(plain.1, Counts { frames: 11, skipped: 0 });
    let (first, second) = objects.split_at(objects.len() / 2 + 1);
    let parted = [container(ZLIB, first), container(ZLIB, second)].concat();
    assert_eq!(read(&file(&parted)), plain, "an object may lie in two containers");
    assert_eq!(read(&file(&container(PLAIN, &objects))), plain);
}

const EDL_FLAG: u8 = 1;

#[test]
fn a_frame_of_which_fewer_bytes_are_kept_than_it_had_has_those() {
    let with = |len: u8, more: u8, kept: &[u8]| {
        let mut body = fd_message_64(0x1000, kept)[32..].to_vec();
        (body[2], body[35]) = (len, more);
        read(&file(&object(101, 0, &body))).0.pop().map(|frame| frame.2.data().to_vec())
    };
    assert_eq!(with(64, 0, &[5; 48]), Some(vec![5; 48]));
    assert_eq!(with(64, 0, &[5; 52]), Some(vec![5; 48]), "no frame has 52 bytes");
    assert_eq!(with(64, 32 + 40 + 12, &[5; 52]), Some(vec![5; 12]), "what follows is no data");
    assert_eq!(with(64, 8, &[5; 52]), None, "more before the data is none");
}

#[test]
fn damage_costs_what_is_damaged_only() {
    let good = message(1, 0, 0, 0x123, &[1]);
    let mut bad_id = message(1, 0, 0, 0xFFF, &[1]);
    assert_eq!(read(&file(&[&good[..], &bad_id, &good].concat())).1, Counts { frames: 2, skipped: 1 });
    bad_id[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(read(&file(&[&good[..], &bad_id, &good].concat())).1, Counts { frames: 2, skipped: 1 });
    let rubbish = [0x55; 100];
    assert_eq!(read(&file(&[&good[..], &rubbish, &good].concat())).1, Counts { frames: 2, skipped: 1 });
    let mut torn = container(ZLIB, &good.repeat(50));
    let middle = torn.len() - 8;
    torn[middle] ^= 0xFF;
    let last = message(1, 0, 0, 0x321, &[2]);
    let (frames, counts) = read(&file(&[torn, container(ZLIB, &last)].concat()));
    assert_eq!(
        frames.last().map(|frame| frame.2.id()),
        Some(CanId::Standard(0x321)),
        "the next container is read"
    );
    assert!((1..=2).contains(&counts.skipped), "{counts:?}");
    let whole = file(&[&good[..], &good].concat());
    assert_eq!(read(&whole[..whole.len() - 9]).1, Counts { frames: 1, skipped: 1 });
    assert_eq!(read(&file(&container(7, &good))).1, Counts { frames: 0, skipped: 1 });
}

#[test]
fn a_container_that_swells_is_given_up() {
    let bomb = container(ZLIB, &vec![0; MAX_BLOCK_BYTES + 1]);
    assert!(bomb.len() < MAX_BLOCK_BYTES / 100, "it is small in the file");
    let after = message(1, 0, 0, 0x123, &[1]);
    let (_, counts) = read(&file(&[bomb, after].concat()));
    assert_eq!(counts.frames, 1);
    assert!((1..=2).contains(&counts.skipped), "{counts:?}");
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..400),
        at in 0_usize..200,
        with in any::<u8>(),
    ) {
        let _ = read(&bytes);
        let _ = read(&file(&bytes));
        let objects = [message(1, 0, 0, 1, &[1]), fd_message(1, &[2; 64]), fd_message_64(0x1000, &[3; 12])].concat();
        let mut objects = [objects.clone(), container(ZLIB, &objects)].concat();
        if let Some(byte) = objects.get_mut(at) {
            *byte = with;
        }
        let (frames, counts) = read(&file(&objects));
        prop_assert_eq!(frames.len() as u64, counts.frames);
        prop_assert!(counts.frames <= 6);
    }

    #[test]
    fn a_file_cut_anywhere_gives_its_first_frames(cut in 0_usize..2000) {
        let objects: Vec<u8> = (0..20).flat_map(|n| message(1, n, 0, 1, &[1])).collect();
        let whole = file(&[container(ZLIB, &objects), objects].concat());
        let (all, _) = read(&whole);
        let (frames, _) = read(&whole[..cut.min(whole.len())]);
        prop_assert!(all.starts_with(&frames));
    }
}
