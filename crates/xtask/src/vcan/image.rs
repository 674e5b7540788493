//! The guest's kernel, out of Debian's package, and the small archive it boots from.

use crate::workspace::{Workspace, has_program, output, shown, succeed};
use anyhow::{Context as _, Result, bail};
use std::{
    fs,
    io::Write as _,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Programs, and the Debian packages that have them.
pub(crate) const NEEDS: [(&str, &str); 4] =
    [(super::guest::EMULATOR, "qemu-system-x86"), ("cpio", "cpio"), ("modprobe", "kmod"), ("depmod", "kmod")];
/// Debian's name for its newest kernel.
const NEWEST: &str = "linux-image-amd64";
const BUSYBOX: &str = "/bin/busybox";
/// What the archive holds, beside three files and the modules.
const FOLDERS: [&str; 8] = ["bin", "dev", "host", "layer", "modules", "proc", "sys", "whole"];
const INIT: &str = include_str!("init.sh");
/// What the guest loads: its way to the host's files, then CAN.
const MODULES: [&str; 11] = [
    "virtio_pci",
    "9pnet_virtio",
    "9p",
    "overlay",
    "can_raw",
    "can_bcm",
    "can_gw",
    "can_isotp",
    "can_j1939",
    "vcan",
    "vxcan",
];
/// Where the package keeps them; the last holds what 9p rests on, whose name changed.
const MODULE_FOLDERS: [&str; 7] =
    ["net/can", "net/9p", "drivers/net/can", "drivers/virtio", "fs/9p", "fs/overlayfs", "fs/[fn]*"];

/// An unpacked kernel.
pub(crate) struct Kernel {
    folder: PathBuf,
    version: String,
}

impl Kernel {
    /// The kernel that was fetched, if a guest can be booted with it.
    pub(crate) fn find(workspace: &Workspace) -> Result<Self> {
        if !cfg!(target_arch = "x86_64") {
            bail!("the guest is for x86-64 only");
        }
        let missing = NEEDS.iter().filter(|(program, _)| !has_program(program)).map(|(program, _)| *program);
        if let Some(program) = missing.into_iter().next() {
            bail!("{program} is not installed; run cargo xtask setup");
        }
        if !has_static_busybox() {
            bail!("{BUSYBOX} is not there or needs libraries; run cargo xtask setup");
        }
        let folder = workspace.root().join("target/vcan/kernel");
        let version = fs::read_to_string(folder.join("version")).ok();
        let version = version.context("there is no kernel for a guest; run cargo xtask setup")?;
        Ok(Self { folder, version })
    }

    /// Unpacks Debian's newest kernel below `target`.
    pub(crate) fn fetch(workspace: &Workspace) -> Result<()> {
        let folder = workspace.root().join("target/vcan/kernel");
        if folder.exists() {
            fs::remove_dir_all(&folder).context("cannot remove what is left of an earlier kernel")?;
        }
        fs::create_dir_all(&folder).context("cannot make the folder of the kernel")?;
        // The list may name a kernel that the mirror no longer has, or there is none yet.
        succeed(Command::new("apt-get").args(["update", "-q"]))?;
        let depends = output(Command::new("apt-cache").args(["depends", NEWEST]))?;
        let package = depends.lines().find_map(|line| {
            let package = line.trim().strip_prefix("Depends: ")?;
            package.strip_prefix("linux-image-").filter(|it| it.starts_with(|c: char| c.is_ascii_digit()))
        });
        let version = package.with_context(|| format!("{NEWEST} of this Debian names no kernel"))?;
        println!("setup: fetching kernel {version} for the guest of the suite {}", super::SUITE);
        let mut download = Command::new("apt-get");
        // As ourselves: the folder may be closed to apt's own user.
        download.args(["-q", "-o", "APT::Sandbox::User=root", "download"]);
        succeed(download.arg(format!("linux-image-{version}")).current_dir(&folder))?;
        unpack(&folder, version)?;
        succeed(Command::new("depmod").arg("-b").args([folder.as_os_str()]).arg(version))?;
        // Last: it says that the rest is whole.
        fs::write(folder.join("version"), version).context("cannot write the version of the kernel")
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.folder.join(format!("boot/vmlinuz-{}", self.version))
    }

    /// Writes the archive that the kernel boots from.
    pub(crate) fn write_archive(&self, archive: &Path, staging: &Path) -> Result<()> {
        for folder in FOLDERS {
            fs::create_dir_all(staging.join(folder)).context("cannot lay out the guest's first files")?;
        }
        fs::copy(BUSYBOX, staging.join("bin/busybox")).context("cannot copy busybox")?;
        symlink("busybox", staging.join("bin/sh")).context("cannot link busybox")?;
        let init = staging.join("init");
        fs::write(&init, INIT).context("cannot write the guest's first program")?;
        fs::set_permissions(&init, fs::Permissions::from_mode(0o755)).context("cannot make it executable")?;
        // Folders before what lies in them.
        let mut names: Vec<String> =
            FOLDERS.into_iter().chain(["init", "bin/busybox", "bin/sh"]).map(Into::into).collect();
        for (module, number) in self.modules()?.iter().zip(100..) {
            let name =
                module.file_name().and_then(|name| name.to_str()).context("a module without a name")?;
            // In the order in which they are to be loaded.
            let name = format!("modules/{number}-{name}");
            fs::copy(module, staging.join(&name))
                .with_context(|| format!("cannot copy {}", module.display()))?;
            names.push(name);
        }
        let mut cpio = Command::new("cpio");
        cpio.args(["-o", "-H", "newc", "--quiet"]).current_dir(staging);
        let file = fs::File::create(archive).context("cannot write the guest's archive")?;
        let mut child = cpio.stdin(Stdio::piped()).stdout(file).spawn().context("cannot run cpio")?;
        let mut list = child.stdin.take().context("its input is piped")?;
        list.write_all(names.join("\n").as_bytes()).context("cannot talk to cpio")?;
        drop(list);
        let status = child.wait().context("cannot wait for cpio")?;
        if status.success() { Ok(()) } else { bail!("{} failed ({status})", shown(&cpio)) }
    }

    /// Files of the modules, each after what it depends on.
    fn modules(&self) -> Result<Vec<PathBuf>> {
        let mut files: Vec<PathBuf> = Vec::new();
        for module in MODULES {
            let mut modprobe = Command::new("modprobe");
            modprobe.arg("-d").arg(&self.folder).args(["-S", &self.version, "--show-depends", module]);
            for line in output(&mut modprobe)?.lines() {
                // What is built in says `builtin`.
                let Some(file) = line.trim().strip_prefix("insmod ").map(PathBuf::from) else { continue };
                if file.extension().is_none_or(|it| it != "ko") {
                    bail!("{} is compressed, which the guest cannot load", file.display());
                }
                if !files.contains(&file) {
                    files.push(file);
                }
            }
        }
        Ok(files)
    }
}

/// Whether busybox runs without the libraries of the host.
pub(crate) fn has_static_busybox() -> bool {
    let dynamic = |bytes: Vec<u8>| {
        let loader = b"/ld-linux";
        bytes[..bytes.len().min(4096)].windows(loader.len()).any(|part| part == loader)
    };
    fs::read(BUSYBOX).is_ok_and(|bytes| !dynamic(bytes))
}

/// Takes kernel and modules out of the package, which is ten times as large.
fn unpack(folder: &Path, version: &str) -> Result<()> {
    let files = fs::read_dir(folder).context("cannot list the folder of the kernel")?;
    let deb = files
        .filter_map(|file| Some(file.ok()?.path()))
        .find(|file| file.extension().is_some_and(|it| it == "deb"))
        .context("apt-get left no package")?;
    let mut package = Command::new("dpkg-deb");
    package.arg("--fsys-tarfile").arg(&deb).stdout(Stdio::piped());
    let mut package = package.spawn().context("cannot run dpkg-deb")?;
    let mut tar = Command::new("tar");
    tar.arg("-x").arg("-C").arg(folder).args(["--wildcards", "./boot/vmlinuz-*"]);
    tar.arg(format!("./lib/modules/{version}/modules.*"));
    tar.args(MODULE_FOLDERS.map(|part| format!("./lib/modules/{version}/kernel/{part}/*")));
    succeed(tar.stdin(package.stdout.take().context("its output is piped")?))?;
    let status = package.wait().context("cannot wait for dpkg-deb")?;
    if !status.success() {
        bail!("dpkg-deb cannot read the package ({status})");
    }
    fs::remove_file(&deb).context("cannot remove the package")
}
