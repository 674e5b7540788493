//! `vernport keys backup` and `restore`: key files in one encrypted file.
//!
//! | Bytes | What |
//! |---|---|
//! | 4 | `56 50 4B 42` ("VPKB") |
//! | 1 | version, `01` |
//! | 1 | `01`: to a recovery key; `02`: by a passphrase |
//! | 96 | of `01`: recipient-key id (16), `enc` (32), sealed data key (48): HPKE as in an envelope, `info` "vernport key backup" and a zero byte |
//! | 20 | of `02`: rounds of PBKDF2-HMAC-SHA256 (4, high byte first), salt (16) |
//! | n | postcard of names and contents: for `01` AES-256-GCM under the data key, counter 0; for `02` a row at rest (`crypto::AtRestKey`). Additional data: all before it |

use super::file;
use crate::args::{KeysBackup, KeysRestore};
use anyhow::{Context as _, Result, bail, ensure};
use std::{
    collections::BTreeMap,
    fs,
    io::Read as _,
    num::NonZeroU32,
    path::{Component, Path},
};
use vernport_crypto::{BackupKey, DataKey, OpeningKey, Wrap, WrappingKey, Zeroizing, random};
use vernport_gateway::secrets::read_key;
use vernport_status::output;
use vernport_types::KeyId;

const MAGIC: [u8; 5] = *b"VPKB\x01";
const INFO: &[u8] = b"vernport key backup\0";
const RECOVERY: u8 = 1;
const PASSPHRASE: u8 = 2;
const WRAP_BYTES: usize = 96;
/// The longest file that is taken in, and the most of them.
const MAX_FILE_BYTES: usize = 4096;
const MAX_FILES: usize = 1024;
const MAX_BACKUP_BYTES: u64 = 8 << 20;
/// Rounds that a backup may ask for: fewer protect too little, more would only hold us up.
const ROUNDS: std::ops::RangeInclusive<u32> = 100_000..=10_000_000;
/// The shortest passphrase, in bytes. Nothing but its length and the rounds stands before a guesser.
const MIN_PASSPHRASE_BYTES: usize = 16;

/// Contents by name, relative, with `/` between folders.
type Files = BTreeMap<String, Zeroizing<Vec<u8>>>;

/// Who can open a backup that is written.
enum To<'a> {
    Recovery(&'a WrappingKey),
    Passphrase(Zeroizing<Vec<u8>>, NonZeroU32),
}

pub(super) fn run(args: &KeysBackup) -> Result<()> {
    let files = gather(args)?;
    file::refuse_existing([&args.to])?;
    let to = match (&args.recovery_key, &args.passphrase_file) {
        (Some(key), _) => To::Recovery(key),
        (None, Some(file)) => To::Passphrase(passphrase(file)?, BackupKey::ITERATIONS),
        (None, None) => bail!("--recovery-key or --passphrase-file: say who opens it"),
    };
    file::create_bytes(&args.to, &seal(&files, &to)?)?;
    output::tell(&format!("{}: {} files", args.to.display(), files.len()))?;
    for name in files.keys() {
        output::tell(&format!("  {name}"))?;
    }
    Ok(())
}

pub(super) fn restore(args: &KeysRestore) -> Result<()> {
    let read = || format!("{}: cannot be read", args.backup.display());
    let bytes = fs::metadata(&args.backup).with_context(read)?.len();
    ensure!(bytes <= MAX_BACKUP_BYTES, "{}: too long for a backup of keys", args.backup.display());
    let bytes = fs::read(&args.backup).with_context(read)?;
    let files = match (&args.key, &args.passphrase_file) {
        (Some(key), _) => {
            open(&bytes, |recovery| recovery.opened_by(&OpeningKey::from_bytes(*read_key(key)?)))
        }
        (None, Some(file)) => {
            let passphrase = passphrase(file)?;
            open(&bytes, |locked| locked.opened_with(&passphrase))
        }
        (None, None) => bail!("--key or --passphrase-file: say what opens it"),
    };
    let files = files.with_context(|| args.backup.display().to_string())?;
    let paths: Vec<_> = files.keys().map(|name| args.into.join(name)).collect();
    file::refuse_existing(&paths)?;
    for (path, content) in paths.iter().zip(files.values()) {
        file::folder(path.parent().unwrap_or(&args.into))?;
        file::create_bytes(path, content)?;
        output::tell(&path.display().to_string())?;
    }
    Ok(())
}

/// The files that were named, and those below folders that were.
fn gather(args: &KeysBackup) -> Result<Files> {
    let mut files = Files::new();
    for path in &args.paths {
        let mut found = Vec::new();
        let root = if path.is_dir() {
            file::below(path, &mut found)?;
            path.as_path()
        } else {
            found.push(path.clone());
            path.parent().unwrap_or(Path::new(""))
        };
        for one in found {
            let name =
                one.strip_prefix(root)?.to_str().with_context(|| format!("{}: no text", one.display()))?;
            let mut content = Zeroizing::new(Vec::with_capacity(MAX_FILE_BYTES + 1));
            fs::File::open(&one)
                .and_then(|file| file.take(MAX_FILE_BYTES as u64 + 1).read_to_end(&mut content))
                .with_context(|| format!("{}: cannot be read", one.display()))?;
            ensure!(content.len() <= MAX_FILE_BYTES, "{}: too long for a key", one.display());
            ensure!(
                files.insert(name.to_owned(), content).is_none(),
                "{name}: two files have this name; name the folder above both"
            );
        }
    }
    ensure!(!files.is_empty(), "no key file is there; name files, or folders with files that end in .key");
    ensure!(files.len() <= MAX_FILES, "{} files; at most {MAX_FILES} go into one backup", files.len());
    Ok(files)
}

fn passphrase(file: &Path) -> Result<Zeroizing<Vec<u8>>> {
    let mut text = Zeroizing::new(Vec::with_capacity(MAX_FILE_BYTES));
    let read = if file == Path::new("-") {
        std::io::stdin().lock().take(MAX_FILE_BYTES as u64).read_to_end(&mut text)
    } else {
        fs::File::open(file).and_then(|file| file.take(MAX_FILE_BYTES as u64).read_to_end(&mut text))
    };
    read.with_context(|| format!("{}: cannot be read", file.display()))?;
    while text.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
        text.pop();
    }
    ensure!(
        text.len() >= MIN_PASSPHRASE_BYTES,
        "the passphrase is too short: take at least {MIN_PASSPHRASE_BYTES} characters, such as six words drawn by dice"
    );
    Ok(text)
}

fn seal(files: &Files, to: &To<'_>) -> Result<Vec<u8>> {
    let listed: Vec<(&str, &[u8])> =
        files.iter().map(|(name, content)| (name.as_str(), &content[..])).collect();
    let room = listed.iter().map(|(name, content)| name.len() + content.len() + 16).sum::<usize>() + 16;
    let mut plain = Zeroizing::new(vec![0; room]);
    let length = postcard::to_slice(&listed, &mut plain)?.len();
    plain.truncate(length);
    let mut bytes = MAGIC.to_vec();
    match to {
        To::Recovery(key) => {
            bytes.push(RECOVERY);
            let data_key = DataKey::generate();
            let wrap = key.wrap(&data_key, INFO)?;
            bytes.extend([wrap.key_id.as_bytes(), &wrap.enc[..], &wrap.ciphertext].concat());
            let sealed = data_key.seal(0, &bytes, plain.to_vec());
            bytes.extend(sealed);
        }
        To::Passphrase(passphrase, rounds) => {
            bytes.push(PASSPHRASE);
            let salt = random();
            bytes.extend(rounds.get().to_be_bytes());
            bytes.extend(salt);
            let sealed = BackupKey::from_passphrase(passphrase, &salt, *rounds).seal(&bytes, &plain);
            bytes.extend(sealed);
        }
    }
    Ok(bytes)
}

/// A backup that is still closed.
enum Closed<'a> {
    Recovery { wrap: Box<Wrap>, head: &'a [u8], sealed: &'a [u8] },
    Passphrase { rounds: NonZeroU32, salt: [u8; 16], head: &'a [u8], sealed: &'a [u8] },
}

impl Closed<'_> {
    fn opened_by(&self, key: &OpeningKey) -> Result<Zeroizing<Vec<u8>>> {
        let Self::Recovery { wrap, head, sealed } = self else {
            bail!("it opens with a passphrase: name its file with --passphrase-file");
        };
        let data_key = key.unwrap(wrap, INFO)?;
        Ok(Zeroizing::new(data_key.open(0, head, sealed.to_vec())?))
    }

    fn opened_with(&self, passphrase: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        let Self::Passphrase { rounds, salt, head, sealed } = self else {
            bail!("it opens with a recovery key: name its file with --key");
        };
        Ok(BackupKey::from_passphrase(passphrase, salt, *rounds).open(head, sealed)?)
    }
}

fn open(bytes: &[u8], with: impl FnOnce(&Closed<'_>) -> Result<Zeroizing<Vec<u8>>>) -> Result<Files> {
    let plain = with(&parse(bytes).context("no backup of keys, or one of a newer version")?)?;
    let listed: Vec<(&str, &[u8])> =
        postcard::from_bytes(&plain).context("the backup holds no list of files")?;
    let mut files = Files::new();
    for (name, content) in listed {
        let plain_name =
            !name.is_empty() && Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
        ensure!(plain_name, "the backup holds a file outside of its folder; nothing was written");
        files.insert(name.to_owned(), Zeroizing::new(content.to_vec()));
    }
    Ok(files)
}

fn parse(bytes: &[u8]) -> Option<Closed<'_>> {
    let rest = bytes.strip_prefix(&MAGIC)?;
    let (&mode, rest) = rest.split_first()?;
    let split = |head: usize| bytes.split_at_checked(MAGIC.len() + 1 + head);
    match mode {
        RECOVERY => {
            let (key_id, after) = rest.split_first_chunk()?;
            let (enc, after) = after.split_first_chunk()?;
            let (ciphertext, _) = after.split_first_chunk()?;
            let wrap = Wrap { key_id: KeyId::from_bytes(*key_id), enc: *enc, ciphertext: *ciphertext };
            let (head, sealed) = split(WRAP_BYTES)?;
            Some(Closed::Recovery { wrap: Box::new(wrap), head, sealed })
        }
        PASSPHRASE => {
            let (rounds, after) = rest.split_first_chunk()?;
            let (salt, _) = after.split_first_chunk()?;
            let rounds = u32::from_be_bytes(*rounds);
            let rounds = NonZeroU32::new(rounds).filter(|rounds| ROUNDS.contains(&rounds.get()))?;
            let (head, sealed) = split(20)?;
            Some(Closed::Passphrase { rounds, salt: *salt, head, sealed })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> Files {
        let content = |text: &str| Zeroizing::new(text.as_bytes().to_vec());
        Files::from([
            ("central/head.key".into(), content("00ff\n")),
            ("device.key".into(), content("11ee\n")),
        ])
    }

    fn rounds() -> NonZeroU32 {
        NonZeroU32::new(100_000).expect("not zero")
    }

    #[test]
    fn what_was_sealed_to_a_key_opens_with_it_alone() {
        let (key, other) = (OpeningKey::generate(), OpeningKey::generate());
        let sealed = seal(&files(), &To::Recovery(&key.wrapping_key())).expect("seals");
        assert_eq!(open(&sealed, |closed| closed.opened_by(&key)).expect("opens"), files());
        assert!(open(&sealed, |closed| closed.opened_by(&other)).is_err());
        assert!(open(&sealed, |closed| closed.opened_with(b"a passphrase of some length")).is_err());
        for len in 0..sealed.len() {
            assert!(open(&sealed[..len], |closed| closed.opened_by(&key)).is_err(), "{len} bytes");
        }
        for bit in 0..8 * sealed.len() {
            let mut changed = sealed.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(open(&changed, |closed| closed.opened_by(&key)).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn what_was_sealed_by_a_passphrase_opens_with_it_alone_and_says_its_rounds() {
        let passphrase = b"correct horse battery staple";
        let to = To::Passphrase(Zeroizing::new(passphrase.to_vec()), rounds());
        let sealed = seal(&files(), &to).expect("seals");
        assert_eq!(sealed[6..10], 100_000_u32.to_be_bytes());
        assert_eq!(open(&sealed, |closed| closed.opened_with(passphrase)).expect("opens"), files());
        assert!(open(&sealed, |closed| closed.opened_with(b"incorrect horse battery")).is_err());
        assert!(open(&sealed, |closed| closed.opened_by(&OpeningKey::generate())).is_err());
        for (at, what) in [(6, "rounds without end"), (9, "other rounds"), (12, "salt"), (40, "body")] {
            let mut changed = sealed.clone();
            changed[at] ^= 0x01;
            assert!(open(&changed, |closed| closed.opened_with(passphrase)).is_err(), "{what}");
        }
        let mut hasty = sealed;
        hasty[6..10].copy_from_slice(&1_u32.to_be_bytes());
        assert!(parse(&hasty).is_none(), "one round is refused before any is done");
    }

    #[test]
    fn nothing_is_written_outside_of_the_folder() {
        let key = OpeningKey::generate();
        for name in ["/etc/device.key", "../device.key", "a/../../b.key", "", "."] {
            let files = Files::from([(name.to_owned(), Zeroizing::new(vec![1]))]);
            let sealed = seal(&files, &To::Recovery(&key.wrapping_key())).expect("seals");
            let error = open(&sealed, |closed| closed.opened_by(&key)).expect_err(name);
            assert!(error.to_string().contains("outside"), "{error}");
        }
    }
}
