//! One thing that was looked at.

use serde::Serialize;

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// Fine.
    Ok,
    /// Works, but look at it.
    Warn,
    /// ionet cannot run like this.
    Fail,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Check {
    /// Name, for programs.
    pub(crate) name: &'static str,
    /// What came of it.
    pub(crate) state: State,
    /// What was seen, in plain words.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) todo: Option<String>,
}

impl Check {
    /// Fine.
    pub(crate) fn ok(name: &'static str, message: impl Into<String>) -> Self {
        Self { name, state: State::Ok, message: message.into(), todo: None }
    }

    /// Works, but look at it.
    pub(crate) fn warn(
        name: &'static str,
        message: impl Into<String>,
        todo: impl Into<String>,
    ) -> Self {
        let todo = Some(todo.into());
        Self { name, state: State::Warn, message: message.into(), todo }
    }

    /// ionet cannot run like this.
    pub(crate) fn fail(
        name: &'static str,
        message: impl Into<String>,
        todo: impl Into<String>,
    ) -> Self {
        let todo = Some(todo.into());
        Self { name, state: State::Fail, message: message.into(), todo }
    }
}
