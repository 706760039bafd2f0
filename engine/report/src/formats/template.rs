//! `template`: whatever a user's template makes of the fields of the format `json`.

use std::io::Write;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior};
use serde_json::Value;

use crate::document::Document;
use crate::text::visible;
use crate::{Error, Format, Options, Report};

pub(crate) static FORMAT: Format = Format {
    name: "template",
    summary: "a template of your own (Jinja), over the fields of json",
    extension: "txt",
    many: true,
    write,
};

fn write(reports: &[Report], options: &Options, out: &mut dyn Write) -> Result<(), Error> {
    let template = options.template.as_ref().ok_or(Error::NoTemplate)?;
    let failed = |error: minijinja::Error| {
        let reason = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
        Error::Template { name: template.name.clone(), line: error.line(), reason }
    };
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    environment.set_syntax(SyntaxConfig::builder().keep_trailing_newline(true).build().map_err(failed)?);
    environment.add_template(&template.name, &template.text).map_err(failed)?;
    let mut context = serde_json::to_value(Document::of(reports))?;
    clean(&mut context);
    // Rendered as a whole before anything is written: half a report with exit code 0 would be read as a whole one.
    let text = environment
        .get_template(&template.name)
        .and_then(|template| template.render(Serde(context)))
        .map_err(failed)?;
    out.write_all(text.as_bytes())?;
    Ok(())
}

/// Makes every string harmless; the template's own text is the user's and stays. The depth is that of our own types.
fn clean(value: &mut Value) {
    match value {
        Value::String(text) => *text = visible(text).into_owned(),
        Value::Array(values) => values.iter_mut().for_each(clean),
        Value::Object(fields) => {
            *fields = std::mem::take(fields)
                .into_iter()
                .map(|(key, mut value)| {
                    clean(&mut value);
                    (visible(&key).into_owned(), value)
                })
                .collect();
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
