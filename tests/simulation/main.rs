//! The whole path in one process with a test clock and seeded faults. Real are the gateway whole, with its
//! spool in SQLite on a memory file system, the calls to central with their limits and answers, and
//! central's service with its duties. In place of others stand the network, central's databases and journals (the
//! store's own model, held to the same conformance tests as SQLite and PostgreSQL), the disk's moods and
//! all clocks. Fleet topics, tools and the station's socket are not part of it: other suites have them.
//!
//! A seed draws the weather: calls that are lost, answered into the void, slow, silent, brought twice or late;
//! a disk that is slow or full; databases that are gone, full, slow or lose their answer; gateway and
//! centrals killed or stopped anywhere; a cut line; clocks set off, boxes suspended, nights; backups, and a central
//! set back to one. Meanwhile a registrar gives and withdraws consent, voids, sells, opens and closes
//! orders, restricts and lifts, orders erasure; recipients read. Then it is calm until all is settled.
//!
//! Forbidden, and never seen ([`Rule`](history::Rule)):
//!
//! | Rule | What must not happen |
//! |---|---|
//! | `Lost` | a batch that the spool took is neither at central, nor destroyed with a note, nor waiting; or it left central without an erasure |
//! | `OpenedTwice` | one record in two batches that a recipient opens |
//! | `CommittedAfterWithdrawal` | a batch comes into the store after the end of its consent was answered |
//! | `ReadWithoutLog` | a read is answered that is not in the log |
//! | `OpenedAfterErasure` | what a certificate calls gone is opened, also after a restore |
//! | `ReleasedWithoutGrant` | the gateway releases under a grant that it heard is closed, or never heard of |
//! | `ReleasedAfterLease` | it releases on a consent without a head within the lease, or a lease after the withdrawal was answered |
//! | `ReleasedUnderRollback` | it releases after it saw a registry that was set back, before the next era |
//! | `HeadWentDown` | it believes a head behind one that it believed |
//! | `EvidenceBroken` | an entry, a commit or a read without its leaf |
//! | `FalseAlarm` | an alarm about registry or logs where nothing was set back, or one that does not end |
//! | `ServedWhatWasLost` | a central starts on a ledger that its journal knows more than |
//! | `Panicked` | any task panics |
//! | `Stalled` | ten minutes after the storm something still waits that may go (not what was read under an opening that a restored registry never knew: that waits for its due); or an erasure is not done |
//!
//! `VERNPORT_SEEDS` says how many seeds, `VERNPORT_SEED` which is the first: the same seed is the same history.
//! `VERNPORT_TELL=1` shows it line by line.

mod books;
mod broken;
mod cases;
mod clock;
mod counter;
mod dice;
mod disk;
mod history;
mod network;
#[allow(dead_code, reason = "the suite durability uses the rest")]
#[path = "../durability/dice.rs"]
mod numbers;
mod opened;
mod perform;
mod play;
mod sabotage;
mod scene;
mod seeds;
mod site;
mod storm;
mod watch;
