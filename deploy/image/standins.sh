#!/bin/sh
# Images in the place of redis, prom/prometheus and prom/alertmanager, from Debian's packages, for a machine that reaches
# no registry of images. For drills only. Needs root, mmdebstrap and podman. Usage: deploy/image/standins.sh PREFIX
set -eu
prefix=${1:?the first part of the tags, such as localhost/standin}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mmdebstrap --quiet --mode=root --variant=extract --include=redis-server,redis-tools,prometheus,prometheus-alertmanager,base-files \
	--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
	--dpkgopt='path-exclude=/usr/share/locale/*' bookworm "$work/all.tar"
mkdir "$work/root"
tar -C "$work/root" -xf "$work/all.tar" --exclude=./dev
printf 'root:x:0:0:root:/:/sbin/nologin\n' >"$work/root/etc/passwd"
printf 'root:x:0:\n' >"$work/root/etc/group"
# As the images of the makers: the data directory belongs to who runs there.
mkdir -p "$work/root/data" "$work/root/prometheus" "$work/root/alertmanager" "$work/root/tmp"
chmod 1777 "$work/root/tmp"
chown 999:999 "$work/root/data"
chown 65534:65534 "$work/root/prometheus" "$work/root/alertmanager"
tar -C "$work/root" -cf "$work/slim.tar" .
podman import --quiet --change 'ENV PATH=/usr/bin:/bin' "$work/slim.tar" "$prefix-redis:drill" >/dev/null
podman import --quiet --change 'ENTRYPOINT ["/usr/bin/prometheus"]' "$work/slim.tar" "$prefix-prometheus:drill" >/dev/null
podman import --quiet --change 'ENTRYPOINT ["/usr/bin/prometheus-alertmanager"]' "$work/slim.tar" "$prefix-alertmanager:drill" >/dev/null
