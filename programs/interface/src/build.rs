//! Instructions as clients send them: accounts in order, and data. One definition for the
//! ledger client, the tests and the benchmarks. Addresses are derived by the caller, from
//! [`crate::seeds`].

use crate::account::CloseReason;
use crate::instruction::{
    Attest, Bind, BindLine, ClaimReceipt, Close, InitConfig, Lines, Nothing, OpenLease,
    RegisterDevice, Served, SetConfig, Tag, TopUp, UpdateDevice, encode,
};
use crate::{Address, BaseUnits, INSTRUCTIONS_SYSVAR, SYSTEM_PROGRAM, TOKEN_PROGRAM};
use alloc::vec::Vec;

/// An account in an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meta {
    /// Its address.
    pub address: Address,
    /// Whether it signs.
    pub signer: bool,
    /// Whether it may change.
    pub writable: bool,
}

/// An instruction without its program's id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ix {
    /// Accounts in order.
    pub accounts: Vec<Meta>,
    /// Tag, arguments, list.
    pub data: Vec<u8>,
}

fn read(address: Address) -> Meta {
    Meta { address, signer: false, writable: false }
}

fn write(address: Address) -> Meta {
    Meta { address, signer: false, writable: true }
}

fn sign(address: Address) -> Meta {
    Meta { address, signer: true, writable: false }
}

fn pay(address: Address) -> Meta {
    Meta { address, signer: true, writable: true }
}

fn ix<const N: usize>(accounts: [Meta; N], data: Vec<u8>) -> Ix {
    Ix { accounts: accounts.into(), data }
}

fn plain<T: crate::Field>(tag: Tag, args: &T) -> Vec<u8> {
    encode::<T, u8>(tag, args, &[])
}

fn with_writable<const N: usize>(fixed: [Meta; N], more: &[Address], data: Vec<u8>) -> Ix {
    let mut made = ix(fixed, data);
    made.accounts.extend(more.iter().copied().map(write));
    made
}

/// Makes the configuration. `program_data` is the upgradeable loader's account of `program`.
pub fn init_config(
    payer: Address,
    authority: Address,
    config: Address,
    program: Address,
    program_data: Address,
    args: &InitConfig,
) -> Ix {
    let accounts = [
        pay(payer),
        sign(authority),
        write(config),
        read(program),
        read(program_data),
        read(SYSTEM_PROGRAM),
    ];
    ix(accounts, plain(Tag::InitConfig, args))
}

/// Proposes settings; a proposal that waits is replaced, and its cool-down starts anew.
pub fn set_config(admin: Address, config: Address, args: &SetConfig) -> Ix {
    ix([sign(admin), write(config)], plain(Tag::SetConfig, args))
}

/// Puts proposed settings into force. Nobody signs.
pub fn apply_config(config: Address) -> Ix {
    ix([write(config)], plain(Tag::ApplyConfig, &Nothing {}))
}

/// Registers a device. Unless `device_signs` the transaction, an Ed25519 precompile instruction
/// with its statement ([`crate::statement`]) must stand right before this one.
pub fn register_device(
    supplier: Address,
    payer: Address,
    device: Address,
    config: Address,
    device_key: Address,
    device_signs: bool,
    args: &RegisterDevice,
) -> Ix {
    let accounts = [
        sign(supplier),
        pay(payer),
        write(device),
        read(config),
        Meta { address: device_key, signer: device_signs, writable: false },
        read(INSTRUCTIONS_SYSVAR),
        read(SYSTEM_PROGRAM),
    ];
    ix(accounts, plain(Tag::RegisterDevice, args))
}

/// Changes a device's offer.
pub fn update_device(
    supplier: Address,
    device: Address,
    config: Address,
    args: &UpdateDevice,
) -> Ix {
    ix([sign(supplier), write(device), read(config)], plain(Tag::UpdateDevice, args))
}

/// Removes a device that is bound nowhere; its rent goes to `rent_payer`, as recorded.
pub fn retire_device(supplier: Address, device: Address, rent_payer: Address) -> Ix {
    let accounts = [sign(supplier), write(device), write(rent_payer)];
    ix(accounts, plain(Tag::RetireDevice, &Nothing {}))
}

/// The accounts of [`open_lease`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenLeaseAccounts {
    /// Who rents; signs.
    pub renter: Address,
    /// Who pays the rent of the accounts; signs. May be the renter.
    pub payer: Address,
    /// The configuration.
    pub config: Address,
    /// The renter's counter.
    pub counter: Address,
    /// The lease to be made.
    pub lease: Address,
    /// Its vault to be made.
    pub vault: Address,
    /// What is paid in.
    pub mint: Address,
    /// Where the deposit comes from: a token account that the renter may spend from.
    pub source: Address,
}

/// Opens a lease.
pub fn open_lease(a: &OpenLeaseAccounts, args: &OpenLease) -> Ix {
    let accounts = [
        pay(a.renter),
        pay(a.payer),
        read(a.config),
        write(a.counter),
        write(a.lease),
        write(a.vault),
        read(a.mint),
        write(a.source),
        read(TOKEN_PROGRAM),
        read(SYSTEM_PROGRAM),
    ];
    ix(accounts, plain(Tag::OpenLease, args))
}

/// Adds money to a lease. `authority` owns `source` or is its delegate.
pub fn top_up(
    authority: Address,
    source: Address,
    lease: Address,
    vault: Address,
    amount: BaseUnits,
) -> Ix {
    let accounts =
        [sign(authority), write(source), write(lease), write(vault), read(TOKEN_PROGRAM)];
    ix(accounts, plain(Tag::TopUp, &TopUp { amount }))
}

/// Binds devices to slots; `devices[i]` (the device's account) belongs to `lines[i]`. The page
/// is made when it is new; `payer` pays for it.
pub fn bind(
    coordinator: Address,
    payer: Address,
    lease: Address,
    page: Address,
    devices: &[Address],
    args: &Bind,
    lines: &[BindLine],
) -> Ix {
    let fixed = [sign(coordinator), pay(payer), write(lease), write(page), read(SYSTEM_PROGRAM)];
    with_writable(fixed, devices, encode(Tag::Bind, args, lines))
}

/// Starts the meters of lines.
pub fn start(coordinator: Address, lease: Address, page: Address, epoch: u64, lines: &[u8]) -> Ix {
    let data = encode(Tag::Start, &Lines { epoch }, lines);
    ix([sign(coordinator), write(lease), write(page)], data)
}

/// Refuses lines in their acceptance window, as renter or session key. `devices[i]` is the
/// account of the device of `lines[i]`.
pub fn reject(
    actor: Address,
    lease: Address,
    page: Address,
    devices: &[Address],
    lines: &[u8],
) -> Ix {
    let data = encode(Tag::Reject, &Nothing {}, lines);
    with_writable([sign(actor), write(lease), write(page)], devices, data)
}

/// Ends lines: as coordinator, renter, session key, supplier of each, or, once the lease is
/// closed, as anyone. `devices[i]` is the account of the device of `lines[i]`.
pub fn end_line(
    actor: Address,
    lease: Address,
    page: Address,
    devices: &[Address],
    epoch: u64,
    lines: &[u8],
) -> Ix {
    let data = encode(Tag::EndLine, &Lines { epoch }, lines);
    with_writable([sign(actor), write(lease), write(page)], devices, data)
}

/// Vouches for served seconds, as coordinator, session key or renter. Never lowers one.
pub fn attest(actor: Address, lease: Address, page: Address, epoch: u64, served: &[Served]) -> Ix {
    let data = encode(Tag::Attest, &Attest { epoch }, served);
    ix([sign(actor), write(lease), write(page)], data)
}

/// Vouches for served seconds by a receipt ([`crate::statement::Receipt`]) that the coordinator or
/// the session key signed: an Ed25519 precompile instruction with it must stand right before.
/// Nobody signs the transaction's part.
pub fn claim_receipt(lease: Address, page: Address, config: Address, args: &ClaimReceipt) -> Ix {
    let accounts = [write(lease), write(page), read(config), read(INSTRUCTIONS_SYSVAR)];
    ix(accounts, plain(Tag::ClaimReceipt, args))
}

/// Pays what lines have earned. `destinations[i]` is a token account of the payout owner of
/// `lines[i]`. Nobody signs.
pub fn withdraw(
    lease: Address,
    page: Address,
    vault: Address,
    destinations: &[Address],
    lines: &[u8],
) -> Ix {
    let data = encode(Tag::Withdraw, &Nothing {}, lines);
    let fixed = [write(lease), write(page), write(vault), read(TOKEN_PROGRAM)];
    with_writable(fixed, destinations, data)
}

/// Closes a lease. With `refund_to`, a token account of the renter, what no line can claim is
/// paid back in the same call.
pub fn close(
    actor: Address,
    lease: Address,
    vault: Address,
    refund_to: Option<Address>,
    epoch: u64,
    reason: CloseReason,
) -> Ix {
    let data = plain(Tag::Close, &Close { epoch, reason, refund: refund_to.is_some() });
    let mut made = ix([sign(actor), write(lease)], data);
    if let Some(account) = refund_to {
        made.accounts.extend([write(vault), write(account), read(TOKEN_PROGRAM)]);
    }
    made
}

/// Pays the renter what no line can claim, once closed. Nobody signs.
pub fn refund(lease: Address, vault: Address, renter_token: Address) -> Ix {
    let accounts = [write(lease), write(vault), write(renter_token), read(TOKEN_PROGRAM)];
    ix(accounts, plain(Tag::Refund, &Nothing {}))
}

/// Pays the renter what nobody claimed, after the claim window. Nobody signs.
pub fn finalize(lease: Address, vault: Address, renter_token: Address) -> Ix {
    let accounts = [write(lease), write(vault), write(renter_token), read(TOKEN_PROGRAM)];
    ix(accounts, plain(Tag::Finalize, &Nothing {}))
}

/// Pays the fees to `fee_token`, a token account of the fee owner. Nobody signs.
pub fn sweep_fees(config: Address, lease: Address, vault: Address, fee_token: Address) -> Ix {
    let accounts =
        [read(config), write(lease), write(vault), write(fee_token), read(TOKEN_PROGRAM)];
    ix(accounts, plain(Tag::SweepFees, &Nothing {}))
}

/// Closes a page of a finalized lease when all its lines are ended and drawn. Nobody signs.
pub fn reclaim_page(lease: Address, page: Address, rent_payer: Address) -> Ix {
    let accounts = [write(lease), write(page), write(rent_payer)];
    ix(accounts, plain(Tag::ReclaimPage, &Nothing {}))
}

/// Closes a finalized lease and its vault; tokens that strangers sent go to the renter. Nobody
/// signs.
pub fn reclaim_lease(
    lease: Address,
    vault: Address,
    renter_token: Address,
    rent_payer: Address,
) -> Ix {
    let accounts =
        [write(lease), write(vault), write(renter_token), write(rent_payer), read(TOKEN_PROGRAM)];
    ix(accounts, plain(Tag::ReclaimLease, &Nothing {}))
}
