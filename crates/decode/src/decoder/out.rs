//! Where decoded values go: each message to its meaning, each value past the catalogue's bounds.

use super::Decoded;
use crate::{
    RejectCode, dbc,
    dids::Dids,
    j1939::pgn::Distance,
    odometer::Odometers,
    plan::{Plan, Wanted},
};
use vernport_types::{Label, Number, Source, Stamp, Value, Vin};

/// One frame's way out. What the catalogue does not list is not even computed.
pub(super) struct Out<'a, F> {
    pub(super) plan: &'a Plan,
    pub(super) dbc: Option<&'a dbc::Plan>,
    pub(super) dids: &'a Dids,
    pub(super) odometers: &'a mut Odometers,
    pub(super) identify: bool,
    pub(super) at: Stamp,
    pub(super) sink: &'a mut F,
}

impl<F: FnMut(Decoded)> Out<'_, F> {
    pub(super) fn rejected(&mut self, code: Option<RejectCode>) {
        if let Some(code) = code {
            (self.sink)(Decoded::Rejected { code });
        }
    }

    pub(super) fn value(
        &mut self,
        wanted: Option<Wanted>,
        source: Source,
        read: impl FnOnce() -> Result<Value, RejectCode>,
    ) {
        let Some(wanted) = wanted else { return };
        (self.sink)(match read().and_then(|value| wanted.believe(value)) {
            Ok(value) => Decoded::Signal { signal: wanted.id, value, source, at: self.at },
            Err(code) => Decoded::Rejected { code },
        });
    }

    pub(super) fn number(
        &mut self,
        wanted: Option<Wanted>,
        source: Source,
        read: impl FnOnce() -> Result<f64, RejectCode>,
    ) {
        self.value(wanted, source, || {
            Number::new(read()?).map(Value::Number).map_err(|_| RejectCode::OutOfRange)
        });
    }

    pub(super) fn odometer(&mut self, source: Source, read: impl FnOnce() -> Result<Distance, RejectCode>) {
        let Some(wanted) = self.plan.odometer else { return };
        // Bounds come first, so that a value out of them is no step to measure others by.
        let believed = read().and_then(|(total, trip)| {
            wanted.believe(Value::Integer(total))?;
            self.odometers.check(source, total, trip, self.at.boot)
        });
        self.value(Some(wanted), source, || believed.map(Value::Integer));
    }

    pub(super) fn vin(&mut self, source: Source, read: impl FnOnce() -> Result<Vin, RejectCode>) {
        if !self.reads_vins() {
            return;
        }
        match read() {
            Ok(vin) => {
                (self.sink)(Decoded::Vin { vin, source, at: self.at });
                self.value(self.plan.vin, source, || {
                    Label::new(vin.expose()).map(Value::Label).map_err(|_| RejectCode::NotAVin)
                });
            }
            Err(code) => self.rejected(Some(code)),
        }
    }

    pub(super) fn reads_vins(&self) -> bool {
        self.identify && self.plan.vin.is_some()
    }
}
