//! What the vehicles of `vernport sim` are like unless told otherwise.

use crate::args::{self, SimVehicle};
use anyhow::{Result, ensure};
use vernport_sim::{
    Answering, CarConfig, Dtc, EvConfig, J1939Fault, Kind, Model, TrailerConfig, TruckConfig, TruckEquipment,
};
use vernport_types::Position;

/// The vehicle that was asked for.
///
/// # Errors
/// If one of the faults cannot be had by it.
pub(super) fn model(args: &args::Sim) -> Result<Model> {
    let mut model = match args.vehicle {
        SimVehicle::Car => Model::Car(car(args.fd)?),
        SimVehicle::Truck => Model::Truck(truck()?, TruckEquipment::FULL),
        SimVehicle::Trailer => Model::Trailer(trailer()?),
        SimVehicle::Ev => Model::Ev(ev(args.fd)?),
    };
    let kind = model.kind();
    ensure!(
        !args.fd || matches!(kind, Kind::Car | Kind::Ev),
        "a {} does not speak CAN FD here; leave out --fd",
        kind.as_str()
    );
    for fault in &args.faults {
        ensure!(fault.fits(kind), "a {} cannot have the fault '{fault}': it speaks no ISO-TP", kind.as_str());
    }
    if let Some(vin) = args.vin {
        model.set_vin(vin);
    }
    if let Some(odometer_m) = args.odometer_m {
        model.set_odometer_m(odometer_m);
    }
    if let Some(speed_km_per_h) = args.speed_km_per_h {
        model.set_speed_km_per_h(speed_km_per_h);
    }
    Ok(model)
}

fn car(fd: bool) -> Result<CarConfig> {
    Ok(CarConfig {
        vin: "YV1SMT00000000017".parse()?,
        odometer_m: 123_456_700,
        speed_km_per_h: 0,
        fuel_percent: 62,
        battery_mv: 14_100,
        since_clear_km: 20_912,
        engine_codes: vec![
            // P0171, confirmed and permanent; P0301, pending.
            Dtc {
                permanent: true,
                occurrences: 3,
                speed_km_per_h: 72,
                odometer_m: 123_001_000,
                ..Dtc::confirmed([0x01, 0x71, 0x00])
            },
            Dtc { status: 0x04, odometer_m: 123_455_000, ..Dtc::confirmed([0x03, 0x01, 0x00]) },
        ],
        // P0730, confirmed, no lamp.
        transmission_codes: vec![Dtc { status: 0x08, ..Dtc::confirmed([0x07, 0x30, 0x00]) }],
        answering: if fd { Answering::Fd } else { Answering::Classic },
        fd_broadcast: fd,
    })
}

fn truck() -> Result<TruckConfig> {
    Ok(TruckConfig {
        vin: "YV2RT40A8KB123456".parse()?,
        odometer_m: 412_345_675,
        speed_km_per_h: 0,
        position: Position::from_degrees(59.743_21, 10.204_56)?,
        fuel_percent: 62,
        battery_mv: 24_700,
        engine_s: 9_412 * 3_600,
        faults: vec![
            J1939Fault { spn: 3216, fmi: 4, occurrences: 2 },
            J1939Fault { spn: 609, fmi: 12, occurrences: 3 },
        ],
        obd_trouble_codes: Vec::new(),
        announce_vin_every_micros: None,
    })
}

fn trailer() -> Result<TrailerConfig> {
    Ok(TrailerConfig {
        vin: "YV9SMT00000000033".parse()?,
        odometer_m: 298_765_000,
        speed_km_per_h: 0,
        tyres_kpa: [860, 856, 848, 852, 760, 856],
        axles_kg: [6_480, 6_520, 6_610],
        // Wheel sensor of the ABS.
        faults: vec![J1939Fault { spn: 790, fmi: 5, occurrences: 1 }],
        announce_vin_every_micros: Some(10_000_000),
    })
}

fn ev(fd: bool) -> Result<EvConfig> {
    Ok(EvConfig {
        vin: "YV4SMT00000000025".parse()?,
        odometer_m: 45_678_900,
        speed_km_per_h: 0,
        charge_percent: 84,
        battery_mv: 12_600,
        // P0A1F, confirmed.
        codes: vec![Dtc::confirmed([0x0A, 0x1F, 0x00])],
        answering: if fd { Answering::Fd } else { Answering::AsAsked },
    })
}
