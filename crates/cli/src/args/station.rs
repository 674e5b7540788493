//! What can be typed after `vernport station`.

use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

/// `vernport station`.
#[derive(Debug, Args)]
pub struct Station {
    /// The socket that the gateway's configuration names under `[station]`
    #[arg(
        long,
        value_name = "PATH",
        env = "VERNPORT_STATION",
        default_value = "/run/vernport/station.sock",
        global = true
    )]
    pub socket: PathBuf,
    /// What is said.
    #[command(subcommand)]
    pub said: StationSaid,
}

/// What is said at a station.
#[derive(Debug, Subcommand)]
pub enum StationSaid {
    /// Hand-in and hand-back
    #[command(subcommand)]
    Order(StationOrder),
    /// The driver switched to private: stop what is not read then
    Private {
        /// On or off
        #[arg(value_enum)]
        switch: Switch,
        /// The vehicle; the one that stands here without it
        #[command(flatten)]
        vehicle: MaybeVehicle,
    },
    /// Somebody withdraws consent, for a vehicle or by the code of a receipt
    Withdraw {
        /// The vehicle
        #[command(flatten)]
        vehicle: MaybeVehicle,
        /// The code on the receipt
        #[arg(long, value_name = "CODE", conflicts_with_all = ["plate", "vin"])]
        receipt: Option<String>,
    },
    /// Of several vehicles with an order here, say which one stands at the station
    Assert {
        /// The vehicle
        #[command(flatten)]
        vehicle: MaybeVehicle,
    },
}

/// `vernport station order`.
#[derive(Debug, Subcommand)]
pub enum StationOrder {
    /// Hand-in: open a work order; it opens what the bundle lets a station open alone
    Open {
        /// The vehicle
        #[command(flatten)]
        vehicle: MaybeVehicle,
        /// When the order ends by itself, in hours
        #[arg(long, default_value_t = 72)]
        hours: u32,
    },
    /// Hand-back: close the vehicle's work order
    Close {
        /// The vehicle
        #[command(flatten)]
        vehicle: MaybeVehicle,
    },
}

/// On or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// From now on
    On,
    /// No longer
    Off,
}

/// A vehicle by what it is called.
#[derive(Debug, Args)]
pub struct MaybeVehicle {
    /// The vehicle, by plate: country and number
    #[arg(long, num_args = 2, value_names = ["COUNTRY", "NUMBER"], conflicts_with = "vin")]
    pub plate: Option<Vec<String>>,
    /// The vehicle, by VIN
    #[arg(long)]
    pub vin: Option<String>,
}
