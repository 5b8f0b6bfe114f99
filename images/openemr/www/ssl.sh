#!/bin/sh
# The certificate (openemr.md §1.4): made where there is none, and once the names that Apache reads are linked to it.
set -e
key=/etc/ssl/private/selfsigned.key.pem cert=/etc/ssl/certs/selfsigned.cert.pem
if [ ! -f $key ]; then
  # RSA 2048 and not 4096, which takes a first start of the tests several seconds.
  openssl req -x509 -newkey rsa:2048 -nodes -days 365 -keyout $key -out $cert -subj "/C=xx/ST=x/L=x/O=x/OU=x/CN=localhost"
fi
if [ ! -f /etc/ssl/docker-selfsigned-configured ]; then
  rm -f /etc/ssl/certs/webserver.cert.pem /etc/ssl/private/webserver.key.pem
  ln -s $cert /etc/ssl/certs/webserver.cert.pem
  ln -s $key /etc/ssl/private/webserver.key.pem
  touch /etc/ssl/docker-selfsigned-configured
fi
