//! What all simulated vehicles have in common, and one way to start any of them.

use crate::{
    car::{Car, CarConfig},
    ev::{Ev, EvConfig},
    fault::Fault,
    trailer::{Trailer, TrailerConfig},
    truck::{Truck, TruckConfig, TruckEquipment},
};
use vernport_types::{BootMicros, CanFrame, Vin};

/// The time of what never comes.
pub const NEVER: BootMicros = BootMicros(u64::MAX);

/// A vehicle on a bus. Give it each frame of the other nodes and the time, and
/// send what it returns, in order.
pub trait Vehicle: Send {
    /// A frame of another node; what the vehicle sends at once.
    fn on_frame(&mut self, frame: &CanFrame, now: BootMicros) -> Vec<CanFrame>;

    /// What is due by now. What was due several times is sent once.
    fn on_tick(&mut self, now: BootMicros) -> Vec<CanFrame>;

    /// When [`Vehicle::on_tick`] has something to do next; [`NEVER`] if only a
    /// frame can give it something to do.
    fn next_due(&self) -> BootMicros;

    /// The distance it has really gone, in metres, whatever it says on the bus.
    fn odometer_m(&self, now: BootMicros) -> u64;
}

/// The kinds of vehicles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A passenger car: OBD-II and UDS with 11 bits, raw broadcasts.
    Car,
    /// A truck: SAE J1939, and OBD-II.
    Truck,
    /// A trailer: SAE J1939.
    Trailer,
    /// An electric car: OBD-II and UDS with 29 bits.
    Ev,
}

impl Kind {
    /// The kind in one word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Car => "car",
            Self::Truck => "truck",
            Self::Trailer => "trailer",
            Self::Ev => "ev",
        }
    }
}

/// A kind of vehicle with everything it is like when it starts.
#[derive(Clone)]
pub enum Model {
    /// A passenger car.
    Car(CarConfig),
    /// A truck.
    Truck(TruckConfig, TruckEquipment),
    /// A trailer.
    Trailer(TrailerConfig),
    /// An electric car.
    Ev(EvConfig),
}

impl Model {
    /// The kind.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Car(_) => Kind::Car,
            Self::Truck(..) => Kind::Truck,
            Self::Trailer(_) => Kind::Trailer,
            Self::Ev(_) => Kind::Ev,
        }
    }

    /// Switches the ignition on. Of `faults` only those inside the vehicle are
    /// taken; for those of the bus there is [`Simulated`](crate::Simulated).
    pub fn start(&self, faults: &[Fault], now: BootMicros) -> Box<dyn Vehicle> {
        match self {
            Self::Car(config) => Box::new(Car::new(config.clone(), faults, now)),
            Self::Truck(config, equipment) => {
                Box::new(Truck::equipped(config.clone(), *equipment, faults, now))
            }
            Self::Trailer(config) => Box::new(Trailer::new(config.clone(), faults, now)),
            Self::Ev(config) => Box::new(Ev::new(config.clone(), faults, now)),
        }
    }

    /// Its identification number.
    pub const fn vin(&self) -> Vin {
        match self {
            Self::Car(config) => config.vin,
            Self::Truck(config, _) => config.vin,
            Self::Trailer(config) => config.vin,
            Self::Ev(config) => config.vin,
        }
    }

    /// Sets its identification number.
    pub const fn set_vin(&mut self, vin: Vin) {
        match self {
            Self::Car(config) => config.vin = vin,
            Self::Truck(config, _) => config.vin = vin,
            Self::Trailer(config) => config.vin = vin,
            Self::Ev(config) => config.vin = vin,
        }
    }

    /// The distance with which it starts, in metres.
    pub const fn odometer_m(&self) -> u64 {
        match self {
            Self::Car(config) => config.odometer_m,
            Self::Truck(config, _) => config.odometer_m,
            Self::Trailer(config) => config.odometer_m,
            Self::Ev(config) => config.odometer_m,
        }
    }

    /// Sets the distance with which it starts, in metres.
    pub const fn set_odometer_m(&mut self, odometer_m: u64) {
        match self {
            Self::Car(config) => config.odometer_m = odometer_m,
            Self::Truck(config, _) => config.odometer_m = odometer_m,
            Self::Trailer(config) => config.odometer_m = odometer_m,
            Self::Ev(config) => config.odometer_m = odometer_m,
        }
    }

    /// Sets the speed, in km/h.
    pub const fn set_speed_km_per_h(&mut self, speed_km_per_h: u8) {
        match self {
            Self::Car(config) => config.speed_km_per_h = speed_km_per_h,
            Self::Truck(config, _) => config.speed_km_per_h = speed_km_per_h,
            Self::Trailer(config) => config.speed_km_per_h = speed_km_per_h,
            Self::Ev(config) => config.speed_km_per_h = speed_km_per_h,
        }
    }
}

pub(crate) const fn now_plus(now: BootMicros, micros: u64) -> BootMicros {
    BootMicros(now.0.saturating_add(micros))
}
