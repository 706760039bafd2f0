//! Secrets that the name of a service tells.

use super::super::by_service::BY_SERVICE;
use super::super::shapes::SHAPES;
use super::{HEX, found, mixed};

fn golden(file: &str) -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/secret/");
    std::fs::read_to_string(path.to_owned() + file).unwrap()
}

#[test]
fn each_service_has_a_sample_and_look_alikes() {
    let (found, look_alikes) = (golden("services.out"), golden("services-look-alikes.in"));
    for shape in BY_SERVICE {
        let (begin, told) = (format!("{} {} /", shape.severity, shape.rule), format!(": {} (", shape.what));
        let is_its = |line: &str| line.starts_with(&begin) && line.contains(&told);
        assert!(found.lines().any(is_its), "no sample of {}", shape.id);
        let names = shape.spellings();
        let is_like = |line: &&str| names.iter().any(|name| line.starts_with(name.as_str()));
        assert!(look_alikes.lines().filter(is_like).count() >= 2, "no look-alikes of {}", shape.id);
        assert_eq!(
            SHAPES.iter().filter(|other| other.id == shape.id).count(),
            1,
            "{} is there twice",
            shape.id
        );
    }
}

/// The service's name counts before the one that `assigned-secret` goes by, in whatever way both are written.
#[test]
fn a_name_is_told_in_each_way_to_write_it() {
    let value = mixed(HEX, 32);
    for text in [
        format!("DATADOG_API_KEY={value}"),
        format!("export DD_API_KEY='{value}'"),
        format!("datadogApiKey: {value}"),
        format!("app.datadog.api-key = {value}"),
        format!("datadog_us1_api_key := \"{value}\""),
        format!("DD-API-KEY: {value}"),
        format!("\"DataDogApiKey\" => \"{value}\""),
        format!("{{\"datadog\": {{ \"api_key\": \"{value}\" }}}}"),
        format!("datadog:\n  apiKey: {value}\n"),
        format!("provider \"datadog\" {{\n  api_key = \"{value}\"\n}}"),
        format!("[datadog]\nkey = {value}\n"),
        format!("https://api.example.net/?datadog_api_key={value}&from=1"),
        format!("{{ datadog_key: {value}, retries: 3 }}"),
    ] {
        let ids: Vec<_> = found(text.as_bytes()).into_iter().map(|(id, _)| id).collect();
        assert_eq!(ids, ["datadog-key"], "{text}");
    }
}
