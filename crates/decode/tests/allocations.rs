//! Frames through the decoder and the plan of a DBC file allocate nothing.
//!
//! One test only: the counter is of the whole process.

#![expect(unsafe_code, reason = "an allocator that counts can only be written with it")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use vernport_decode::{
    Config, Decoded, Decoder,
    dbc::{Database, Mapping, Plan},
};
use vernport_types::{BootMicros, CanFrame, CanId, Catalogue, Stamp, TimeQuality, UtcMicros};

struct Counted;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is handed on to the system allocator unchanged; the counter is an atomic
// and allocates nothing itself.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `GlobalAlloc::alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `GlobalAlloc::dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `GlobalAlloc::realloc`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counted = Counted;

const DBC: &str = "VERSION \"\"\nBU_: A\nBO_ 1072 Cluster: 8 A\n SG_ Odometer : 15|24@0+ (1,0) [0|0] \"km\" A\n \
    SG_ FuelLevel : 32|8@1+ (0.5,0) [0|0] \"%\" A\nBO_ 3 gnss_pos: 8 A\n SG_ PositionValid : 0|1@1+ (1,0) [0|1] \"\" A\n \
    SG_ Latitude : 1|28@1+ (1e-06,-90) [-90|90] \"deg\" A\n SG_ Longitude : 29|29@1+ (1e-06,-180) [-180|180] \"deg\" A\n\
    BO_ 2566844926 Group: 8 A\n SG_ Low M : 0|2@1+ (1,0) [0|0] \"\" A\n SG_ BatteryVoltage m1 : 16|16@1+ (0.001,0) [0|0] \"V\" A\n";

#[test]
fn frames_through_the_plan_of_a_dbc_file_allocate_nothing() {
    let text = include_str!("../../../config/signals/vehicle.toml");
    let catalogue = Catalogue::from_toml([("vehicle.toml", text)]).expect("the shipped catalogue");
    let (database, findings) = Database::read(DBC.as_bytes()).expect("a DBC file");
    assert_eq!(findings, []);
    let plan = Plan::new(&[database], &Mapping::shipped(), &catalogue).expect("small");
    let mut decoder = Decoder::new(&catalogue, Config::default()).expect("fits").with_dbc(&Arc::new(plan));
    let place: u64 = 1 | (146_000_000 << 1) | (190_000_000 << 29);
    let frames = [
        (CanId::Standard(0x430), [0, 1, 0, 0x59, 100, 0, 0, 0]),
        (CanId::Standard(3), place.to_le_bytes()),
        (CanId::Extended(0x0CFE_F117), [1, 0, 0xF0, 0, 0, 0, 0, 0]),
        (CanId::Standard(0x431), [0; 8]),
    ]
    .map(|(id, data)| CanFrame::data_frame(id, &data).expect("8 bytes"));
    let (mut values, mut rejected) = (0, 0);
    let mut round = |second: u64| {
        let at = Stamp {
            wall: UtcMicros(1_795_176_000_000_000),
            boot: BootMicros(second * 1_000_000),
            quality: TimeQuality::Synced,
        };
        for frame in &frames {
            decoder.push(black_box(frame), at, &mut |decoded| match black_box(decoded) {
                Decoded::Rejected { .. } => rejected += 1,
                _ => values += 1,
            });
        }
    };
    // Each source of an odometer is remembered when it is heard first.
    round(0);
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    (1..=200).for_each(&mut round);
    let allocated = ALLOCATIONS.load(Ordering::Relaxed) - before;
    assert_eq!(allocated, 0);
    // Four by the file, and the speed that every CCVS1 has.
    assert_eq!((values, rejected), (201 * 5, 0));
}
