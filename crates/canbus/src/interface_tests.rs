//! Interfaces looked up in a folder that is laid out as sysfs is.

use super::*;
use std::os::unix::fs::symlink;

/// A hub at `1-1` with adapters in its ports, each with its interfaces.
struct Machine {
    root: tempfile::TempDir,
}

impl Machine {
    fn new() -> Self {
        let root = tempfile::tempdir().expect("a folder");
        let machine = Self { root };
        machine.write("devices/usb1/1-1/idVendor", "1d6b");
        machine.write("devices/usb1/1-1/serial", "of-the-hub");
        fs::create_dir_all(machine.root.path().join("class/net")).expect("a folder");
        machine
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.root.path().join(path);
        fs::create_dir_all(path.parent().expect("in a folder")).expect("a folder");
        fs::write(path, format!("{text}\n")).expect("a file");
    }

    fn adapter(self, port: &str, serial: Option<&str>) -> Self {
        self.write(&format!("devices/usb1/1-1/{port}/idVendor"), "1d50");
        if let Some(serial) = serial {
            self.write(&format!("devices/usb1/1-1/{port}/serial"), serial);
        }
        self
    }

    fn interface(self, name: &str, port: &str, channel: (&str, &str), index: u32) -> Self {
        let at = format!("devices/usb1/1-1/{port}/{port}:1.0/net/{name}");
        self.write(&format!("{at}/type"), "280");
        self.write(&format!("{at}/{}", channel.0), channel.1);
        self.write(&format!("{at}/ifindex"), &index.to_string());
        symlink(format!("../../../{port}:1.0"), self.root.path().join(&at).join("device")).expect("a link");
        symlink(format!("../../{at}"), self.root.path().join("class/net").join(name)).expect("a link");
        self
    }

    fn find(&self, selector: &str) -> Result<String, LookupError> {
        selector.parse::<CanInterface>().expect("a selector").resolve(self.root.path())
    }
}

#[test]
fn an_adapter_is_found_by_its_port_and_by_its_serial_number_whatever_its_name() {
    let machine = Machine::new()
        .adapter("1-1.2", Some("0042"))
        .adapter("1-1.3", Some("0043"))
        .interface("can7", "1-1.2", ("dev_id", "0x0"), 9)
        .interface("can0", "1-1.3", ("dev_id", "0x0"), 4);
    assert_eq!(machine.find("usb=1-1.2").expect("found"), "can7");
    assert_eq!(machine.find("serial=0042").expect("found"), "can7");
    assert_eq!(machine.find("serial=0043").expect("found"), "can0");
    assert_eq!(machine.find("vcan0").expect("not looked up"), "vcan0");
}

#[test]
fn the_channels_of_one_adapter_are_counted_as_its_driver_counts_them() {
    for attribute in ["dev_id", "dev_port"] {
        let machine = Machine::new()
            .adapter("1-1.2", Some("0042"))
            .interface("can3", "1-1.2", (attribute, "0x1"), 4)
            .interface("can5", "1-1.2", (attribute, "0"), 5);
        assert_eq!(machine.find("serial=0042").expect("found"), "can5");
        assert_eq!(machine.find("usb=1-1.2,channel=1").expect("found"), "can3");
        let error = machine.find("usb=1-1.2,channel=2").expect_err("no such channel").to_string();
        assert!(error.contains("usb=1-1.2,channel=2 has 2 interfaces"), "{error}");
    }
}

#[test]
fn what_is_no_can_adapter_is_passed_over() {
    let machine = Machine::new().adapter("1-1.2", None).interface("eth1", "1-1.2", ("dev_id", "0x0"), 3);
    machine.write("devices/usb1/1-1/1-1.2/1-1.2:1.0/net/eth1/type", "1");
    machine.write("class/net/vcan0/type", "280");
    for selector in ["usb=1-1.2", "serial=of-the-hub", "usb=1-1"] {
        let error = machine.find(selector).expect_err("no adapter");
        assert!(matches!(error, LookupError::Absent { .. }), "{error}");
        assert!(error.to_string().contains(selector), "{error}");
    }
}

#[test]
fn two_adapters_with_one_serial_number_are_told_apart_by_their_ports() {
    let machine = Machine::new()
        .adapter("1-1.2", Some("1"))
        .adapter("1-1.3", Some("1"))
        .interface("can0", "1-1.2", ("dev_id", "0x0"), 3)
        .interface("can1", "1-1.3", ("dev_id", "0x0"), 4);
    let error = machine.find("serial=1").expect_err("two of them");
    assert!(error.to_string().contains("by usb="), "{error}");
    assert_eq!(machine.find("usb=1-1.3").expect("found"), "can1");
}

#[test]
fn a_machine_without_such_a_list_says_which() {
    let error = "usb=1-1".parse::<CanInterface>().expect("a selector").resolve(Path::new("none-such"));
    assert!(matches!(error, Err(LookupError::Unreadable { .. })), "{error:?}");
}

#[test]
fn an_interface_is_up_by_its_flag_and_one_that_is_away_is_not() {
    let machine = Machine::new();
    let is_up = |name| interface_is_up(machine.root.path(), name);
    assert!(!is_up("can0"));
    for (flags, up) in [("0x40080", false), ("0x40081", true), ("0x400c1", true), ("no number", false)] {
        machine.write("class/net/can0/flags", flags);
        assert_eq!(is_up("can0"), up, "{flags}");
    }
}
