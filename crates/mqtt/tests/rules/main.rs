//! The rules that are written for brokers of others, read by small readers of their formats that
//! know nothing of ours: they allow what `Principal` allows, and nothing else.

mod emqx;
mod mosquitto;

use proptest::prelude::*;
use std::collections::BTreeSet;
use vernport_mqtt::acl::{Login, Principal};

/// Whether a filter matches a topic (MQTT 5.0, 4.7), level by level.
fn matches(filter: &[&str], topic: &[&str]) -> bool {
    match (filter, topic) {
        ([], []) => true,
        (["#"], _) => true,
        ([], _) | (_, []) => false,
        ([f, fs @ ..], [t, ts @ ..]) => (*f == "+" || f == t) && matches(fs, ts),
    }
}

fn levels(text: &str) -> Vec<&str> {
    text.split('/').collect()
}

fn name() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["a", "b", "ab", "north"])
}

fn principal() -> impl Strategy<Value = Principal> {
    let of = |text: String| text.parse::<Principal>().expect("a principal");
    prop_oneof![
        Just(Principal::Central),
        name().prop_map(move |operator| of(format!("operator.{operator}"))),
        (name(), name()).prop_map(move |(gateway, site)| of(format!("gateway.{gateway}.{site}"))),
        (name(), name(), name())
            .prop_map(move |(site, station, tool)| of(format!("tool.{site}.{station}.{tool}"))),
    ]
}

/// To whom a gateway publishes, for which purpose; none: that is not known.
type Streams = Option<BTreeSet<(&'static str, &'static str)>>;

/// By its own name, or by the subject of a certificate.
fn login() -> impl Strategy<Value = (Login, Streams)> {
    let streams = prop::option::of(prop::collection::btree_set((name(), name()), 0..4));
    (principal(), any::<bool>(), streams).prop_map(|(principal, by_subject, streams)| {
        let subject = format!("O=NO-999999999,CN={principal}");
        let login = if by_subject {
            Login::new(&subject, principal).expect("a name")
        } else {
            Login::by_name(principal)
        };
        let slug = |text: &str| text.parse().expect("a slug");
        match &streams {
            Some(known) => {
                let known = known.iter().map(|(operator, purpose)| (slug(operator), slug(purpose))).collect();
                (login.publishing(known), streams)
            }
            None => (login, None),
        }
    })
}

fn logins() -> impl Strategy<Value = Vec<(Login, Streams)>> {
    let named = |logins: Vec<(Login, Streams)>| {
        let mut names = BTreeSet::new();
        logins.into_iter().filter(|(login, _)| names.insert(login.name().to_owned())).collect()
    };
    prop::collection::vec(login(), 0..5).prop_map(named)
}

/// What a login may write: its principal's, and of a gateway whose streams are known only to those.
fn may_write(login: &Login, streams: &Streams, topic: &str) -> bool {
    let who = login.principal();
    let within = match (streams, who, &levels(topic)[..]) {
        (Some(known), Principal::Gateway { .. }, ["vernport", "v1", "fleet", operator, purpose, ..]) => {
            known.iter().any(|of| of == &(*operator, *purpose))
        }
        _ => true,
    };
    who.may_publish(topic) && within
}

/// A level that some rule names, or nearly.
fn level() -> impl Strategy<Value = &'static str> {
    let words = [
        "a",
        "b",
        "ab",
        "north",
        "reading",
        "reading.postcard",
        "result",
        "deleted",
        "delete",
        "roster",
        "status",
        "Vehicle.Speed",
        "",
        "a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5",
    ];
    prop::sample::select(words.to_vec())
}

/// Topics below our roots, of the right depth more often than not, and others.
fn topic() -> impl Strategy<Value = String> {
    let root = prop::sample::select(vec!["fleet", "tool", "gateway", "other"]);
    let ours = (root, prop::collection::vec(level(), 0..6), level())
        .prop_map(|(root, middle, last)| format!("vernport/v1/{root}/{}/{last}", middle.join("/")));
    let near = (name(), name(), name(), level()).prop_map(|(a, b, c, last)| format!("{a}/{b}/{c}/{last}"));
    let near = (prop::sample::select(vec!["fleet", "tool"]), near)
        .prop_map(|(root, rest)| format!("vernport/v1/{root}/{rest}"));
    let short = (prop::sample::select(vec!["fleet", "gateway"]), name(), level())
        .prop_map(|(root, who, last)| format!("vernport/v1/{root}/{who}/{last}"));
    let strange = prop::sample::select(vec!["vernport", "vernport/v1", "$SYS/broker/version", "a", "/"]);
    prop_oneof![2 => ours, 4 => near, 2 => short, 1 => strange.prop_map(ToOwned::to_owned)]
}

/// The same with wildcards here and there.
fn filter() -> impl Strategy<Value = String> {
    (topic(), prop::collection::vec(0_u8..4, 9), any::<bool>(), 0_usize..9).prop_map(
        |(topic, wild, open, keep)| {
            let levels = topic.split('/').zip(wild).map(|(level, wild)| if wild == 0 { "+" } else { level });
            let mut levels: Vec<&str> = levels.collect();
            if open {
                levels.truncate(keep);
                levels.push("#");
            }
            levels.join("/")
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn mosquitto_lets_write_and_hands_out_what_a_principal_may(
        logins in logins(),
        topics in prop::collection::vec(topic(), 1..6),
        filters in prop::collection::vec(filter(), 1..6),
    ) {
        let all = logins.iter().map(|(login, _)| login.clone()).collect();
        let text = vernport_mqtt::acl::mosquitto(&["a comment".into()], &all);
        let file = mosquitto::AclFile::read(&text);
        for topic in &topics {
            for (login, streams) in &logins {
                let who = login.principal();
                let may = may_write(login, streams, topic);
                prop_assert_eq!(login.may_publish(topic), may, "{} {}", who, topic);
                prop_assert_eq!(file.may_write(Some(login.name()), topic), may, "{} {}", who, topic);
                prop_assert_eq!(file.may_read(Some(login.name()), topic), who.may_subscribe(topic), "{} {}", who, topic);
                for filter in filters.iter().filter(|filter| matches(&levels(filter), &levels(topic))) {
                    // It checks what it delivers, so a filter that is allowed has to be worth something.
                    prop_assert!(!who.may_subscribe(filter) || file.may_read(Some(login.name()), topic));
                }
            }
            for nobody in [None, Some("operator.unknown"), Some("")] {
                prop_assert!(!file.may_write(nobody, topic) && !file.may_read(nobody, topic));
            }
        }
    }

    #[test]
    fn emqx_allows_what_a_principal_may(
        logins in logins(),
        topics in prop::collection::vec(topic(), 1..6),
        filters in prop::collection::vec(filter(), 1..6),
    ) {
        let all = logins.iter().map(|(login, _)| login.clone()).collect();
        let text = vernport_mqtt::acl::emqx(&["a comment".into()], &all);
        let file = emqx::AclConf::read(&text);
        for (login, streams) in &logins {
            let (who, name) = (login.principal(), login.name());
            for topic in &topics {
                let may = may_write(login, streams, topic);
                prop_assert_eq!(file.may_publish(name, topic, false), may, "{} {}", who, topic);
                prop_assert_eq!(file.may_publish(name, topic, true), who.may_retain(topic), "{} {}", who, topic);
            }
            for filter in topics.iter().chain(&filters) {
                prop_assert_eq!(file.may_subscribe(name, filter), who.may_subscribe(filter), "{} {}", who, filter);
            }
        }
        for asked in topics.iter().chain(&filters) {
            let may = file.may_subscribe("operator.unknown", asked) || file.may_publish("operator.unknown", asked, false);
            prop_assert!(!may, "{}", asked);
        }
    }
}

#[test]
fn the_readers_would_see_a_rule_that_is_too_wide() {
    let a: Principal = "operator.a".parse().expect("a principal");
    let logins: BTreeSet<Login> = [Login::by_name(a)].into();
    let foreign = "vernport/v1/fleet/b/p/v/Vehicle.Speed";
    let text = vernport_mqtt::acl::mosquitto(&[], &logins);
    assert!(!mosquitto::AclFile::read(&text).may_read(Some("operator.a"), foreign));
    let wider = text.replace("read vernport/v1/fleet/a/#", "read vernport/v1/fleet/#");
    assert!(mosquitto::AclFile::read(&wider).may_read(Some("operator.a"), foreign));
    let text = vernport_mqtt::acl::emqx(&[], &logins);
    assert!(!emqx::AclConf::read(&text).may_subscribe("operator.a", "vernport/v1/fleet/#"));
    let wider = text.replace("\"vernport/v1/fleet/a/#\"", "\"vernport/v1/fleet/#\"");
    assert!(emqx::AclConf::read(&wider).may_subscribe("operator.a", "vernport/v1/fleet/#"));
}
