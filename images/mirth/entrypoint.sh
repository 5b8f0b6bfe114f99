#!/bin/bash
# Makes conf/mirth.properties and conf/mcserver.vmoptions of environment and secret files, then starts the engine. The contract is
# upstream's (mirth.md §1); what upstream would write as garbage, and what the stand-in lacks, ends the container with 1 and a sentence.
set -eu
cd /opt/connect
properties=conf/mirth.properties

refuse() {
  echo "Stand-in: $*" >&2
  exit 1
}

# property KEY VALUE: upstream hands the value to sed, which eats a backslash and puts the old line in the place of a bare &.
property() {
  local key=$1 value=$2 plain others
  plain=${value//\\&/}
  [[ $plain != *[\\\&]* ]] || refuse "the value of $key holds a bare & or a backslash, which upstream garbles: write \\& for &, and no backslash"
  value=${value//\\&/&}
  others=$(grep -v "^${key//./\\.}\s*=" "$properties" || true)
  printf '%s\n' "$others" "$key = $value" >"$properties"
}

for variable in EXTENSIONS_DOWNLOAD CUSTOM_JARS_DOWNLOAD KEYSTORE_DOWNLOAD LICENSE_KEY SESSION_STORE; do
  [ -z "${!variable:-}" ] || refuse "$variable is not implemented"
done

# The passwords are for the engine alone; its other files get the umask that it was started with.
install -m 600 /dev/null "$properties"
cat >"$properties" <<'DEFAULTS'
http.port = 8080
https.port = 8443
database = derby
database.url =
database.username =
database.password =
database.max-connections = 20
database.connection.maxretry = 2
database.connection.retrywaitinmilliseconds = 10000
keystore.type = JCEKS
keystore.storepass = changeme
keystore.keypass = changeme
password.minlength = 0
password.minupper = 0
password.minlower = 0
password.minnumeric = 0
password.minspecial = 0
password.retrylimit = 0
DEFAULTS
printf '%s\n' -server -Xmx256m >conf/mcserver.vmoptions

while read -r variable key; do
  [ -z "${!variable:-}" ] || property "$key" "${!variable}"
done <<'TABLE'
DATABASE database
DATABASE_URL database.url
DATABASE_USERNAME database.username
DATABASE_PASSWORD database.password
DATABASE_MAX_CONNECTIONS database.max-connections
DATABASE_MAX_RETRY database.connection.maxretry
DATABASE_RETRY_WAIT database.connection.retrywaitinmilliseconds
KEYSTORE_STOREPASS keystore.storepass
KEYSTORE_KEYPASS keystore.keypass
KEYSTORE_TYPE keystore.type
TABLE

# _MP_A__B_C is the property a-b.c; one that is the beginning of another's name is not written, as upstream.
for variable in "${!_MP_@}"; do
  key=${variable#_MP_}
  key=${key//__/-}
  key=${key//_/.}
  key=${key,,}
  if grep -q "^$key" "$properties" && ! grep -q "^${key//./\\.}\s*=" "$properties"; then
    echo "$variable is not written: other properties begin with $key"
  else
    property "$key" "${!variable}"
  fi
done

[ -z "${VMOPTIONS:-}" ] || tr ',' '\n' <<<"$VMOPTIONS" >>conf/mcserver.vmoptions
[ -z "${SERVER_ID:-}" ] || echo "server.id = $SERVER_ID" >appdata/server.id

if [ -f /run/secrets/mirth_properties ]; then
  while IFS= read -r line || [ -n "$line" ]; do
    [[ $line =~ ^[[:space:]]*([^#=[:space:]]+)[[:space:]]*=[[:space:]]*(.*)$ ]] || continue
    property "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}"
  done </run/secrets/mirth_properties
fi
if [ -f /run/secrets/mcserver_vmoptions ]; then
  { cat /run/secrets/mcserver_vmoptions; echo; } >>conf/mcserver.vmoptions
fi

for key in server.api.bypassword server.api.allowhttp password.lockoutperiod password.expiration password.reuseperiod; do
  ! grep -q "^${key//./\\.}\s*=\s*[^[:space:]0]" "$properties" || refuse "the property $key is not implemented"
done

[ -z "${DELAY:-}" ] || sleep "$DELAY"
exec "$@"
