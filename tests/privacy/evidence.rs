//! What a visit left behind, in memory: the installation itself is gone when it
//! is looked at.

use crate::visit;
use std::{
    fs, io,
    path::Path,
    sync::{Mutex, OnceLock, PoisonError},
};
use vernport_crypto::OpeningKey;
use vernport_mqtt::LinkStatus;
use vernport_policy::Rules;
use vernport_seal::Body;
use vernport_testkit::canary::Canaries;
use vernport_types::{ControllerId, Slug, VehicleAlias};

/// One file at one moment, by its path below the set.
pub(crate) struct File {
    /// `running` or `stopped`, and the path.
    pub(crate) path: String,
    pub(crate) bytes: Vec<u8>,
}

/// One batch as central gives it out, and what its recipient reads in it.
pub(crate) struct Batch {
    pub(crate) controller: ControllerId,
    pub(crate) recipient: Slug,
    pub(crate) purpose: Slug,
    pub(crate) envelope: Vec<u8>,
    pub(crate) body: Body,
}

/// Whose key it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Holder {
    Recipient {
        controller: ControllerId,
        recipient: Slug,
        purpose: Slug,
    },
    /// The controller itself, for recovery.
    Controller(ControllerId),
    /// A file of gateway or central with 64 hexadecimal digits in it.
    Machine(String),
}

/// A secret, as a key that may or may not open bodies.
pub(crate) struct Key {
    pub(crate) holder: Holder,
    pub(crate) key: OpeningKey,
}

/// One message as an operator received it.
pub(crate) struct Received {
    pub(crate) operator: Slug,
    pub(crate) topic: String,
    pub(crate) payload: Vec<u8>,
}

/// Somebody who asked the broker for what is not theirs.
pub(crate) struct Refused {
    pub(crate) filter: String,
    pub(crate) link: LinkStatus,
    pub(crate) messages: usize,
}

/// All of it.
pub(crate) struct Evidence {
    /// What must be in no file and no log.
    pub(crate) canaries: Canaries,
    /// The ids of persons: in central's ledger, and nowhere else.
    pub(crate) persons: Canaries,
    pub(crate) files: Vec<File>,
    /// Everything that the process logged during the visit, at trace level.
    pub(crate) logs: Vec<u8>,
    pub(crate) batches: Vec<Batch>,
    pub(crate) keys: Vec<Key>,
    pub(crate) received: Vec<Received>,
    /// What operators were told of their own numbers.
    pub(crate) rosters: Vec<Received>,
    /// What the stations answered their tools.
    pub(crate) answers: Vec<Vec<u8>>,
    pub(crate) refused: Vec<Refused>,
    /// Rules by the name of the controller.
    pub(crate) rules: Vec<(Slug, std::sync::Arc<Rules>)>,
}

impl Evidence {
    /// What the vehicle is called towards each recipient for each purpose, in batches and on topics.
    pub(crate) fn aliases(&self) -> Vec<(ControllerId, Slug, Slug, VehicleAlias)> {
        let named = |batch: &Batch| {
            let Batch { controller, recipient, purpose, body, .. } = batch;
            (controller.clone(), recipient.clone(), purpose.clone(), body.head.alias)
        };
        let mut aliases: Vec<_> = self.batches.iter().map(named).collect();
        aliases.sort();
        aliases.dedup();
        aliases
    }
}

/// The evidence of the one visit that the tests of this process share.
pub(crate) fn evidence() -> &'static Evidence {
    static EVIDENCE: OnceLock<Result<Evidence, String>> = OnceLock::new();
    match EVIDENCE.get_or_init(gather) {
        Ok(evidence) => evidence,
        Err(why) => panic!("the visit does not go through: {why}"),
    }
}

/// Makes a visit. One at a time: the log is of the whole process.
pub(crate) fn gather() -> Result<Evidence, String> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(visit::visit()).map_err(|error| format!("{error:#}"))
}

/// Adds all files below a folder. One that goes while we look is none.
pub(crate) fn read_files(moment: &str, folder: &Path, files: &mut Vec<File>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = format!("{moment}/{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            read_files(&path, &entry.path(), files)?;
            continue;
        }
        if !entry.file_type()?.is_file() {
            continue;
        }
        match fs::read(entry.path()) {
            Ok(bytes) => files.push(File { path, bytes }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
