//! The attribute `options` of tune-plugin: from a struct with documented fields come its
//! deserialisation, its defaults and the JSON Schema in the plugin's manifest, so that the three
//! cannot drift apart.

mod field;
mod schema;

use proc_macro::TokenStream;
use quote::quote;
use syn::{Error, Fields, ItemStruct, parse_macro_input};

use crate::field::OptionField;

/// Makes a struct the options of a searcher or scheduler.
///
/// Every field becomes an option, its doc comment the description. Types: `f64`, `u32`, `u64`,
/// `i64`, `usize`, `bool`, `String`, `Option` and `Vec` of those. On a field,
/// `#[option(default = .., minimum = .., maximum = .., exclusive_minimum = .., exclusive_maximum = ..,
/// one_of = [..], name = "..")]`; all but `default` can be left out, `default` too for `Option`
/// (absent) and `Vec` (empty). `name` is for options that are no Rust identifier, such as `type`.
///
/// Gives the struct `Deserialize` (missing options take their default, unknown ones are refused),
/// `Default` and `PluginOptions`. Other derives stand on the struct as usual.
#[proc_macro_attribute]
pub fn options(arguments: TokenStream, item: TokenStream) -> TokenStream {
    if !arguments.is_empty() {
        return Error::new(
            proc_macro2::Span::call_site(),
            "`options` takes no arguments: they stand on the fields as `#[option(..)]`",
        )
        .into_compile_error()
        .into();
    }
    let item = parse_macro_input!(item as ItemStruct);
    expand(item)
        .unwrap_or_else(Error::into_compile_error)
        .into()
}

fn expand(mut item: ItemStruct) -> syn::Result<proc_macro2::TokenStream> {
    let name = &item.ident;
    let Fields::Named(named) = &mut item.fields else {
        return Err(Error::new_spanned(&item.ident, "options need named fields"));
    };
    if let Some(parameter) = item.generics.params.first() {
        return Err(Error::new_spanned(parameter, "options cannot be generic"));
    }
    let fields = named
        .named
        .iter_mut()
        .map(OptionField::take)
        .collect::<syn::Result<Vec<_>>>()?;
    let schema = schema::of(&fields);
    let defaults = fields.iter().map(OptionField::default_value);
    Ok(quote! {
        #[derive(::tune_plugin::serde::Deserialize)]
        #[serde(crate = "::tune_plugin::serde", default, deny_unknown_fields)]
        #item

        impl ::core::default::Default for #name {
            fn default() -> Self {
                Self { #(#defaults),* }
            }
        }

        impl ::tune_plugin::PluginOptions for #name {
            const SCHEMA: &'static str = #schema;
        }
    })
}
