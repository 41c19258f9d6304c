//! The listing of what other programs may build on, in `tests/public_api.txt`: every item that
//! the crate's root gives, with its fields, methods and traits. A change of it is meant, or a
//! mistake.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use quote::ToTokens;
use syn::{Attribute, Fields, ImplItem, Item, ItemImpl, UseTree, Visibility};

const LISTING: &str = "tests/public_api.txt";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The items of the sources of a module of the library, without its tests.
fn items(path: &Path, found: &mut Vec<Item>) {
    let name = path.file_stem().expect("a name").to_string_lossy();
    if name.contains("tests") {
        return;
    }
    if path.is_dir() {
        for entry in fs::read_dir(path).expect("a folder") {
            items(&entry.expect("an entry").path(), found);
        }
    } else if path.extension().is_some_and(|extension| extension == "rs") {
        let text = fs::read_to_string(path).expect("a source");
        let file =
            syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        found.extend(file.items);
    }
}

/// The names that a `pub use` gives of a module.
fn names(tree: &UseTree, into: &mut BTreeSet<String>) {
    match tree {
        UseTree::Group(group) => group.items.iter().for_each(|tree| names(tree, into)),
        UseTree::Name(name) => {
            into.insert(name.ident.to_string());
        }
        other => panic!("{} names no single item", other.to_token_stream()),
    }
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

fn is_documented(attributes: &[Attribute]) -> bool {
    !attributes.iter().any(|one| one.to_token_stream().to_string().contains("doc (hidden)"))
}

/// Code on one line, without comments and attributes but those that the user of an item feels.
fn line(code: &impl ToTokens) -> String {
    code.to_token_stream().to_string().replace(" ,", ",").replace(" :: ", "::").replace(" & ", " &")
}

fn without_docs(attributes: &mut Vec<Attribute>) {
    attributes
        .retain(|one| ["non_exhaustive", "must_use"].iter().any(|felt| one.path().is_ident(felt)));
}

/// The definition of an item, without what is not public.
fn definition(item: &Item) -> Option<(String, String)> {
    let (name, text) = match item.clone() {
        Item::Struct(mut one) if is_public(&one.vis) => {
            without_docs(&mut one.attrs);
            let is_open = one.fields.iter().all(|field| is_public(&field.vis));
            one.fields.iter_mut().for_each(|field| without_docs(&mut field.attrs));
            if !is_open {
                one.fields = Fields::Unit;
            }
            (one.ident.to_string(), line(&one))
        }
        Item::Enum(mut one) if is_public(&one.vis) => {
            without_docs(&mut one.attrs);
            for variant in &mut one.variants {
                without_docs(&mut variant.attrs);
                variant.fields.iter_mut().for_each(|field| without_docs(&mut field.attrs));
            }
            (one.ident.to_string(), line(&one))
        }
        _ => return None,
    };
    Some((name, text))
}

/// The traits of a `derive`.
fn derived(item: &Item) -> Vec<String> {
    let (Item::Struct(syn::ItemStruct { attrs, .. }) | Item::Enum(syn::ItemEnum { attrs, .. })) =
        item
    else {
        return Vec::new();
    };
    let derives = attrs.iter().filter(|one| one.path().is_ident("derive"));
    let traits =
        derives.filter_map(|one| one.meta.require_list().ok().map(|list| line(&list.tokens)));
    traits.flat_map(|list| list.split(", ").map(str::to_owned).collect::<Vec<_>>()).collect()
}

/// The public methods of an `impl`, or the trait that it is of.
fn of_impl(one: ItemImpl) -> (String, Vec<String>) {
    let of = line(&one.self_ty);
    let name = of.split([' ', '<']).next().expect("a name").to_owned();
    if let Some((_, path, _)) = &one.trait_ {
        return (name, vec![format!("impl {} for {of}", line(path))]);
    }
    let methods = one.items.into_iter().filter_map(|item| match item {
        ImplItem::Fn(method) if is_public(&method.vis) && is_documented(&method.attrs) => {
            Some(format!("{of}: pub {}", line(&method.sig)))
        }
        ImplItem::Const(one) if is_public(&one.vis) => {
            Some(format!("{of}: pub const {}: {}", one.ident, line(&one.ty)))
        }
        _ => None,
    });
    (name, methods.collect())
}

/// Lists what the root gives of `module`.
fn list(module: &str, given: &BTreeSet<String>, listed: &mut BTreeSet<String>) {
    let mut all = Vec::new();
    items(&root().join(format!("src/{module}.rs")), &mut all);
    let folder = root().join(format!("src/{module}"));
    if folder.is_dir() {
        items(&folder, &mut all);
    }
    for item in all {
        if let Some((name, text)) = definition(&item).filter(|(name, _)| given.contains(name)) {
            listed.extend(derived(&item).into_iter().map(|of| format!("impl {of} for {name}")));
            listed.insert(text);
        }
        if let Item::Impl(one) = item {
            let (name, lines) = of_impl(one);
            listed.extend(lines.into_iter().filter(|_| given.contains(&name)));
        }
    }
}

fn listing() -> String {
    let mut listed = BTreeSet::new();
    let text = fs::read_to_string(root().join("src/lib.rs")).expect("the crate's root");
    for item in syn::parse_file(&text).expect("Rust").items {
        match item {
            Item::Use(one) if is_public(&one.vis) => {
                let UseTree::Path(path) = &one.tree else { panic!("{} has no module", line(&one)) };
                let mut given = BTreeSet::new();
                names(&path.tree, &mut given);
                list(&path.ident.to_string(), &given, &mut listed);
            }
            Item::Mod(one) if is_public(&one.vis) && is_documented(&one.attrs) => {
                listed.insert(format!("pub mod {}", one.ident));
            }
            _ => {}
        }
    }
    listed.into_iter().collect::<Vec<_>>().join("\n") + "\n"
}

#[test]
fn what_other_programs_build_on_is_as_it_is_listed() {
    let now = listing();
    let before = fs::read_to_string(root().join(LISTING)).unwrap_or_default();
    if now != before {
        let new = Path::new(env!("CARGO_TARGET_TMPDIR")).join("public_api.txt");
        fs::write(&new, &now).expect("a disk");
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
        let (now, before) = (lines(&now), lines(&before));
        panic!(
            "the public items have changed.\ngone: {:#?}\nnew: {:#?}\nIf that is meant, say so in \
             CHANGELOG.md and copy {} to {LISTING}",
            before.difference(&now).collect::<Vec<_>>(),
            now.difference(&before).collect::<Vec<_>>(),
            new.display()
        );
    }
}
