//! The flags of the prompt.

use clap::Args;

use crate::terminal::History;

/// The prompt on a terminal.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct PromptArgs {
    /// Keep no lines typed at the prompt for the next run. They are kept in
    /// `$XDG_STATE_HOME/kad-node/history`, by default in `~/.local/state`, for the user alone.
    #[arg(long)]
    no_history: bool,
}

impl PromptArgs {
    pub(crate) const fn history(self) -> History {
        if self.no_history { History::Forgotten } else { History::Kept }
    }
}
