//! The public record of a trial: what anybody needs to compute its outcome again.
