//! `ionet up`: from nothing, or from what an earlier `up` left, to a network with idle devices.

use super::network::LocalNetwork;
use super::{UpArgs, image, install, is_running, pid_file, status};
use crate::context::{Context, wallet_of};
use crate::device::{Asks, enrol_here};
use crate::doctor::{HOST_MEMORY_BYTES, State, Subject, examine, render};
use crate::failure::{Failure, Kind, OrFail as _, Result};
use crate::home::{
    Settings, give_to_invoking_user, private_folder, write_atomic, write_if_changed,
};
use crate::output::{Paint, bytes};
use crate::process::{Process, spawn_detached, this_program};
use crate::rest::Rest;
use crate::wallet::{address_of, amount, fund};
use ionet_api::{Device, DeviceStateName, Network};
use ionet_core::{Amount, Asset, DeviceId, GenesisHash, Region, Slice, Wallet};
use ionet_ledger::{
    Bootstrap, KeypairFile, Ledger, LedgerError, NetworkKeys, Signer as _, bootstrap,
};
use ionet_worker::{Containers, CoordinatorAddress, WorkerConfig};
use std::time::Duration;
use tokio::time::Instant;

/// Workers of a first `up`.
const WORKERS: u16 = 4;
/// A process of ours answers so long after its start at the latest.
const ANSWER: Duration = Duration::from_secs(60);
/// Devices connect, read their hardware, and are admitted.
const IDLE: Duration = Duration::from_secs(90);
/// Between two looks.
const POLL: Duration = Duration::from_millis(150);
/// First money of a renter on a local network: SOL, USDC, IO.
const FIRST_MONEY: (u64, &str, &str) = (10, "1000", "1000");
/// SOL of each supplier, for its registration.
const SUPPLIER_SOL: u64 = 2;
/// A Ray node with less than a whole thread takes minutes to start; threads are shared by time.
const CPU_MILLI_MIN: u32 = 1_000;
/// Scratch space of each worker.
const SCRATCH_BYTES: u64 = 2 << 30;

/// Does it.
pub(crate) async fn up(context: &Context, args: UpArgs) -> Result<()> {
    if !nix::unistd::geteuid().is_root() {
        return super::as_root(context, "up");
    }
    let begun = Instant::now();
    let out = context.out;
    let mut network = prepare(context, &args).await?;
    install_link(context, &mut network)?;
    start(context, &network).await?;
    let as_written = network.clone();
    let image = build_image(context, &as_written, &args);
    let set_up = Box::pin(set_up(context, &mut network));
    let (image, set_up) = tokio::join!(image, set_up);
    let devices = set_up?;
    if image? && !network.made_image {
        network.made_image = true;
        network.save()?;
    }
    wait_idle(context, &network, &devices).await?;
    let wallet = context.wallet()?;
    let answer = serde_json::json!({
        "coordinator_url": network.rest_url(), "rpc_url": network.rpc_url(),
        "ws_url": network.ws_url(), "wallet": wallet, "devices": devices,
        "genesis": network.genesis, "seconds": begun.elapsed().as_secs(),
    });
    out.answer(&answer, || farewell(context, &network, wallet, &devices, begun.elapsed()))
}

/// Checks the machine, and writes down what the network is to be like.
async fn prepare(context: &Context, args: &UpArgs) -> Result<LocalNetwork> {
    let home = &context.home;
    let running = is_running(home);
    let found = LocalNetwork::load(home)?;
    let workers = args.workers.or(found.as_ref().map(|n| n.workers)).unwrap_or(WORKERS);
    let rpc = found.as_ref().filter(|_| running).map(LocalNetwork::rpc_url);
    let subject = Subject { home: home.path(), workers, running, rpc_url: rpc.as_deref() };
    let checks = examine(&subject).await;
    context.out.say(render(context.out, &checks));
    if checks.iter().any(|c| c.state == State::Fail) && !args.force {
        return Err(Failure::refused("this machine cannot run ionet yet")
            .hint("do what stands behind the arrows above, or say --force"));
    }
    if let Some(ask) = &args.ask {
        amount(Asset::Usdc, ask)?;
    }
    let mut network = found.unwrap_or_else(|| LocalNetwork::new(home, workers));
    let grew = workers > network.workers;
    network.workers = workers;
    network.ask = args.ask.clone().unwrap_or(network.ask);
    network.egress = args.egress.unwrap_or(network.egress);
    for folder in ["keys", "suppliers", "chain", "coordinator", "workers", "logs", "run"] {
        let path = network.folder().join(folder);
        match folder {
            "keys" | "suppliers" | "coordinator" | "chain" => private_folder(&path)?,
            _ => std::fs::create_dir_all(&path).or_internal(path.display())?,
        }
    }
    give_to_invoking_user(home.path());
    if !running {
        // Of a supervisor that was killed: they hold the ports.
        super::down::end_left_over(home, &network).await;
    }
    if !running || grew {
        let mut wish = network.clone();
        for (service, port) in wish.choose_ports()? {
            if !running {
                context.out.say(format!("{service}: the usual port is taken, using {port}"));
            }
        }
        if running {
            // Ports of what runs stay; only those of new workers are new.
            let kept = network.ports.metrics.len();
            network.ports.metrics.extend_from_slice(&wish.ports.metrics[kept..]);
        } else {
            network.ports = wish.ports;
        }
    }
    if !crate::doctor::on_path("podman") {
        network.socket = "/var/run/docker.sock".into();
        network.own_engine = false;
    }
    write_if_changed(&network.containers_conf(), super::CONTAINERS_CONF.as_bytes(), 0o644)?;
    let admin = KeypairFile::load_or_create(&network.admin_key())?;
    let address = network.folder().join("keys/admin.address");
    write_if_changed(&address, admin.address().to_string().as_bytes(), 0o644)?;
    network.save()?;
    Ok(network)
}

fn install_link(context: &Context, network: &mut LocalNetwork) -> Result<()> {
    match install::link(&this_program()?) {
        Ok(Some(link)) => {
            context.out.say(format!("ionet is on the PATH: {}", link.display()));
            network.link = Some(link);
            network.save()
        }
        Ok(None) => Ok(()),
        Err(failure) => {
            context.out.say(format!("ionet was not put on the PATH: {failure}"));
            Ok(())
        }
    }
}

/// Starts the supervisor unless it runs.
async fn start(context: &Context, network: &LocalNetwork) -> Result<()> {
    let file = pid_file(&context.home, "supervisor");
    if Process::from_file(&file).is_some() {
        return Ok(());
    }
    let mut command = std::process::Command::new(this_program()?);
    command.args(["local", "run"]).env("IONET_HOME", context.home.path()).current_dir("/");
    let process = spawn_detached(&mut command, &network.log("supervisor"))?;
    let deadline = Instant::now() + ANSWER;
    while Process::from_file(&file).is_none() {
        if !process.is_alive() || Instant::now() > deadline {
            let log = network.log("supervisor");
            return Err(Failure::new(Kind::Internal, "the supervisor did not start")
                .hint(format!("see {}", log.display())));
        }
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}

/// Returns whether the image is there because of us.
async fn build_image(context: &Context, network: &LocalNetwork, args: &UpArgs) -> Result<bool> {
    if args.no_image {
        return Ok(false);
    }
    let there = image::is_there(network).await;
    if !there {
        context.out.say(format!(
            "building the Ray image from apt and pip, once; some minutes (log: {})",
            network.log("image").display()
        ));
    }
    image::build(network).await?;
    Ok(!there)
}

/// Everything on the chain and on disk that processes need. Each step looks first.
async fn set_up(context: &Context, network: &mut LocalNetwork) -> Result<Vec<DeviceId>> {
    let ledger = Ledger::connect(&network.rpc_url());
    wait_for(context, "chain", || async {
        match ledger.connection().genesis_hash().await {
            Ok(hash) => Ok(Some(hash)),
            Err(LedgerError::Unavailable { .. }) => Ok(None),
            Err(e) => Err(e.into()),
        }
    })
    .await
    .map(|hash| network.genesis = Some(GenesisHash(hash)))?;
    let keys = NetworkKeys {
        admin: KeypairFile::load_or_create(&network.admin_key())?,
        coordinator: KeypairFile::load_or_create(&network.key("coordinator"))?,
        fee_owner: KeypairFile::load_or_create(&network.key("fee-owner"))?,
        usdc_mint: KeypairFile::load_or_create(&network.key("usdc-mint"))?,
        io_mint: KeypairFile::load_or_create(&network.key("io-mint"))?,
    };
    let mints = bootstrap(&ledger, &keys, &Bootstrap::LOCAL).await?;
    network.usdc_mint = Some(Wallet(mints.usdc.to_bytes()));
    network.io_mint = Some(Wallet(mints.io.to_bytes()));
    network.save()?;
    let coordinator = wallet_of(&keys.coordinator);
    write_coordinator(network)?;
    renter(context, network, &ledger).await?;
    let rest = Rest::new(&network.rest_url(), &context.request_id)?;
    let (told, devices) = tokio::join!(
        wait_for(context, "coordinator", || async {
            match rest.get::<Network>("/v1/network").await {
                Ok(told) => Ok(Some(told)),
                Err(f) if matches!(f.kind, Kind::Unreachable | Kind::Timeout) => Ok(None),
                Err(f) => Err(f),
            }
        }),
        enrol_all(network.clone(), &ledger, coordinator),
    );
    let (told, devices) = (told?, devices?);
    network.suppliers = devices.iter().map(|(_, supplier)| *supplier).collect();
    network.save()?;
    for n in 1..=network.workers {
        write_worker(network, &told, n)?;
    }
    Ok(devices.into_iter().map(|(device, _)| device).collect())
}

/// Waits for an answer of a process that the supervisor starts.
async fn wait_for<T, F: Future<Output = Result<Option<T>>>>(
    context: &Context,
    service: &str,
    ask: impl Fn() -> F,
) -> Result<T> {
    let deadline = Instant::now() + ANSWER;
    loop {
        if let Some(answer) = ask().await? {
            return Ok(answer);
        }
        let gave_up = status::failing(&context.home)?.iter().any(|name| name == service);
        if gave_up || Instant::now() > deadline {
            let log = context.home.local().join(format!("logs/{service}.log"));
            let why = status::read(&context.home)?.get(service).and_then(|s| s.last_end.clone());
            let why = why.map(|w| format!(" ({w})")).unwrap_or_default();
            return Err(Failure::new(
                Kind::Unreachable,
                format!("the {service} does not start{why}"),
            )
            .hint(format!("its log is {}", log.display())));
        }
        tokio::time::sleep(POLL).await;
    }
}

fn write_coordinator(network: &LocalNetwork) -> Result<()> {
    let mint = |asset| network.mint(asset).map(|m| m.to_string());
    let settings = toml::toml! {
        chain_poll_ms = 250
        proofs_required = true

        // An hour is two minutes here, and work is short: all workers share one machine.
        [trials]
        period_s = 120
        work_ms = 1500
        side = 512
        stream_mib = 8
        stream_ms = 900
        matrix_ms = 900
        grace_ms = 1500
        duty_per_mille = 80
    };
    let mut table = settings;
    let mut set = |name: &str, value: String| {
        table.insert(name.to_owned(), toml::Value::String(value));
    };
    let folder = network.folder().join("coordinator");
    set("data_dir", folder.display().to_string());
    set("keypair", network.key("coordinator").display().to_string());
    set("rest_addr", format!("127.0.0.1:{}", network.ports.rest));
    set("quic_addr", format!("127.0.0.1:{}", network.ports.quic));
    set("rpc_url", network.rpc_url());
    set("ws_url", network.ws_url());
    set("program", LocalNetwork::program()?.to_string());
    set("usdc_mint", mint(Asset::Usdc)?);
    set("io_mint", mint(Asset::Io)?);
    let text = toml::to_string(&table).or_internal("coordinator.toml")?;
    write_if_changed(&network.coordinator_config(), text.as_bytes(), 0o644)
}

/// The renter's wallet, settings and first money.
async fn renter(context: &Context, network: &mut LocalNetwork, ledger: &Ledger) -> Result<()> {
    let home = &context.home;
    let path = context.wallet_path();
    if !path.exists() {
        KeypairFile::create(path)?;
        give_to_invoking_user(path);
        network.made_wallet = path == home.wallet();
        network.save()?;
    }
    let settings = Settings {
        coordinator_url: Some(network.rest_url()),
        rpc_url: Some(network.rpc_url()),
        program: None,
        genesis: network.genesis.map(|g| g.to_string()),
        check: None,
    };
    if network.made_config || !home.config().exists() {
        let text = toml::to_string(&settings).or_internal("config.toml")?;
        let text = format!("# Written by `ionet up` for the local network.\n{text}");
        write_atomic(&home.config(), text.as_bytes(), 0o644)?;
        give_to_invoking_user(&home.config());
        network.made_config = true;
        network.save()?;
    }
    let wallet = context.wallet()?;
    // A wallet that the chain has never seen gets its first money, once.
    if ledger.connection().lamports(&address_of(&wallet)).await? == 0 {
        let (sol, usdc, io) = FIRST_MONEY;
        let amounts = [amount(Asset::Usdc, usdc)?, amount(Asset::Io, io)?];
        fund(ledger.connection(), network, &wallet, sol, amounts).await?;
    }
    Ok(())
}

/// Enrols every worker's device under a supplier wallet of its own.
async fn enrol_all(
    network: LocalNetwork,
    ledger: &Ledger,
    coordinator: Wallet,
) -> Result<Vec<(DeviceId, Wallet)>> {
    let asks = Asks {
        usdc: amount(Asset::Usdc, &network.ask)?.base_units,
        io: amount(Asset::Io, &network.ask)?.base_units,
    };
    let one = |n: u16| {
        let network = &network;
        async move {
            let supplier = KeypairFile::load_or_create(&network.supplier_key(n))?;
            if ledger.connection().lamports(&supplier.address()).await? == 0 {
                let none = [Amount::new(Asset::Usdc, 0), Amount::new(Asset::Io, 0)];
                fund(ledger.connection(), network, &wallet_of(&supplier), SUPPLIER_SOL, none)
                    .await?;
            }
            let folder = network.worker_folder(n);
            let device = enrol_here(ledger, &folder, &supplier, asks, coordinator).await?;
            Ok::<_, Failure>((device, wallet_of(&supplier)))
        }
    };
    futures_util::future::try_join_all((1..=network.workers).map(one)).await
}

/// Divides the machine and writes a worker's settings.
fn write_worker(network: &LocalNetwork, told: &Network, n: u16) -> Result<()> {
    let addresses = told.device_addresses.iter().map(|a| a.parse());
    let config = WorkerConfig {
        state_dir: network.worker_folder(n),
        name: Some(format!("local-{n}")),
        region: Region::LOCAL,
        egress: network.egress,
        mirrors: Vec::new(),
        metrics: Some(([127, 0, 0, 1], network.ports.metrics[usize::from(n) - 1]).into()),
        coordinator: CoordinatorAddress {
            id: told.device_endpoint.parse().or_internal("the coordinator's QUIC identity")?,
            addresses: addresses.collect::<Result<_, _>>().or_internal("device addresses")?,
        },
        slice: slice(network.workers),
        containers: Containers {
            socket: Some(network.socket.clone()),
            runtime: crate::doctor::on_path("runc").then(|| "runc".to_owned()),
        },
    };
    let text = toml::to_string(&config).or_internal("worker.toml")?;
    write_if_changed(&network.worker_config(n), text.as_bytes(), 0o644)
}

/// One worker's part of this machine: what is left for the system is not for sale.
fn slice(workers: u16) -> Slice {
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get());
    let milli = u32::try_from(threads).unwrap_or(1).saturating_mul(1_000) / u32::from(workers);
    let mut system = sysinfo::System::new();
    system.refresh_memory();
    let limit = system.cgroup_limits().map_or(u64::MAX, |c| c.total_memory);
    let memory = system.total_memory().min(limit).saturating_sub(HOST_MEMORY_BYTES);
    // Whole mebibytes: the figure is the same at each start.
    let memory_bytes = (memory / u64::from(workers)) >> 20 << 20;
    Slice { cpu_milli: milli.max(CPU_MILLI_MIN), memory_bytes, scratch_bytes: SCRATCH_BYTES }
}

/// Waits until every device is there and free, or serves a cluster that ran on.
async fn wait_idle(context: &Context, network: &LocalNetwork, ids: &[DeviceId]) -> Result<()> {
    let rest = Rest::new(&network.rest_url(), &context.request_id)?;
    let deadline = Instant::now() + IDLE;
    loop {
        let devices: Vec<Device> = rest.get("/v1/devices").await.unwrap_or_default();
        let works = |id: &&DeviceId| {
            devices.iter().any(|d| {
                d.id == **id
                    && matches!(
                        d.state,
                        DeviceStateName::Idle | DeviceStateName::Bound | DeviceStateName::Hired
                    )
            })
        };
        let there = ids.iter().filter(works).count();
        if there == ids.len() {
            return Ok(());
        }
        let failing = status::failing(&context.home)?;
        if let Some(name) = failing.first() {
            let log = network.log(name);
            return Err(Failure::new(Kind::Refused, format!("{name} fails again and again"))
                .hint(format!("its log is {}", log.display())));
        }
        if Instant::now() > deadline {
            let message = format!("{there} of {} devices are ready", ids.len());
            return Err(Failure::new(Kind::Timeout, message)
                .hint("`ionet device list` says why; logs: `ionet local status`"));
        }
        tokio::time::sleep(POLL).await;
    }
}

fn farewell(
    context: &Context,
    network: &LocalNetwork,
    wallet: Wallet,
    devices: &[DeviceId],
    took: Duration,
) -> String {
    let out = context.out;
    let part = slice(network.workers);
    let ionet = match install::found() {
        Some(_) => "ionet".to_owned(),
        None => this_program().map_or("ionet".into(), |p| p.display().to_string()),
    };
    let n = devices.len().min(3);
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get()) as u64;
    let sold_milli = u64::from(part.cpu_milli) * u64::from(network.workers);
    let shared = if sold_milli > threads * 1_000 {
        format!("\n               (this machine has {threads}: they share them)")
    } else {
        String::new()
    };
    format!(
        "{} after {} s\n\n  chain        {} (WebSocket {})\n  coordinator  {}\n  workers      {} \
         devices, each with {}.{:03} CPU threads and {} of memory{shared}\n  wallet       \
         {wallet}\n\n\
         This chain is one operator's: yours. Its money is worth nothing elsewhere.\n\ntype \
         next:\n  {ionet} cluster create --devices {n} --chip cpu --region any --ttl 1h\n  {ionet} \
         wallet show\n  {ionet} local status\n",
        out.paint(Paint::Green, "the local network is up"),
        took.as_secs(),
        network.rpc_url(),
        network.ws_url(),
        network.rest_url(),
        devices.len(),
        part.cpu_milli / 1_000,
        part.cpu_milli % 1_000,
        bytes(part.memory_bytes),
    )
}
