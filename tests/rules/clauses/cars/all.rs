use vernport_review::trial::Trial;
#[test]
fn all_worlds() {
    let bundle = std::env::var("B").unwrap_or("cars-software".into());
    let dir = std::env::var("DIR").unwrap_or(format!("config/bundles/{bundle}/tests"));
    let (rules, catalogue) = (super::super::world::rules(&bundle), super::super::world::catalogue());
    let mut said = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match Trial::from_toml(&path.display().to_string(), &std::fs::read_to_string(&path).unwrap()) {
            Err(e) => said.push(e.to_string()),
            Ok(t) => said.extend(t.run(&rules, &catalogue).iter().map(ToString::to_string)),
        }
    }
    said.sort();
    assert!(said.is_empty(), "{}", said.join("\n"));
}
