//! Adapter: the public face of a crate, read from its source with `syn`.
//!
//! Items of every platform count; tests do not. Macros are not expanded: what a macro writes is
//! found by looking for `pub fn` and `pub struct` in its definition and its call.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use proc_macro2::{TokenStream, TokenTree};
use syn::{Attribute, Fields, ImplItem, Item, ItemImpl, ItemUse, TraitItem, UseTree, Visibility};

use crate::run::Failure;

/// What a crate shows.
#[derive(Debug, Default)]
pub(super) struct Face {
    /// Types, traits, functions, constants and methods, by path.
    pub(super) items: BTreeSet<String>,
    /// Public fields, and variants, of each type.
    pub(super) parts: BTreeMap<String, BTreeSet<String>>,
    /// The names of the module `prelude`.
    pub(super) prelude: BTreeSet<String>,
}

impl Face {
    /// Reads the crate whose `lib.rs` lies in `src`.
    pub(super) fn read(src: &Path) -> Result<Self, Failure> {
        let mut reader = Reader {
            imp: src.join("native"),
            macros: BTreeMap::new(),
            methods: Vec::new(),
            face: Self::default(),
        };
        reader.collect_macros(src)?;
        let root = parse(&src.join("lib.rs"))?;
        reader.module(&root.items, "", src)?;
        Ok(reader.finish())
    }
}

struct Reader {
    /// Where upstream keeps its private module `imp`.
    imp: PathBuf,
    /// Bodies of `macro_rules!` by name.
    macros: BTreeMap<String, TokenStream>,
    /// Inherent methods with their type's path; the type may be private.
    methods: Vec<(String, String)>,
    face: Face,
}

impl Reader {
    fn collect_macros(&mut self, folder: &Path) -> Result<(), Failure> {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                self.collect_macros(&path)?;
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                for item in parse(&path)?.items {
                    if let Item::Macro(found) = item
                        && let Some(name) = found.ident
                    {
                        if found
                            .attrs
                            .iter()
                            .any(|one| one.path().is_ident("macro_export"))
                        {
                            self.face.items.insert(name.to_string());
                        }
                        self.macros.insert(name.to_string(), found.mac.tokens);
                    }
                }
            }
        }
        Ok(())
    }

    /// The items of the module at `path`; files of its modules lie in `folder`.
    fn module(&mut self, items: &[Item], path: &str, folder: &Path) -> Result<(), Failure> {
        for item in items {
            self.item(item, path, folder)?;
        }
        Ok(())
    }

    fn item(&mut self, item: &Item, path: &str, folder: &Path) -> Result<(), Failure> {
        match item {
            Item::Mod(found) if is_public(&found.vis) && !is_test(&found.attrs) => {
                let name = found.ident.to_string();
                if name == "prelude" {
                    return self.prelude(&folder.join("prelude.rs"));
                }
                let inner = join(path, &name);
                let below = folder.join(&name);
                match &found.content {
                    Some((_, items)) => self.module(items, &inner, &below)?,
                    None => self.file(&folder.join(format!("{name}.rs")), &inner)?,
                }
            }
            Item::Struct(found) if is_public(&found.vis) => {
                let name = self.add(path, &found.ident);
                self.face.parts.insert(name, public_fields(&found.fields));
            }
            Item::Enum(found) if is_public(&found.vis) => {
                let name = self.add(path, &found.ident);
                let variants = found.variants.iter().map(|one| one.ident.to_string());
                self.face.parts.insert(name, variants.collect());
            }
            Item::Trait(found) if is_public(&found.vis) => {
                let name = self.add(path, &found.ident);
                for method in &found.items {
                    if let TraitItem::Fn(method) = method {
                        self.add(&name, &method.sig.ident);
                    }
                }
            }
            Item::Type(found) if is_public(&found.vis) => drop(self.add(path, &found.ident)),
            Item::Const(found) if is_public(&found.vis) => drop(self.add(path, &found.ident)),
            Item::Static(found) if is_public(&found.vis) => drop(self.add(path, &found.ident)),
            Item::Fn(found) if is_public(&found.vis) => drop(self.add(path, &found.sig.ident)),
            Item::Macro(found) if found.ident.is_none() => {
                let names = self.written_by(&found.mac);
                let names = names.iter().map(|name| join(path, name));
                self.face.items.extend(names);
            }
            Item::Impl(found) if found.trait_.is_none() => self.methods_of(found, path),
            Item::Use(found) if is_public(&found.vis) => self.exports(found, path)?,
            _ => {}
        }
        Ok(())
    }

    fn file(&mut self, file: &Path, path: &str) -> Result<(), Failure> {
        let items = parse(file)?.items;
        self.module(&items, path, &file.with_extension(""))
    }

    fn add(&mut self, path: &str, name: &impl ToString) -> String {
        let name = join(path, &name.to_string());
        self.face.items.insert(name.clone());
        name
    }

    fn methods_of(&mut self, found: &ItemImpl, path: &str) {
        let syn::Type::Path(of) = &*found.self_ty else {
            return;
        };
        let Some(of) = of.path.segments.last() else {
            return;
        };
        let of = join(path, &of.ident.to_string());
        for item in &found.items {
            let names = match item {
                ImplItem::Fn(method) if is_public(&method.vis) => {
                    vec![method.sig.ident.to_string()]
                }
                ImplItem::Const(found) if is_public(&found.vis) => vec![found.ident.to_string()],
                ImplItem::Macro(call) => self.written_by(&call.mac),
                _ => Vec::new(),
            };
            let methods = names.into_iter().map(|name| (of.clone(), name));
            self.methods.extend(methods);
        }
    }

    /// Public functions and types that a macro call writes.
    fn written_by(&self, call: &syn::Macro) -> Vec<String> {
        let name = call.path.segments.last().map(|last| last.ident.to_string());
        let body = name.and_then(|name| self.macros.get(&name)).cloned();
        let mut names = public_names(call.tokens.clone());
        for written in public_names(body.unwrap_or_default()) {
            match written.as_str() {
                // The name is the first argument.
                "$" => names.extend(call.tokens.clone().into_iter().find_map(ident)),
                _ => names.push(written),
            }
        }
        names
    }

    /// `pub use`: modules of the private `imp` become modules here, other names items.
    fn exports(&mut self, found: &ItemUse, path: &str) -> Result<(), Failure> {
        for name in leaves(&found.tree, "") {
            let (module, last) = name.rsplit_once("::").unwrap_or(("", &name));
            let file = match last {
                "*" => self
                    .imp
                    .join(format!("{}.rs", module.rsplit("::").next().unwrap_or(""))),
                last => self.imp.join(format!("{last}.rs")),
            };
            match last {
                "*" => self.file(&file, path)?,
                last if name.starts_with("crate::imp::") && file.exists() => {
                    self.file(&file, &join(path, last))?;
                }
                last => drop(self.add(path, &last)),
            }
        }
        Ok(())
    }

    fn prelude(&mut self, file: &Path) -> Result<(), Failure> {
        self.face.items.insert("prelude".to_owned());
        for item in parse(file)?.items {
            if let Item::Use(found) = item {
                let names = leaves(&found.tree, "");
                let short = |name: String| match name.rsplit_once("::") {
                    Some((module, "*")) => format!("{module}::*"),
                    Some((_, last)) => last.to_owned(),
                    None => name,
                };
                self.face.prelude.extend(names.into_iter().map(short));
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Face {
        for (of, method) in self.methods {
            if self.face.items.contains(&of) {
                self.face.items.insert(join(&of, &method));
            }
        }
        self.face
    }
}

fn parse(file: &Path) -> Result<syn::File, Failure> {
    let text = fs::read_to_string(file)
        .map_err(|error| Failure::new(format!("{}: {error}", file.display())))?;
    syn::parse_file(&text).map_err(|error| Failure::new(format!("{}: {error}", file.display())))
}

fn join(path: &str, name: &str) -> String {
    match path {
        "" => name.to_owned(),
        path => format!("{path}::{name}"),
    }
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

fn is_test(attributes: &[Attribute]) -> bool {
    let tokens = attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("cfg"))
        .filter_map(|attribute| attribute.meta.require_list().ok());
    tokens
        .flat_map(|list| list.tokens.clone())
        .any(|token| ident(token).is_some_and(|name| name == "test"))
}

fn public_fields(fields: &Fields) -> BTreeSet<String> {
    let public = fields
        .iter()
        .enumerate()
        .filter(|(_, field)| is_public(&field.vis));
    public
        .map(|(at, field)| {
            let name = field.ident.as_ref();
            name.map_or_else(|| at.to_string(), ToString::to_string)
        })
        .collect()
}

fn ident(token: TokenTree) -> Option<String> {
    match token {
        TokenTree::Ident(ident) => Some(ident.to_string()),
        _ => None,
    }
}

/// The names after `pub fn` and `pub struct`; `$` for one that a macro's argument gives.
fn public_names(tokens: TokenStream) -> Vec<String> {
    let mut names = Vec::new();
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    for (at, token) in tokens.iter().enumerate() {
        if let TokenTree::Group(group) = token {
            names.extend(public_names(group.stream()));
        }
        let word = |at: usize| tokens.get(at).map(ToString::to_string).unwrap_or_default();
        if word(at) != "pub" {
            continue;
        }
        let qualifiers = ["async", "const", "unsafe"];
        let mut next = at + 1;
        while qualifiers.contains(&word(next).as_str()) {
            next += 1;
        }
        if matches!(word(next).as_str(), "fn" | "struct") {
            names.push(word(next + 1));
        }
    }
    names
}

/// The full names a use tree ends in; a glob is `*`.
fn leaves(tree: &UseTree, before: &str) -> Vec<String> {
    match tree {
        UseTree::Path(path) => leaves(&path.tree, &join(before, &path.ident.to_string())),
        UseTree::Name(name) => vec![join(before, &name.ident.to_string())],
        UseTree::Rename(name) => vec![join(before, &name.rename.to_string())],
        UseTree::Glob(_) => vec![join(before, "*")],
        UseTree::Group(group) => group
            .items
            .iter()
            .flat_map(|tree| leaves(tree, before))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Face, Reader, public_names};
    use std::{collections::BTreeMap, path::PathBuf};

    fn face(text: &str) -> Face {
        let file = syn::parse_file(text).expect("it is Rust");
        let mut reader = Reader {
            imp: PathBuf::new(),
            macros: BTreeMap::new(),
            methods: Vec::new(),
            face: Face::default(),
        };
        for item in &file.items {
            if let syn::Item::Macro(found) = item
                && let Some(name) = &found.ident
            {
                reader
                    .macros
                    .insert(name.to_string(), found.mac.tokens.clone());
            }
        }
        reader
            .module(&file.items, "m", &PathBuf::new())
            .expect("no file is needed");
        reader.finish()
    }

    #[test]
    fn public_items_methods_and_parts_are_read_and_private_ones_are_not() {
        let face = face(
            "pub struct A { pub x: u8, y: u8 } impl A { pub fn f(&self) {} fn g(&self) {} }\n\
             struct B; impl B { pub fn h() {} } pub(crate) struct C;\n\
             pub enum E { One, Two } pub trait T { fn t(&self); }\n\
             pub mod n { pub const K: u8 = 1; } #[cfg(test)] pub mod tests { pub fn no() {} }\n\
             impl Clone for A { fn clone(&self) -> Self { todo!() } }",
        );
        let items: Vec<_> = face.items.iter().map(String::as_str).collect();
        assert_eq!(
            items,
            ["m::A", "m::A::f", "m::E", "m::T", "m::T::t", "m::n::K"]
        );
        assert_eq!(face.parts["m::A"].iter().collect::<Vec<_>>(), ["x"]);
        assert_eq!(face.parts["m::E"].len(), 2);
    }

    #[test]
    fn functions_that_macros_write_are_found() {
        let face = face(
            "macro_rules! named { ($x:ident) => { pub fn $x() {} }; }\n\
             macro_rules! typed { ($x:ident, $y:ident) => { pub struct $x { pub(crate) a: u8 } }; }\n\
             typed!(Buffer, as_buffer); impl Buffer { pub fn len(&self) {} }\n\
             macro_rules! fixed { () => { pub fn fixed(&self) {} pub(crate) fn hidden(&self) {} }; }\n\
             named!(one); pub struct A; impl A { fixed!(); dispatch!([V]; pub fn sent(self: &Self) -> u8;); }",
        );
        let items: Vec<_> = face.items.iter().map(String::as_str).collect();
        assert_eq!(
            items,
            [
                "m::A",
                "m::A::fixed",
                "m::A::sent",
                "m::Buffer",
                "m::Buffer::len",
                "m::one"
            ]
        );
    }

    #[test]
    fn qualifiers_do_not_hide_a_function() {
        let tokens = "pub async fn a() {} pub(crate) fn b() {} pub unsafe fn c() {}";
        assert_eq!(public_names(tokens.parse().expect("tokens")), ["a", "c"]);
    }
}
