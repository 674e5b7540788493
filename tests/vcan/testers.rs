//! Two testers on one bus: while another one works, ours says nothing. A program of others is the witness.
//!
//! The asker's time runs faster than ours: it is told that a tenth of a second has passed whenever the
//! vehicle has said something.

use crate::{
    bus::{Ours, QUIET, Vcan, extended, standard},
    peer::{Candump, cansend},
};
use tokio::time::timeout;
use vernport_decode::dids::Dids;
use vernport_decode::poll::{Asker, Config, LISTEN_MICROS, QUIET_MICROS, Standing, Wanted};
use vernport_types::{BootMicros, CanFrame, Catalogue};

const CATALOGUE: &str = include_str!("../../config/signals/vehicle.toml");
/// Between two frames of the vehicle.
const TALK_MICROS: u64 = 100_000;

/// Our tester as a gateway has it: what the bus says comes first, then all is sent that is due.
struct Tester {
    asker: Asker,
    ours: Ours,
    now: BootMicros,
}

impl Tester {
    async fn on(vcan: &Vcan) -> Self {
        let catalogue = Catalogue::from_toml([("vehicle.toml", CATALOGUE)]).expect("the shipped catalogue");
        let mut asker = Asker::new(&catalogue, &Dids::default(), Config::default());
        let odometer = catalogue.find("Vehicle.TraveledDistance").expect("a signal of the catalogue");
        asker.want(&Wanted { signals: vec![(odometer, 0)], identify: true });
        Self { asker, ours: vcan.open().await, now: BootMicros(0) }
    }

    /// Hears one frame, and sends what is due then; how much that was.
    async fn turn(&mut self, expected: &CanFrame) -> usize {
        let heard = self.ours.next().await.frame;
        assert_eq!(heard, *expected, "nobody else speaks");
        self.asker.heard(&heard, self.now);
        let mut sent = 0;
        while let Some(frame) = self.asker.due(self.now) {
            self.ours.send(&frame).await;
            sent += 1;
        }
        sent
    }

    /// The vehicle says something, a moment later.
    async fn vehicle_says(&mut self, vehicle: &Ours, talk: &CanFrame) -> usize {
        self.now.0 += TALK_MICROS;
        vehicle.send(talk).await;
        self.turn(talk).await
    }
}

/// `talk` is what the vehicle says unasked, `foreign` the other tester's frame as cansend writes it.
async fn ours_sends_no_frame(name: &'static str, talk: CanFrame, foreign: &str) {
    let Some(vcan) = Vcan::make(name) else { return };
    let mut tester = Tester::on(&vcan).await;
    let mut vehicle = vcan.open().await;
    for _ in 0..LISTEN_MICROS / TALK_MICROS {
        assert_eq!(tester.vehicle_says(&vehicle, &talk).await, 0, "it listens first");
    }
    assert_eq!(tester.vehicle_says(&vehicle, &talk).await, 1, "it asks where nobody else does");
    let asked = vehicle.next().await.frame;

    // The witness hears the other tester, and then the vehicle until the quiet time is nearly over.
    let turns = usize::try_from(QUIET_MICROS / TALK_MICROS - 1).expect("few");
    let witness = Candump::start(&vcan, turns + 1);
    cansend(&vcan, foreign);
    let foreign = vehicle.next().await.frame;
    assert_eq!(tester.turn(&foreign).await, 0);
    let since = tester.now;
    for _ in 0..turns {
        tester.vehicle_says(&vehicle, &talk).await;
    }
    assert_eq!(tester.asker.standing(tester.now), Standing::OtherTester { since });
    let expected: Vec<CanFrame> = [foreign].into_iter().chain(vec![talk; turns]).collect();
    assert_eq!(witness.frames(), expected, "nothing of ours is between them");
    timeout(QUIET, vehicle.source.next()).await.expect_err("nor behind them");

    assert_eq!(tester.vehicle_says(&vehicle, &talk).await, 1, "the quiet time is over");
    assert_eq!(vehicle.next().await.frame, asked, "what was asked for is wanted still");
}

#[tokio::test]
async fn beside_a_tester_of_11_bits_ours_sends_no_frame() {
    ours_sends_no_frame("testers-11", standard(0x0C9, &[0; 8]), "7DF#0201050000000000").await;
}

#[tokio::test]
async fn beside_a_tester_of_29_bits_ours_sends_no_frame() {
    ours_sends_no_frame("testers-29", extended(0x0AB1_2345, &[0; 8]), "18DB33F1#0201050000000000").await;
}

#[tokio::test]
async fn beside_a_service_tool_of_j1939_ours_sends_no_frame() {
    ours_sends_no_frame("testers-j1939", extended(0x0CF0_0400, &[0xFF; 8]), "18EAFFFA#ECFE00").await;
}
