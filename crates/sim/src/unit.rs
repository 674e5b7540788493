//! One control unit that can be asked: its addresses, its sessions, its pace.

use crate::{
    fault::Conduct,
    isotp::{Answerer, Form, Heard, Listener, Sender},
    obd::{Answer, Knowledge, Obd},
    uds::{Active, Uds},
    vehicle::{NEVER, now_plus},
};
use vernport_types::{BootMicros, CanFrame, CanId, FrameKind};

const NEGATIVE: u8 = 0x7F;
const SERVICE_NOT_SUPPORTED: u8 = 0x11;
const BUSY: u8 = 0x21;
const PENDING: u8 = 0x78;
/// Codes that are kept back from a request to all (ISO 14229-1, 7.5).
const SILENT_TO_ALL: [u8; 4] = [SERVICE_NOT_SUPPORTED, 0x12, 0x31, 0x7F];
/// How long after "response pending" the next answer comes; the standard allows 5 s (P2*).
pub(crate) const PENDING_PAUSE_MICROS: u64 = 1_000_000;
/// How long a session lives without a request (S3).
const SESSION_MICROS: u64 = 5_000_000;
/// What a tester says to hold a session; it disturbs no work.
const TESTER_PRESENT: u8 = 0x3E;

/// In which frames a unit answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Answering {
    /// Classic frames.
    #[default]
    Classic,
    /// CAN FD frames to who asks in one, else classic frames.
    AsAsked,
    /// CAN FD frames.
    Fd,
}

/// Where a unit is found and what it knows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// On which requests to all are heard.
    pub(crate) functional: Option<CanId>,
    /// On which requests to it alone are heard.
    pub(crate) physical: CanId,
    /// Under which its answers go out.
    pub(crate) answers: CanId,
    /// Extended addressing: its own address, and the tester's.
    pub(crate) extension: Option<(u8, u8)>,
    pub(crate) answering: Answering,
    pub(crate) obd: Option<Obd>,
    pub(crate) uds: Option<Uds>,
}

/// A control unit.
pub(crate) struct Unit {
    plan: Plan,
    late_micros: u64,
    pendings: u8,
    listener: Listener,
    answerer: Answerer,
    active: Active,
    session_until: Option<BootMicros>,
    work: Option<Work>,
}

/// A request whose answer is not due yet.
struct Work {
    request: Vec<u8>,
    functional: bool,
    form: Form,
    due: BootMicros,
    pendings: u8,
}

impl Unit {
    pub(crate) fn new(plan: Plan, conduct: &Conduct) -> Self {
        let sender = Sender { id: plan.answers, extension: plan.extension.map(|(_, tester)| tester) };
        Self {
            plan,
            late_micros: conduct.late_micros,
            pendings: conduct.pendings,
            listener: Listener::default(),
            answerer: Answerer::new(sender, conduct.transport),
            active: Active::default(),
            session_until: None,
            work: None,
        }
    }

    /// A frame of another node.
    pub(crate) fn on_frame(
        &mut self,
        frame: &CanFrame,
        now: BootMicros,
        known: &Knowledge<'_>,
    ) -> Option<CanFrame> {
        let functional = self.plan.functional == Some(frame.id());
        if !functional && self.plan.physical != frame.id() {
            return None;
        }
        let asked_in = match frame.kind() {
            FrameKind::Data => Form::Classic,
            FrameKind::FdData => Form::Fd,
            FrameKind::Remote | FrameKind::Error => return None,
        };
        let form = match self.plan.answering {
            Answering::Classic if asked_in == Form::Fd => return None,
            Answering::Classic => Form::Classic,
            Answering::AsAsked => asked_in,
            Answering::Fd => Form::Fd,
        };
        let data = match (self.plan.extension, frame.data()) {
            (None, data) => data,
            (Some((own, _)), [address, data @ ..]) if *address == own => data,
            (Some(_), _) => return None,
        };
        match self.listener.on_bytes(data, functional, now) {
            Heard::Nothing => None,
            Heard::Begun(control) => Some(self.flow_control(control, form)),
            Heard::FlowControl(control) => self.answerer.on_flow_control(control, now),
            Heard::Request(request) => self.on_request(request, functional, form, now, known),
        }
    }

    /// What is due by now: an answer, or a frame of one.
    pub(crate) fn on_tick(&mut self, now: BootMicros, known: &Knowledge<'_>) -> Option<CanFrame> {
        self.listener.on_tick(now);
        self.end_session(now);
        let answer = match &self.work {
            Some(work) if work.due <= now => self.go_on(now, known),
            _ => None,
        };
        answer.or_else(|| self.answerer.on_tick(now))
    }

    pub(crate) fn next_due(&self) -> BootMicros {
        let work = self.work.as_ref().map_or(NEVER, |work| work.due);
        let session = self.session_until.unwrap_or(NEVER);
        work.min(session).min(self.listener.next_due()).min(self.answerer.next_due())
    }

    fn on_request(
        &mut self,
        request: Vec<u8>,
        functional: bool,
        form: Form,
        now: BootMicros,
        known: &Knowledge<'_>,
    ) -> Option<CanFrame> {
        self.end_session(now);
        if self.active != Active::Default {
            self.session_until = Some(now_plus(now, SESSION_MICROS));
        }
        let service = *request.first()?;
        if self.work.is_some() {
            let silent = functional || service == TESTER_PRESENT;
            return if silent { None } else { self.answerer.answer(&[NEGATIVE, service, BUSY], form, now) };
        }
        let due = now_plus(now, self.late_micros);
        self.work = Some(Work { request, functional, form, due, pendings: self.pendings });
        if due <= now { self.go_on(now, known) } else { None }
    }

    /// Says "response pending", or the answer.
    fn go_on(&mut self, now: BootMicros, known: &Knowledge<'_>) -> Option<CanFrame> {
        let mut work = self.work.take()?;
        let service = *work.request.first()?;
        if work.pendings > 0 && self.knows(service) {
            work.pendings -= 1;
            work.due = now_plus(now, PENDING_PAUSE_MICROS);
            let form = work.form;
            self.work = Some(work);
            return self.answerer.answer(&[NEGATIVE, service, PENDING], form, now);
        }
        let before = self.active;
        let answer = self.decide(&work.request, known);
        if self.active != before {
            self.session_until = (self.active != Active::Default).then(|| now_plus(now, SESSION_MICROS));
        }
        let bytes = match answer {
            Answer::Silence => return None,
            Answer::Positive(bytes) => bytes,
            Answer::Unknown if work.functional => return None,
            Answer::Unknown => vec![NEGATIVE, service, SERVICE_NOT_SUPPORTED],
            // A unit of UDS keeps it back from a request to all; an old one does not.
            Answer::Negative(code)
                if work.functional && self.plan.uds.is_some() && SILENT_TO_ALL.contains(&code) =>
            {
                return None;
            }
            Answer::Negative(code) => vec![NEGATIVE, service, code],
        };
        self.answerer.answer(&bytes, work.form, now)
    }

    /// Whether a service takes work that can be pending.
    const fn knows(&self, service: u8) -> bool {
        match service {
            0x01 | 0x03 | 0x07 | 0x09 | 0x0A => self.plan.obd.is_some(),
            0x10 | 0x19 | 0x22 => self.plan.uds.is_some(),
            _ => false,
        }
    }

    fn decide(&mut self, request: &[u8], known: &Knowledge<'_>) -> Answer {
        let of_obd = self.plan.obd.map_or(Answer::Unknown, |obd| obd.answer(request, known));
        match (of_obd, self.plan.uds) {
            (Answer::Unknown, Some(uds)) => uds.answer(request, &mut self.active, known),
            (of_obd, _) => of_obd,
        }
    }

    fn end_session(&mut self, now: BootMicros) {
        if self.session_until.is_some_and(|until| until <= now) {
            self.session_until = None;
            self.active = Active::Default;
        }
    }

    fn flow_control(&self, control: [u8; 3], form: Form) -> CanFrame {
        let extension = self.plan.extension.map(|(_, tester)| tester);
        Sender { id: self.plan.answers, extension }.frame(form, &control, &[])
    }
}
