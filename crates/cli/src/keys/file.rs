//! Key files: 64 hexadecimal digits and a line end, mode 0600, durable before
//! anything rests on them, and never written over.

use anyhow::{Context as _, Result, bail};
use std::{
    ffi::OsStr,
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};
use vernport_crypto::{Zeroizing, random};
use vernport_gateway::{owner::give_as, secrets::read_key};

/// A secret of 32 bytes.
pub(super) type Secret = Zeroizing<[u8; 32]>;

/// Draws a secret.
pub(super) fn draw() -> Secret {
    Zeroizing::new(random())
}

/// Writes a key into a file that is not there yet.
pub(crate) fn create(path: &Path, key: &[u8; 32]) -> Result<()> {
    let mut text = Zeroizing::new([b'\n'; 65]);
    hex::encode_to_slice(key, &mut text[..64]).expect("64 digits for 32 bytes");
    create_bytes(path, &text[..])
}

/// Writes a private file that is not there yet.
pub(super) fn create_bytes(path: &Path, bytes: &[u8]) -> Result<()> {
    let open = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let written = open.and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    match written {
        Ok(()) => sync_folder(path),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            bail!(
                "{}: is there already, and no key is ever written over; name another folder",
                path.display()
            )
        }
        Err(error) => Err(error).with_context(|| format!("{}: cannot be written", path.display())),
    }
}

/// Makes a folder, closed to others, where there is none.
pub(super) fn folder(path: &Path) -> Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .with_context(|| format!("{}: cannot be made", path.display()))
}

/// Nothing of these is there yet.
pub(super) fn refuse_existing<'a>(paths: impl IntoIterator<Item = &'a PathBuf>) -> Result<()> {
    for path in paths {
        if path.symlink_metadata().is_ok() {
            bail!("{}: is there already, and no key is ever written over; nothing was made", path.display());
        }
    }
    Ok(())
}

/// A name with something behind it.
pub(super) fn with(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// The key that is about to take the place of the one in `path`: one that an interrupted run left,
/// or a new one, which gets its name when it is whole.
pub(super) fn next(path: &Path) -> Result<Secret> {
    let next = with(path, ".new");
    if next.exists() {
        return Ok(read_key(&next)?);
    }
    let (key, part) = (draw(), with(&next, ".part"));
    let written = || format!("{}: cannot be written", next.display());
    match fs::remove_file(&part) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error).with_context(written),
        _ => create(&part, &key)?,
    }
    fs::rename(&part, &next).with_context(written)?;
    sync_folder(&next)?;
    Ok(key)
}

/// Whether the key in `path` can be kept under this name: nothing is there, or that key itself, where a
/// change was interrupted before the new key had taken the place.
pub(super) fn is_free(path: &Path, keep: &Path) -> Result<bool> {
    Ok(identity(keep)?.is_none() || is_one(path, keep)?)
}

/// Whether two names are of one file. A link by name is another file than what it leads to: that would be
/// gone when the new key takes the place.
pub(super) fn is_one(path: &Path, other: &Path) -> Result<bool> {
    let (one, other) = (identity(path)?, identity(other)?);
    Ok(one.is_some() && one == other)
}

/// Which file a name is of; none if nothing is there.
fn identity(path: &Path) -> Result<Option<(u64, u64)>> {
    match path.symlink_metadata() {
        Ok(about) => Ok(Some((about.dev(), about.ino()))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("{}: cannot be looked at", path.display())),
    }
}

/// Puts the next key in the place of the one in `path`, at one moment. The old one stays as `keep`, if given:
/// a second name of it, until then.
pub(super) fn take_place(path: &Path, keep: Option<&Path>) -> Result<()> {
    if let Some(keep) = keep
        && !is_one(path, keep)?
    {
        fs::hard_link(path, keep)
            .with_context(|| format!("{}: the old key cannot be kept under this name", keep.display()))?;
        sync_folder(keep)?;
    }
    let next = with(path, ".new");
    give_as(&next, path)
        .and_then(|()| fs::rename(&next, path))
        .with_context(|| format!("{}: cannot be replaced", path.display()))?;
    sync_folder(path)
}

/// Wipes and removes a key. What a file system or flash keeps of it elsewhere is out of reach. False: it has
/// another name, so it was not wiped.
pub(super) fn remove(path: &Path) -> Result<bool> {
    let wipe = || {
        let mut file = OpenOptions::new().write(true).open(path)?;
        let is_alone = file.metadata()?.nlink() == 1;
        if is_alone {
            file.write_all(&[b'0'; 64])?;
            file.sync_all()?;
        }
        fs::remove_file(path)?;
        Ok::<_, std::io::Error>(is_alone)
    };
    let is_wiped = wipe().with_context(|| format!("{}: cannot be removed", path.display()))?;
    sync_folder(path)?;
    Ok(is_wiped)
}

/// Writes `new` in the place of `old` wherever it stands in a text file; says how often that was.
pub(super) fn replace_in(path: &Path, old: &str, new: &str) -> Result<usize> {
    let text = fs::read_to_string(path).with_context(|| format!("{}: cannot be read", path.display()))?;
    let places = text.matches(old).count();
    if places > 0 {
        let written = with(path, ".new");
        fs::write(&written, text.replace(old, new))
            .and_then(|()| fs::set_permissions(&written, fs::metadata(path)?.permissions()))
            .and_then(|()| give_as(&written, path))
            .and_then(|()| File::open(&written)?.sync_all())
            .and_then(|()| fs::rename(&written, path))
            .with_context(|| format!("{}: cannot be written", path.display()))?;
        sync_folder(path)?;
    }
    Ok(places)
}

/// Key files in and below a folder, in order, and certificates of authorities beside theirs.
pub(super) fn below(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
    let mut entries = entries.with_context(|| format!("{}: cannot be read", folder.display()))?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            below(&path, found)?;
        } else if is_key(&path) {
            found.push(path);
        }
    }
    Ok(())
}

/// Whether a file goes with keys: one in use, the one before it, or the one after it, under which central's databases
/// may be in part already. An authority is of no use without its certificate.
fn is_key(path: &Path) -> bool {
    let Some(name) = path.file_name().and_then(OsStr::to_str) else { return false };
    let is_authority = name == "ca.pem" && path.with_file_name("ca.key").exists();
    is_authority || [".key", ".before", ".key.new"].iter().any(|end| name.ends_with(end))
}

fn sync_folder(path: &Path) -> Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .with_context(|| format!("{}: cannot be made durable", folder.display()))
}
