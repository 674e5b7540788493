//! Where something stands in a document: `data.signals[*].value`.
//!
//! | Written | Is |
//! |---|---|
//! | `.` or nothing | the row itself |
//! | `name`, `a.b`, `a."b.c"`, `a['b c']` | a member; quotes around a name with signs of this language |
//! | `[2]` | an item of a list, from 0; `[-1]` is the last |
//! | `[@]` | the item as far into its list as the row is into its own |
//! | `[*]`, `*` | each item of a list, each member of an object: in `each` only |
//! | `$` at the start | the whole document |
//! | `^` at the start | what is around the row: what the next `*` outward found, at last the document; `^^` two out |
//! | `@key`, `@index` | the name or number under which the row was found; `^@key` of the one around it |

use super::document::Node;
use std::{borrow::Cow, fmt::Write as _};

/// Longest path, in steps.
const MAX_STEPS: usize = 16;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Member(Box<str>),
    Item(usize),
    Last,
    Alongside,
    Each,
    Every,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    Document,
    /// So many rows out.
    Row(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Node,
    Key,
    Index,
}

/// A checked path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Path {
    start: Start,
    steps: Vec<Step>,
    found: Found,
}

/// A node, and under what it was found.
#[derive(Clone, Copy)]
struct Level<'a> {
    node: &'a Node,
    key: Option<&'a str>,
    index: usize,
}

/// One row: what `each` found, inside of what.
#[derive(Clone)]
pub(super) struct Row<'a>(Vec<Level<'a>>);

impl<'a> Row<'a> {
    /// The document as its only row.
    pub(super) fn document(node: &'a Node) -> Self {
        Self::numbered(node, 0)
    }

    /// The same of one of several documents.
    pub(super) fn numbered(node: &'a Node, index: usize) -> Self {
        Self(vec![Level { node, key: None, index }])
    }

    fn within(&self, node: &'a Node, key: Option<&'a str>, index: usize) -> Self {
        let mut levels = self.0.clone();
        levels.push(Level { node, key, index });
        Self(levels)
    }
}

/// What `each` gives.
pub(super) enum Each<'a> {
    /// A row.
    Row(Row<'a>),
    /// The innermost list was there and had nothing in it: a row of nothing.
    Empty(Row<'a>),
}

static NOTHING: Node = Node::Null;

impl Path {
    /// The row itself.
    pub(super) fn row() -> Self {
        Self { start: Start::Row(0), steps: Vec::new(), found: Found::Node }
    }

    /// Reads a path to one place.
    pub(super) fn to_one(text: &str) -> Result<Self, String> {
        let path = parse(text)?;
        if path.steps.iter().any(|step| matches!(step, Step::Each | Step::Every)) {
            return Err(format!("'{text}': '*' belongs into `each`; here the path has to lead to one place"));
        }
        Ok(path)
    }

    /// Reads a path to many places.
    pub(super) fn to_many(text: &str) -> Result<Self, String> {
        let path = parse(text)?;
        if path.found != Found::Node || matches!(path.start, Start::Row(1..)) {
            return Err(format!("'{text}': begin `each` at the document, with a name or '$'"));
        }
        Ok(path)
    }

    /// Reads a path to one place or many, or to what the row itself was found under.
    pub(super) fn to_words(text: &str) -> Result<Self, String> {
        let path = parse(text)?;
        if path.found != Found::Node && path.start == Start::Row(0) { Ok(path) } else { Self::to_many(text) }
    }

    /// Whether it leads to what the row was found under: a name or a number, and never more than one.
    pub(super) fn is_mark(&self) -> bool {
        self.found != Found::Node
    }

    /// What stands there, seen from a row.
    pub(super) fn find<'a>(&self, row: &Row<'a>) -> Option<Cow<'a, Node>> {
        let place = match self.start {
            Start::Document => 0,
            Start::Row(out) => row.0.len().checked_sub(1 + out)?,
        };
        let level = row.0.get(place)?;
        match self.found {
            Found::Node => {}
            Found::Key => return level.key.map(|key| Cow::Owned(Node::text(key))),
            Found::Index => return Some(Cow::Owned(Node::Number(level.index.into()))),
        }
        let mut node = level.node;
        for step in &self.steps {
            node = match step {
                Step::Member(name) => node.member(name)?,
                Step::Item(index) => node.item(*index)?,
                Step::Last => match node {
                    Node::List(items) => items.last()?,
                    _ => return None,
                },
                Step::Alongside => node.item(row.0.last()?.index)?,
                Step::Each | Step::Every => return None,
            };
        }
        Some(Cow::Borrowed(node))
    }

    /// How many places it would lead to if nothing were missing behind its last '*'.
    pub(super) fn places(&self, document: &Row<'_>) -> usize {
        let last = self.steps.iter().rposition(|step| matches!(step, Step::Each | Step::Every));
        let Some(last) = last else { return 1 };
        let (root, mut count) = (self.root(document), 0);
        let Some(level) = root.0.last() else { return 0 };
        walk(level.node, &self.steps[..=last], &root, &mut |each| {
            count += usize::from(matches!(each, Each::Row(_)));
            true
        });
        count
    }

    /// Changes what stands there, in each of its places.
    pub(super) fn change(&self, document: &mut Node, with: &mut dyn FnMut(&mut Node)) {
        change(document, &self.steps, with);
    }

    /// All rows there; `take` says whether to go on.
    pub(super) fn each<'a>(&self, document: &Row<'a>, take: &mut dyn FnMut(Each<'a>) -> bool) -> bool {
        let root = self.root(document);
        let Some(level) = root.0.last() else { return true };
        walk(level.node, &self.steps, &root, take)
    }

    /// The row that its steps begin at.
    fn root<'a>(&self, row: &Row<'a>) -> Row<'a> {
        match self.start {
            Start::Document => Row(row.0.first().copied().into_iter().collect()),
            Start::Row(_) => row.clone(),
        }
    }

    /// Where a row stands that [`each`](Self::each) found: with numbers and names in place of the '*'.
    pub(super) fn shown(&self, row: &Row<'_>) -> String {
        let stars = self.steps.iter().filter(|step| matches!(step, Step::Each | Step::Every)).count();
        let behind = self.steps.iter().rposition(|step| matches!(step, Step::Each | Step::Every));
        let tail = usize::from(behind.map_or(0, |place| place + 1) < self.steps.len());
        let mut levels = row.0.iter().skip(row.0.len().saturating_sub(stars + tail));
        let mut text = String::new();
        for step in &self.steps {
            let level = if matches!(step, Step::Each | Step::Every) { levels.next() } else { None };
            let told = match (step, level) {
                (Step::Member(name), _) => write!(text, ".{name}"),
                (Step::Item(index), _) => write!(text, "[{index}]"),
                (Step::Last, _) => write!(text, "[-1]"),
                (Step::Alongside, _) => write!(text, "[@]"),
                (_, Some(Level { key: Some(key), .. })) => write!(text, ".{key}"),
                (_, Some(Level { index, .. })) => write!(text, "[{index}]"),
                (_, None) => write!(text, "[]"),
            };
            told.expect("a text takes text");
        }
        text.trim_start_matches('.').to_owned()
    }
}

/// Changes what stands at a path of members and items.
fn change(node: &mut Node, steps: &[Step], with: &mut dyn FnMut(&mut Node)) {
    let Some((step, rest)) = steps.split_first() else { return with(node) };
    match (step, node) {
        (Step::Each, Node::List(items)) => items.iter_mut().for_each(|item| change(item, rest, with)),
        (Step::Every, Node::Object(members)) => {
            members.iter_mut().for_each(|(_, member)| change(member, rest, with));
        }
        (Step::Member(name), Node::Object(members)) => {
            let found = members.iter_mut().find(|(key, _)| key == name);
            found.into_iter().for_each(|(_, member)| change(member, rest, with));
        }
        (Step::Item(index), Node::List(items)) => {
            items.get_mut(*index).into_iter().for_each(|item| change(item, rest, with));
        }
        (Step::Last, Node::List(items)) => {
            items.last_mut().into_iter().for_each(|item| change(item, rest, with));
        }
        _ => {}
    }
}

fn walk<'a>(node: &'a Node, steps: &[Step], row: &Row<'a>, take: &mut dyn FnMut(Each<'a>) -> bool) -> bool {
    let Some((step, rest)) = steps.split_first() else {
        return take(Each::Row(match row.0.last() {
            // Names behind the last '*' lead into what it found, which stays around the row.
            Some(last) if !std::ptr::eq(last.node, node) => row.within(node, last.key, last.index),
            _ => row.clone(),
        }));
    };
    let innermost = !rest.iter().any(|step| matches!(step, Step::Each | Step::Every));
    let next = match (step, node) {
        (Step::Each, Node::List(items)) => {
            if items.is_empty() && innermost {
                return take(Each::Empty(row.within(&NOTHING, None, 0)));
            }
            let mut numbered = items.iter().enumerate();
            return numbered.all(|(index, item)| walk(item, rest, &row.within(item, None, index), take));
        }
        (Step::Every, Node::Object(members)) => {
            if members.is_empty() && innermost {
                return take(Each::Empty(row.within(&NOTHING, None, 0)));
            }
            let mut numbered = members.iter().enumerate();
            return numbered.all(|(index, (key, member))| {
                walk(member, rest, &row.within(member, Some(key), index), take)
            });
        }
        (Step::Member(name), node) => node.member(name),
        (Step::Item(index), node) => node.item(*index),
        (Step::Last, Node::List(items)) => items.last(),
        _ => None,
    };
    next.is_none_or(|next| walk(next, rest, row, take))
}

fn parse(text: &str) -> Result<Path, String> {
    let wrong = |what: &str| format!("'{text}' is no path: {what}");
    let mut rest = text.trim();
    let outward = rest.len() - rest.trim_start_matches('^').len();
    let ends = |rest: &str| rest.is_empty() || rest.starts_with(['.', '[']);
    let mut start = Start::Row(0);
    if outward > 0 {
        start = Start::Row(outward);
        rest = &rest[outward..];
    } else if let Some(behind) = rest.strip_prefix('$').filter(|behind| ends(behind)) {
        start = Start::Document;
        rest = behind;
    }
    for (word, found) in [("@key", Found::Key), ("@index", Found::Index)] {
        if rest == word && start != Start::Document {
            return Ok(Path { start, steps: Vec::new(), found });
        }
    }
    if rest == "." {
        rest = "";
    }
    let mut steps = Vec::new();
    // At the start a name needs no dot before it.
    let mut bare = !rest.starts_with(['.', '[']) && (outward == 0 && start != Start::Document);
    while !rest.is_empty() {
        if steps.len() == MAX_STEPS {
            return Err(wrong("at most 16 steps"));
        }
        let (step, behind) = if let Some(inside) = rest.strip_prefix('[') {
            bracket(inside).ok_or_else(|| wrong("write [2], [-1], [*], [@] or ['name']"))?
        } else if let Some(named) = rest.strip_prefix('.').or(bare.then_some(rest)) {
            member(named).ok_or_else(|| wrong("a name is missing, or its quotes do not end"))?
        } else {
            return Err(wrong("a '.' or '[' has to stand between two steps"));
        };
        steps.push(step);
        rest = behind;
        bare = false;
    }
    Ok(Path { start, steps, found: Found::Node })
}

fn member(text: &str) -> Option<(Step, &str)> {
    if let Some((name, behind)) = quoted(text) {
        return Some((Step::Member(name.into()), behind));
    }
    let end = text.find(['.', '[']).unwrap_or(text.len());
    let (name, behind) = text.split_at(end);
    match name {
        "" => None,
        "*" => Some((Step::Every, behind)),
        name if name.contains(['"', '\'', '*']) => None,
        name => Some((Step::Member(name.into()), behind)),
    }
}

fn bracket(text: &str) -> Option<(Step, &str)> {
    if let Some((name, behind)) = quoted(text) {
        return Some((Step::Member(name.into()), behind.strip_prefix(']')?));
    }
    let (inside, behind) = text.split_once(']')?;
    let step = match inside {
        "*" => Step::Each,
        "@" => Step::Alongside,
        "-1" => Step::Last,
        number => Step::Item(number.parse().ok()?),
    };
    Some((step, behind))
}

/// A text in quotes, and what follows.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    text[1..].split_once(quote)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document() -> Node {
        Node::from_json(
            br#"{"id":7,"v.b":{"soc":"53"},"cars":[{"who":"a","list":[[1,2],[3,4]]},{"who":"b","list":[]},{"who":"c"}],
                 "names":["x","y"],"values":[10,20]}"#,
        )
        .expect("JSON")
    }

    fn one(path: &str) -> Option<String> {
        let document = document();
        let path = Path::to_one(path).expect("a path");
        path.find(&Row::document(&document))?.word().map(Cow::into_owned)
    }

    fn many(each: &str, path: &str) -> Vec<String> {
        let document = document();
        let (each, path) = (Path::to_many(each).expect("a path"), Path::to_one(path).expect("a path"));
        let mut found = Vec::new();
        each.each(&Row::document(&document), &mut |each| {
            let (row, mark) = match each {
                Each::Row(row) => (row, ""),
                Each::Empty(row) => (row, "empty:"),
            };
            let word = path.find(&row).and_then(|node| node.word().map(Cow::into_owned));
            found.push(format!("{mark}{}", word.unwrap_or_default()));
            true
        });
        found
    }

    #[test]
    fn a_path_leads_to_one_place() {
        for (path, word) in [
            ("id", Some("7")),
            ("$.id", Some("7")),
            ("\"v.b\".soc", Some("53")),
            ("['v.b'].soc", Some("53")),
            ("$['v.b']['soc']", Some("53")),
            ("cars[0].list[1][0]", Some("3")),
            ("cars[-1].who", Some("c")),
            ("cars[9].who", None),
            ("id.x", None),
            (".", None),
        ] {
            assert_eq!(one(path).as_deref(), word, "{path}");
        }
    }

    #[test]
    fn rows_know_what_is_around_them() {
        assert_eq!(many("cars[*]", "who"), ["a", "b", "c"]);
        assert_eq!(many("cars[*].list[*]", "[1]"), ["2", "4", "empty:"]);
        assert_eq!(many("cars[*].list[*]", "^.who"), ["a", "a", "empty:b"]);
        assert_eq!(many("cars[*].list", "^.who"), ["a", "b"]);
        assert_eq!(many("cars[*].list[*]", "^^.id"), ["7", "7", "empty:7"]);
        assert_eq!(many("cars[*].list[*]", "$.id"), ["7", "7", "empty:7"]);
        assert_eq!(many("$.*", "@key"), ["cars", "id", "names", "v.b", "values"]);
        assert_eq!(many("names[*]", "$.values[@]"), ["10", "20"]);
        assert_eq!(many("names[*]", "@index"), ["0", "1"]);
        assert_eq!(many("nowhere[*]", "x"), [""; 0]);
    }

    #[test]
    fn a_row_is_shown_by_the_numbers_and_names_that_it_was_found_under() {
        let document = document();
        for (each, shown) in [
            ("cars[*]", &["cars[0]", "cars[1]", "cars[2]"][..]),
            ("cars[*].list[*]", &["cars[0].list[0]", "cars[0].list[1]", "cars[1].list[0]"]),
            ("cars[*].who", &["cars[0].who", "cars[1].who", "cars[2].who"]),
            ("$.cars[0].list[*]", &["cars[0].list[0]", "cars[0].list[1]"]),
            ("\"v.b\".*", &["v.b.soc"]),
            (".", &[""]),
        ] {
            let path = Path::to_many(each).expect("a path");
            let mut found = Vec::new();
            path.each(&Row::document(&document), &mut |each| {
                let (Each::Row(row) | Each::Empty(row)) = each;
                found.push(path.shown(&row));
                true
            });
            assert_eq!(found, shown, "{each}");
        }
    }

    #[test]
    fn a_row_is_looked_into_from_itself_and_from_the_document() {
        let document = document();
        let (cars, list) =
            (Path::to_many("cars[*]").expect("a path"), Path::to_many("list[*]").expect("a path"));
        let names = Path::to_many("$.names[*]").expect("a path");
        let word = |path: &str, row: &Row<'_>| {
            Path::to_one(path).expect("a path").find(row).and_then(|node| node.word().map(Cow::into_owned))
        };
        let mut found = Vec::new();
        cars.each(&Row::document(&document), &mut |each| {
            let Each::Row(car) = each else { return true };
            list.each(&car, &mut |each| {
                let Each::Row(row) = each else { return true };
                found.extend([word("[0]", &row), word("^.who", &row), word("$.id", &row)]);
                true
            });
            found.push(Some(names.places(&car).to_string()));
            true
        });
        let word = |text: &str| Some(text.to_owned());
        let lists = ["1", "a", "7", "3", "a", "7"].map(word);
        assert_eq!(found, [&lists[..], &[word("2"), word("2"), word("2")]].concat());
    }

    #[test]
    fn what_is_no_path_is_refused_with_what_to_mend() {
        for bad in ["a..b", "a[", "a[x]", "'a", "a[0]b", "a.*b", "$b.\"", "^a", "[0].", "a.b*"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        assert!(Path::to_one("a[*]").expect_err("many").contains("each"));
        assert!(Path::to_many("^.a").is_err() && Path::to_many("^^.a").is_err());
        assert!(Path::to_words("@index").is_ok() && Path::to_words("^@index").is_err());
        assert!(parse(&vec!["a"; 17].join(".")).is_err());
    }
}
