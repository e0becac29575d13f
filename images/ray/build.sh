#!/usr/bin/env bash
# Builds the image that Ray clusters run, without any image registry:
# a minimal Debian from apt, Ray and its friends from pip, put together by `podman import`.
#
#   images/ray/build.sh                 build, unless the image of this very recipe is there
#   images/ray/build.sh --force         build again
#   images/ray/build.sh --pull REF      take REF from a registry instead and give it our name
#
# Needs root, mmdebstrap, tar, python3 with pip, and podman (or docker: ENGINE=docker).
# apt and pip use the host's own settings (sources, proxies, PIP_* variables, pip.conf).
#   IONET_DEBIAN_MIRROR   a Debian mirror, if not the host's own or Debian's
#   IONET_CACHE_DIR       where the image is put together (default /var/cache/ionet)
set -euo pipefail

IMAGE=localhost/ionet-ray:2.60.0-py311 # = RAY_IMAGE in crates/core/src/image.rs
SUITE=bookworm                         # Debian whose own Python is 3.11
PYTHON=3.11
PACKAGES=python3,python3.11,ca-certificates,tini
LABEL=io.ionet.recipe

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${IONET_CACHE_DIR:-/var/cache/ionet}/ray-image
engine=${ENGINE:-$(command -v podman >/dev/null 2>&1 && echo podman || echo docker)}
conf=${IONET_CONTAINERS_CONF:-$here/../../scripts/containers.conf}
if [ -f "$conf" ]; then export CONTAINERS_CONF=$conf; fi

say() { printf 'ray image: %s\n' "$*"; }
die() { printf 'ray image: %s\n' "$*" >&2; exit 1; }
force=
pull=
while [ $# -gt 0 ]; do
  case $1 in
    --force) force=1 ;;
    --pull) pull=${2:?--pull needs a reference}; shift ;;
    -h | --help) sed -n '2,14s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) die "unknown option $1 (see --help)" ;;
  esac
  shift
done

command -v "$engine" >/dev/null || die "neither podman nor docker is installed"
if [ -n "$pull" ]; then
  "$engine" pull "$pull"
  "$engine" tag "$pull" "$IMAGE"
  say "$pull is now $IMAGE"
  exit 0
fi

recipe=$(cat "$here/build.sh" "$here/requirements.txt" "$here/constraints.txt" |
  sha256sum | cut -c1-16)-$(uname -m)
built=$("$engine" image inspect --format "{{index .Config.Labels \"$LABEL\"}}" "$IMAGE" \
  2>/dev/null || true)
if [ "$built" = "$recipe" ] && [ -z "$force" ]; then
  say "$IMAGE is there (recipe $recipe)"
  exit 0
fi

[ "$(id -u)" = 0 ] || die "needs root to build (try: sudo $0)"
for tool in mmdebstrap python3 tar; do
  command -v "$tool" >/dev/null || die "$tool is missing: apt-get install -y $tool"
done
python3 -m pip --version >/dev/null 2>&1 ||
  die "pip is missing: apt-get install -y python3-pip"

# One build at a time: the tests of several crates may ask at the same instant.
mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9
built=$("$engine" image inspect --format "{{index .Config.Labels \"$LABEL\"}}" "$IMAGE" \
  2>/dev/null || true)
if [ "$built" = "$recipe" ] && [ -z "$force" ]; then
  say "$IMAGE is there (recipe $recipe)"
  exit 0
fi

started=$SECONDS
work=$(mktemp -d "$cache/build.XXXXXX")
trap 'rm -rf --one-file-system "$work"' EXIT
root=$work/root

# 1. Debian. The host's own mirrors when it runs the same release, else Debian's.
say "Debian $SUITE with Python $PYTHON"
sources=
if [ -z "${IONET_DEBIAN_MIRROR:-}" ] && command -v apt-get >/dev/null; then
  sources=$(apt-get indextargets \
    --format 'deb $(REPO_URI) $(CODENAME) $(COMPONENT)|$(CREATED_BY)|$(ORIGIN)' 2>/dev/null |
    awk -F'|' -v s="$SUITE" '$2=="Packages" && $3=="Debian" &&
      $1 ~ " " s "(-updates|-security)? main$" {print $1}' | sort -u)
  case $sources in *" $SUITE main"*) ;; *) sources= ;; esac
fi
mirror=${IONET_DEBIAN_MIRROR:-}
log=$work/mmdebstrap.log
if [ -n "$sources" ]; then
  printf '%s\n' "$sources" >"$work/sources.list"
  mirror=$work/sources.list
fi
mmdebstrap --quiet --variant=minbase --include="$PACKAGES" \
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
  --dpkgopt='path-exclude=/usr/share/locale/*' \
  --aptopt='Acquire::Retries "3"' \
  "$SUITE" "$root" ${mirror:+"$mirror"} >"$log" 2>&1 || { tail -20 "$log" >&2; exit 1; }

# 2. Python packages: wheels only, for the image's Python and C library, so nothing is compiled
#    and nothing runs inside the new root.
say "Ray from pip"
site=$root/usr/local/lib/python$PYTHON/dist-packages
platforms=()
for p in manylinux2014 manylinux_2_17 manylinux_2_27 manylinux_2_28 manylinux_2_34; do
  platforms+=(--platform "${p}_$(uname -m)")
done
python3 -m pip install --quiet --no-compile --only-binary=:all: --implementation cp \
  --python-version "$PYTHON" "${platforms[@]}" --target "$site" \
  --disable-pip-version-check --no-warn-conflicts --root-user-action=ignore \
  --constraint "$here/constraints.txt" --requirement "$here/requirements.txt"

# Not used by Ray's Python side: Java and C++ headers.
rm -rf "$site/ray/jars" "$site/ray/cpp"
# Commands get the interpreter of the image instead of the host's.
mkdir -p "$root/usr/local/bin"
for file in "$site"/bin/*; do
  sed -i "1s|^#!.*python.*|#!/usr/bin/python$PYTHON|" "$file" 2>/dev/null || true
  mv "$file" "$root/usr/local/bin/"
done
rm -rf "$site/bin"
# The root is read-only at run time: without compiled modules every start would compile anew.
say "compiling modules"
chroot "$root" "/usr/bin/python$PYTHON" -m compileall -q -j 0 \
  "/usr/local/lib/python$PYTHON/dist-packages" >/dev/null || true
# (A few files of Ray hold templates that are not Python; they are reported and skipped.)

# 3. The unprivileged user that jobs run as.
chroot "$root" useradd --uid 1000 --create-home --shell /bin/bash ray
ln -sf /usr/bin/python3 "$root/usr/local/bin/python"
: >"$root/etc/machine-id"
rm -rf "$root"/var/{lib/apt/lists,cache/apt,log}/* "$root"/etc/resolv.conf
find "$root" -xdev -perm /6000 -type f -exec chmod a-s {} + # no setuid programs inside

say "importing"
old=$("$engine" image inspect --format '{{.Id}}' "$IMAGE" 2>/dev/null || true)
quiet=
[ "$engine" = podman ] && quiet=--quiet
tar -C "$root" --numeric-owner -cf - . | "$engine" import ${quiet:+"$quiet"} \
  --change "LABEL $LABEL=$recipe" --change 'USER 1000:1000' \
  --change 'ENV PATH=/usr/local/bin:/usr/bin:/bin' --change 'ENV LANG=C.UTF-8' \
  --change 'ENV HOME=/home/ray' --change 'WORKDIR /home/ray' \
  - "$IMAGE" >/dev/null
# The image that had the name before, unless a container still runs on it.
if [ -n "$old" ]; then "$engine" rmi "$old" >/dev/null 2>&1 || true; fi
size=$("$engine" image inspect --format '{{.Size}}' "$IMAGE")
say "$IMAGE: $((size / 1000000)) MB in $((SECONDS - started)) s (recipe $recipe)"
