//! Reading the market's accounts. What an endpoint answers is checked before it is believed:
//! owner, kind, version and every field.

use crate::connection::{Found, decoded};
use crate::error::LedgerError;
use crate::token::{SYSTEM_PROGRAM, TOKEN_PROGRAM, TokenAccount, associated_account};
use crate::{Ledger, addresses};
use ionet_market_interface::LayoutError;
use ionet_market_interface::account::{
    Config, Device, Kind, LAYOUT_VERSION, Lease, Line, RenterCounter,
};
use solana_address::Address;
use solana_rpc_client_api::config::{
    RpcAccountInfoConfig, RpcProgramAccountsConfig, UiAccountEncoding, UiDataSliceConfig,
};
use solana_rpc_client_api::filter::{Memcmp, RpcFilterType};
use solana_rpc_client_api::response::UiAccount;

/// A line with its place in the lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacedLine {
    /// The page.
    pub page: u16,
    /// Its index in the page.
    pub index: u8,
    /// The line.
    pub line: Line,
}

fn malformed(kind: &'static str, address: Address) -> impl FnOnce(LayoutError) -> LedgerError {
    move |why| LedgerError::Malformed { kind, address, why: why.to_string() }
}

impl Ledger {
    /// The program's configuration.
    pub async fn config(&self) -> Result<Config, LedgerError> {
        let address = addresses::config(&self.program).0;
        let missing = LedgerError::NotFound { kind: "market configuration", address };
        let data = self.record("market configuration", &address).await?.ok_or(missing)?;
        Config::decode(&data).map_err(malformed("market configuration", address))
    }

    /// The record of the device with this key; `None` if it is not registered.
    pub async fn device(&self, key: &[u8; 32]) -> Result<Option<Device>, LedgerError> {
        Ok(self.devices_of_keys(&[*key]).await?.pop().flatten())
    }

    /// The records of many devices, in the order asked.
    pub async fn devices_of_keys(
        &self,
        keys: &[[u8; 32]],
    ) -> Result<Vec<Option<Device>>, LedgerError> {
        let at: Vec<_> = keys.iter().map(|k| addresses::device(&self.program, k).0).collect();
        let found = self.records("device", &at).await?;
        at.iter()
            .zip(found)
            .map(|(address, data)| match data {
                None => Ok(None),
                Some(data) => {
                    Device::decode(&data).map(Some).map_err(malformed("device", *address))
                }
            })
            .collect()
    }

    /// Every device of a supplier.
    pub async fn devices_of_supplier(
        &self,
        supplier: &Address,
    ) -> Result<Vec<Device>, LedgerError> {
        let found = self.find(Kind::Device, Device::SUPPLIER_AT, supplier).await?;
        found
            .into_iter()
            .map(|(address, data)| Device::decode(&data).map_err(malformed("device", address)))
            .collect()
    }

    /// A lease; `None` if there is none (never opened, or reclaimed).
    pub async fn lease(&self, address: &Address) -> Result<Option<Lease>, LedgerError> {
        Ok(self.leases(std::slice::from_ref(address)).await?.pop().flatten())
    }

    /// Many leases, in the order asked.
    pub async fn leases(&self, addresses: &[Address]) -> Result<Vec<Option<Lease>>, LedgerError> {
        let found = self.records("lease", addresses).await?;
        addresses
            .iter()
            .zip(found)
            .map(|(address, data)| match data {
                None => Ok(None),
                Some(data) => Lease::decode(&data).map(Some).map_err(malformed("lease", *address)),
            })
            .collect()
    }

    /// Every lease of a renter that exists.
    pub async fn leases_of_renter(
        &self,
        renter: &Address,
    ) -> Result<Vec<(Address, Lease)>, LedgerError> {
        self.find_leases(Lease::RENTER_AT, renter).await
    }

    /// Every lease that names this coordinator.
    pub async fn leases_of_coordinator(
        &self,
        coordinator: &Address,
    ) -> Result<Vec<(Address, Lease)>, LedgerError> {
        self.find_leases(Lease::COORDINATOR_AT, coordinator).await
    }

    async fn find_leases(
        &self,
        at: usize,
        key: &Address,
    ) -> Result<Vec<(Address, Lease)>, LedgerError> {
        let found = self.find(Kind::Lease, at, key).await?;
        found
            .into_iter()
            .map(|(address, data)| {
                let lease = Lease::decode(&data).map_err(malformed("lease", address))?;
                Ok((address, lease))
            })
            .collect()
    }

    /// Every line of a lease, in order. Pages that were reclaimed are left out.
    pub async fn lines(
        &self,
        address: &Address,
        lease: &Lease,
    ) -> Result<Vec<PlacedLine>, LedgerError> {
        let pages = self.pages_of(address, lease).await?;
        Ok(pages.into_iter().flat_map(|page| page.lines).collect())
    }

    /// The counter that this renter's next lease will have.
    pub async fn next_counter(&self, renter: &Address) -> Result<u64, LedgerError> {
        let address = addresses::renter(&self.program, renter).0;
        match self.record("renter's counter", &address).await? {
            None => Ok(0),
            Some(data) => RenterCounter::decode(&data)
                .map(|counter| counter.next)
                .map_err(malformed("renter's counter", address)),
        }
    }

    /// Base units of `mint` in `owner`'s associated account; 0 where there is none.
    pub async fn tokens(&self, owner: &Address, mint: &Address) -> Result<u64, LedgerError> {
        let address = associated_account(owner, mint);
        Ok(self.token_account(&address).await?.map_or(0, |account| account.amount))
    }

    /// A token account; `None` where there is none.
    pub async fn token_account(
        &self,
        address: &Address,
    ) -> Result<Option<TokenAccount>, LedgerError> {
        Ok(self.token_accounts(std::slice::from_ref(address)).await?.pop().flatten())
    }

    /// Many token accounts, in the order asked.
    pub async fn token_accounts(
        &self,
        addresses: &[Address],
    ) -> Result<Vec<Option<TokenAccount>>, LedgerError> {
        let found = self.connection.found(addresses).await?;
        let read = |(address, found): (&Address, Option<Found>)| {
            let Some(found) = found else { return Ok(None) };
            let parsed = TokenAccount::parse(&found.data).filter(|_| found.owner == TOKEN_PROGRAM);
            // Lamports alone may lie at an address before its account is made.
            if found.owner == SYSTEM_PROGRAM {
                return Ok(None);
            }
            let why = "not an account of SPL Token".to_owned();
            parsed.map(Some).ok_or(LedgerError::Malformed {
                kind: "token account",
                address: *address,
                why,
            })
        };
        addresses.iter().zip(found).map(read).collect()
    }

    async fn record(
        &self,
        kind: &'static str,
        address: &Address,
    ) -> Result<Option<Vec<u8>>, LedgerError> {
        Ok(self.records(kind, std::slice::from_ref(address)).await?.pop().flatten())
    }

    /// The data of accounts that must be the program's, in the order asked. Lamports that
    /// somebody sent to an address before its account was made are no account yet.
    pub(crate) async fn records(
        &self,
        kind: &'static str,
        addresses: &[Address],
    ) -> Result<Vec<Option<Vec<u8>>>, LedgerError> {
        let found = self.connection.found(addresses).await?;
        let ours = |(address, found): (&Address, Option<Found>)| match found {
            Some(found) if found.owner == self.program => Ok(Some(found.data)),
            Some(found) if found.owner != SYSTEM_PROGRAM || !found.data.is_empty() => {
                let why = format!("it belongs to {}, not to {}", found.owner, self.program);
                Err(LedgerError::Malformed { kind, address: *address, why })
            }
            Some(_) | None => Ok(None),
        };
        addresses.iter().zip(found).map(ours).collect()
    }

    /// Accounts of a kind whose bytes at `at` are `key`.
    async fn find(
        &self,
        kind: Kind,
        at: usize,
        key: &Address,
    ) -> Result<Vec<(Address, Vec<u8>)>, LedgerError> {
        self.find_heads(kind, at, key, None).await
    }

    /// The same; with `bytes`, only so many from each account's start.
    pub(crate) async fn find_heads(
        &self,
        kind: Kind,
        at: usize,
        key: &Address,
        bytes: Option<usize>,
    ) -> Result<Vec<(Address, Vec<u8>)>, LedgerError> {
        let head = vec![kind as u8, LAYOUT_VERSION];
        let filters = vec![
            RpcFilterType::Memcmp(Memcmp::new_raw_bytes(0, head)),
            RpcFilterType::Memcmp(Memcmp::new_raw_bytes(at, key.to_bytes().to_vec())),
        ];
        let config = RpcProgramAccountsConfig {
            filters: Some(filters),
            account_config: RpcAccountInfoConfig {
                encoding: Some(UiAccountEncoding::Base64),
                data_slice: bytes.map(|length| UiDataSliceConfig { offset: 0, length }),
                ..RpcAccountInfoConfig::default()
            },
            ..RpcProgramAccountsConfig::default()
        };
        let found = self
            .connection
            .rpc()
            .get_program_ui_accounts_with_config(&self.program, config)
            .await
            .map_err(|e| self.connection.failed(e))?;
        let read = |(address, account): (Address, UiAccount)| {
            let found = decoded(address, &account)?;
            // An endpoint could answer accounts that were not asked for.
            let whole = bytes.is_some_and(|bytes| found.data.len() > bytes);
            let asked = found.data.get(at..at + 32).is_none_or(|bytes| bytes == key.as_array());
            if found.owner != self.program || whole || !asked {
                let why = "the endpoint answers another account than was asked for".to_owned();
                return Err(LedgerError::Malformed { kind: "account", address, why });
            }
            Ok((address, found.data))
        };
        found.into_iter().map(read).collect()
    }
}
