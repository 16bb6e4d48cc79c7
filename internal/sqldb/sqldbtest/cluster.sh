# Runs a PostgreSQL cluster of its own in a temporary folder until standard
# input ends, which is when whoever started it is gone, however that came about.
# Then nothing of it is left. Settings come as environment variables: PGBIN (the
# folder of initdb and pg_ctl), PORT, PASSWORD (of the superuser "trunkline").
# Prints "ready FOLDER", or what went wrong.
set -eu
umask 077
# In memory where there is room: a new database for each test is mostly writing.
parent=/tmp
free=$(df -Pk /dev/shm 2>/dev/null | awk 'END { print $4 + 0 }')
[ ! -w /dev/shm ] || [ "$free" -lt 2000000 ] || parent=/dev/shm
dir=$(mktemp -d $parent/trunkline-postgres.XXXXXX)
as=
if [ "$(id -u)" = 0 ]; then # PostgreSQL refuses root
	chown postgres "$dir"
	as="setpriv --reuid=postgres --regid=postgres --init-groups"
fi
cd "$dir"
end() {
	status=$?
	trap - EXIT
	$as "$PGBIN/pg_ctl" -D "$dir/data" -m immediate -w stop >/dev/null 2>&1 || true
	[ $status = 0 ] || cat "$dir/log"
	rm -rf "$dir"
	exit $status
}
trap end EXIT
trap 'exit 1' INT TERM HUP
printf %s "$PASSWORD" | $as sh -c "umask 077; cat >$dir/password"
$as sh -c "'$PGBIN/initdb' -D $dir/data --username=trunkline --pwfile=$dir/password --auth-local=trust \
	--auth-host=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 --no-sync --no-instructions >$dir/log 2>&1"
$as "$PGBIN/pg_ctl" -D "$dir/data" -w -t 60 -l "$dir/log" -o "-F -p $PORT -c listen_addresses=127.0.0.1 \
	-c unix_socket_directories=$dir -c max_connections=300 -c full_page_writes=off -c autovacuum=off" start >/dev/null
echo "ready $dir"
cat >/dev/null
