//! The closed list of what may be wrong with a stage, beside the reasons of the
//! rules ([`Reason`](vernport_types::Reason)) and the codes of the decoder. Codes are frozen; new ones come at the end.

use crate::State;

macro_rules! causes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $state:ident, $remedy:literal;)*) => {
        /// Why a stage is not well.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Cause {
            $($(#[$doc])* $name,)*
        }

        impl Cause {
            /// All causes.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The code, as written everywhere.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// How its stage stands at best.
            pub const fn state(self) -> State {
                match self { $(Self::$name => State::$state,)* }
            }

            /// What to do about it.
            pub const fn remedy(self) -> &'static str {
                match self { $(Self::$name => $remedy,)* }
            }
        }
    };
}

causes! {
    /// Not one frame was heard.
    NoFrames = "no-frames", Waiting, "check plug, ignition and bit rate: `ip -details link show`";
    /// The bus is down.
    BusDown = "bus-down", Broken, "bring the interface up, or plug the adapter in: it is read on by itself";
    /// More than one frame in a thousand was lost.
    FramesLost = "frames-lost", Degraded, "let filters = true spare the box, or see what keeps its processor or disk busy";
    /// The controller left the bus, or is about to.
    BusErrors = "bus-errors", Degraded, "check bit rate, termination and wiring of the bus";
    /// Another tester is on the bus.
    OtherTester = "other-tester", Waiting, "nothing to mend: nothing is asked while another tester is there";
    /// Many frames, and not one value.
    NothingDecoded = "nothing-decoded", Degraded, "no frame carries a signal that is read: check the bit rate, or name a DBC file under [[bus]]";
    /// No vehicle is expected here.
    NobodyExpected = "nobody-expected", Waiting, "open a work order for this station: `vernport order open`";
    /// Releases could not be sealed.
    Unsealed = "unsealed", Degraded, "the log names flow and cause; run `vernport keys check`";
    /// Nothing can be queued: reading stands still.
    NoRoom = "no-room", Broken, "restore the line, raise [spool] max_mib, or make room on the disk";
    /// The reserve for settling on a full disk is not whole.
    ReserveBroken = "reserve-broken", Broken, "make room on the disk: nothing is queued until the reserve is whole";
    /// More than four fifths of the bound are used.
    NearlyFull = "nearly-full", Degraded, "restore the line, or raise [spool] max_mib: `vernport spool status` says how long it lasts";
    /// Something does not read any more, or was refused for its bytes.
    Quarantined = "quarantined", Degraded, "run `vernport audit fsck` on the spool, and keep the file";
    /// The spool cannot be read.
    SpoolUnread = "spool-unread", Broken, "run `vernport doctor`; the log says what the disk answered";
    /// No signed head of late.
    CentralSilent = "central-silent", Degraded, "look at the line; consent flows close five minutes after the last head";
    /// No signed head for long, or none at all.
    CentralUnreachable = "central-unreachable", Broken, "run `vernport doctor`: it tries name, TCP, TLS and certificate one by one";
    /// Central is behind what it said before.
    CentralRolledBack = "central-rolled-back", Broken, "its controller begins a new era: `vernport registry restored`";
    /// The last delivery failed.
    DeliveryFails = "delivery-fails", Degraded, "batches wait and go again; the log says what central answered";
    /// Central did not take what was said at the station.
    StationRefused = "station-refused", Degraded, "the log names each; say it again at central";
    /// A log of evidence is not the one that was seen.
    LogAlarm = "log-alarm", Degraded, "run `vernport audit fsck`, on both sides";
    /// The certificate ends within two weeks.
    CertificateEnds = "certificate-ends", Degraded, "get a new certificate before the old one ends";
    /// The certificate has ended.
    CertificateOver = "certificate-over", Broken, "get a new certificate: nothing goes to central with this one";
    /// A broker is not connected.
    BrokerAway = "broker-away", Degraded, "messages wait; run `vernport doctor` on broker, certificate and login";
    /// The main loop does not go round.
    StandsStill = "stands-still", Broken, "restart the daemon, and keep its log";
    /// A database does not answer.
    DatabaseAway = "database-unreachable", Broken, "start the database, or look at disk, network and login";
    /// The database is from before what central has answered for.
    RegistrySetBack = "registry-set-back", Broken, "stop every central on this database, run `vernport registry restored`, and start again";
    /// There is no journal.
    NoJournal = "no-journal", Degraded, "configure [journal] on another disk: without it a restored backup loses withdrawals";
    /// The journal does not take what was recorded.
    JournalFails = "journal-fails", Broken, "make room on the journal's disk: until it takes what waits, nothing about the ledger is answered";
    /// What is due was not deleted in time.
    RetentionLate = "retention-late", Degraded, "the log says what keeps central from deleting; see the clock too";
    /// All connections are taken.
    ConnectionsFull = "connections-full", Degraded, "raise listen.max_connections, or see who opens so many";
    /// A recipient did not confirm in time that it deleted.
    DeletionOverdue = "deletion-overdue", Degraded, "ask the recipient: `vernport erasure` names the orders it has not confirmed";
    /// The daemon does not run, so nothing of its memory is known.
    NotRunning = "not-running", Broken, "start the daemon; what stands here was read from its files";
}

#[cfg(test)]
mod tests {
    use super::*;
    use vernport_types::Reason;

    #[test]
    fn each_code_is_written_once_in_all_lists_and_each_has_a_remedy_in_one_line() {
        let causes = Cause::ALL.iter().map(|cause| cause.code());
        let mut codes: Vec<_> = causes.chain(Reason::ALL.iter().map(|reason| reason.code())).collect();
        let all = codes.len();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), all);
        for cause in Cause::ALL {
            assert!(!cause.remedy().contains('\n') && cause.remedy().len() > 10, "{}", cause.code());
            assert!(cause.state() > State::Ok, "{}: a cause is never well", cause.code());
        }
    }
}
