//! Every exchange of these tests is held against the document that describes
//! the contract: status, content type, code and body.

use serde_json::{Value, json};
use std::{
    collections::HashMap,
    sync::{Mutex, OnceLock},
};

fn document() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(|| serde_json::from_str(vernport_api::OPENAPI).expect("JSON"))
}

/// The one operation at a path; none if the document has no such path.
fn operation(path: &str) -> Option<&'static Value> {
    document()["paths"].get(path)?.as_object()?.values().next()
}

fn check(schema: &Value, body: &Value, what: &str) {
    static VALIDATORS: OnceLock<Mutex<HashMap<String, jsonschema::Validator>>> = OnceLock::new();
    let mut validators = VALIDATORS.get_or_init(Mutex::default).lock().expect("nobody panics with it");
    let validator = validators.entry(schema.to_string()).or_insert_with(|| {
        let root = json!({"allOf": [schema], "components": document()["components"]});
        jsonschema::validator_for(&root).expect("a schema")
    });
    let errors: Vec<String> = validator.iter_errors(body).map(|error| error.to_string()).collect();
    drop(validators);
    assert!(errors.is_empty(), "{what} is not as described: {errors:?}");
}

/// A request that was taken.
pub(crate) fn asked(path: &str, body: &Value) {
    let schema = operation(path).map(|of| &of["requestBody"]["content"]["application/json"]["schema"]);
    if let Some(schema) = schema.filter(|schema| schema.is_object()) {
        check(schema, body, &format!("a request to {path}"));
    }
}

/// An answer, whatever it says.
pub(crate) fn answered(path: &str, status: u16, content_type: Option<&str>, body: &[u8]) {
    let Some(operation) = operation(path) else {
        return assert_eq!(status, 404, "{path} is not described");
    };
    if status == 405 {
        return;
    }
    let what = format!("an answer {status} of {path}");
    let described = operation["responses"].get(status.to_string());
    let described = described.unwrap_or_else(|| panic!("{what} is not described"));
    let content_type = content_type.unwrap_or_else(|| panic!("{what} has no type"));
    let content = described["content"].get(content_type);
    let content = content.unwrap_or_else(|| panic!("{what} is described without {content_type}"));
    check(&content["schema"], &serde_json::from_slice(body).expect("JSON"), &what);
}
