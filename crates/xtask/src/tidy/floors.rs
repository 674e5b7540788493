//! A crate uses only lower floors, by its normal and build dependencies; and
//! each outside thing has the one crate that speaks with it.

use crate::metadata::Package;

/// The floors, from the words to the command (crates/README.md).
const FLOORS: [&[&str]; 9] = [
    &["vernport-types", "vernport-wire"],
    &["vernport-crypto"],
    &["vernport-registry", "vernport-decode", "vernport-sim"],
    &["vernport-policy"],
    &["vernport-seal", "vernport-audit", "vernport-review"],
    &["vernport-api"],
    &[
        "vernport-canbus",
        "vernport-mqtt",
        "vernport-spool",
        "vernport-uplink",
        "vernport-store",
        "vernport-broker",
        "vernport-status",
    ],
    &["vernport-gateway", "vernport-central"],
    &["vernport"],
];

/// Beside the floors: nothing that ships is built from them.
const BESIDE: [&str; 4] = ["vernport-testkit", "vernport-forgetful", "vernport-suites", "xtask"];

/// The highest floor of the pure crates: bytes, values and a time in, values
/// and actions out.
const PURE_UP_TO: usize = 4;
/// What a pure crate is not built from.
const IMPURE: [&str; 7] = ["tokio", "tokio-util", "mio", "socketcan", "sqlx", "reqwest", "rumqttc"];

/// Who alone may call an outside crate.
const ADAPTERS: [(&str, &[&str]); 4] = [
    ("ring", &["vernport-crypto"]),
    ("hpke", &["vernport-crypto"]),
    ("rumqttc", &["vernport-mqtt", "vernport-broker"]),
    ("socketcan", &["vernport-canbus"]),
];

pub(crate) fn findings(members: &[&Package]) -> Vec<String> {
    let mut findings = Vec::new();
    for Package { name, .. } in members {
        if floor_of(name).is_none() && !BESIDE.contains(&name.as_str()) {
            findings.push(format!("{name} stands on no floor; name it in crates/xtask/src/tidy/floors.rs"));
        }
    }
    for package in members {
        let Some(floor) = floor_of(&package.name) else { continue };
        for used in package.built_from() {
            findings.extend(finding(&package.name, floor, used));
        }
    }
    findings
}

fn finding(name: &str, floor: usize, used: &str) -> Option<String> {
    if let Some(below) = floor_of(used) {
        return (below >= floor).then(|| {
            format!("{name} (floor {floor}) uses {used} (floor {below}); only lower floors may be used")
        });
    }
    if BESIDE.contains(&used) {
        return Some(format!("{name} is built from {used}, which is for tests only"));
    }
    if floor <= PURE_UP_TO && IMPURE.contains(&used) {
        return Some(format!("{name} uses {used}, but floors up to {PURE_UP_TO} do no input or output"));
    }
    let (_, adapters) = ADAPTERS.iter().find(|(outside, _)| *outside == used)?;
    (!adapters.contains(&name)).then(|| format!("{name} uses {used}; only {} may", adapters.join(" and ")))
}

fn floor_of(name: &str) -> Option<usize> {
    FLOORS.iter().position(|crates| crates.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::Dependency;

    fn package(name: &str, dependencies: &[(&str, Option<&str>)]) -> Package {
        let dependency = |(name, kind): &(&str, Option<&str>)| Dependency {
            name: (*name).into(),
            kind: kind.map(Into::into),
        };
        Package {
            id: name.into(),
            name: name.into(),
            version: "0.1.0".into(),
            license: None,
            source: None,
            dependencies: dependencies.iter().map(dependency).collect(),
            targets: Vec::new(),
        }
    }

    #[test]
    fn only_lower_floors_are_used_tests_aside() {
        let good = package("vernport-policy", &[("vernport-registry", None), ("vernport-seal", Some("dev"))]);
        assert_eq!(findings(&[&good]), [""; 0]);

        let same_floor = package("vernport-spool", &[("vernport-uplink", None)]);
        let higher = package("vernport-types", &[("vernport-crypto", Some("build"))]);
        let tests_only = package("vernport-gateway", &[("vernport-testkit", None)]);
        let impure = package("vernport-seal", &[("tokio", None), ("ring", None)]);
        let nowhere = package("vernport-utils", &[]);
        let found = findings(&[&same_floor, &higher, &tests_only, &impure, &nowhere]);
        let expected = [
            "vernport-utils stands on no floor",
            "vernport-spool (floor 6) uses vernport-uplink (floor 6)",
            "vernport-types (floor 0) uses vernport-crypto (floor 1)",
            "vernport-gateway is built from vernport-testkit",
            "vernport-seal uses tokio",
            "vernport-seal uses ring; only vernport-crypto may",
        ];
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.starts_with(expected), "{found}");
        }
    }
}
