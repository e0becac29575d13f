//! The committed document is what the handlers make, and what it names is served.

use crate::harness::Net;
use ionet_coordinator::api::openapi_json;
use std::path::Path;

#[test]
fn the_committed_document_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../openapi/coordinator.json");
    let made = openapi_json();
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &made).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == made, "openapi/coordinator.json is old: run `cargo xtask openapi`");
}

#[tokio::test]
async fn every_path_of_it_is_served_and_every_reference_resolves() {
    let net = Net::start().await;
    let text = net.get("/openapi.json").send().await.unwrap().text().await.unwrap();
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            let method = method.to_uppercase().parse().unwrap();
            let filled = path.replace("{id}", "x").replace("{port}", "1");
            let status = net.request(method, &filled).send().await.unwrap().status().as_u16();
            assert!(![404, 405].contains(&status), "{path}: {status}");
        }
    }
    assert_eq!(document["paths"].as_object().unwrap().len(), 27);
    for reference in text.split("\"$ref\": \"#").skip(1) {
        let pointer = reference.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer}");
    }
}
