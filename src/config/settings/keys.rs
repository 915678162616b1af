//! The keys of a table in a settings file. serde reports an unknown key in a sentence of its own; this check runs first, so that
//! the fault names the key that was meant. The known keys are the fields of the struct that the table is read into.

use serde::Deserialize;
use serde::de::value::Error;
use serde::de::{Deserializer, Error as _, Visitor};
use serde::forward_to_deserialize_any;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::value::OffsetError;
use crate::model::fault::suggestion;

/// The keys of a table.
pub struct TableKeys {
    /// Returns the names of the keys.
    pub names: fn() -> &'static [&'static str],
    /// The key whose value is a table too.
    pub inner: Option<InnerTable>,
}

/// A table inside a table.
pub struct InnerTable {
    /// Its key.
    pub name: &'static str,
    /// Its heading in a settings file.
    pub heading: &'static str,
    /// The keys in it.
    pub keys: &'static TableKeys,
    /// Whether there can be several of them: `[[name]]`.
    pub is_list: bool,
}

impl TableKeys {
    /// Fails at the first key of the table, or of a table inside it, that does not exist.
    pub fn check(&self, table: &DeTable<'_>) -> Result<(), OffsetError> {
        let names = (self.names)();
        for (key, value) in table {
            if !names.contains(&key.get_ref().as_ref()) {
                return Err(unknown_key(key, names));
            }
            if let Some(inner) = &self.inner
                && inner.name == key.get_ref()
            {
                inner.check(value)?;
            }
        }
        Ok(())
    }
}

impl InnerTable {
    fn check(&self, value: &Spanned<DeValue<'_>>) -> Result<(), OffsetError> {
        match value.get_ref() {
            DeValue::Table(_) if self.is_list => Err(OffsetError {
                offset: value.span().start,
                message: format!("a single table, expected a list: write {}", self.heading),
            }),
            DeValue::Table(table) => self.keys.check(table),
            DeValue::Array(items) => {
                let mut tables = items.iter().filter_map(|item| item.get_ref().as_table());
                tables.try_for_each(|table| self.keys.check(table))
            }
            // serde reports that this is not a table.
            _ => Ok(()),
        }
    }
}

fn unknown_key(key: &Spanned<DeString<'_>>, known: &[&str]) -> OffsetError {
    let name = key.get_ref().as_ref();
    let message = match (name, suggestion(name, known)) {
        // The value is not repeated: it is a secret.
        ("key" | "secret", _) => format!(
            "{name} would put the secret into a file that every user can read; \
             write it to a file of mode 0600 and use keyfile = \"FILE\""
        ),
        (_, nothing) if nothing.is_empty() => {
            format!("unknown key {name:?}, expected one of {}", known.join(", "))
        }
        (_, close) => format!("unknown key {name:?}{close}"),
    };
    OffsetError {
        offset: key.span().start,
        message,
    }
}

/// The names of the fields that serde's derive gives to a struct, second names (`alias`) included.
pub fn field_names<'de, T: Deserialize<'de>>() -> &'static [&'static str] {
    let mut names: &'static [&'static str] = &[];
    // The error is the only answer that FieldNames has.
    let _ = T::deserialize(FieldNames(&mut names));
    names
}

/// Reads nothing: it takes the field names that the derived `Deserialize` passes to `deserialize_struct`.
struct FieldNames<'n>(&'n mut &'static [&'static str]);

impl<'de> Deserializer<'de> for FieldNames<'_> {
    type Error = Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Error> {
        *self.0 = fields;
        Err(Error::custom("only the names are read"))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(Error::custom("not a struct"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}
