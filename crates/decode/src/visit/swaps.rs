//! INVARIANT 6 at its seams: vehicles that are taken off in the middle of a message, and
//! others that go on where it ended.

use super::{
    tests::{Bus, Known, NOTHING_READ, SECOND, VINS, asset, odometer_of},
    *,
};
use proptest::prelude::*;
use vernport_types::Value;

/// What may happen at a station.
#[derive(Debug, Clone, Copy)]
enum Act {
    /// The vehicle leaves and another (or the same) is attached; the adapter tells, or the bus is silent in between.
    Swap {
        to: usize,
        told: bool,
    },
    Odometer,
    SayVin,
    /// Part of a VIN message: it may be cut off by a swap, or go on in the next vehicle's frames.
    PartOfVin {
        from: usize,
        to: usize,
    },
    /// The vehicle is taken off in the middle of its VIN message, and the next one is in the middle of its own.
    SwapWithinVin {
        cut: usize,
        to: usize,
    },
    /// Part of an OBD answer with the VIN of the vehicle.
    PartOfAnswer {
        frame: usize,
    },
    /// The technician says, truly, which vehicle stands there now, with its bus awake.
    Assert,
    CloseOrder,
    Expect {
        vehicle: usize,
        expected: bool,
    },
    Identify {
        open: bool,
    },
    Wait {
        millis: u64,
    },
    Tick,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        2 => (0_usize..3, any::<bool>()).prop_map(|(to, told)| Act::Swap { to, told }),
        6 => Just(Act::Odometer),
        2 => Just(Act::SayVin),
        4 => (1_usize..4, any::<bool>()).prop_map(|(cut, head)| {
            if head { Act::PartOfVin { from: 0, to: cut } } else { Act::PartOfVin { from: cut, to: 4 } }
        }),
        2 => (1_usize..4, 0_usize..3).prop_map(|(cut, to)| Act::SwapWithinVin { cut, to }),
        4 => (0_usize..3).prop_map(|frame| Act::PartOfAnswer { frame }),
        1 => Just(Act::Assert),
        1 => Just(Act::CloseOrder),
        2 => (0_usize..3, any::<bool>()).prop_map(|(vehicle, expected)| Act::Expect { vehicle, expected }),
        1 => any::<bool>().prop_map(|open| Act::Identify { open }),
        3 => (1_u64..3_000).prop_map(|millis| Act::Wait { millis }),
        1 => Just(Act::Tick),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// Invariant 6: readings go to the right asset or to nobody.
    #[test]
    fn whatever_comes_and_goes_a_reading_is_of_the_vehicle_that_was_there(
        first in 0_usize..3,
        acts in proptest::collection::vec(act(), 1..120),
    ) {
        let mut bus = Bus::with(Config::default());
        let mut known = Known::default();
        let mut there = first;
        for act in acts {
            match act {
                Act::Swap { to, told } => {
                    if told { bus.detach() } else { bus.wait(6 * SECOND) }
                    there = to;
                }
                Act::Odometer => bus.odometer(there, &known),
                Act::SayVin => bus.say_vin(there, &known),
                Act::PartOfVin { from, to } => bus.vi(there, from, to, &known),
                Act::SwapWithinVin { cut, to } => {
                    bus.vi(there, 0, cut, &known);
                    for reading in bus.readings() {
                        prop_assert_eq!(reading.asset, asset(there));
                    }
                    bus.detach();
                    there = to;
                    bus.vi(there, cut, 4, &known);
                }
                Act::PartOfAnswer { frame } => {
                    let message = [&[0x10, 0x14, 0x49, 2, 1][..], VINS[there].as_bytes()].concat();
                    let (head, tail) = message.split_at(8);
                    let data = match frame {
                        0 => head.to_vec(),
                        n => [&[0x20 + u8::try_from(n).expect("one or two")], &tail[(n - 1) * 7..n * 7]].concat(),
                    };
                    bus.send(&format!("7E8#{}", hex::encode_upper(data)), &known);
                }
                Act::Assert => {
                    bus.send(NOTHING_READ, &known);
                    known.asserted = Some(Assertion { asset: asset(there), made_at: bus.stamp().wall });
                }
                Act::CloseOrder => known.asserted = None,
                Act::Expect { vehicle, expected } => known.expected[vehicle] = expected,
                Act::Identify { open } => known.closed = !open,
                Act::Wait { millis } => bus.wait(millis * 1_000),
                Act::Tick => bus.tick(&known),
            }
            for reading in bus.readings() {
                prop_assert_eq!(reading.asset, asset(there), "after {:?}", act);
                if let Some(vehicle) = odometer_of(reading.value) {
                    prop_assert_eq!(vehicle, there, "after {:?}", act);
                }
                if let Value::Label(vin) = reading.value {
                    prop_assert_eq!(vin.expose(), VINS[there]);
                }
            }
        }
    }
}
