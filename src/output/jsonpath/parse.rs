//! Reads templates.

use serde_json::{Number, Value};

use super::{Node, Part, Slice, Template, Test};

/// Parses a template.
pub(super) fn template(source: &str) -> Result<Template, String> {
    let mut pieces = pieces(source)?.into_iter();
    let mut all = Vec::new();
    loop {
        let (parts, ended) = parts(&mut pieces);
        all.extend(parts);
        if !ended {
            return Ok(Template { source: source.to_owned(), parts: all });
        }
        all.push(Part::StrayEnd);
    }
}

/// A template before its ranges are nested.
enum Piece {
    Path(Vec<Node>),
    Range(Vec<Node>),
    End,
}

/// Nests ranges; the flag says that an `{end}` stopped it.
fn parts(pieces: &mut std::vec::IntoIter<Piece>) -> (Vec<Part>, bool) {
    let mut list = Vec::new();
    while let Some(piece) = pieces.next() {
        match piece {
            Piece::Path(path) => list.push(Part::Path(path)),
            Piece::Range(path) => list.push(Part::Range(path, parts(pieces).0)),
            Piece::End => return (list, true),
        }
    }
    (list, false)
}

fn pieces(source: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut rest = source;
    while let Some((text, action)) = rest.split_once('{') {
        push_text(&mut pieces, text);
        let mut cursor = Cursor { rest: action };
        pieces.push(cursor.piece()?);
        rest = cursor.rest;
    }
    push_text(&mut pieces, rest);
    Ok(pieces)
}

fn push_text(pieces: &mut Vec<Piece>, text: &str) {
    if !text.is_empty() {
        pieces.push(Piece::Path(vec![Node::Literal(text.into())]));
    }
}

/// The nodes of a text that stands inside an action: one side of a filter, one item of a union.
fn inner(text: &str) -> Result<Vec<Node>, String> {
    let closed = format!("{text}}}");
    let mut cursor = Cursor { rest: &closed };
    match cursor.piece()? {
        Piece::Path(path) if cursor.rest.is_empty() => Ok(path),
        _ => Err(format!("cannot read {text}")),
    }
}

/// A place in the inside of an action.
struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    /// Reads up to and with the closing brace.
    fn piece(&mut self) -> Result<Piece, String> {
        let mut nodes = Vec::new();
        let (mut range, mut end) = (false, false);
        loop {
            let Some(next) = self.rest.chars().next().filter(|c| !matches!(c, '\n' | '\r')) else { return Err("unclosed action".to_owned()) };
            match next {
                '}' => break self.skip(1),
                ' ' | '@' | '$' => self.skip(1),
                '"' | '\'' => nodes.push(Node::Literal(self.quoted(next)?.into())),
                '.' if self.rest.starts_with("..") => {
                    self.skip(2);
                    nodes.push(Node::Recursive);
                    if self.rest.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '*')) {
                        nodes.extend(self.field());
                    }
                }
                '.' => {
                    self.skip(1);
                    nodes.push(self.field().unwrap_or(Node::Field(String::new())));
                }
                '[' if self.rest.starts_with("[?(") => nodes.push(self.filter()?),
                '[' => nodes.push(self.brackets()?),
                '+' | '-' | '0'..='9' => nodes.push(self.number()?),
                c if c.is_alphanumeric() || c == '_' => match self.take_while(|c| c.is_alphanumeric() || c == '_') {
                    "true" => nodes.push(Node::Literal(true.into())),
                    "false" => nodes.push(Node::Literal(false.into())),
                    "range" => range = true,
                    "end" => end = true,
                    other => nodes.push(Node::Word(other.to_owned())),
                },
                c => return Err(format!("unrecognized character in action: U+{:04X} '{c}'", u32::from(c))),
            }
        }
        Ok(if end {
            Piece::End
        } else if range {
            Piece::Range(nodes)
        } else {
            Piece::Path(nodes)
        })
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }

    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(bytes);
        self.rest = rest;
        taken
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        self.take(self.rest.find(|c| !wanted(c)).unwrap_or(self.rest.len()))
    }

    /// A field's name behind its dot: up to the next sign, where a backslash takes the sign along; nothing for nothing.
    fn field(&mut self) -> Option<Node> {
        let mut name = String::new();
        while let Some(c) = self.rest.chars().next() {
            match c {
                '\\' => {
                    self.skip(1);
                    let Some(escaped) = self.rest.chars().next() else { break };
                    name.push(escaped);
                    self.skip(escaped.len_utf8());
                }
                '.' | ',' | '[' | ']' | '$' | '@' | '{' | '}' | ' ' | '\t' | '\r' | '\n' => break,
                c => {
                    name.push(c);
                    self.skip(c.len_utf8());
                }
            }
        }
        match name.as_str() {
            "" => None,
            "*" => Some(Node::Wildcard),
            _ => Some(Node::Field(name)),
        }
    }

    fn quoted(&mut self, quote: char) -> Result<String, String> {
        self.skip(1);
        let end = closing_quote(self.rest, quote).ok_or("unterminated quoted string")?;
        let raw = self.take(end);
        self.skip(1);
        unescape(raw).ok_or_else(|| format!("unquote string {quote}{raw}{quote} error invalid syntax"))
    }

    fn number(&mut self) -> Result<Node, String> {
        let sign = usize::from(self.rest.starts_with(['+', '-']));
        let digits = self.rest[sign..].find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(self.rest.len() - sign);
        let text = self.take(sign + digits);
        let whole = text.trim_start_matches('+').parse::<i64>().ok().map(Number::from);
        let number = whole.or_else(|| text.parse::<f64>().ok().and_then(Number::from_f64));
        number.map(|number| Node::Literal(Value::Number(number))).ok_or_else(|| format!("cannot parse number {text}"))
    }

    fn filter(&mut self) -> Result<Node, String> {
        self.skip("[?(".len());
        let end = closing(self.rest, ')').ok_or("unterminated filter")?;
        let text = self.take(end);
        self.skip(1);
        if !self.rest.starts_with(']') {
            return Err("unclosed array expect ]".to_owned());
        }
        self.skip(1);
        let Some(operator) = text.find(['!', '<', '>', '=']).filter(|place| *place > 0) else {
            return Ok(Node::Filter { left: inner(text)?, test: Test::Exists, right: Vec::new() });
        };
        let (left, behind) = text.split_at(operator);
        let left = inner(left)?;
        let right = behind.trim_start_matches(['!', '<', '>', '=']);
        let sign = &behind[..behind.len() - right.len()];
        let right = inner(right)?;
        let comparison = match sign {
            "==" => Test::Equal,
            "!=" => Test::NotEqual,
            "<" => Test::Less,
            "<=" => Test::LessOrEqual,
            ">" => Test::Greater,
            ">=" => Test::GreaterOrEqual,
            other => Test::Unknown(other.to_owned()),
        };
        Ok(Node::Filter { left, test: comparison, right })
    }

    /// `[...]`: an index, a slice, a quoted key, or several of them.
    fn brackets(&mut self) -> Result<Node, String> {
        self.skip(1);
        let line = self.rest.split('\n').next().unwrap_or_default();
        let end = line.find(']').ok_or("unterminated array")?;
        let text = self.take(end);
        self.skip(1);
        let paths = text.split(',').map(|item| bracket(item.trim())).collect::<Result<Vec<_>, _>>()?;
        Ok(Node::Union(paths))
    }
}

fn bracket(text: &str) -> Result<Vec<Node>, String> {
    let wrong = || format!("invalid array index {text}");
    if let Some(key) = text.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')).filter(|key| !key.contains('\'')) {
        // A key is read like a field: a dot in it needs its backslash here too.
        return inner(&format!(".{key}"));
    }
    range(text).map(|slice| vec![Node::Slice(slice)]).ok_or_else(wrong)
}

fn range(text: &str) -> Option<Slice> {
    let number = |text: &str| if text.is_empty() { Some(None) } else { text.parse::<i64>().ok().map(Some) };
    if text == "*" {
        return Some(Slice::Between { start: None, end: None, step: None });
    }
    match text.split(':').collect::<Vec<_>>().as_slice() {
        [index] => Some(Slice::Index(number(index)?.unwrap_or(0))),
        [start, end] => Some(Slice::Between { start: number(start)?, end: number(end)?, step: None }),
        [start, end, step] => Some(Slice::Between { start: number(start)?, end: number(end)?, step: number(step)? }),
        _ => None,
    }
}

/// Where a text in quotes ends: the first such quote without a backslash before it.
fn closing_quote(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    text.char_indices().take_while(|(_, c)| *c != '\n').find_map(|(place, c)| {
        let found = c == quote && !escaped;
        escaped = c == '\\' && !escaped;
        found.then_some(place)
    })
}

/// Where the first such sign outside quotes stands.
fn closing(text: &str, sign: char) -> Option<usize> {
    let mut place = 0;
    while let Some(c) = text.get(place..)?.chars().next() {
        match c {
            '\n' => return None,
            '"' | '\'' => place += 1 + closing_quote(&text[place + 1..], c)? + 1,
            c if c == sign => return Some(place),
            c => place += c.len_utf8(),
        }
    }
    None
}

fn unescape(text: &str) -> Option<String> {
    let mut plain = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            plain.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => plain.push('\n'),
            Some('t') => plain.push('\t'),
            Some('r') => plain.push('\r'),
            Some(c @ ('\\' | '"' | '\'' | '.' | '/')) => plain.push(c),
            Some(mark @ ('x' | 'u')) => {
                let digits: String = chars.by_ref().take(if mark == 'x' { 2 } else { 4 }).collect();
                plain.push(u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32)?);
            }
            _ => return None,
        }
    }
    Some(plain)
}
