//! What is active, and how it came to be.

use super::*;

/// A controller's folder of active rules, and the key that signs for it.
struct Active {
    bundle: Folder,
    into: tempfile::TempDir,
    key: String,
    public: String,
}

impl Active {
    fn new() -> Self {
        let bundle = Folder::new();
        let (key, public) = key(&bundle, 1);
        Self { bundle, into: tempfile::tempdir().expect("a folder"), key, public }
    }

    fn dir(&self) -> &str {
        self.into.path().to_str().expect("UTF-8")
    }

    fn sign(&self) {
        assert_eq!(ran(&["sign", self.bundle.path(), "--key", &self.key]).0, 0);
    }

    fn activate(&self) -> (i32, String, String) {
        ran(&["activate", self.bundle.path(), "--into", self.dir(), "--signed-by", &self.public])
    }

    fn history(&self) -> (i32, String, String) {
        ran(&["history", self.dir()])
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.into.path().join(name)).expect(name)
    }
}

#[test]
fn what_is_activated_is_signed_and_written_with_its_signature_and_its_history() {
    let active = Active::new();
    let (code, _, err) = active.activate();
    assert!(code == 1 && err.contains("bundle.sig: the bundle is not signed; sign it"), "{err}");
    active.sign();
    let (code, out, err) = active.activate();
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("active as number 1"), "{out}");
    assert_eq!(active.read("bundle.toml"), BUNDLE);
    let key = active.public.parse().expect("a key");
    vernport_policy::verify_bundle(&key, BUNDLE, Some(&active.read("bundle.sig"))).expect("the pair fits");
    // Again: nothing to do.
    let (code, out, _) = active.activate();
    assert!(code == 0 && out.contains("active already, as number 1"), "{out}");
    // Narrower: no notice has to tell of it.
    active.bundle.change(&[("\"round-10000\"", "\"round-20000\"")]);
    active.sign();
    assert_eq!(active.activate().0, 0);
    assert!(active.read("bundle.toml").contains("round-20000"));
    let (code, out, err) = active.history();
    assert_eq!(code, 0, "{err}");
    assert!(
        out.contains("narrower  flow.workshop.signals.Vehicle.TraveledDistance: round-10000 → round-20000"),
        "{out}"
    );
    assert!(out.contains("the chain holds"), "{out}");
    // Somebody else's signature is none.
    let (_, other) = key_of_another(&active.bundle);
    let (code, _, err) =
        ran(&["activate", active.bundle.path(), "--into", active.dir(), "--signed-by", &other]);
    assert!(code == 1 && err.contains("not signed by the controller's bundle key"), "{err}");
}

fn key_of_another(folder: &Folder) -> (String, String) {
    key(folder, 2)
}

#[test]
fn what_is_wider_waits_for_a_newer_notice() {
    let active = Active::new();
    active.sign();
    assert_eq!(active.activate().0, 0);
    let finer = ("\"round-10000\"", "\"round-1000\"");
    active.bundle.change(&[finer]);
    active.sign();
    let (code, _, err) = active.activate();
    assert_eq!(code, 1);
    assert!(err.contains("flow.workshop.signals.Vehicle.TraveledDistance is wider"), "{err}");
    assert!(err.contains("bundle.toml:") && err.contains("add a [[notice]]"), "{err}");
    assert_eq!(active.read("bundle.toml"), BUNDLE, "nothing was changed");
    // A notice alone is not enough: the flow has to wait for it.
    let notice = (
        "[[purpose]]",
        "[[notice]]\nversion = \"small-2\"\nserved_when = \"told\"\ncategories = [\"odometer\", \"component-status\"]\nclauses = [\"S-2\"]\n[[purpose]]",
    );
    active.bundle.change(&[finer, notice]);
    active.sign();
    assert_eq!(active.activate().0, 1);
    let waits = ("roles = [\"driver\"]", "roles = [\"driver\"]\nnotice = \"small-2\"");
    active.bundle.change(&[finer, notice, waits]);
    active.sign();
    let (code, out, err) = active.activate();
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("active as number 2"), "{out}");
    let (code, out, _) = active.history();
    assert!(code == 0 && out.contains("notices small-1, small-2"), "{out}");
    // A renewed agreement needs none.
    active.bundle.change(&[finer, notice, waits, ("until = 2028-01-01", "until = 2029-01-01")]);
    active.sign();
    let (code, _, err) = active.activate();
    assert_eq!(code, 0, "{err}");
}

#[test]
fn a_history_that_somebody_changed_is_seen() {
    let active = Active::new();
    active.sign();
    assert_eq!(active.activate().0, 0);
    active.bundle.change(&[("\"round-10000\"", "\"round-20000\"")]);
    active.sign();
    assert_eq!(active.activate().0, 0);
    let file = active.into.path().join("history.jsonl");
    let good = fs::read_to_string(&file).expect("a history");
    fs::write(&file, good.replacen("\"notices\":[\"small-1\"]", "\"notices\":[\"small-9\"]", 1))
        .expect("a file");
    let (code, _, err) = active.history();
    assert!(code == 1 && err.contains("history.jsonl:2: the chain is broken"), "{err}");
    assert_eq!(active.activate().0, 1, "nothing is added to a broken chain");
    // The bundle in force is that of the last line.
    fs::write(&file, &good[..=good.find('\n').expect("two lines")]).expect("a file");
    let (code, _, err) = active.history();
    assert!(code == 1 && err.contains("not the one that was activated last"), "{err}");
    fs::write(&file, &good).expect("a file");
    assert_eq!(active.history().0, 0);
    let (code, _, err) = ran(&["history", "no/such/folder"]);
    assert!(code == 1 && err.contains("nothing was activated here"), "{err}");
}

#[test]
fn an_activation_that_was_cut_off_is_ended_by_the_next() {
    let active = Active::new();
    active.sign();
    assert_eq!(active.activate().0, 0);
    active.bundle.change(&[("\"round-10000\"", "\"round-20000\"")]);
    active.sign();
    assert_eq!(active.activate().0, 0);
    // As if the power had failed after the line was written, before the link was moved.
    let link = active.into.path().join("active");
    fs::remove_file(&link).expect("a link");
    std::os::unix::fs::symlink("versions/0001", &link).expect("a link");
    assert_eq!(active.history().0, 1);
    let (code, out, _) = active.activate();
    assert!(code == 0 && out.contains("active already, as number 2"), "{out}");
    assert_eq!(active.history().0, 0);
    assert!(active.read("bundle.toml").contains("round-20000"));
}

#[test]
fn what_nobody_activated_is_not_overwritten() {
    let active = Active::new();
    active.sign();
    fs::write(active.into.path().join("bundle.toml"), "mine").expect("a file");
    let (code, _, err) = active.activate();
    assert!(code == 1 && err.contains("no activation made it; move it away"), "{err}");
    assert_eq!(active.read("bundle.toml"), "mine");
}

#[test]
fn a_bundle_takes_its_base_with_it() {
    let active = Active::new();
    let hash = hex::encode(vernport_crypto::sha256(BUNDLE.as_bytes()));
    active.bundle.write("small.toml", BUNDLE);
    let text =
        format!("format = 1\nname = \"smaller\"\nextends = {{ bundle = \"small\", hash = \"{hash}\" }}\n");
    let own =
        BUNDLE.lines().skip(2).take_while(|line| !line.starts_with("[[")).collect::<Vec<_>>().join("\n");
    active.bundle.write("bundle.toml", &format!("{text}{own}\n"));
    active.sign();
    let (code, _, err) = active.activate();
    assert_eq!(code, 0, "{err}");
    assert_eq!(active.read("small.toml"), BUNDLE);
    assert!(Path::new(active.dir()).join("versions/0001/small.toml").is_file());
    let (code, out, _) = ran(&["diff", active.dir(), active.bundle.path()]);
    assert_eq!((code, out.as_str()), (0, "no difference\n"));
}
