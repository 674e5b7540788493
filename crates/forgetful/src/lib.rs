//! A disk that forgets. Preloaded into a process (`LD_PRELOAD`), it takes the
//! place of `fsync` and `fdatasync` and keeps, of each file that they are asked
//! for, a copy as it was at that moment. After a kill the copies are what a power
//! cut could have left at the worst: nothing of what was written since.
//!
//! For tests only (`tests/durability/disk.rs`, where it is tested). The copies go to the folder in `VERNPORT_SYNCED`, under the
//! file's own name; where it is not set, nothing is copied. A file that was never
//! synced has no copy: a power cut may take it whole.
//!
//! Beside the allocator that counts in `testkit`, this is the only place of vernport with unsafe code. It does two things that
//! need it: it defines two symbols of the C library, and borrows the number of
//! an open file from the caller. Neither touches memory.
#![allow(unsafe_code)]

use std::{
    ffi::c_int,
    fs, io,
    os::fd::{AsRawFd as _, BorrowedFd},
    path::PathBuf,
};

/// The variable with the folder of the copies.
const FOLDER: &str = "VERNPORT_SYNCED";

/// fsync(2). `errno` is not set on a failure: its callers here do not ask for it.
#[unsafe(no_mangle)]
pub extern "C" fn fsync(file: c_int) -> c_int {
    synced(file, |file| rustix::fs::fsync(file))
}

/// fdatasync(2), like [`fsync`].
#[unsafe(no_mangle)]
pub extern "C" fn fdatasync(file: c_int) -> c_int {
    synced(file, |file| rustix::fs::fdatasync(file))
}

fn synced(file: c_int, sync: impl Fn(BorrowedFd<'_>) -> rustix::io::Result<()>) -> c_int {
    if file < 0 {
        return -1;
    }
    // SAFETY: whoever calls fsync holds the file open until it returns; a number that names no open
    // file is answered by the kernel with an error, and nothing else is done with it.
    let file = unsafe { BorrowedFd::borrow_raw(file) };
    // The copy is made before the answer, so that what the caller believes to be safe is in it.
    let done = sync(file).is_ok() && keep(file).is_ok();
    if done { 0 } else { -1 }
}

/// Copies a file to where the copies are; a copy is there whole or as it was before.
fn keep(file: BorrowedFd<'_>) -> io::Result<()> {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else { return Ok(()) };
    let file = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
    let Some(name) = file.file_name().filter(|_| file.is_file()) else { return Ok(()) };
    let fresh = folder.join(format!("{}.{:?}", name.display(), std::thread::current().id()));
    fs::copy(&file, &fresh)?;
    fs::rename(fresh, folder.join(name))
}
