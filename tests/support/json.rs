//! JSON for the tests: keeps what a general reader loses, the text of numbers, the order of an
//! object's members and members that stand twice. That the text is JSON at all is checked by
//! serde_json as well.

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    /// Its text.
    Number(String),
    String(String),
    Array(Vec<Json>),
    /// Members in their order.
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Parses one value with nothing behind it.
    #[track_caller]
    pub(crate) fn parse(text: &str) -> Json {
        if let Err(error) = serde_json::from_str::<serde_json::Value>(text) {
            panic!("no JSON: {error}: {}", shown(text));
        }
        let mut parser = Parser { text, at: 0 };
        let value = parser.value();
        parser.space();
        assert_eq!(parser.at, text.len(), "more than a value: {}", shown(text));
        value
    }

    /// The member of this name.
    pub(crate) fn get(&self, name: &str) -> Option<&Json> {
        match self {
            Json::Object(members) => members.iter().find(|(n, _)| n == name).map(|(_, v)| v),
            _ => None,
        }
    }

    /// The member of this name, which must be there.
    #[track_caller]
    pub(crate) fn at(&self, name: &str) -> &Json {
        match self.get(name) {
            Some(value) => value,
            None => panic!("no member {name} in {}", shown(&format!("{self:?}"))),
        }
    }

    #[track_caller]
    pub(crate) fn str(&self) -> &str {
        match self {
            Json::String(text) => text,
            other => panic!("no string: {}", shown(&format!("{other:?}"))),
        }
    }

    #[track_caller]
    pub(crate) fn int(&self) -> i64 {
        match self {
            Json::Number(text) => text
                .parse()
                .unwrap_or_else(|_| panic!("no integer: {text}")),
            other => panic!("no number: {}", shown(&format!("{other:?}"))),
        }
    }

    #[track_caller]
    pub(crate) fn uint(&self) -> u64 {
        match self {
            Json::Number(text) => text.parse().unwrap_or_else(|_| panic!("no number: {text}")),
            other => panic!("no number: {}", shown(&format!("{other:?}"))),
        }
    }

    #[track_caller]
    pub(crate) fn array(&self) -> &[Json] {
        match self {
            Json::Array(items) => items,
            other => panic!("no array: {}", shown(&format!("{other:?}"))),
        }
    }

    #[track_caller]
    pub(crate) fn members(&self) -> &[(String, Json)] {
        match self {
            Json::Object(members) => members,
            other => panic!("no object: {}", shown(&format!("{other:?}"))),
        }
    }
}

/// The start of a text that may be long.
pub(crate) fn shown(text: &str) -> String {
    match text.char_indices().nth(300) {
        Some((end, _)) => format!("{}... ({} bytes)", &text[..end], text.len()),
        None => text.to_owned(),
    }
}

/// The text was read by another parser before: what is wrong here is a bug of the test.
struct Parser<'t> {
    text: &'t str,
    at: usize,
}

impl Parser<'_> {
    fn peek(&self) -> u8 {
        self.text.as_bytes()[self.at]
    }

    fn space(&mut self) {
        while self.at < self.text.len() && self.peek().is_ascii_whitespace() {
            self.at += 1;
        }
    }

    fn eat(&mut self, byte: u8) {
        self.space();
        assert_eq!(self.peek(), byte, "at {} of {}", self.at, shown(self.text));
        self.at += 1;
    }

    fn value(&mut self) -> Json {
        self.space();
        match self.peek() {
            b'{' => Json::Object(self.items(b'}', |parser| {
                parser.space();
                let name = parser.string();
                parser.eat(b':');
                (name, parser.value())
            })),
            b'[' => Json::Array(self.items(b']', Parser::value)),
            b'"' => Json::String(self.string()),
            _ => {
                let rest = &self.text[self.at..];
                let end = rest
                    .find(|c: char| matches!(c, ',' | ']' | '}') || c.is_ascii_whitespace())
                    .unwrap_or(rest.len());
                self.at += end;
                match &rest[..end] {
                    "null" => Json::Null,
                    "true" => Json::Bool(true),
                    "false" => Json::Bool(false),
                    number => Json::Number(number.to_owned()),
                }
            }
        }
    }

    fn items<T>(&mut self, end: u8, mut item: impl FnMut(&mut Self) -> T) -> Vec<T> {
        self.at += 1;
        let mut items = Vec::new();
        self.space();
        if self.peek() == end {
            self.at += 1;
            return items;
        }
        loop {
            items.push(item(self));
            self.space();
            self.at += 1;
            if self.text.as_bytes()[self.at - 1] == end {
                return items;
            }
        }
    }

    fn string(&mut self) -> String {
        let start = self.at;
        let bytes = self.text.as_bytes();
        let mut escaped = false;
        self.at += 1;
        while bytes[self.at] != b'"' {
            let escape = bytes[self.at] == b'\\';
            escaped |= escape;
            self.at += if escape { 2 } else { 1 };
        }
        self.at += 1;
        let quoted = &self.text[start..self.at];
        if escaped {
            serde_json::from_str(quoted).expect("it was read before")
        } else {
            quoted[1..quoted.len() - 1].to_owned()
        }
    }
}
