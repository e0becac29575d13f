//! `ionet device`: enrol devices, look at them, drain them, draw what they earned.

mod blob;
mod draw;
mod enrol;
mod looks;
mod show;

pub(crate) use enrol::{Asks, enrol_here};
use show::table;
pub(crate) use show::{multiply_adds, painted};

use crate::context::{Context, now_unix, parse_wallet};
use crate::failure::Result;
use crate::output::{Output, number};
use ionet_api::{CheckSummary, Device, Drain};
use ionet_core::{DeviceId, catalogue};
use std::path::PathBuf;

/// Enrol devices and look at them.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum DeviceCommand {
    /// On the rig: make its key and print a request for the wallet that shall own it
    Request(enrol::RequestArgs),
    /// Where the wallet is: check a request, register the device on-chain, print the grant
    Grant(enrol::GrantArgs),
    /// On the rig: keep the grant
    Accept {
        /// What `device grant` printed; `-`: from stdin.
        blob: String,
        /// Where the device's key is [default: $IONET_HOME/device].
        #[arg(long, value_name = "DIR")]
        state_dir: Option<PathBuf>,
    },
    /// Every device that the coordinator knows
    List {
        /// Only those of this wallet; `me`: the own.
        #[arg(long)]
        supplier: Option<String>,
    },
    /// One device
    Show {
        /// The device.
        id: DeviceId,
    },
    /// The classes of chips that specs may name
    Classes,
    /// Take nothing new
    Drain {
        /// The device.
        id: DeviceId,
    },
    /// Take work again
    Undrain {
        /// The device.
        id: DeviceId,
    },
    /// Pay out what your devices have earned and not drawn yet
    Draw,
}

/// Does it.
pub(crate) async fn run(context: &Context, command: DeviceCommand) -> Result<()> {
    match command {
        DeviceCommand::Request(args) => enrol::request(context, args).await,
        DeviceCommand::Grant(args) => enrol::grant(context, args).await,
        DeviceCommand::Accept { blob, state_dir } => enrol::accept(context, &blob, state_dir).await,
        DeviceCommand::List { supplier } => list(context, supplier.as_deref()).await,
        DeviceCommand::Show { id } => show(context, id).await,
        DeviceCommand::Classes => classes(context),
        DeviceCommand::Drain { id } => drain(context, id, true).await,
        DeviceCommand::Undrain { id } => drain(context, id, false).await,
        DeviceCommand::Draw => draw::run(context).await,
    }
}

async fn list(context: &Context, supplier: Option<&str>) -> Result<()> {
    let supplier = match supplier {
        Some("me") => Some(context.wallet()?),
        Some(text) => Some(parse_wallet(text)?),
        None => None,
    };
    let mut devices: Vec<Device> = context.rest()?.get("/v1/devices").await?;
    devices.retain(|d| supplier.is_none_or(|s| d.supplier == s));
    context.out.answer(&devices, || table(context.out, &devices))
}

/// A device with everything that is known of it, for people.
pub(crate) fn shown(out: Output, device: &Device) -> String {
    show::text(out, device, now_unix() * 1_000)
}

/// `ionet device show`, and `ionet worker status`.
pub(crate) async fn show(context: &Context, id: DeviceId) -> Result<()> {
    let device: Device = context.rest()?.get(&format!("/v1/devices/{id}")).await?;
    // What renters saw: not every coordinator keeps it.
    let path = format!("/v1/devices/{id}/checks");
    let checks: Vec<CheckSummary> = context.rest()?.get(&path).await.unwrap_or_default();
    context.out.answer(&device, || {
        let now_ms = now_unix() * 1_000;
        let text = show::text(context.out, &device, now_ms);
        text + &looks::text(context.out, &device, &checks, now_ms)
    })
}

fn classes(context: &Context) -> Result<()> {
    let rows: Vec<_> = catalogue::CATALOGUE
        .iter()
        .map(|r| serde_json::json!({ "name": r.name, "kind": r.kind, "memory_gib": r.memory_gib }))
        .collect();
    context.out.answer(&rows, || {
        let mut table = context.out.table(["chip", "kind", "memory"]);
        for row in catalogue::CATALOGUE {
            let memory = match row.memory_gib {
                0 => String::new(),
                n => format!("{n} GiB"),
            };
            let kind = format!("{:?}", row.kind).to_lowercase();
            table.add_row([row.name.into(), kind.into(), number(memory)]);
        }
        table.to_string()
    })
}

async fn drain(context: &Context, id: DeviceId, drain: bool) -> Result<()> {
    let rest = context.signed_in().await?;
    let key = uuid::Uuid::now_v7().simple().to_string();
    let path = format!("/v1/devices/{id}/drain");
    let device: Device = rest.post_once(&path, &Drain { drain }, &key).await?;
    context.out.answer(&device, || table(context.out, std::slice::from_ref(&device)))
}
