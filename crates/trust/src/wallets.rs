//! Who funded whom: clusters of wallets that one hand feeds.
