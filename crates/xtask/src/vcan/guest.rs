//! A guest that sees this machine's files: one command, its output, its exit status.
//!
//! What the command writes stays in the guest and goes with it. Its exit status comes out as a file;
//! a guest that died has written none, and that is never taken for success.

use super::{READY, image::Kernel};
use crate::workspace::Workspace;
use anyhow::{Context as _, Result};
use std::{
    env,
    ffi::{OsStr, OsString},
    fs,
    io::{self, Read as _, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc::{RecvTimeoutError, sync_channel},
    thread,
    time::Duration,
};

pub(crate) const EMULATOR: &str = "qemu-system-x86_64";
/// The exit status when the guest was ended for taking too long.
const LATE: u8 = 124;
/// The exit status when there is none.
pub(crate) const DIED: u8 = 125;
/// All tests take two minutes where the machine has nothing else to do.
const LIMIT: Duration = Duration::from_secs(12 * 60);
/// A kernel that hangs or dies by itself is booted once more: Debian's 6.1 was seen to stop for ever in a timer
/// of its own J1939 transfers. A command that fails in a living guest is not run again.
const BOOTS: usize = 2;
/// Variables of these names go into the guest.
const CARRIED: [&str; 4] = ["CARGO", "RUST", "VERNPORT", "CI"];
const KERNEL_ARGUMENTS: &str = "console=ttyS0 quiet panic=-1 mitigations=off nokaslr random.trust_cpu=on";

/// Boots, runs the command, and gives its exit status.
pub(crate) fn run(workspace: &Workspace, kernel: &Kernel, command: &[OsString]) -> Result<u8> {
    // Two at once are two folders.
    let folder = workspace.root().join(format!("target/vcan/run-{}", std::process::id()));
    if folder.exists() {
        fs::remove_dir_all(&folder).context("cannot remove what an earlier guest left")?;
    }
    let exchange = folder.join("exchange");
    fs::create_dir_all(&exchange).context("cannot make a folder for the guest")?;
    let archive = folder.join("archive");
    kernel.write_archive(&archive, &folder.join("staging"))?;
    fs::write(exchange.join("command.sh"), script(command)?).context("cannot write the guest's command")?;
    let mut status = boot(kernel, &archive, &exchange)?;
    for _ in 1..BOOTS {
        if status == LATE || status == DIED {
            println!("the guest is booted once more");
            status = boot(kernel, &archive, &exchange)?;
        }
    }
    fs::remove_dir_all(&folder).context("cannot remove the guest's folder")?;
    Ok(status)
}

fn boot(kernel: &Kernel, archive: &Path, exchange: &Path) -> Result<u8> {
    let mut emulator = Command::new(EMULATOR);
    // By name: some machines have a /dev/kvm that hangs.
    emulator.args(["-accel", "tcg,thread=multi", "-machine", "pc,usb=off,vmport=off,hpet=off"]);
    // Any x86-64, which costs least to emulate: programs are not built for this very machine.
    emulator.args(["-cpu", "qemu64,+rdrand", "-smp", "2", "-m", "1024", "-no-reboot"]);
    emulator.args(["-nodefaults", "-no-user-config", "-display", "none", "-monitor", "none"]);
    emulator.args(["-serial", "stdio", "-append", KERNEL_ARGUMENTS, "-kernel"]).arg(kernel.file());
    emulator.arg("-initrd").arg(archive);
    for (tag, path, access) in [("host", Path::new("/"), ",readonly=on"), ("exchange", exchange, "")] {
        emulator.arg("-fsdev").arg(share(tag, path, access)?);
        emulator.arg("-device").arg(format!("virtio-9p-pci,fsdev={tag},mount_tag={tag}"));
    }
    emulator.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = emulator.spawn().with_context(|| format!("cannot run {EMULATOR}"))?;
    if !ended(&mut child)? {
        println!("the guest was ended after {} minutes", LIMIT.as_secs() / 60);
        return Ok(LATE);
    }
    // The emulator's own status says nothing of the command.
    let status = fs::read_to_string(exchange.join("status")).ok().and_then(|it| it.trim().parse().ok());
    if status.is_none() {
        println!("the guest died before the command had an exit status");
    }
    Ok(status.unwrap_or(DIED))
}

/// Shows the guest's output until its end; whether that came in time. The emulator is gone then.
fn ended(child: &mut Child) -> Result<bool> {
    let mut output = child.stdout.take().context("its output is piped")?;
    let (sender, end) = sync_channel(1);
    let shower = thread::spawn(move || {
        let mut bytes = [0; 8192];
        while let Ok(count @ 1..) = output.read(&mut bytes) {
            let mut shown: Vec<u8> = bytes[..count].to_vec();
            // The kernel's own lines have carriage returns.
            shown.retain(|byte| *byte != b'\r');
            let mut out = io::stdout().lock();
            // Where nobody reads any more, the exit status still counts.
            let _ = out.write_all(&shown).and_then(|()| out.flush());
        }
        let _ = sender.send(());
    });
    let in_time = end.recv_timeout(LIMIT) != Err(RecvTimeoutError::Timeout);
    if !in_time {
        child.kill().context("cannot end the guest")?;
    }
    child.wait().context("cannot wait for the guest")?;
    let _ = shower.join();
    Ok(in_time)
}

/// One folder of the host, as the emulator wants it written.
fn share(tag: &str, path: &Path, access: &str) -> Result<String> {
    let path = path.to_str().context("the path of the workspace is not text")?.replace(',', ",,");
    Ok(format!("local,id={tag},path={path},security_model=none,multidevs=remap{access}"))
}

/// The command with its folder and its variables, for the shell in the guest.
fn script(command: &[OsString]) -> Result<String> {
    let mut script = String::from("ip link set lo up\n");
    let carried = |name: &str| CARRIED.iter().any(|start| name.starts_with(start)) || name == "PATH";
    let variables = env::vars_os().filter(|(name, _)| name.to_str().is_some_and(carried));
    for (name, value) in variables.chain([(READY.into(), "1".into())]) {
        let name = name.to_str().filter(|name| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'));
        if let Some(name) = name {
            script += &format!("export {name}={}\n", quoted(&value)?);
        }
    }
    let here = env::current_dir().context("cannot tell the current folder")?;
    script += &format!("cd {} || exit {DIED}\n", quoted(here.as_os_str())?);
    let words = command.iter().map(|word| quoted(word)).collect::<Result<Vec<_>>>()?;
    Ok(script + &words.join(" ") + "\n")
}

fn quoted(word: &OsStr) -> Result<String> {
    let word = word.to_str().with_context(|| format!("{} is not text", word.display()))?;
    Ok(format!("'{}'", word.replace('\'', r"'\''")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_reach_the_shell_of_the_guest_as_they_are() {
        let words = ["it's", "a b", "$HOME", "", "*", "\\", "line\nline"];
        for word in words {
            let script = format!("printf %s {}", quoted(OsStr::new(word)).expect("text"));
            let output = Command::new("/bin/sh").arg("-c").arg(script).output().expect("a shell");
            assert_eq!(String::from_utf8_lossy(&output.stdout), word);
        }
    }

    #[test]
    fn a_comma_in_a_path_is_no_end_of_it() {
        let share = share("host", Path::new("/a,b"), ",readonly=on").expect("text");
        assert_eq!(share, "local,id=host,path=/a,,b,security_model=none,multidevs=remap,readonly=on");
    }
}
