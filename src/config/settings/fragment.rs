//! One file, taken apart into its statements, each of them read alone: a bad one costs the others nothing. A statement
//! is a top-level key or one `[[image]]`.

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Error, ValueDeserializer};

use super::image::ImageFragment;
use super::value::{Between, MessengerMode, Options, Problem};
use crate::model::fault::suggestion;

/// What a statement, or a whole file, can say.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fragment {
    /// How many images are mapped at a time.
    pub parallel: Option<Between<1, 256>>,
    /// How long one image may take to map, in seconds.
    pub map_timeout: Option<Between<1, 3600>>,
    /// How long taking down may take, in seconds.
    pub unmap_timeout: Option<Between<1, 3600>>,
    /// The same while the system goes down and there is hope.
    pub shutdown_timeout: Option<Between<1, 3600>>,
    /// Whether what is in use at the end of that is removed by force.
    pub shutdown_force: Option<bool>,
    /// How to speak to monitors and OSDs.
    pub ms_mode: Option<MessengerMode>,
    /// Options for every mapping.
    pub map_options: Option<Options>,
    /// Images to map.
    pub image: Vec<Spanned<ImageFragment>>,
}

/// The statements of a file; a single problem if it is no TOML.
pub fn statements(text: &str) -> Vec<Result<Fragment, Problem>> {
    match DeTable::parse(text) {
        Ok(document) => document
            .into_inner()
            .into_iter()
            .flat_map(split)
            .map(fragment)
            .collect(),
        Err(error) => vec![Err(problem(&error))],
    }
}

type Key<'a> = Spanned<toml::de::DeString<'a>>;
type Value<'a> = Spanned<DeValue<'a>>;

/// A key with an array of tables becomes that key with each of its tables.
fn split<'a>((key, value): (Key<'a>, Value<'a>)) -> Vec<(Key<'a>, Value<'a>)> {
    let span = value.span();
    match value.into_inner() {
        DeValue::Array(items) if key.get_ref() == "image" => items
            .into_iter()
            .map(|item| (key.clone(), alone(item)))
            .collect(),
        value => vec![(key, Spanned::new(span, value))],
    }
}

/// An array of one item.
fn alone(item: Value<'_>) -> Value<'_> {
    let span = item.span();
    Spanned::new(span, DeValue::Array([item].into_iter().collect()))
}

fn fragment((key, value): (Key<'_>, Value<'_>)) -> Result<Fragment, Problem> {
    let span = key.span();
    let statement = DeTable::from_iter([(key, value)]);
    let deserializer = ValueDeserializer::from(Spanned::new(span, DeValue::Table(statement)));
    Fragment::deserialize(deserializer).map_err(|error| problem(&error))
}

/// serde's error in our words.
fn problem(error: &Error) -> Problem {
    let start = error.span().map_or(0, |span| span.start);
    let message = error.message();
    let message = if let Some((key, expected)) = between(message, "unknown field `", "`, expected ")
    {
        unknown(
            key,
            &expected.split('`').skip(1).step_by(2).collect::<Vec<_>>(),
        )
    } else if let Some((key, _)) = between(message, "missing field `", "`") {
        format!("key {key:?} is missing")
    } else if message == "invalid type: map, expected a sequence" {
        "one table, expected a list of them: write [[image]] and [[image.mount]] with two brackets"
            .to_owned()
    } else {
        message.replace(char::is_control, " ")
    };
    Problem { start, message }
}

/// What stands between `prefix` and the last `middle`, and what comes after that.
fn between<'a>(text: &'a str, prefix: &str, middle: &str) -> Option<(&'a str, &'a str)> {
    text.strip_prefix(prefix)?.rsplit_once(middle)
}

/// What is wrong with a key that nothing has. The value of a secret is not for messages.
fn unknown(key: &str, known: &[&str]) -> String {
    match key {
        "key" | "secret" => format!(
            "{key} puts the secret into a file that anybody may read; \
             write it into a file of mode 0600 and say keyfile = \"FILE\""
        ),
        _ => match suggestion(key, known) {
            close if close.is_empty() => {
                format!("unknown key {key:?}, expected one of {}", known.join(", "))
            }
            close => format!("unknown key {key:?}{close}"),
        },
    }
}
