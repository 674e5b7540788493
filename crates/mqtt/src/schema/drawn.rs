//! Documents drawn from a schema itself: what it describes, whether or not
//! somebody thought of an example.

use proptest::{prelude::*, string::string_regex};
use serde_json::{Map, Value, json};

/// Longest list that is drawn.
const MAX_ITEMS: u64 = 4;

/// Any document of the schema, of the words that our schemas use; a length of a
/// text beside its pattern is not looked at, so what is drawn has to be held against the schema.
pub(super) fn document(schema: &Value) -> BoxedStrategy<Value> {
    draw(schema, schema)
}

fn draw(schema: &Value, root: &Value) -> BoxedStrategy<Value> {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = root.pointer(reference.trim_start_matches('#')).expect("a place of the schema");
        return draw(target, root);
    }
    if let Some(values) = schema["enum"].as_array() {
        return prop::sample::select(values.clone()).boxed();
    }
    if let Some(ways) = schema["oneOf"].as_array() {
        return prop::strategy::Union::new(ways.iter().map(|way| draw(way, root))).boxed();
    }
    match &schema["type"] {
        Value::Array(kinds) => {
            let one = |kind: &Value| draw(&json!({"type": kind}), root);
            prop::strategy::Union::new(kinds.iter().map(one)).boxed()
        }
        Value::String(kind) => of_type(kind, schema, root),
        _ => unreachable!("a schema of ours says what type it is"),
    }
}

fn of_type(kind: &str, schema: &Value, root: &Value) -> BoxedStrategy<Value> {
    let number = |key: &str, otherwise: f64| schema[key].as_f64().unwrap_or(otherwise);
    match kind {
        "null" => Just(Value::Null).boxed(),
        "boolean" => any::<bool>().prop_map(Value::from).boxed(),
        "number" => (number("minimum", -1e300)..=number("maximum", 1e300)).prop_map(Value::from).boxed(),
        "integer" => {
            let bound = |key, otherwise| schema[key].as_i64().unwrap_or(otherwise);
            (bound("minimum", i64::MIN)..=bound("maximum", i64::MAX)).prop_map(Value::from).boxed()
        }
        "string" => match schema["pattern"].as_str() {
            Some(pattern) => {
                let bare = pattern.trim_start_matches('^').trim_end_matches('$');
                string_regex(bare).expect("a pattern that can be drawn").prop_map(Value::from).boxed()
            }
            None => {
                let least = schema["minLength"].as_u64().unwrap_or(0);
                let most = schema["maxLength"].as_u64().unwrap_or(64);
                let any_text = format!(".{{{least},{most}}}");
                string_regex(&any_text).expect("a plain pattern").prop_map(Value::from).boxed()
            }
        },
        "array" => {
            let least = usize::try_from(schema["minItems"].as_u64().unwrap_or(0)).expect("small");
            let most = usize::try_from(schema["maxItems"].as_u64().unwrap_or(MAX_ITEMS).min(MAX_ITEMS));
            let items = draw(&schema["items"], root);
            prop::collection::vec(items, least..=most.expect("small")).prop_map(Value::from).boxed()
        }
        "object" => object(schema, root),
        _ => unreachable!("a schema of ours has plain types"),
    }
}

fn object(schema: &Value, root: &Value) -> BoxedStrategy<Value> {
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let none = Map::new();
    let members = schema["properties"].as_object().unwrap_or(&none);
    let mut whole = Just(Map::new()).boxed();
    for (name, member) in members {
        let is_required = required.iter().any(|required| required == name);
        let name = name.clone();
        whole = (whole, draw(member, root), any::<bool>())
            .prop_map(move |(mut map, value, takes)| {
                if is_required || takes {
                    map.insert(name.clone(), value);
                }
                map
            })
            .boxed();
    }
    whole.prop_map(Value::Object).boxed()
}
