//! From declarations to a table.

use super::PatternError;
use super::asks::Asks;
use super::edges::{Edges, offset};
use super::segment::{Shape, Step};
use super::table::{
    Affix, CaptureSpan, End, Group, IrregularEnd, Item, Methods, Place, Span32, Table,
};
use super::template::{Convertor, next_parameter, parse_template};
use regex::{Regex, RegexBuilder};
use std::collections::{BTreeMap, HashMap};

/// Takes routes, mounts and unknown matchers in the order of their declaration.
///
/// A mount whose inside is known is flattened by the caller: first its routes, with the mount's path in front of their
/// own, then [`opaque`](Self::opaque) with the mount's path, since a mount answers whatever its routes do not. A mount
/// with a `path` parameter in its own path must not be flattened: it takes as much as it can before its routes are
/// asked.
#[derive(Debug)]
pub struct TableBuilder {
    methods: Methods,
    places: Vec<Draft>,
    expressions: Vec<Regex>,
    expression_numbers: HashMap<String, u32>,
    items: Vec<Item>,
    asks: Vec<(Box<str>, u32)>,
    depth: usize,
}

/// A regular expression that needs more memory than this, in bytes, is refused.
const EXPRESSION_LIMIT: usize = 1 << 20;

impl TableBuilder {
    /// A builder without routes.
    pub fn new() -> Self {
        Self {
            methods: Methods::default(),
            places: vec![Draft::default()],
            expressions: Vec::new(),
            expression_numbers: HashMap::new(),
            items: Vec::new(),
            asks: Vec::new(),
            depth: 0,
        }
    }

    /// The next route. `methods` are compared as they are written; none at all means all, as does an empty list.
    /// `target` is the caller's number for it, which need not be unique.
    ///
    /// # Errors
    ///
    /// Any [`PatternError`]; the table is as it was, so [`ask`](Self::ask) can take the route's place.
    pub fn route(
        &mut self,
        template: &str,
        methods: Option<&[&str]>,
        target: u32,
    ) -> Result<(), PatternError> {
        if !template.is_empty() && !template.starts_with('/') {
            return Err(PatternError::NoLeadingSlash);
        }
        self.insert(template, methods.unwrap_or_default(), Some(target))
    }

    /// The next mount, or the end of one that was flattened: it takes every path below `prefix` (`/sub` takes `/sub/`
    /// and `/sub/x`, not `/sub`), whatever the method. The prefix may have parameters.
    ///
    /// # Errors
    ///
    /// As for [`route`](Self::route). The name `path` is taken by the mount itself.
    pub fn opaque(&mut self, prefix: &str) -> Result<(), PatternError> {
        if !prefix.is_empty() && !prefix.starts_with('/') {
            return Err(PatternError::NoLeadingSlash);
        }
        self.insert(
            &format!("{}/{{path:path}}", prefix.trim_end_matches('/')),
            &[],
            None,
        )
    }

    /// The next matcher that only the framework can run. It might take any path that begins as `template` does, up to
    /// what looks like its first parameter; `""` stands for any path at all, and so does what does not begin with a
    /// slash.
    pub fn ask(&mut self, template: &str) {
        let prefix = next_parameter(template).map_or(template, |(before, ..)| before);
        let prefix = if prefix.starts_with('/') { prefix } else { "" };
        self.asks.push((prefix.into(), self.position()));
        self.items.push(Item::default());
    }

    /// The table. What can never be reached takes no part in a search.
    pub fn build(self) -> Table {
        let mut edges = Vec::with_capacity(self.places.len());
        for (parent, place) in (0..).zip(&self.places) {
            let below = place.literals.iter();
            edges.extend(below.map(|(segment, &child)| (parent, &**segment, child)));
        }
        let edges = Edges::new(edges.into_iter());
        let mut groups = Vec::new();
        let mut affixes = Vec::new();
        let (mut ends, mut irregulars) = (Vec::new(), Vec::new());
        let mut places = Vec::with_capacity(self.places.len());
        let firsts: Vec<u32> = self.places.iter().map(|place| place.first).collect();
        for draft in self.places {
            let mut own: Vec<Group> = Vec::new();
            for (edge, child) in draft.parameters {
                let start = offset(affixes.len());
                let first = firsts[child as usize];
                match own.last_mut() {
                    Some(group) if edge.belongs_to(group) => {
                        group.first = group.first.min(first);
                        group.affixes.end = start + 1;
                    }
                    _ => own.push(edge.group(first, start)),
                }
                affixes.push(Affix {
                    text: [edge.prefix, edge.suffix].concat().into(),
                    child,
                });
            }
            own.sort_by_key(|group| group.first);
            places.push(Place {
                first: draft.first,
                methods: draft.methods,
                ends: append(&mut ends, draft.ends),
                groups: append(&mut groups, own),
                irregulars: append(&mut irregulars, draft.irregulars),
            });
        }
        Table {
            methods: self.methods,
            places: places.into(),
            edges,
            groups: groups.into(),
            affixes: affixes.into(),
            ends: ends.into(),
            irregulars: irregulars.into(),
            expressions: self.expressions.into(),
            items: self.items.into(),
            asks: Asks::new(self.asks),
            depth: self.depth,
        }
    }

    fn position(&self) -> u32 {
        offset(self.items.len())
    }

    fn insert(
        &mut self,
        template: &str,
        methods: &[&str],
        target: Option<u32>,
    ) -> Result<(), PatternError> {
        let template = parse_template(template)?;
        let Shape { steps, rest } = Shape::of(&template);
        let expression = rest
            .as_ref()
            .map(|rest| self.expression(&rest.expression))
            .transpose()?;
        let methods = self.mask(methods)?;
        let position = self.position();
        let depth = steps.len();
        let mut spans = Vec::with_capacity(template.parameters().count());
        let mut id = 0;
        self.places[0].cover(position, methods);
        for (depth, step) in steps.iter().enumerate() {
            if let Step::Parameter {
                convertor,
                prefix,
                suffix,
            } = step
            {
                let to_end = *convertor == Convertor::Path;
                spans.push(CaptureSpan {
                    depth,
                    prefix: prefix.len(),
                    suffix: suffix.len(),
                    to_end,
                });
            }
            id = self.child(id, step);
            self.places[id as usize].cover(position, methods);
        }
        drop(steps);
        let place = &mut self.places[id as usize];
        if let (Some(rest), Some(expression)) = (rest, expression) {
            let (prefix, suffix) = (rest.prefix, rest.suffix);
            if !place.has_irregular(expression, methods) {
                place.irregulars.push(IrregularEnd {
                    methods,
                    position,
                    expression,
                    prefix,
                    suffix,
                });
            }
        } else if !place.has_end(methods) {
            place.ends.push(End { methods, position });
        }
        self.depth = self.depth.max(depth + 1);
        self.items.push(Item {
            target,
            spans: spans.into(),
            irregular: expression.map(|expression| (depth, expression)),
            parameters: template.into_parameters(),
        });
        Ok(())
    }

    /// The place below `parent` for a step; a new one, if there is none yet.
    fn child(&mut self, parent: u32, step: &Step<'_>) -> u32 {
        let fresh = offset(self.places.len());
        let below = &mut self.places[parent as usize];
        let child = match step {
            Step::Literal(segment) => match below.literals.get(&**segment) {
                Some(&known) => known,
                None => *below.literals.entry(Box::from(&**segment)).or_insert(fresh),
            },
            Step::Parameter {
                convertor,
                prefix,
                suffix,
            } => {
                let edge = ParameterEdge {
                    convertor: *convertor,
                    lengths: (offset(prefix.len()), offset(suffix.len())),
                    prefix: Box::from(&**prefix),
                    suffix: Box::from(&**suffix),
                };
                *below.parameters.entry(edge).or_insert(fresh)
            }
        };
        if child == fresh {
            self.places.push(Draft::default());
        }
        child
    }

    fn expression(&mut self, expression: &str) -> Result<u32, PatternError> {
        if let Some(&number) = self.expression_numbers.get(expression) {
            return Ok(number);
        }
        let compiled = RegexBuilder::new(expression)
            .size_limit(EXPRESSION_LIMIT)
            .build();
        let number = offset(self.expressions.len());
        self.expressions
            .push(compiled.map_err(|_| PatternError::TooLarge)?);
        self.expression_numbers.insert(expression.into(), number);
        Ok(number)
    }

    fn mask(&mut self, methods: &[&str]) -> Result<u64, PatternError> {
        if methods.is_empty() {
            return Ok(u64::MAX);
        }
        let mut mask = 0;
        for &method in methods {
            if self.methods.bit(method) == Methods::OTHER {
                if self.methods.names.len() == 63 {
                    return Err(PatternError::TooManyMethods);
                }
                self.methods.names.push(method.into());
            }
            mask |= self.methods.bit(method);
        }
        Ok(mask)
    }
}

impl Default for TableBuilder {
    fn default() -> Self {
        Self::new()
    }
}

/// A place in the making.
#[derive(Debug)]
struct Draft {
    first: u32,
    methods: u64,
    literals: HashMap<Box<str>, u32, foldhash::fast::RandomState>,
    parameters: BTreeMap<ParameterEdge, u32>,
    ends: Vec<End>,
    irregulars: Vec<IrregularEnd>,
}

impl Default for Draft {
    fn default() -> Self {
        Self {
            first: u32::MAX,
            methods: 0,
            literals: HashMap::default(),
            parameters: BTreeMap::new(),
            ends: Vec::new(),
            irregulars: Vec::new(),
        }
    }
}

impl Draft {
    fn cover(&mut self, position: u32, methods: u64) {
        self.first = self.first.min(position);
        self.methods |= methods;
    }

    /// Whether earlier items that end here already take all of `methods`.
    fn has_end(&self, methods: u64) -> bool {
        methods & !self.ends.iter().fold(0, |taken, end| taken | end.methods) == 0
    }

    fn has_irregular(&self, expression: u32, methods: u64) -> bool {
        let same = self
            .irregulars
            .iter()
            .filter(|end| end.expression == expression);
        methods & !same.fold(0, |taken, end| taken | end.methods) == 0
    }
}

/// A step with a parameter below a place; in this order, those of one group stand together.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct ParameterEdge {
    convertor: Convertor,
    /// Of prefix and suffix, in bytes.
    lengths: (u32, u32),
    prefix: Box<str>,
    suffix: Box<str>,
}

impl ParameterEdge {
    fn belongs_to(&self, group: &Group) -> bool {
        (self.convertor, self.lengths)
            == (group.convertor, (group.prefix_length, group.suffix_length))
    }

    fn group(&self, first: u32, start: u32) -> Group {
        let (prefix_length, suffix_length) = self.lengths;
        Group {
            convertor: self.convertor,
            prefix_length,
            suffix_length,
            first,
            affixes: start..start + 1,
        }
    }
}

fn append<T>(all: &mut Vec<T>, own: Vec<T>) -> Span32 {
    let start = offset(all.len());
    all.extend(own);
    start..offset(all.len())
}
