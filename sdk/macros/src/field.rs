//! One field of an options struct: its type and what its attribute says, checked against each other.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{
    Attribute, Error, Expr, ExprLit, ExprUnary, Field, GenericArgument, Ident, Lit, LitStr,
    PathArguments, Type, UnOp, punctuated::Punctuated, spanned::Spanned, token::Comma,
};

/// What JSON calls the type of a value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `f64`.
    Number,
    /// An integer; without a sign if true.
    Whole { unsigned: bool },
    /// `bool`.
    Truth,
    /// `String`.
    Text,
}

/// How many values an option holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Exactly one.
    One,
    /// None or one.
    Maybe,
    /// A list.
    Many,
}

/// One option.
pub(crate) struct OptionField {
    ident: Ident,
    pub(crate) kind: Kind,
    pub(crate) shape: Shape,
    /// The name in the experiment file.
    pub(crate) name: String,
    /// The doc comment in one line.
    pub(crate) description: String,
    /// JSON text.
    pub(crate) default: Option<String>,
    default_tokens: Option<TokenStream>,
    /// JSON keyword and JSON text of each bound.
    pub(crate) bounds: Vec<(&'static str, String)>,
    /// JSON texts.
    pub(crate) one_of: Vec<String>,
}

impl OptionField {
    /// Reads a field and removes its `option` attribute, which only this macro understands.
    pub(crate) fn take(field: &mut Field) -> syn::Result<Self> {
        let ident = field
            .ident
            .clone()
            .ok_or_else(|| Error::new_spanned(&*field, "options need named fields"))?;
        let (shape, kind) = shape_and_kind(&field.ty)?;
        let mut this = Self {
            name: ident.to_string().trim_start_matches("r#").to_owned(),
            description: description(&field.attrs),
            ident,
            kind,
            shape,
            default: None,
            default_tokens: None,
            bounds: Vec::new(),
            one_of: Vec::new(),
        };
        if this.description.is_empty() {
            return Err(Error::new(
                field.span(),
                "an option needs a doc comment: it is its description for users",
            ));
        }
        let (own, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut field.attrs)
            .into_iter()
            .partition(|a| a.path().is_ident("option"));
        field.attrs = rest;
        for attribute in &own {
            this.read(attribute)?;
        }
        if this.default.is_none() && shape == Shape::One {
            return Err(Error::new(
                field.span(),
                "an option needs `#[option(default = ..)]`, or the type `Option<..>`",
            ));
        }
        let name = LitStr::new(&this.name, this.ident.span());
        field
            .attrs
            .push(syn::parse_quote!(#[serde(rename = #name)]));
        Ok(this)
    }

    fn read(&mut self, attribute: &Attribute) -> syn::Result<()> {
        attribute.parse_nested_meta(|meta| {
            let key = meta
                .path
                .get_ident()
                .map(Ident::to_string)
                .unwrap_or_default();
            let value: Expr = meta.value()?.parse()?;
            match key.as_str() {
                "default" => self.set_default(&value)?,
                "minimum" => self.bound("minimum", &value)?,
                "maximum" => self.bound("maximum", &value)?,
                "exclusive_minimum" => self.bound("exclusiveMinimum", &value)?,
                "exclusive_maximum" => self.bound("exclusiveMaximum", &value)?,
                "one_of" => {
                    for item in elements(&value)? {
                        self.one_of.push(self.json(item)?);
                    }
                }
                "name" => match &value {
                    Expr::Lit(ExprLit {
                        lit: Lit::Str(s), ..
                    }) => self.name = s.value(),
                    other => return Err(Error::new_spanned(other, "a name is a text literal")),
                },
                _ => {
                    return Err(meta.error(
                        "unknown: expected default, minimum, maximum, exclusive_minimum, \
                         exclusive_maximum, one_of or name",
                    ));
                }
            }
            Ok(())
        })
    }

    fn set_default(&mut self, value: &Expr) -> syn::Result<()> {
        let (json, tokens) = match self.shape {
            Shape::One => (self.json(value)?, self.tokens(value)?),
            Shape::Maybe => {
                let inner = self.tokens(value)?;
                (
                    self.json(value)?,
                    quote!(::core::option::Option::Some(#inner)),
                )
            }
            Shape::Many => {
                let items = elements(value)?;
                let json = items
                    .iter()
                    .map(|item| self.json(item))
                    .collect::<syn::Result<Vec<_>>>()?;
                let inner = items
                    .iter()
                    .map(|item| self.tokens(item))
                    .collect::<syn::Result<Vec<_>>>()?;
                (
                    format!("[{}]", json.join(",")),
                    quote!(::std::vec![#(#inner),*]),
                )
            }
        };
        self.default = Some(json);
        self.default_tokens = Some(tokens);
        Ok(())
    }

    fn bound(&mut self, keyword: &'static str, value: &Expr) -> syn::Result<()> {
        if matches!(self.kind, Kind::Truth | Kind::Text) {
            return Err(Error::new_spanned(value, "only numbers have bounds"));
        }
        let json = self.json(value)?;
        self.bounds.push((keyword, json));
        Ok(())
    }

    /// A literal as JSON text.
    fn json(&self, value: &Expr) -> syn::Result<String> {
        let (negative, literal) = literal(value)?;
        let sign = if negative { "-" } else { "" };
        match (self.kind, literal) {
            (Kind::Number, Lit::Float(x)) => Ok(format!("{sign}{:?}", x.base10_parse::<f64>()?)),
            (Kind::Number, Lit::Int(i)) => Ok(format!("{sign}{:?}", i.base10_parse::<f64>()?)),
            (Kind::Whole { unsigned }, Lit::Int(i)) if !(unsigned && negative) => {
                Ok(format!("{sign}{}", i.base10_parse::<u64>()?))
            }
            (Kind::Truth, Lit::Bool(b)) => Ok(b.value.to_string()),
            (Kind::Text, Lit::Str(s)) => Ok(crate::schema::quoted(&s.value())),
            _ => Err(Error::new_spanned(
                value,
                "does not fit the type of the field",
            )),
        }
    }

    /// A literal as Rust.
    fn tokens(&self, value: &Expr) -> syn::Result<TokenStream> {
        let (negative, literal) = literal(value)?;
        Ok(match (self.kind, literal) {
            (Kind::Number, Lit::Int(i)) => {
                let x: f64 = i.base10_parse()?;
                if negative { quote!(-#x) } else { quote!(#x) }
            }
            (Kind::Text, Lit::Str(s)) => quote!(::std::string::String::from(#s)),
            _ => value.to_token_stream(),
        })
    }

    /// `field: its default`.
    pub(crate) fn default_value(&self) -> TokenStream {
        let ident = &self.ident;
        match &self.default_tokens {
            Some(tokens) => quote!(#ident: #tokens),
            None => quote!(#ident: ::core::default::Default::default()),
        }
    }
}

fn description(attributes: &[Attribute]) -> String {
    let lines = attributes.iter().filter(|a| a.path().is_ident("doc"));
    let texts = lines.filter_map(|a| match &a.meta.require_name_value().ok()?.value {
        Expr::Lit(ExprLit {
            lit: Lit::Str(s), ..
        }) => Some(s.value().trim().to_owned()),
        _ => None,
    });
    texts.collect::<Vec<_>>().join(" ").trim().to_owned()
}

fn literal(value: &Expr) -> syn::Result<(bool, &Lit)> {
    match value {
        Expr::Lit(ExprLit { lit, .. }) => Ok((false, lit)),
        Expr::Unary(ExprUnary {
            op: UnOp::Neg(_),
            expr,
            ..
        }) => Ok((true, literal(expr)?.1)),
        _ => Err(Error::new_spanned(
            value,
            "expected a literal, so that the schema can hold it",
        )),
    }
}

fn elements(value: &Expr) -> syn::Result<&Punctuated<Expr, Comma>> {
    match value {
        Expr::Array(array) => Ok(&array.elems),
        _ => Err(Error::new_spanned(value, "expected a list: `[.., ..]`")),
    }
}

fn shape_and_kind(ty: &Type) -> syn::Result<(Shape, Kind)> {
    let unknown = || {
        Error::new_spanned(
            ty,
            "an option is f64, u32, u64, i64, usize, bool, String, or an Option or Vec of those",
        )
    };
    let Type::Path(path) = ty else {
        return Err(unknown());
    };
    let last = path.path.segments.last().ok_or_else(unknown)?;
    let shape = match last.ident.to_string().as_str() {
        "Option" => Shape::Maybe,
        "Vec" => Shape::Many,
        "f64" => return Ok((Shape::One, Kind::Number)),
        "i64" => return Ok((Shape::One, Kind::Whole { unsigned: false })),
        "u32" | "u64" | "usize" => return Ok((Shape::One, Kind::Whole { unsigned: true })),
        "bool" => return Ok((Shape::One, Kind::Truth)),
        "String" => return Ok((Shape::One, Kind::Text)),
        _ => return Err(unknown()),
    };
    let PathArguments::AngleBracketed(arguments) = &last.arguments else {
        return Err(unknown());
    };
    match arguments.args.first() {
        Some(GenericArgument::Type(inner)) => match shape_and_kind(inner)? {
            (Shape::One, kind) => Ok((shape, kind)),
            _ => Err(unknown()),
        },
        _ => Err(unknown()),
    }
}
