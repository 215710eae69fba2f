#!/bin/sh
# Makes the two base images of deploy/Dockerfile from Debian's own packages, for a machine that reaches no registry of
# images. What they stand in for: `debian:bookworm-slim` (build) and distroless `python3-debian12` (run), which is made
# of the same packages. Needs root, mmdebstrap and podman; about 40 s. Usage: deploy/image/bases.sh BUILD_TAG RUN_TAG
set -eu
build=${1:?the tag of the build base}
run=${2:?the tag of the run base}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Whole packages of a small Debian, with apt: pip and venv are needed to build, and stay behind.
mmdebstrap --quiet --mode=root --variant=minbase --include=python3-venv,ca-certificates \
	--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
	--dpkgopt='path-exclude=/usr/share/locale/*' bookworm "$work/build.tar"
podman import --quiet "$work/build.tar" "$build" >/dev/null

# `extract`: the files of these packages and of what they depend on; no dpkg, no apt, no shell, no perl.
mmdebstrap --quiet --mode=root --variant=extract --include=python3.11,libsqlite3-0,tzdata,netbase,base-files \
	--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
	--dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/perl5/*' \
	--dpkgopt='path-exclude=/usr/share/debconf/*' --dpkgopt='path-exclude=/usr/share/lintian/*' bookworm "$work/run.tar"
mkdir "$work/root"
tar -C "$work/root" -xf "$work/run.tar" --exclude=./dev
rm -rf "$work/root/var/lib/dpkg" "$work/root/var/lib/apt" "$work/root/var/cache" "$work/root/usr/bin"/dpkg* "$work/root/usr/bin"/perl*
ln -sf python3.11 "$work/root/usr/bin/python3"
printf 'root:x:0:0:root:/:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/nonexistent:/sbin/nologin\n' >"$work/root/etc/passwd"
printf 'root:x:0:\nnonroot:x:65532:\n' >"$work/root/etc/group"
mkdir -p "$work/root/etc/ssl/certs" "$work/root/tmp"
chmod 1777 "$work/root/tmp"
tar -C "$work" -xf "$work/build.tar" ./etc/ssl/certs/ca-certificates.crt
cp "$work/etc/ssl/certs/ca-certificates.crt" "$work/root/etc/ssl/certs/"
tar -C "$work/root" -cf "$work/slim.tar" .
podman import --quiet "$work/slim.tar" "$run" >/dev/null
