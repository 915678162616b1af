//! Splits a settings file into statements, each a top-level key or one `[[image]]`, and reads them one by one: a statement with
//! a fault leaves the others intact.

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue, Error, ValueDeserializer};

use super::image::{IMAGE_KEYS, ImageTable};
use super::keys::{InnerTable, TableKeys, field_names};
use super::value::{BoundedNumber, KernelOptions, MessengerMode, OffsetError};

/// The top level of a settings file. A statement sets one of these keys.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Statement {
    /// See [`super::Settings::parallel`].
    pub parallel: Option<BoundedNumber<1, 256>>,
    /// In seconds.
    pub map_timeout: Option<BoundedNumber<1, 3600>>,
    /// In seconds.
    pub unmap_timeout: Option<BoundedNumber<1, 3600>>,
    /// In seconds.
    pub shutdown_timeout: Option<BoundedNumber<1, 3600>>,
    /// See [`super::Settings::shutdown_force`].
    pub shutdown_force: Option<bool>,
    /// The map option of that name, or `auto`.
    pub ms_mode: Option<MessengerMode>,
    /// The options of every mapping.
    pub map_options: Option<KernelOptions>,
    /// The images to map.
    pub image: Vec<Spanned<ImageTable>>,
}

/// The top-level keys.
pub const TOP_LEVEL_KEYS: TableKeys = TableKeys {
    names: field_names::<Statement>,
    inner: Some(InnerTable {
        name: "image",
        heading: "[[image]]",
        keys: &IMAGE_KEYS,
        is_list: true,
    }),
};

/// The statements of a file; a single error if the file is not TOML.
pub fn statements(text: &str) -> Vec<Result<Statement, OffsetError>> {
    let document = match DeTable::parse(text) {
        Ok(document) => document.into_inner(),
        Err(error) => return vec![Err(toml_error(&error))],
    };
    let mut statements = Vec::new();
    for (key, value) in document {
        let span = value.span();
        match value.into_inner() {
            DeValue::Array(images) if key.get_ref() == "image" => {
                // Each image is a statement of its own, so that a fault in it leaves the others intact.
                for image in images {
                    let list = DeValue::Array([image].into_iter().collect());
                    statements.push(statement(key.clone(), Spanned::new(span.clone(), list)));
                }
            }
            value => statements.push(statement(key, Spanned::new(span, value))),
        }
    }
    statements
}

fn statement(
    key: Spanned<DeString<'_>>,
    value: Spanned<DeValue<'_>>,
) -> Result<Statement, OffsetError> {
    let span = key.span();
    // serde reads structs from tables, so the key and its value become a table of one key.
    let table = DeTable::from_iter([(key, value)]);
    TOP_LEVEL_KEYS.check(&table)?;
    let table = Spanned::new(span, DeValue::Table(table));
    Statement::deserialize(ValueDeserializer::from(table)).map_err(|error| toml_error(&error))
}

fn toml_error(error: &Error) -> OffsetError {
    OffsetError {
        offset: error.span().map_or(0, |span| span.start),
        message: error.message().to_owned(),
    }
}
