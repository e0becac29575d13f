//! Helpers of this crate's tests.

use crate::key::{DeviceKey, request};
use crate::store::{Intent, StoredPart};
use ed25519_dalek::{Signer, SigningKey};
use ionet_core::{
    ChainRef, ClusterId, DeviceGrant, DeviceId, Egress, Enrolment, GenesisHash, ImageRef, Member,
    Membership, PartId, PartSpec, ProgramId, Role, SignatureBytes, SignedGrant, Slice, Wallet,
};
use ionet_market_interface::statement::Receipt;
use ionet_wire::message::{PartSecrets, SignedReceipt};

pub(crate) const DEVICE: DeviceId = DeviceId([5; 32]);

pub(crate) fn chain() -> ChainRef {
    ChainRef { genesis: GenesisHash([1; 32]), program: ProgramId([2; 32]) }
}

pub(crate) fn coordinator_key() -> SigningKey {
    SigningKey::from_bytes(&[42; 32])
}

pub(crate) fn coordinator_wallet() -> Wallet {
    Wallet(coordinator_key().verifying_key().to_bytes())
}

pub(crate) fn enrolment(key: &DeviceKey) -> Enrolment {
    let wallet = SigningKey::from_bytes(&[9; 32]);
    let supplier = Wallet(wallet.verifying_key().to_bytes());
    let request = request(key, supplier, chain(), 2_000_000_000);
    let device = key.id();
    let (granted, expires) = (1_900_000_000, 2_000_000_000);
    let grant = DeviceGrant { device, supplier, chain: chain(), granted, expires };
    let signature = SignatureBytes(wallet.sign(&grant.signing_bytes()).to_bytes());
    Enrolment { request, grant: SignedGrant { grant, signature } }
}

pub(crate) fn lease(n: u8) -> Wallet {
    Wallet([n; 32])
}

pub(crate) fn spec(device: DeviceId, n: u8, generation: u32) -> PartSpec {
    PartSpec {
        id: PartId { cluster: ClusterId::of_lease(&lease(n)), generation },
        device,
        role: Role::Head,
        image: ImageRef::default(),
        membership: Membership {
            subnet: [10, 130, n, 0].into(),
            prefix: 24,
            members: vec![Member { device, ip: [10, 130, n, 2].into(), role: Role::Head }],
        },
        chips: 1,
        slice: Slice { cpu_milli: 500, memory_bytes: 1 << 30, scratch_bytes: 64 << 20 },
        egress: Egress::None,
    }
}

pub(crate) fn secrets() -> PartSecrets {
    PartSecrets { ray_token: "ab".repeat(32) }
}

pub(crate) fn part(n: u8, generation: u32) -> StoredPart {
    StoredPart {
        spec: spec(DEVICE, n, generation),
        lease: lease(n),
        secrets: secrets(),
        request_id: "req-1".into(),
        intent: Intent::Run,
        chips: vec![0],
    }
}

pub(crate) fn signed_receipt(lease: Wallet, served_s: u64) -> SignedReceipt {
    receipt_by(&coordinator_key(), lease, served_s)
}

pub(crate) fn receipt_by(key: &SigningKey, lease: Wallet, served_s: u64) -> SignedReceipt {
    let receipt = Receipt { lease: lease.0, page: 0, index: 3, generation: 7, served_s };
    let bytes = receipt.signing_bytes(&chain().genesis.0, &chain().program.0);
    SignedReceipt {
        cluster: ClusterId::of_lease(&lease),
        lease,
        page: 0,
        line: 3,
        generation: 7,
        served_s,
        signer: Wallet(key.verifying_key().to_bytes()),
        signature: SignatureBytes(key.sign(&bytes).to_bytes()),
    }
}
