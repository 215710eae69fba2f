#!/bin/sh
# Makes what compose.yaml mounts from deploy/compose/state: passwords, the ACL file, the master key and the vault. What is
# there stays as it is, so it may run before every start. Usage: deploy/compose/state.sh [CLAIMSTREAM_COMMAND]
set -eu
cd "$(dirname "$0")"
claimstream=${1:-claimstream}
umask 077
mkdir -p state/passwords state/redis state/master state/vault state/users/worker state/users/prepare state/users/exporter

"$claimstream" --quiet store passwords state/passwords
"$claimstream" --quiet store users --passwords state/passwords --output state/redis/users.acl
# Each service sees the passwords of its own users; the rest (operator, backup ...) stays on the host.
own() {
	service=$1
	shift
	for user in "$@"; do cp "state/passwords/$user" "state/users/$service/$user"; done
}
own worker worker claims-processor intake timekeeper analytics auditor cache-invalidator notifier dispatcher \
	archivist policy-archivist customer-archivist
own prepare deploy
own exporter monitor
test -s state/master/master.key || head -c 32 /dev/urandom | base64 >state/master/master.key
test -s state/grafana-password || head -c 18 /dev/urandom | base64 >state/grafana-password
CLAIMSTREAM_PROFILE=production CLAIMSTREAM_PRIVACY__VAULT=$PWD/state/vault/keys.sqlite \
	CLAIMSTREAM_PRIVACY__MASTER_KEY_FILE=$PWD/state/master/master.key "$claimstream" --quiet vault prepare >/dev/null

# The containers run as 10001 (ours), 999 (Redis) and 472 (Grafana); only root can give files away.
if [ "$(id -u)" = 0 ]; then
	chown -R 10001:10001 state/users state/master state/vault
	chown -R 999:999 state/redis
	chown 472:472 state/grafana-password
else
	echo "not root: give state/ to the containers: chown -R 10001 users master vault; 999 redis; 472 grafana-password" >&2
fi
