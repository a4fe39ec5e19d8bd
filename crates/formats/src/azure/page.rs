//! A page of a query's answer.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value as Json};

use super::{Entity, Value, table_name_is_allowed};
use crate::limits::{AZURE_PAGE_ENTITIES_MAX, AZURE_PROPERTIES_MAX};

/// Entities of a page, and those that are none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// In the order of their keys.
    pub entities: Vec<Entity<'static>>,
    /// Place on the page, and why it is no entity.
    pub unread: Vec<(usize, String)>,
}

/// A body that is no page.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    /// It is not JSON.
    #[error("the answer is not JSON: {0}")]
    Json(String),
    /// It has no `value`, or too many.
    #[error("the answer is no page of entities")]
    Form,
    /// It is one entity alone, or should be.
    #[error("the answer is no entity: {0}")]
    Entity(String),
}

/// Suffix of the name of what tells a property's type.
const TYPE: &str = "@odata.type";

/// Reads a page in the form `application/json;odata=minimalmetadata` or with full metadata. A property of a type that is
/// not known is left out of its entity.
///
/// # Errors
/// It is no page at all.
pub fn read_page(body: &[u8]) -> Result<Page, PageError> {
    let mut page = Page::default();
    for (place, row) in rows_of(body)?.into_iter().enumerate() {
        match row {
            Json::Object(row) => match entity(row) {
                Ok(entity) => page.entities.push(entity),
                Err(why) => page.unread.push((place, why)),
            },
            _ => page.unread.push((place, "it is no object".to_owned())),
        }
    }
    Ok(page)
}

/// Reads the answer that is one entity alone.
///
/// # Errors
/// It is none.
pub fn read_entity(body: &[u8]) -> Result<Entity<'static>, PageError> {
    match json(body)? {
        Json::Object(row) => entity(row).map_err(PageError::Entity),
        _ => Err(PageError::Form),
    }
}

/// Reads a page of the names of an account's tables.
///
/// # Errors
/// It is none.
pub fn read_table_names(body: &[u8]) -> Result<Vec<String>, PageError> {
    let name = |row| match row {
        Json::Object(mut row) => match row.remove("TableName") {
            Some(Json::String(name)) if table_name_is_allowed(&name) => Ok(name),
            _ => Err(PageError::Form),
        },
        _ => Err(PageError::Form),
    };
    rows_of(body)?.into_iter().map(name).collect()
}

fn json(body: &[u8]) -> Result<Json, PageError> {
    serde_json::from_slice(body).map_err(|error| PageError::Json(error.to_string()))
}

fn rows_of(body: &[u8]) -> Result<Vec<Json>, PageError> {
    let Json::Object(mut page) = json(body)? else {
        return Err(PageError::Form);
    };
    match page.remove("value") {
        Some(Json::Array(rows)) if rows.len() <= AZURE_PAGE_ENTITIES_MAX => Ok(rows),
        _ => Err(PageError::Form),
    }
}

fn entity(mut row: Map<String, Json>) -> Result<Entity<'static>, String> {
    let mut key = |name: &str| match row.remove(name) {
        Some(Json::String(key)) => Ok(Cow::Owned(key)),
        _ => Err(format!("it has no {name}")),
    };
    let (partition_key, row_key) = (key("PartitionKey")?, key("RowKey")?);
    if row.len() > 3 * AZURE_PROPERTIES_MAX {
        return Err("it has more properties than an entity can".to_owned());
    }
    let mut properties: Vec<(Cow<str>, Value)> = Vec::new();
    for (name, json) in &row {
        if name.contains("odata.") || json.is_null() {
            continue;
        }
        let told = row.get(&format!("{name}{TYPE}")).and_then(Json::as_str);
        let told = match (told, name.as_str()) {
            // The service's own, of which it does not tell the type.
            (None, "Timestamp") => Some("Edm.DateTime"),
            (told, _) => told,
        };
        match value(json, told) {
            Some(value) => properties.push((Cow::Owned(name.clone()), value)),
            None => return Err(format!("its {name} is no {}", told.unwrap_or("value"))),
        }
    }
    // The order in an object means nothing, and whether the map keeps it is for the whole program to choose.
    properties.sort_by(|one, other| one.0.cmp(&other.0));
    Ok(Entity {
        partition_key,
        row_key,
        properties,
    })
}

fn value(json: &Json, told: Option<&str>) -> Option<Value<'static>> {
    match (told, json) {
        (None | Some("Edm.String"), Json::String(text)) => {
            Some(Value::Text(Cow::Owned(text.clone())))
        }
        (None | Some("Edm.Boolean"), Json::Bool(truth)) => Some(Value::Truth(*truth)),
        (None, Json::Number(number)) => {
            let int = number
                .as_i64()
                .and_then(|number| i32::try_from(number).ok());
            int.map(Value::Int)
                .or_else(|| number.as_f64().map(Value::Double))
        }
        (Some("Edm.Int32"), Json::Number(number)) => {
            let number = i32::try_from(number.as_i64()?).ok()?;
            Some(Value::Int(number))
        }
        (Some("Edm.Int64"), Json::String(text)) => text.parse().ok().map(Value::Long),
        (Some("Edm.Int64"), Json::Number(number)) => number.as_i64().map(Value::Long),
        (Some("Edm.Double"), Json::Number(number)) => number.as_f64().map(Value::Double),
        (Some("Edm.Double"), Json::String(word)) => match word.as_str() {
            "NaN" => Some(Value::Double(f64::NAN)),
            "Infinity" => Some(Value::Double(f64::INFINITY)),
            "-Infinity" => Some(Value::Double(f64::NEG_INFINITY)),
            word => word.parse().ok().map(Value::Double),
        },
        (Some("Edm.DateTime"), Json::String(text)) => text.parse().ok().map(Value::Time),
        (Some("Edm.Guid"), Json::String(text)) => Some(Value::Guid(Cow::Owned(text.clone()))),
        (Some("Edm.Binary"), Json::String(text)) => {
            let bytes = BASE64.decode(text).ok()?;
            Some(Value::Bytes(Cow::Owned(bytes)))
        }
        _ => None,
    }
}
