//! Which request is next, and to whom.

use super::{Asker, Outstanding, TOGETHER_MICROS};
use crate::{
    j1939::Id,
    poll::{Pids, Request, To, Unit, entry::Entry, entry::Item, vehicle::Vehicle},
};
use vernport_types::{BootMicros, CanFrame};

impl Asker {
    pub(super) fn may_ask(&self, now: BootMicros) -> bool {
        let listened = self.visit.talk.listened_at(self.config.listen_micros, now);
        listened.is_some_and(|at| at <= now)
            && !self.visit.talk.key_is_off()
            && now >= self.visit.paused_until.max(self.free_at)
            && self.outstanding.is_none()
            && !self.responder.is_busy()
    }

    pub(super) fn ask(&mut self, now: BootMicros) -> Option<CanFrame> {
        if !self.may_ask(now) {
            return None;
        }
        let may =
            |entry: &&Entry| entry.is_open() && entry.due <= now && self.unit_free_at(entry.item) <= now;
        let ready = self.entries.iter().filter(may);
        let next = ready.filter(|entry| self.target(entry.item).is_some()).min_by_key(|entry| entry.due)?;
        let to = self.target(next.item)?;
        let request = match next.item {
            Item::Pid(_) => Request::CurrentData(self.pids(next.item, now)?),
            item => item.request(),
        };
        self.counts.asked += 1;
        self.free_at = BootMicros(now.0.saturating_add(self.config.bus_gap_micros));
        self.asked_at = Some(now);
        self.group_asked = None;
        if let Request::J1939(group) = request {
            self.group_asked = Some(group);
            self.responder.asked(group.number(), Id::GLOBAL, now);
        }
        let unit_free_at = BootMicros(now.0.saturating_add(self.config.unit_gap_micros));
        match to {
            To::One(unit) => {
                if let Some(known) = self.visit.unit(unit) {
                    known.free_at = unit_free_at;
                }
            }
            To::All(_) if self.group_asked.is_none() => {
                self.free_at = self.free_at.max(unit_free_at);
                self.visit.units.iter_mut().for_each(|known| known.free_at = unit_free_at);
            }
            To::All(_) => {}
        }
        self.outstanding = Some(Outstanding::new(request, to, now));
        Some(request.frame(to))
    }

    /// The PIDs that go along with one that is due.
    fn pids(&self, first: Item, now: BootMicros) -> Option<Pids> {
        let soon = BootMicros(now.0.saturating_add(TOGETHER_MICROS));
        let pid = |item: Item| if let Item::Pid(pid) = item { Some(pid) } else { None };
        let also = |entry: &&Entry| {
            entry.is_open() && entry.due <= soon && entry.item != first && self.target(entry.item).is_some()
        };
        let others = self.entries.iter().filter(also).filter_map(|entry| pid(entry.item));
        let list: Vec<u8> = pid(first).into_iter().chain(others).take(self.visit.pack).collect();
        Pids::new(&list)
    }

    /// To whom an item goes; none while it cannot be asked for.
    pub(super) fn target(&self, item: Item) -> Option<To> {
        let &Vehicle { addressing, trial, speaks_j1939, .. } = &self.visit;
        let all = To::All(addressing.unwrap_or(trial));
        let can = match item {
            Item::Did(unit, _) => return Some(To::One(unit)),
            Item::Group(_) => speaks_j1939 && !self.testers.address_taken(),
            // A bus that speaks J1939 tells the same by its groups.
            _ if speaks_j1939 => false,
            Item::Supported(0) => !self.visit.is_told(0),
            Item::Supported(base) => !self.visit.is_told(base) && self.visit.supports(base),
            Item::Pid(pid) => self.visit.supports(pid),
            Item::Confirmed | Item::Pending | Item::Permanent | Item::ObdVin => self.visit.is_told(0),
            // Without OBD-II there is nobody to ask but all.
            Item::UdsVin => self.failed(Item::Supported(0), 2) || self.failed(Item::ObdVin, 2),
            Item::UdsCodes => {
                let answers = self.visit.units.iter().find(|known| known.answers)?;
                return self.failed(Item::Confirmed, 2).then_some(To::One(answers.unit));
            }
        };
        can.then_some(all)
    }

    /// Whether an item was refused, or not answered so often in a row.
    fn failed(&self, item: Item, times: u8) -> bool {
        let entry = self.entries.iter().find(|entry| entry.item == item);
        entry.is_some_and(|entry| entry.refused || entry.failures >= times)
    }

    pub(super) fn unit_free_at(&self, item: Item) -> BootMicros {
        let target = self.target(item);
        let hears = |unit: Unit| match target {
            Some(To::One(asked)) => asked == unit,
            _ => !matches!(item, Item::Group(_)),
        };
        let times = self.visit.units.iter().filter(|known| hears(known.unit)).map(|known| known.free_at);
        times.max().unwrap_or(BootMicros(0))
    }
}
