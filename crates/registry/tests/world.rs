//! World files: read, and refused with file, line and remedy.

mod samples;

use samples::{EIGHT, controller};
use vernport_crypto::IdentityKey;
use vernport_registry::{Event, Method, ORDER_SECONDS, Role, world::World};
use vernport_types::UtcMicros;

const WORLD: &str = r#"
format = 1

[[asset]]
name = "truck"
since = "-30d"
vin = "WDB9634031L738001"

[[subject]]
name = "anna"

[[event]]
time = "-2h"
recorded = "-1h"
kind = "order-opened"
order = "1017"
assets = ["truck"]
station = "oslo/bay-1"

[[event]]
time = 2026-11-01T08:00:00+01:00
kind = "linked"
asset = "truck"
subject = "anna"
role = "owner"
controller = "DK-10628334"
actor = { role = "staff", id = "counter-1" }
"#;

fn identity() -> IdentityKey {
    IdentityKey::from_bytes([0; 32])
}

#[test]
fn a_world_gives_each_controller_its_ledger_in_the_order_of_recording() {
    let world = World::from_toml("w.toml", WORLD).expect("valid");
    let own = world.entries(&controller(), &identity(), EIGHT).expect("builds");
    let kinds: Vec<_> = own.iter().map(|entry| entry.event.kind()).collect();
    assert_eq!(kinds, ["asset-identified", "order-opened"]);
    assert_eq!(own[1].occurred_at, EIGHT.plus_seconds(-7_200));
    assert_eq!(own[1].recorded_at, EIGHT.plus_seconds(-3_600));
    let Event::OrderOpened(order) = &own[1].event else { panic!("{:?}", own[1].event) };
    assert_eq!(order.expires_at, own[1].occurred_at.plus_seconds(ORDER_SECONDS));
    assert_eq!(order.assets, [world.asset("truck").expect("declared")]);

    let other = "DK-10628334".parse().expect("a controller");
    let other = world.entries(&other, &identity(), EIGHT).expect("builds");
    let Event::Linked(link) = &other[1].event else { panic!("{:?}", other[1].event) };
    assert_eq!((link.role, Some(link.subject)), (Role::Owner, world.subject("anna")));
    assert_eq!(other[1].occurred_at, UtcMicros(1_793_516_400_000_000), "2026-11-01T07:00:00Z");
    assert_eq!(other[1].actor.id.as_str(), "counter-1");
    assert!(other.iter().all(|entry| entry.controller.as_str() == "DK-10628334"));
}

#[test]
fn what_may_be_left_out_is_filled_in_and_what_is_written_stays() {
    let text = format!(
        "{WORLD}[[event]]\ntime = \"now\"\nkind = \"consent-given\"\nsubject = \"anna\"\nrole = \"driver\"\n\
         purpose = \"service\"\nrecipient = \"fleet\"\ncategories = [\"odometer\"]\nvalid_until = \"+52w\"\nmethod = \"app\"\n"
    );
    let world = World::from_toml("w.toml", &text).expect("valid");
    let entries = world.entries(&controller(), &identity(), EIGHT).expect("builds");
    let Some(Event::ConsentGiven(consent)) = entries.last().map(|entry| &entry.event) else {
        panic!("{entries:?}")
    };
    assert_eq!((consent.method, consent.language.as_str()), (Method::App, "en"));
    assert_eq!(consent.valid_until, EIGHT.plus_seconds(52 * 7 * 86_400));
}

#[test]
fn the_same_world_is_the_same_on_every_run() {
    let hashes = || {
        let world = World::from_toml("w.toml", WORLD).expect("valid");
        let entries = world.entries(&controller(), &identity(), EIGHT).expect("builds");
        entries.iter().map(|entry| entry.hash()).collect::<Vec<_>>()
    };
    assert_eq!(hashes(), hashes());
}

#[test]
fn a_mistake_is_told_with_its_line_and_how_to_mend_it() {
    let cases = [
        ("format = 1\nformat = 2", 2, "duplicate"),
        ("format = 2", 1, "reads format 1"),
        ("format = 1\n[[asset]]\nname = \"a\"", 2, "missing field `since`"),
        ("format = 1\n[[asset]]\nname = \"a\"\nsince = \"-1d\"\nvni = \"x\"", 5, "unknown field `vni`"),
        ("format = 1\n[[asset]]\nname = \"a\"\nsince = \"-1d\"\nvin = \"x\"", 2, "17 characters"),
        ("format = 1\n[[asset]]\nname = \"a\"\nsince = \"yesterday\"", 2, "`since` is not a time; write"),
        ("format = 1\n[[subject]]\nname = \"a\"\n[[subject]]\nname = \"a\"", 4, "declared twice"),
        ("format = 1\n\n[[event]]\nkind = \"linked\"", 3, "needs `time`"),
        ("format = 1\n\n[[event]]\ntime = \"now\"", 3, "needs `kind`"),
        (
            "format = 1\n[[event]]\ntime = \"now\"\nkind = \"consented\"",
            2,
            "known are notice-served, consent-given",
        ),
        ("format = 1\n[[event]]\ntime = 2026-11-20T08:00:00\nkind = \"linked\"", 2, "with its offset"),
        (
            "format = 1\n[[event]]\ntime = \"now\"\nkind = \"private-mode-started\"\nasset = \"truk\"",
            2,
            "no asset is named `truk`; declare it with [[asset]]",
        ),
        (
            "format = 1\n[[event]]\ntime = \"now\"\nkind = \"order-closed\"",
            2,
            "order-closed: missing field `order`",
        ),
        (
            "format = 1\n[[event]]\ntime = \"now\"\nkind = \"order-closed\"\norder = \"1\"\nwhy = \"x\"",
            2,
            "order-closed: unknown field `why`",
        ),
        (
            "format = 1\n[[event]]\ntime = \"now\"\nkind = \"voided\"\nentry = \"x\"",
            2,
            "no event further up is named `x`",
        ),
        (
            "format = 1\n[[event]]\ntime = \"now\"\nkind = \"order-closed\"\norder = 1.5",
            2,
            "`order` is neither a time nor a fraction",
        ),
        (
            "format = 1\n[[event]]\ntime = \"now\"\nkind = \"order-closed\"\norder = \"1\"\ncontroller = \"SE-1\"",
            2,
            "NO-<9 digits>",
        ),
        (
            "format = 1\n[[event]]\ntime = \"now\"\nkind = \"order-closed\"\norder = \"1\"\nactor = { role = \"king\", id = \"x\" }",
            2,
            "`actor` is { role, id }",
        ),
    ];
    for (text, line, message) in cases {
        let error = World::from_toml("w.toml", text).expect_err(text);
        assert_eq!((error.file.as_str(), error.line), ("w.toml", line), "{text}\n{error}");
        assert!(error.message.contains(message), "{text}\n{error}");
        assert!(error.to_string().starts_with(&format!("w.toml:{line}: ")), "{error}");
    }
}

#[test]
fn an_event_that_the_ledger_refuses_is_told_with_its_line() {
    let text = "format = 1\n\n[[event]]\ntime = \"now\"\nkind = \"order-closed\"\norder = \"1\"\n";
    let world = World::from_toml("w.toml", text).expect("valid");
    let error = world.facts(&controller(), &identity(), EIGHT).expect_err("no such order");
    assert_eq!(error.line, 3);
    assert!(error.message.contains("no order has this id"), "{error}");
    let text =
        "format = 1\n[[event]]\ntime = \"now\"\nkind = \"notice-served\"\nnotice = \"for 010190-1234\"\n";
    let world = World::from_toml("w.toml", text).expect("valid");
    let error = world.facts(&controller(), &identity(), EIGHT).expect_err("a national id");
    assert!(error.message.contains("`event.notice` holds what looks like"), "{error}");
    assert!(!error.message.contains("1234"), "{error}");
}

#[test]
fn what_stands_beside_a_world_is_its_readers_own_and_keeps_its_place() {
    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Beside {
        says: String,
        expect: Vec<toml::Spanned<toml::Table>>,
    }
    let read = |text: &str| World::beside::<Beside>("w.toml", text, &["says", "expect"]);
    let text = format!("says = \"it\"\n{WORLD}\n[[expect]]\ntime = \"-1h\"\n");
    let (world, beside) = read(&text).expect("valid");
    assert_eq!(world.entries(&controller(), &identity(), EIGHT).expect("builds").len(), 2);
    assert_eq!(beside.says, "it");
    assert!(text[beside.expect[0].span().start..].starts_with("[[expect]]"));
    let time = world.time(3, "time", &beside.expect[0].get_ref()["time"], EIGHT);
    assert_eq!(time, Ok(EIGHT.plus_seconds(-3_600)));
    let error = world.time(3, "time", &"soon".into(), EIGHT).expect_err("no time");
    assert_eq!((error.line, error.message.contains("`time` is not a time")), (3, true));
    // Of neither: refused in its line, in both parts.
    for (text, line) in [
        ("format = 1\nsays = \"it\"\nexpct = 1", 3),
        ("format = 1\nsays = 1\nexpect = []", 2),
        ("format = 1\nexpect = []\nsays = \"it\"\n[[asset]]\nname = \"a\"\nsince = \"now\"\nvni = 1", 7),
        ("format = 1\nexpect = [", 2),
    ] {
        assert_eq!(read(text).expect_err(text).line, line, "{text}");
    }
    assert!(World::from_toml("w.toml", &text).is_err());
}
